//! Routing's part of a process.

use chassis::host::{Host, Pages, StartError};
use chassis::sealing::{self, Sealing};

use crate::{Routing, http};

/// # Errors
/// When a setting is missing, or what the service stands on cannot be set up.
pub fn start(host: &mut Host, sealing: &sealing::Settings) -> Result<Pages, StartError> {
    let sealing = Sealing::start(host, sealing)?;
    let front = host.run(Routing)?;
    Ok(Pages::of(http::pages(front.clone(), sealing, host.reference.clone()), front))
}
