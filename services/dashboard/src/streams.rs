//! Looks as they come, for as long as somebody may have them.

use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::KeepAlive;
use chassis::auth::Caller;
use chassis::problem::Problem;
use chassis::reference::Reference;
use futures::Stream;

use crate::looks::{Look, Looks, watches_the_same};

/// Something is sent at least this often, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub fn keep_alive() -> KeepAlive {
    KeepAlive::new().interval(KEEP_ALIVE)
}

/// Each look from now on. It ends with the token, and where the directory gives the agency other countries: whoever
/// comes back then sees those.
///
/// # Errors
/// When not all is read yet.
pub fn looks(
    caller: Caller,
    looks: &Looks,
    reference: &Reference,
) -> Result<impl Stream<Item = Arc<Look>> + use<>, Problem> {
    let (mut looking, clock, reference) =
        (looks.follow(&caller.agency)?, looks.clock.clone(), reference.clone());
    Ok(async_stream::stream! {
        // The first is there already, or is the next to come.
        looking.mark_changed();
        loop {
            let Some(left) = caller.time_left() else { return };
            tokio::select! {
                changed = looking.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(left) => return,
            }
            let directory = reference.snapshot().directory;
            let agency = directory.agency(&caller.agency.id, clock.now());
            if !agency.is_some_and(|agency| watches_the_same(&caller.agency, agency)) {
                return;
            }
            let look = looking.borrow_and_update().clone();
            if let Some(look) = look {
                yield look;
            }
        }
    })
}
