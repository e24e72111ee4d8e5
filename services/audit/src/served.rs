//! What a running service shows everybody, held against what was derived from Kafka: its head, its tiles, its entries.

use audit_log::tree::record_hash;
use audit_log::{LogKey, Root};
use tlog_tiles::{HashReader, Tile, tree_hash};

use crate::http::TILE_HEIGHT;

/// Bytes of an entry: its length, and a leaf.
const ENTRY_BYTES: usize = 34;
const HASH_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum ServedError {
    #[error("{0} is not served")]
    Ask(String, #[source] reqwest::Error),
    #[error("a hash of the log could not be derived")]
    Tree(#[from] tlog_tiles::Error),
}

/// A service's head, and where the rest stands.
pub struct Served {
    http: reqwest::Client,
    address: String,
    head: String,
}

impl Served {
    /// Before the log is read: what is served under this head stands in the log by then.
    ///
    /// # Errors
    /// When no head is served.
    pub async fn open(address: &str) -> Result<Self, ServedError> {
        let address = format!("{}/log", address.trim_end_matches('/'));
        let served = Self { http: reqwest::Client::new(), address, head: String::new() };
        let head = String::from_utf8_lossy(&served.get("checkpoint").await?).into_owned();
        Ok(Self { head, ..served })
    }

    /// What differs, and how many tiles were compared. `size` is how many leaves the tree has.
    ///
    /// # Errors
    /// When a tile is not served.
    pub async fn compare(
        &self,
        key: &LogKey,
        tree: &impl HashReader,
        size: u64,
    ) -> Result<(Vec<String>, usize), ServedError> {
        let (mut faults, mut compared) = (Vec::new(), 0);
        let head = match Root::open(&self.head, key) {
            Ok(head) => head,
            Err(error) => return Ok((vec![format!("the head that is served: {error}")], compared)),
        };
        if head.size > size || tree_hash(head.size, tree)? != head.hash {
            faults.push(format!("the head that is served, of {} leaves, is not that of the log", head.size));
        }
        for tile in Tile::new_tiles(TILE_HEIGHT, 0, head.size.min(size)) {
            let expected = tile.read_data(tree)?;
            let path = tile.path();
            let path = path.strip_prefix(&format!("tile/{TILE_HEIGHT}/")).unwrap_or(&path);
            compared += 1;
            if self.get(&format!("tile/{path}")).await? != expected {
                faults.push(format!("the tile {path} is not that of the log"));
            }
            if tile.level() == 0 {
                let path = path.replacen('0', "entries", 1);
                compared += 1;
                let entries = self.get(&format!("tile/{path}")).await?;
                if !entries_are(&entries, &expected) {
                    faults.push(format!("the entries {path} are not those of the log"));
                }
            }
        }
        Ok((faults, compared))
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, ServedError> {
        let page = format!("{}/{path}", self.address);
        let failed = |error| ServedError::Ask(page.clone(), error);
        let answer = self.http.get(&page).send().await.and_then(reqwest::Response::error_for_status);
        Ok(answer.map_err(failed)?.bytes().await.map_err(failed)?.to_vec())
    }
}

/// Whether each entry has its hash.
fn entries_are(entries: &[u8], hashes: &[u8]) -> bool {
    let (entries, hashes) = (entries.chunks(ENTRY_BYTES), hashes.chunks(HASH_BYTES));
    entries.len() == hashes.len()
        && entries.zip(hashes).all(|(entry, hash)| match entry.split_at_checked(2) {
            Some(([0, 32], leaf)) => record_hash(leaf).0 == *hash,
            _ => false,
        })
}
