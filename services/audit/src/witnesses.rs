//! The witnesses of this log: each head is shown to them, and carries their signatures from then on.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use audit_log::cosignature::{EMPTY, WitnessKey};
use audit_log::{Root, SigningKey};
use chassis::problem::chain;
use futures::future::join_all;
use reqwest::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::log::{Log, LogError};
use crate::signing::Signed;
use crate::witness::request;

/// How long one witness may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longest answer that is read: a signature is a line.
const MAX_ANSWER_BYTES: usize = 4 * 1024;

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

/// A head with the signatures of witnesses, or why it may be given to nobody.
pub type Answered = Result<Signed, WitnessError>;

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
                    tracing::warn!(error = %chain(&error), "a witness was not asked")
                }
            }
        }
        Ok(())
    }

    /// Shows every head that is asked about to every witness, and answers with their signatures on it.
    pub async fn run(self, log: Arc<Log>, mut asked: UnboundedReceiver<Signed>, answers: Sender<Answered>) {
        let mut stands = vec![0; self.all.len()];
        while let Some(head) = asked.recv().await {
            // Nobody hears the answer any more once the process stops.
            let _ = answers.send(self.cosign_all(&mut stands, &log, head).await);
        }
    }

    /// The head with the signature of every witness that answers; they are asked at once.
    async fn cosign_all(&self, stands: &mut [u64], log: &Log, mut head: Signed) -> Answered {
        let asked = self.all.iter().zip(stands);
        let lines = join_all(asked.map(|(witness, stands)| self.cosign(witness, stands, log, &head))).await;
        for line in lines {
            match line {
                Ok(line) => head.note += &line,
                Err(error) if error.is_fork() => return Err(error),
                Err(error) => tracing::warn!(error = %chain(&error), "a head goes without a witness"),
            }
        }
        Ok(head)
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
                    let line = witness.key.line_of(&head.note, &line);
                    *stands = head.root.size;
                    return line.ok_or_else(|| WitnessError::Answer(witness.key.name.clone()));
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
        let mut answer = asked.send().await.map_err(no_answer)?;
        let (status, mut said) = (answer.status(), Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
            said.extend_from_slice(&chunk);
            if said.len() > MAX_ANSWER_BYTES {
                return Err(WitnessError::Answer(name()));
            }
        }
        let said = String::from_utf8_lossy(&said).into_owned();
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
