//! The directory's part of a process.

use std::path::Path;
use std::time::Duration;

use chassis::front::Front;
use chassis::host::{Host, Pages, StartError};
use chassis::problem::chain;
use chassis::reference::Reference;
use schemas::directory::Entry;

use crate::{Directory, genesis, http};

/// How soon it is looked again whether the own topic was read to its end.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Pause before a first directory that was not taken is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// # Errors
/// When the genesis file does not read, or what the service stands on cannot be set up.
pub fn start(host: &mut Host, genesis_file: Option<&Path>) -> Result<Pages, StartError> {
    let front = host.run(Directory)?;
    if let Some(file) = genesis_file {
        let entries = genesis::read(file)?;
        tokio::spawn(load_genesis(front.clone(), host.reference.clone(), entries));
    }
    Ok(Pages::of(http::pages(front.clone(), host.reference.clone()), front))
}

/// Loads the first directory once the fold says whether there is one already.
async fn load_genesis(front: Front<Directory>, reference: Reference, entries: Vec<Entry>) {
    let mut changes = reference.changes();
    if changes.wait_for(|(complete, _)| *complete).await.is_err()
        || !reference.snapshot().directory.is_empty()
    {
        return;
    }
    // Until then nobody is answered.
    while !front.fold().is_whole() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    // One command with one id: trying again loads it once.
    while let Err(error) = genesis::load(&front, entries.clone()).await {
        tracing::error!(error = %chain(&error), "the genesis file was not loaded, retrying");
        tokio::time::sleep(AGAIN).await;
        if !reference.snapshot().directory.is_empty() {
            return;
        }
    }
}
