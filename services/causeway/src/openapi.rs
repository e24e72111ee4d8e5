//! The OpenAPI document: generated from the pages' own code, and served with them.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

#[derive(OpenApi)]
#[openapi(info(
    title = "Causeway",
    description = "The backbone on which hotlines, police, central authorities and coordinators work one \
        cross-border child-protection incident together. Metadata, digests and identifiers; never content.",
    license(name = "Apache-2.0", identifier = "Apache-2.0"),
))]
struct Document;

/// What every document says, whichever services it describes.
pub fn head() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]);
    document
}

/// `/openapi.json`, open to everyone: it says what there is, nothing of what is in it.
pub fn pages(document: utoipa::openapi::OpenApi) -> Router {
    Router::new().route("/openapi.json", get(move || std::future::ready(Json(document.clone()))))
}
