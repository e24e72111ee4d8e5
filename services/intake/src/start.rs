//! Intake's part of a process.

use chassis::host::{Host, Pages, StartError};
use chassis::sealing::{self, Sealing};

use crate::settings::Settings;
use crate::{Intake, http};

/// # Errors
/// When a setting is missing, or what the service stands on cannot be set up.
pub fn start(host: &mut Host, settings: &Settings, sealing: &sealing::Settings) -> Result<Pages, StartError> {
    let known = host.known_material()?;
    let (preparer, sealing) = (settings.preparer(known)?, Sealing::start(host, sealing)?);
    let front = host.run(Intake)?;
    Ok(Pages::of(http::pages(front.clone(), preparer, sealing, host.receipts()?), front))
}
