//! A witness: another party that cosigns each head of a log once it has seen that the log only grew.
//!
//! C2SP [tlog-witness](https://c2sp.org/tlog-witness) and
//! [tlog-cosignature](https://c2sp.org/tlog-cosignature): an agency runs one on its own machine, with its own key, and
//! keeps by itself which head it has cosigned last. An operator who shows two of them different logs is found out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use audit_log::cosignature::{self, Cosigner};
use audit_log::tree::Hash;
use audit_log::{LogKey, Root};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::Mutex;

use crate::signing::keep;

/// Most hashes of a proof: as many as a tree of 2⁶³ leaves has levels.
const MAX_PROOF: usize = 63;

#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("failed to keep a head in {path}")]
    Keep { path: PathBuf, source: std::io::Error },
    #[error("{0} holds no head of a log")]
    Kept(PathBuf, #[source] audit_log::tree::TreeError),
}

/// What a witness is made of.
pub struct Witness {
    cosigner: Cosigner,
    /// The logs that it watches, by origin.
    logs: BTreeMap<String, LogKey>,
    /// A file for each log: the last head that was cosigned.
    directory: PathBuf,
    /// One head after the other.
    heads: Mutex<BTreeMap<String, Root>>,
}

/// A request as the format has it.
struct Asked<'a> {
    old: u64,
    proof: Vec<Hash>,
    checkpoint: &'a str,
}

impl Witness {
    /// With what it has cosigned before.
    ///
    /// # Errors
    /// When that does not read.
    pub fn open(cosigner: Cosigner, logs: Vec<LogKey>, directory: &Path) -> Result<Self, WitnessError> {
        let (mut heads, mut known) = (BTreeMap::new(), BTreeMap::new());
        for key in logs {
            let path = file_of(directory, key.name());
            match std::fs::read_to_string(&path) {
                Ok(note) => {
                    let head = Root::open(&note, &key).map_err(|error| WitnessError::Kept(path, error))?;
                    heads.insert(key.name().to_owned(), head);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(WitnessError::Keep { path, source }),
            }
            known.insert(key.name().to_owned(), key);
        }
        Ok(Self { cosigner, logs: known, directory: directory.to_owned(), heads: Mutex::new(heads) })
    }

    pub fn pages(self: Arc<Self>) -> Router {
        Router::new().route("/add-checkpoint", post(add_checkpoint)).with_state(self)
    }

    async fn add(&self, body: &str) -> Result<String, (StatusCode, String)> {
        let malformed = || (StatusCode::BAD_REQUEST, "not a request of C2SP tlog-witness\n".to_owned());
        let asked = read(body).ok_or_else(malformed)?;
        let origin = asked.checkpoint.lines().next().unwrap_or_default();
        let key = self.logs.get(origin);
        let key = key.ok_or_else(|| (StatusCode::NOT_FOUND, format!("{origin} is not watched here\n")))?;
        let forbidden = |error: &dyn std::fmt::Display| (StatusCode::FORBIDDEN, format!("{error}\n"));
        let head = Root::open(asked.checkpoint, key).map_err(|error| forbidden(&error))?;
        let mut heads = self.heads.lock().await;
        let last = heads.get(origin).copied().unwrap_or(Root { size: 0, hash: cosignature::EMPTY });
        if asked.old > head.size {
            return Err(malformed());
        }
        // The answer says where this witness stands: whoever asks goes on from there.
        if asked.old != last.size || (head.size == last.size && head.hash != last.hash) {
            return Err((StatusCode::CONFLICT, format!("{}\n", last.size)));
        }
        head.check_extends(&last, &asked.proof)
            .map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n")))?;
        // Kept before it is given: what was cosigned once is never forgotten.
        keep(&file_of(&self.directory, origin), asked.checkpoint).map_err(|error| {
            tracing::error!(error = %error, "failed to keep a head");
            (StatusCode::INTERNAL_SERVER_ERROR, "the head could not be kept\n".to_owned())
        })?;
        heads.insert(origin.to_owned(), head);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.cosigner.cosign(asked.checkpoint, time).map_err(|error| forbidden(&error))
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: String) -> Response {
    match witness.add(&body).await {
        Ok(signature) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], signature).into_response(),
        Err((StatusCode::CONFLICT, size)) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], size).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// `old N`, the hashes of the proof, an empty line, the checkpoint.
fn read(body: &str) -> Option<Asked<'_>> {
    let (first, checkpoint) = body.split_once("\n\n")?;
    let mut lines = first.lines();
    let old = lines.next()?.strip_prefix("old ")?;
    let size: u64 = old.parse().ok()?;
    let proof = lines.map(|line| Hash::parse_hash(line).ok()).collect::<Option<Vec<_>>>()?;
    (size.to_string() == old && proof.len() <= MAX_PROOF).then_some(Asked { old: size, proof, checkpoint })
}

/// What is asked of a witness.
pub fn request(old: u64, proof: &[Hash], checkpoint: &str) -> String {
    let hashes: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old}\n{hashes}\n{checkpoint}")
}

/// A log's name may have slashes in it; two names have two files.
fn file_of(directory: &Path, origin: &str) -> PathBuf {
    let written = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    let name: String = origin.bytes().map(written).collect();
    directory.join(format!("{name}.head"))
}
