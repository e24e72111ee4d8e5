//! The first directory: a file that the operator gives, loaded once on an empty topic.

use std::collections::BTreeSet;
use std::path::Path;

use chassis::front::{Answer, Front, Request};
use chassis::problem::Problem;
use schemas::directory::{DirectoryCommand, Entry, LoadGenesis};
use schemas::ids::{AgencyId, CommandId, EntryId};
use schemas::{Actor, digest};
use serde::Deserialize;

use crate::{Directory, domain, legal};

#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    #[error("failed to read the genesis file {path}")]
    Read { path: String, source: std::io::Error },
    #[error("the genesis file {path} is not a directory")]
    Parse { path: String, source: serde_json::Error },
    #[error("the genesis was not loaded: {0}")]
    Refused(Problem),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    entries: Vec<Entry>,
}

/// The file's entries, and the legal data that comes with the program where the file has none of its own.
///
/// # Errors
/// When the file does not read or is no list of entries.
pub fn read(path: &Path) -> Result<Vec<Entry>, GenesisError> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| GenesisError::Read { path: name(), source })?;
    let file: File =
        serde_json::from_str(&text).map_err(|source| GenesisError::Parse { path: name(), source })?;
    let own: BTreeSet<EntryId> = file.entries.iter().filter_map(|entry| entry.id().ok()).collect();
    let shipped = legal::shipped().into_iter();
    let more = shipped.filter(|entry| entry.id().is_ok_and(|id| !own.contains(&id)));
    Ok(file.entries.into_iter().chain(more).collect())
}

/// Loads the entries; one command with one id, so that it happens once however often a process starts.
///
/// # Errors
/// When the directory was not empty, or another genesis was loaded before.
pub async fn load(front: &Front<Directory>, entries: Vec<Entry>) -> Result<(), GenesisError> {
    let genesis = LoadGenesis { entries };
    let asked = serde_json::to_vec(&genesis).expect("a directory is plain data");
    let request = Request {
        command_id: CommandId::derive(&[b"genesis"]),
        aggregate_id: domain::GENESIS.to_owned(),
        digest: digest::sha256(&[&asked]).to_vec(),
        agency: AgencyId::own(),
        actor: Actor::service("directory"),
        signature: None,
        body: DirectoryCommand::LoadGenesis(genesis),
    };
    match front.submit(request).await {
        Ok(Answer::Done { .. }) | Ok(Answer::Pending(_)) => Ok(()),
        // The directory has gone its own way since: the file is only where it began.
        Err(problem) if problem.code() == Problem::key_reused().code() => Ok(()),
        Err(problem) => Err(GenesisError::Refused(problem)),
    }
}
