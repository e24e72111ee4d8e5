//! Victim identification's part of a process.

use chassis::host::{Host, StartError};
use chassis::sealing::{self, Sealing};

use crate::{VictimId, http};

/// # Errors
/// When a setting is missing, or what the service stands on cannot be set up.
pub fn start(host: &mut Host, sealing: &sealing::Settings) -> Result<chassis::host::Pages, StartError> {
    let sealing = Sealing::start(host, sealing)?;
    let front = host.run(VictimId)?;
    let pages = http::Pages { front: front.clone(), sealing, reference: host.reference.clone() };
    Ok(chassis::host::Pages::of(http::pages(pages), front))
}
