//! The pages.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use chassis::auth::Caller;
use chassis::clock::Clock;
use chassis::problem::Problem;
use chassis::reference::Reference;
use futures::Stream;
use schemas::codes::AgencyKind;
use schemas::directory::Agency;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::{Overview, Watch};
use crate::frames::Frames;

/// Most needs of one answer.
const MOST_NEEDS: usize = 200;
/// Changes within so long are shown as one.
const TOGETHER: Duration = Duration::from_secs(1);
/// Shown anew at least so often: some of it changes with time alone.
const AT_LEAST: Duration = Duration::from_secs(60);
/// Something is sent at least this often, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub struct Pages {
    pub(crate) frames: Arc<Frames>,
    pub(crate) reference: Reference,
    pub(crate) clock: Clock,
}

pub fn pages(pages: Pages) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(overview)).routes(routes!(follow_overview)).with_state(pages)
}

/// What goes on within the countries of a coordinator, and what needs a person.
#[utoipa::path(get, path = "/v1/overview", tag = "dashboard",
    responses((status = 200, body = Overview), (status = 403, body = Problem)))]
async fn overview(caller: Caller, State(pages): State<Pages>) -> Result<Json<Overview>, Problem> {
    caller.must_be(&[AgencyKind::Coordinator])?;
    pages.look(caller.agency).await.map(Json)
}

/// The overview, and again whenever it has changed: `event` is `overview`, `data` the overview as JSON. It ends when
/// the token does.
#[utoipa::path(get, path = "/v1/overview/stream", tag = "dashboard",
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 403, body = Problem)))]
async fn follow_overview(
    caller: Caller,
    State(pages): State<Pages>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    caller.must_be(&[AgencyKind::Coordinator])?;
    Ok(Sse::new(overviews(caller, pages)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn overviews(caller: Caller, pages: Pages) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let (mut changes, mut shown) = (pages.frames.changes(), None);
        loop {
            changes.borrow_and_update();
            // What the coordinator watches may have changed meanwhile.
            let directory = pages.reference.snapshot().directory;
            let Some(agency) = directory.agency(&caller.agency.id, pages.clock.now()).cloned() else { return };
            let Ok(overview) = pages.look(agency).await else { return };
            if shown.as_ref() != Some(&overview) {
                let data = serde_json::to_string(&overview).expect("an overview is plain data");
                yield Ok(Event::default().event("overview").data(data));
                shown = Some(overview);
            }
            let Some(left) = caller.time_left() else { return };
            let next = async {
                tokio::time::sleep(TOGETHER).await;
                // None comes where nothing follows the topics any more: the process ends.
                let _ = tokio::time::timeout(AT_LEAST, changes.changed()).await;
            };
            tokio::select! {
                () = next => {}
                () = tokio::time::sleep(left) => return,
            }
        }
    }
}

impl Pages {
    async fn look(&self, agency: Agency) -> Result<Overview, Problem> {
        let pages = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let watch = Watch { country: &agency.country, scope: &agency.scope };
            pages.frames.overview(&watch, pages.clock.now(), MOST_NEEDS)
        });
        looked.await.map_err(|_| Problem::internal())
    }
}
