//! What a front seals on its way in: sealed first, its keys durable next, and only then named by a command.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use schemas::codes::FacetKind;
use schemas::digest::Secret;
use schemas::ids::{IncidentId, KeyId, KeySetId, PersonRef, ReferralId};
use schemas::referral::SealedFacet;
use schemas::sealed_keys::KeySet;

use crate::auth::Caller;
use crate::clock::Clock;
use crate::config::Reader;
use crate::decider::Service;
use crate::front::{Answer, Front, IdempotencyKey, Request};
use crate::host::{Host, StartError};
use crate::keys::KeyWriter;
use crate::problem::{Problem, chain};
use crate::seal::Sealer;

/// What a caller that cannot be served now is told to wait.
const RETRY_SECONDS: u32 = 2;
/// Longest free text of an answer.
pub const MAX_NOTE_BYTES: usize = 16 * 1024;

/// Read for every process, required where a front seals.
#[derive(Clone, Debug)]
pub struct Settings {
    pub identity_secret: Option<[u8; 32]>,
    pub vault_key_id: KeyId,
    pub vault_public_key: Option<[u8; 32]>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0} is missing: a service that takes in what must be sealed needs it")]
    Missing(&'static str),
    #[error("seal.vault_public_key_file holds no X25519 key")]
    VaultKey,
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        let vault = KeyId::try_new("vault-1").expect("the default name keeps the rule of key ids");
        Self {
            identity_secret: reader.secret_file("secrets.identity_file"),
            vault_key_id: reader.or("seal.vault_key_id", vault),
            vault_public_key: reader.secret_file("seal.vault_public_key_file"),
        }
    }

    /// The secret that tells a resend from a conflict.
    ///
    /// # Errors
    /// When it is missing.
    pub fn identity(&self) -> Result<Secret, SettingsError> {
        self.identity_secret.map(Secret::new).ok_or(SettingsError::Missing("secrets.identity_file"))
    }

    /// # Errors
    /// When the vault's key is missing or none.
    pub fn sealer(&self) -> Result<Sealer, SettingsError> {
        let key = self.vault_public_key.ok_or(SettingsError::Missing("seal.vault_public_key_file"))?;
        Sealer::new(self.vault_key_id.clone(), &key).map_err(|_| SettingsError::VaultKey)
    }
}

/// Something to be sealed.
pub struct Secrecy {
    pub kind: FacetKind,
    /// Whom it is about, where that can be told: erasing what an agency has of a person reaches it.
    pub person_ref: Option<PersonRef>,
    pub content: serde_json::Value,
}

impl Secrecy {
    /// A text of a request's field.
    ///
    /// # Errors
    /// When it may not come in: see [`check_text`].
    pub fn text(kind: FacetKind, pointer: &str, text: &str) -> Result<Self, Problem> {
        check_text(pointer, text)?;
        Ok(Self { kind, person_ref: None, content: serde_json::json!({ "text": text }) })
    }
}

/// What is asked by a command that carries something sealed: as it was before it was sealed.
pub struct Asked<'a> {
    pub caller: &'a Caller,
    pub key: &'a IdempotencyKey,
    pub incident: IncidentId,
    /// Keeps the digests of one kind of command apart from all others.
    pub purpose: &'static str,
    /// Tells a resend from another request.
    pub body: &'a [u8],
}

/// Seals and makes keys durable, for one service of a process.
pub struct Sealing {
    pub identity: Secret,
    pub sealer: Sealer,
    pub keys: KeyWriter,
    pub clock: Clock,
}

impl Sealing {
    /// Sets up sealing for the life of the process; within a runtime.
    ///
    /// # Errors
    /// When a setting is missing, or Kafka's client does not accept its configuration.
    pub fn start(host: &Host, settings: &Settings) -> Result<Arc<Self>, StartError> {
        let (identity, sealer) = (settings.identity()?, settings.sealer()?);
        let keys = KeyWriter::new(&host.settings.kafka, host.codec.clone())?;
        let sealing = Arc::new(Self { identity, sealer, keys, clock: host.clock.clone() });
        tokio::spawn(end_old_epochs(Arc::downgrade(&sealing)));
        Ok(sealing)
    }

    /// Seals something that belongs to an incident, under a key set of its own.
    async fn seal(
        &self,
        incident_id: IncidentId,
        referral_id: ReferralId,
        secret: &Secrecy,
    ) -> Result<SealedFacet, Problem> {
        let (facet, key_set) = {
            let mut submission = self.sealer.begin(incident_id, referral_id);
            let plain = secret.content.to_string();
            let sealed = submission.seal(secret.kind, secret.person_ref, plain.as_bytes());
            let finish = |facet| submission.finish(self.clock.now()).map(|key_set| (facet, key_set));
            sealed.and_then(finish).map_err(|error| {
                tracing::error!(error = %error, "failed to seal a text");
                Problem::internal()
            })?
        };
        self.write(&key_set).await?;
        Ok(facet)
    }

    /// Submits a command that carries what is sealed here, each under a key set of its own; its keys are taken out
    /// again when the command is not taken. `of_referral` says of the state by which referral it is bound, or that the
    /// caller may not see the incident; it is asked only where there is something to seal.
    ///
    /// # Errors
    /// As [`Front::submit`], or when Kafka does not take the keys: then nothing may name them.
    pub async fn submit_sealing<S: Service>(
        self: &Arc<Self>,
        front: &Front<S>,
        asked: Asked<'_>,
        secrets: &[Secrecy],
        of_referral: impl FnOnce(&S::State) -> Result<ReferralId, Problem>,
        command: impl FnOnce(Vec<SealedFacet>) -> S::Command,
    ) -> Result<Answer, Problem> {
        let Asked { caller, key, incident, purpose, body } = asked;
        let aggregate = incident.to_string();
        let digest = self.digest(purpose, &[aggregate.as_bytes(), body]);
        // A resend needs no keys.
        if let Some(answer) = front.answered(key.command_id::<S>(caller), &digest)? {
            return Ok(answer);
        }
        let place = front.place(&caller.agency.id).await?;
        // What it seals may only be named for so long.
        let deadline = Instant::now() + self.keys.fresh_for();
        let mut facets = Vec::new();
        if !secrets.is_empty() {
            let referral = of_referral(&front.state(&aggregate)?.state)?;
            for secret in secrets {
                facets.push(self.seal(incident, referral, secret).await?);
            }
        }
        let key_sets: Vec<KeySetId> = facets.iter().map(|facet| facet.key_set_id).collect();
        let request = key.request_of::<S>(caller, aggregate, digest, command(facets));
        let answered = front.submit_by(place, request, Some(deadline)).await;
        let not_taken = match &answered {
            // Done before, with what was sealed then.
            Ok(answer) => matches!(answer, Answer::Done { again: true, .. }),
            Err(problem) => problem.is_of_the_outcome(),
        };
        if not_taken {
            key_sets.into_iter().for_each(|key_set| self.erase_unnamed(key_set));
        }
        answered
    }

    /// Submits a command that names a key set: its keys are durable first, and taken out again when the outcome names
    /// others. `names` says whether the state names them; nothing when it cannot be told.
    ///
    /// # Errors
    /// As [`Front::submit`], or when Kafka does not take the keys: then nothing may name them.
    pub async fn submit<S: Service>(
        self: &Arc<Self>,
        front: &Front<S>,
        request: Request<S::Command>,
        key_set: &KeySet,
        names: impl Fn(&S::State) -> Option<bool>,
    ) -> Result<Answer, Problem> {
        let place = front.place(&request.agency).await?;
        let deadline = Instant::now() + self.keys.fresh_for();
        let aggregate_id = request.aggregate_id.clone();
        self.write(key_set).await?;
        let answered = front.submit_by(place, request, Some(deadline)).await;
        let decided = match &answered {
            Ok(Answer::Done { .. }) => true,
            Ok(Answer::Pending(_)) => false,
            Err(problem) => problem.is_of_the_outcome(),
        };
        // Only what is seen to be otherwise: from nothing it does not follow that nothing names them.
        if decided
            && let Ok(aggregate) = front.state(&aggregate_id)
            && names(&aggregate.state) == Some(false)
        {
            self.erase_unnamed(key_set.key_set_id);
        }
        answered
    }

    /// Returns once the key set is durable.
    ///
    /// # Errors
    /// When Kafka does not take it.
    pub async fn write(&self, key_set: &KeySet) -> Result<(), Problem> {
        self.keys.write(key_set).await.map_err(|error| {
            tracing::warn!(error = %chain(&error), "failed to write a key set");
            Problem::unavailable().detail("Kafka does not take the keys").retry_after(RETRY_SECONDS)
        })
    }

    /// Takes keys out that no event names: of a duplicate, or of what was rejected. Nobody waits for it.
    pub fn erase_unnamed(self: &Arc<Self>, key_set: KeySetId) {
        let sealing = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = sealing.keys.erase(key_set).await {
                tracing::warn!(error = %chain(&error), "failed to erase the keys of what was not taken in");
            }
        });
    }

    /// Tells a resend from another request without saying anything of the text.
    pub fn digest(&self, purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
        self.identity.mac(purpose, parts).to_vec()
    }
}

/// An epoch's secret does not outlive it, however quiet the night.
async fn end_old_epochs(sealing: Weak<Sealing>) {
    while let Some(sealing) = sealing.upgrade() {
        sealing.sealer.end_old_epoch();
        drop(sealing);
        tokio::time::sleep(EPOCH_CHECK).await;
    }
}

/// How often it is looked whether an epoch is over.
const EPOCH_CHECK: Duration = Duration::from_secs(5);

/// Holds free text to what may come in: no content, and no more than it may hold.
///
/// # Errors
/// A problem that names the field.
pub fn check_text(pointer: &str, text: &str) -> Result<(), Problem> {
    let refused = |detail: String| Err(Problem::invalid().field(pointer, detail));
    if text.is_empty() || text.len() > MAX_NOTE_BYTES {
        return refused(format!("expected 1 to {MAX_NOTE_BYTES} bytes"));
    }
    match schemas::content::embedded(text) {
        Some(kind) => refused(format!("embedded-content: {kind}")),
        None => Ok(()),
    }
}
