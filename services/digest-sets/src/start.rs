//! Digest sets' part of a process.

use chassis::host::{Host, Pages, StartError};

use crate::{DigestSets, http};

/// # Errors
/// When what the service stands on cannot be set up.
pub fn start(host: &mut Host) -> Result<Pages, StartError> {
    let known = host.known_material()?;
    let front = host.run(DigestSets)?;
    Ok(Pages::of(http::pages(http::Pages { front: front.clone(), known }), front))
}
