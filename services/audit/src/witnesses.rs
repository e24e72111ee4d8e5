//! The witnesses of this log: each head is shown to them, and carries their signatures from then on.

use std::sync::Arc;
use std::time::Duration;

use audit_log::cosignature::{EMPTY, WitnessKey};
use audit_log::{Root, SigningKey};
use reqwest::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::log::{Log, LogError};
use crate::signing::{Latest, Signed};
use crate::witness::request;

/// How long one witness may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Another party that cosigns heads.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Where it answers, without `/add-checkpoint`.
    pub address: String,
    pub key: WitnessKey,
}

#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("witness {name} does not answer")]
    NoAnswer { name: String, source: reqwest::Error },
    #[error("witness {name} refuses: {status}: {said}")]
    Refused { name: String, status: StatusCode, said: String },
    #[error("witness {name} says that the log does not extend what it has seen: {said}")]
    NotExtended { name: String, said: String },
    #[error("witness {name} has seen {seen} leaves, and the log has {found}: the log lost what was signed")]
    Shorter { name: String, seen: u64, found: u64 },
    #[error("what witness {0} says cannot be understood")]
    Answer(String),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Tree(#[from] audit_log::tree::TreeError),
}

impl WitnessError {
    /// Whether the witness has seen another log than this one.
    pub const fn is_fork(&self) -> bool {
        matches!(self, Self::NotExtended { .. } | Self::Shorter { .. })
    }
}

/// Every witness, and how to ask them.
#[derive(Clone)]
pub struct Witnesses {
    pub all: Vec<Witness>,
    pub runtime: Handle,
    pub http: reqwest::Client,
}

/// What came of showing a head.
enum Shown {
    /// The signature line.
    Cosigned(String),
    /// The witness stands elsewhere.
    StandsAt(u64),
}

impl Witnesses {
    /// Whether every witness that answers has seen no more than the log has. Before the first head is signed; the
    /// head of an empty log, which extends into every other, is what they are asked with. Blocks.
    ///
    /// # Errors
    /// When one has seen more.
    pub fn hold_against(&self, log: &Log, key: &SigningKey) -> Result<(), WitnessError> {
        let empty = Root { size: 0, hash: EMPTY }.sign(key)?;
        let found = log.tree().size();
        for witness in &self.all {
            match self.runtime.block_on(self.show(witness, &request(0, &[], &empty))) {
                Ok(Shown::StandsAt(seen)) if seen > found => {
                    return Err(WitnessError::Shorter { name: witness.key.name.clone(), seen, found });
                }
                Ok(_) => {}
                // One that is away keeps nobody from going on: it will say so once it is back.
                Err(error) => {
                    tracing::warn!(error = %chassis::problem::chain(&error), "a witness was not asked")
                }
            }
        }
        Ok(())
    }

    /// Shows every head to every witness and passes it on with their signatures, until there are no more heads.
    pub async fn run(self, log: Arc<Log>, mut signed: watch::Receiver<Option<Signed>>, latest: Arc<Latest>) {
        let mut stands = vec![0; self.all.len()];
        while signed.changed().await.is_ok() {
            let Some(mut head) = signed.borrow_and_update().clone() else { continue };
            for (witness, stands) in self.all.iter().zip(&mut stands) {
                match self.cosign(witness, stands, &log, &head).await {
                    Ok(line) => head.note += &line,
                    Err(error) if error.is_fork() => tracing::error!(
                        error = %chassis::problem::chain(&error),
                        "a witness has seen another log: find out why before anything else"
                    ),
                    Err(error) => {
                        tracing::warn!(error = %chassis::problem::chain(&error), "a head goes without a witness");
                    }
                }
            }
            latest.send_replace(Some(head));
        }
    }

    /// The witness's signature line for a head, from where it stands.
    async fn cosign(
        &self,
        witness: &Witness,
        stands: &mut u64,
        log: &Log,
        head: &Signed,
    ) -> Result<String, WitnessError> {
        // Once more from where it says it stands.
        for _ in 0..2 {
            if *stands > head.root.size {
                let (name, seen) = (witness.key.name.clone(), *stands);
                return Err(WitnessError::Shorter { name, seen, found: head.root.size });
            }
            let proof = log.tree().prove_extends(*stands, head.root.size).map_err(LogError::from)?;
            match self.show(witness, &request(*stands, &proof, &head.note)).await? {
                Shown::Cosigned(line) => {
                    let with = format!("{}{line}", head.note);
                    witness
                        .key
                        .cosigned(&with)
                        .ok_or_else(|| WitnessError::Answer(witness.key.name.clone()))?;
                    *stands = head.root.size;
                    return Ok(line);
                }
                Shown::StandsAt(size) => *stands = size,
            }
        }
        Err(WitnessError::Answer(witness.key.name.clone()))
    }

    async fn show(&self, witness: &Witness, body: &str) -> Result<Shown, WitnessError> {
        let name = || witness.key.name.clone();
        let no_answer = |source| WitnessError::NoAnswer { name: name(), source };
        let address = format!("{}/add-checkpoint", witness.address.trim_end_matches('/'));
        let asked = self.http.post(address).timeout(TIMEOUT).body(body.to_owned());
        let answer = asked.send().await.map_err(no_answer)?;
        let status = answer.status();
        let said = answer.text().await.map_err(no_answer)?;
        match status {
            StatusCode::OK => Ok(Shown::Cosigned(said)),
            StatusCode::CONFLICT => {
                said.trim().parse().map(Shown::StandsAt).map_err(|_| WitnessError::Answer(name()))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Err(WitnessError::NotExtended { name: name(), said }),
            _ => Err(WitnessError::Refused { name: name(), status, said }),
        }
    }
}
