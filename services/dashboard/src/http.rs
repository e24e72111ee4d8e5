//! The overview as data, for programs.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use chassis::auth::Caller;
use chassis::problem::Problem;
use chassis::reference::Reference;
use futures::{Stream, StreamExt};
use schemas::codes::AgencyKind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::Overview;
use crate::looks::Looks;
use crate::streams;

#[derive(Clone)]
pub struct Api {
    pub(crate) looks: Looks,
    pub(crate) reference: Reference,
}

pub fn api(api: Api) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(overview)).routes(routes!(follow_overview)).with_state(api)
}

/// What goes on within the countries of a coordinator, and what needs a person.
#[utoipa::path(get, path = "/v1/overview", tag = "dashboard",
    responses((status = 200, body = Overview), (status = 403, body = Problem)))]
async fn overview(caller: Caller, State(api): State<Api>) -> Result<Json<Overview>, Problem> {
    caller.must_be(&[AgencyKind::Coordinator])?;
    Ok(Json(api.looks.now(&caller.agency).await?.overview.clone()))
}

/// The overview, and again whenever it has changed: `event` is `overview`, `data` the overview as JSON. It ends when
/// the token does.
#[utoipa::path(get, path = "/v1/overview/stream", tag = "dashboard",
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 403, body = Problem)))]
async fn follow_overview(
    caller: Caller,
    State(api): State<Api>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    caller.must_be(&[AgencyKind::Coordinator])?;
    let mut shown = None;
    let changed = streams::looks(caller, &api.looks, &api.reference)?.filter_map(move |look| {
        let is_new = shown.as_ref() != Some(&look.overview);
        let event = is_new.then(|| {
            shown = Some(look.overview.clone());
            let data = serde_json::to_string(&look.overview).expect("an overview is plain data");
            Ok(Event::default().event("overview").data(data))
        });
        std::future::ready(event)
    });
    Ok(Sse::new(changed).keep_alive(streams::keep_alive()))
}
