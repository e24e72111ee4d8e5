//! The inbox as a stream of server-sent events: what is there, then what comes.
//!
//! Each event's id is a cursor, so a client that was cut off goes on with `Last-Event-ID` on any instance. The
//! stream ends when the token does.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use chassis::auth::Caller;
use chassis::cursor::Cursor;
use chassis::problem::Problem;
use futures::Stream;

use crate::http::Pages;
use crate::inbox;

const LAST_EVENT_ID: &str = "last-event-id";
/// Entries read at once; the stream goes on at once while there are more.
const PAGE: usize = 200;
/// Something is sent at least this often, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Follows the inbox. `event` is `entry`, `data` an inbox entry as JSON with its receipt, `id` where to go on after.
#[utoipa::path(get, path = "/v1/inbox/stream", tag = "delivery",
    params(("Last-Event-ID" = Option<String>, Header, description = "goes on behind this event, on any instance")),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400, body = Problem)))]
pub async fn follow(
    caller: Caller,
    State(pages): State<Pages>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let cursor = match headers.get(LAST_EVENT_ID) {
        // A text that is no ASCII is no cursor either.
        Some(value) => {
            pages.cursors.read(&caller.agency.id, value.to_str().unwrap_or_default()).map_err(|_| {
                Problem::malformed().field(LAST_EVENT_ID, "not an id that was given to this agency")
            })?
        }
        None => Cursor::default(),
    };
    let stream = entries(caller, pages, cursor);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn entries(
    caller: Caller,
    pages: Pages,
    mut cursor: Cursor,
) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let mut positions = pages.front.fold().positions();
        let agency = caller.agency.clone();
        loop {
            // Marked as seen before the page is read: what comes meanwhile wakes the next round.
            positions.borrow_and_update();
            let Ok(page) = inbox::page(&pages, &agency, &cursor, PAGE) else { return };
            let more = page.more;
            for (entry, behind) in page.entries.into_iter().zip(page.behind) {
                cursor = behind;
                let id = pages.cursors.write(&agency.id, &cursor);
                let data = serde_json::to_string(&entry).expect("an inbox entry is plain data");
                yield Ok(Event::default().event("entry").id(id).data(data));
            }
            cursor = page.cursor;
            if !more {
                let Some(left) = caller.time_left() else { return };
                tokio::select! {
                    changed = positions.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(left) => return,
                }
            }
        }
    }
}
