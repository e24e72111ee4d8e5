//! The desk's pages.

mod act;
mod child;
mod children;
mod door;
mod failure;
mod inbox;
mod incident;
mod opened;
mod request;
mod requests;
mod visit;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::HeaderMap;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use chassis::clock::Clock;
use chassis::http::{Path, Query};
use chassis::problem::Problem;
use chassis::seal::KeyPair;
use client::Client;
use pages::assets::{Asset, Shelf};
use pages::guard::guarded;
use pages::shell::{self, Next};
use tokio::sync::watch;

use crate::agencies::Agencies;
use crate::forms::Forms;
use crate::inbox::Inbox;

pub use door::Door;

/// The pages stand at the root.
const BASE: &str = "";
pub const REQUESTS: &str = "/requests";
pub const CHILDREN: &str = "/children";

/// What every page needs.
pub struct Desk {
    pub client: Client,
    pub keys: Vec<KeyPair>,
    pub forms: Forms,
    pub agencies: Agencies,
    pub inbox: watch::Receiver<Arc<Inbox>>,
    pub clock: Clock,
}

pub fn pages(desk: Desk, door: Door) -> Router {
    let origin = door.origin();
    let inside = Router::new()
        .route("/", get(inbox::page))
        .route("/inbox/stream", get(inbox::stream))
        .route("/incidents/{incident}", get(incident::page))
        .route("/incidents/{incident}/draft", get(request::draft))
        .route("/incidents/{incident}/requests/{request}", get(request::page))
        .route("/incidents/{incident}/children/{child}", get(child::page))
        .route("/incidents/{incident}/assignments/{assignment}/open", post(opened::assignment))
        .route("/incidents/{incident}/requests/{request}/open", post(opened::request))
        .route("/incidents/{incident}/children/{child}/open", post(opened::handover))
        .route(REQUESTS, get(requests::page))
        .route(CHILDREN, get(children::page))
        .route("/language/{language}", get(choose_language))
        .route("/assets/{name}", get(asset))
        // Whatever else is sent is a command, at its own path.
        .fallback(act::command)
        .with_state(Arc::new(desk));
    let door = Arc::new(door);
    let behind = inside.layer(middleware::from_fn_with_state(Arc::clone(&door), door::with_the_secret));
    let entrance = Router::new().route("/enter", get(door::enter)).with_state(Arc::clone(&door));
    let all = behind.merge(entrance).layer(middleware::from_fn_with_state(door, door::by_name));
    guarded(all, origin)
}

static ASSETS: LazyLock<Shelf> =
    LazyLock::new(|| Shelf::with([Asset::script("desk.js", include_str!("../assets/desk.js"))]));

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
