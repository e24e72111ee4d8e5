//! The pages that people see: rendered here, whole without scripts, and kept up to date by one.

mod directory;
mod failure;
mod incident;
mod incidents;
mod overview;
mod said;
mod services;
mod session;
mod sign_in;
mod visit;
mod work;

use std::sync::LazyLock;

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Key;
use chassis::http::{Path, Query};
use chassis::problem::Problem;
use chassis::reference::Reference;
use pages::assets::{Asset, LAND, Shelf};
use pages::guard::guarded;
use pages::shell::{self, Next};

use crate::looks::Looks;
use crate::settings::PageSettings;
use services::Services;
use sign_in::Provider;

/// Before the address of every page.
pub const BASE: &str = "/dashboard";
/// The list of all incidents; below it stand their pages.
pub const INCIDENTS: &str = "/dashboard/incidents";
pub const DIRECTORY: &str = "/dashboard/directory";

/// What every page needs.
#[derive(Clone)]
pub(crate) struct Web {
    looks: Looks,
    reference: Reference,
    provider: Provider,
    services: Services,
    session_key: Key,
}

impl FromRef<Web> for Key {
    fn from_ref(web: &Web) -> Self {
        web.session_key.clone()
    }
}

pub fn pages(looks: Looks, reference: Reference, settings: PageSettings) -> Router {
    let origin = settings.address.origin().ascii_serialization();
    let session_key = settings.session_key.clone();
    let services = Services::new(settings.services.clone());
    let web = Web { looks, reference, provider: Provider::new(settings), services, session_key };
    let pages = Router::new()
        .route("/", get(overview::page))
        .route("/overview/stream", get(overview::stream))
        .route("/incidents", get(incidents::page))
        .route("/incidents/{incident}", get(incident::page))
        .route("/incidents/{incident}/trail", get(incident::trail))
        .route("/incidents/{incident}/lead", post(work::record_lead))
        .route("/incidents/{incident}/assignments/{assignment}/revoke", post(work::revoke))
        .route("/incidents/{incident}/assignments/{assignment}/escalate", post(work::escalate))
        .route("/incidents/{incident}/requests/{request}/periods/{clock}/answer", post(work::answer_period))
        .route("/incidents/{incident}/children/{child}/invitations", post(work::invite))
        .route("/directory", get(directory::page))
        .route("/directory/preview", post(directory::preview))
        .route("/directory/propose", post(directory::propose))
        .route("/directory/{kind}/{name}/changes/{proposal}/confirm", post(directory::confirm))
        .route("/directory/{kind}/{name}/changes/{proposal}/withdraw", post(directory::withdraw))
        .route("/sign-in", get(sign_in::begin))
        .route("/signed-in", get(sign_in::end))
        .route("/sign-out", post(session::sign_out))
        .route("/signed-out", get(session::signed_out))
        .route("/language/{language}", get(choose_language))
        .route("/assets/{name}", get(asset))
        .fallback(failure::no_such_page)
        .with_state(web);
    guarded(Router::new().nest(BASE, pages), origin)
}

/// The same check that a party makes with a page opened from disk (docs/verify.html).
const VERIFY: &str = include_str!(concat!(env!("OUT_DIR"), "/verify.js"));

static ASSETS: LazyLock<Shelf> = LazyLock::new(|| {
    let trail = Asset::script("trail.js", include_str!("../assets/trail.js"));
    Shelf::with([LAND, trail, Asset::script("verify.js", VERIFY)])
});

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    ASSETS.give(&name, &headers)
}

async fn choose_language(
    Path(language): Path<String>,
    Query(next): Query<Next>,
    jar: CookieJar,
) -> Result<Response, Problem> {
    shell::choose_language(&language, next, jar, BASE)
}
