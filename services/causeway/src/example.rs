//! The example world: agencies of eight countries, obviously made up, with their keys and tokens.
//!
//! `causeway up` and the tests run in it. Its secrets are made once per state directory and kept there, so that
//! a second run finds what the first one filed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use audit_log::SigningKey;
use base64::Engine as _;
use chassis::auth::DevelopmentIssuer;
use chassis::seal::KeyPair;
use schemas::Actor;
use schemas::codes::ActorKind;
use schemas::directory::{Agency, AgencyKey, Entry};
use schemas::ids::{AgencyId, KeyId};
use serde::{Deserialize, Serialize};

use crate::development;
use crate::serve::Settings;
use client::Client;

/// An imminent danger with children in two countries, a suspect in a third and a State never to be told.
pub const IMMINENT_DANGER: &str = include_str!("../example/imminent-danger.json");
/// Two lines: one good, one that the gate refuses.
pub const BATCH: &str = include_str!("../example/batch.ndjson");
/// A CyberTipline report, and the document on its file.
pub const REPORT: &str = include_str!("../example/report.xml");
pub const FILE_DETAILS: &str = include_str!("../example/file-details.xml");
const DIRECTORY: &str = include_str!("../example/directory.json");
/// Documentation addresses (RFC 5737, RFC 3849) to countries.
const ADDRESSES: &[u8] = include_bytes!("../example/documentation-addresses.mmdb");

/// The name of the example's audit log.
const ORIGIN: &str = "audit.causeway.example";

/// How long an example token lives: a working day.
const TOKEN_SECONDS: i64 = 12 * 3_600;

/// Where the world's deployment is.
#[derive(Clone, Debug)]
pub struct Place {
    pub brokers: String,
    pub prefix: String,
    pub listen: SocketAddr,
    pub instance: String,
    pub partitions: i32,
    pub replication: i32,
    pub registry: Option<String>,
    /// The OpenID provider that people sign in at, where they are to see pages.
    pub provider: Option<String>,
    /// Other than a day: within which erased keys are gone.
    pub erase_within_seconds: Option<u64>,
}

/// The world, with everything that acting in it takes.
pub struct World {
    state: PathBuf,
    agencies: Vec<Agency>,
    issuers: BTreeMap<String, DevelopmentIssuer>,
}

#[derive(Serialize, Deserialize)]
struct File {
    entries: Vec<Entry>,
}

impl World {
    /// Makes what is missing in the state directory and reads the rest.
    ///
    /// # Errors
    /// When the directory cannot be written or read.
    pub fn open(state: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(state).with_context(|| format!("failed to create {}", state.display()))?;
        for secret in ["identity", "network", "cursor", "audit", "receipts", "session"] {
            make(&state.join(format!("{secret}.secret")), || development::secret().into_bytes())?;
        }
        let vault = key_pair(&state.join("vault.key"))?;
        make(&state.join("vault.public"), || hex::encode(vault.public_bytes()).into_bytes())?;
        make(&state.join("addresses.mmdb"), || ADDRESSES.to_vec())?;
        let (file, entries) = (state.join("directory.json"), with_keys(state)?);
        make(&file, || serde_json::to_vec_pretty(&File { entries }).unwrap_or_default())?;
        // As it was written first: what an earlier build has loaded stands in the topic.
        let written = std::fs::read(&file).with_context(|| format!("failed to read {}", file.display()))?;
        let genesis: File = serde_json::from_slice(&written).context("directory.json does not read")?;
        let agencies: Vec<Agency> = genesis.entries.into_iter().filter_map(|entry| entry.agency).collect();
        let issuers =
            agencies.iter().map(|agency| agency.issuer.clone()).collect::<std::collections::BTreeSet<_>>();
        let issuers = issuers.into_iter().map(|name| Ok((name.clone(), issuer(state, &name)?)));
        Ok(Self { state: state.to_owned(), agencies, issuers: issuers.collect::<anyhow::Result<_>>()? })
    }

    /// The configuration of a process in this world, written beside its secrets.
    ///
    /// # Errors
    /// When the file cannot be written, or does not read back.
    pub fn settings(&self, place: &Place) -> anyhow::Result<Settings> {
        Ok(Settings::read(Some(&self.config(place)?))?)
    }

    /// Writes the configuration file of a process.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn config(&self, place: &Place) -> anyhow::Result<PathBuf> {
        let at = |name: &str| toml_string(&self.state.join(name));
        let mut text = format!(
            "instance = \"{}\"\n[kafka]\nbrokers = \"{}\"\nprefix = \"{}\"\npartitions = {}\n\
             replication = {}\n[http]\nlisten = \"{}\"\n\
             [store]\npath = {}\n[secrets]\nidentity_file = {}\nnetwork_file = {}\ncursor_file = {}\n\
             [seal]\nvault_public_key_file = {}\nvault_private_key_file = {}\n[intake]\nip_database = {}\n\
             [audit]\norigin = \"{ORIGIN}\"\nkey_file = {}\nhead_file = {}\n\
             [receipts]\nname = \"{ORIGIN}/receipts\"\nkey_file = {}\n\
             [directory]\ngenesis_file = {}\n[development]\nclock = true\n[log]\njson = false\nfilter = \"warn\"\n",
            place.instance,
            place.brokers,
            place.prefix,
            place.partitions,
            place.replication,
            place.listen,
            at("stores"),
            at("identity.secret"),
            at("network.secret"),
            at("cursor.secret"),
            at("vault.public"),
            at("vault.key"),
            at("addresses.mmdb"),
            at("audit.secret"),
            at(&format!("audit.{}.head", place.instance)),
            at("receipts.secret"),
            at("directory.json"),
        );
        if let Some(registry) = &place.registry {
            text.push_str(&format!("[registry]\naddress = \"{registry}\"\n"));
        }
        if let Some(provider) = &place.provider {
            text.push_str(&format!(
                "[dashboard]\naddress = \"http://{}\"\nprovider = \"{provider}\"\nsession_key_file = {}\n",
                place.listen,
                at("session.secret")
            ));
        }
        if let Some(seconds) = place.erase_within_seconds {
            text.push_str(&format!("[erasure]\nwithin_seconds = {seconds}\n"));
        }
        for name in self.issuers.keys() {
            let keys = toml_string(&key_set_file(&self.state, name));
            text.push_str(&format!(
                "[[identity.issuer]]\nissuer = \"{name}\"\naudience = \"{}\"\nkeys_file = {keys}\n",
                development::AUDIENCE
            ));
        }
        let path = self.state.join(format!("causeway-{}.toml", place.instance));
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    pub fn agencies(&self) -> &[Agency] {
        &self.agencies
    }

    /// A token of a person of the agency.
    ///
    /// # Errors
    /// When there is no such agency.
    pub fn token(&self, agency: &str, person: &str) -> anyhow::Result<String> {
        self.token_of(agency, &Actor { id: person.to_owned(), kind: ActorKind::Human })
    }

    /// # Errors
    /// When there is no such agency.
    pub fn token_of(&self, agency: &str, actor: &Actor) -> anyhow::Result<String> {
        let agency = self.agencies.iter().find(|known| known.id.as_str() == agency);
        let agency = agency.context("the example has no such agency")?;
        let issuer = self.issuers.get(&agency.issuer).context("the example has no such issuer")?;
        Ok(issuer.token(&agency.subject, actor, TOKEN_SECONDS)?)
    }

    /// A person of the agency, speaking to the deployment at an address.
    ///
    /// # Errors
    /// When there is no such agency.
    pub fn client(&self, address: &str, agency: &str, person: &str) -> anyhow::Result<Client> {
        let client = Client::new(address, &self.token(agency, person)?);
        let known = self.agencies.iter().find(|known| known.id.as_str() == agency);
        let signs = known.is_some_and(|known| !known.signing_keys.is_empty());
        Ok(if signs { client.signing(self.signing_key(agency)?) } else { client })
    }

    /// The key that the agency signs its commands with.
    ///
    /// # Errors
    /// When the key file does not read.
    pub fn signing_key(&self, agency: &str) -> anyhow::Result<SigningKey> {
        signing_key(&self.state, agency)
    }

    /// The agency's private key and its name in the directory.
    ///
    /// # Errors
    /// When the key file does not read.
    pub fn keys(&self, agency: &str) -> anyhow::Result<(KeyId, KeyPair)> {
        Ok((key_id(agency)?, key_pair(&self.key_file(agency))?))
    }

    pub fn key_file(&self, agency: &str) -> PathBuf {
        key_file(&self.state, agency)
    }
}

/// The example's directory with a key for each agency.
fn with_keys(state: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut file: File = serde_json::from_str(DIRECTORY).context("the example's directory does not read")?;
    for agency in file.entries.iter_mut().filter_map(|entry| entry.agency.as_mut()) {
        let keys = key_pair(&key_file(state, agency.id.as_str()))?;
        let public_key = base64::engine::general_purpose::STANDARD.encode(keys.public_bytes());
        agency.keys.push(AgencyKey { key_id: key_id(agency.id.as_str())?, public_key });
        agency.signing_keys.push(signing_key(state, agency.id.as_str())?.public().to_string());
    }
    Ok(file.entries)
}

fn key_id(agency: &str) -> anyhow::Result<KeyId> {
    AgencyId::try_new(agency)?;
    Ok(KeyId::try_new(&format!("{agency}-1"))?)
}

fn key_file(state: &Path, agency: &str) -> PathBuf {
    state.join(format!("agency-{agency}.key"))
}

fn signing_key(state: &Path, agency: &str) -> anyhow::Result<SigningKey> {
    let path = signing_key_file(state, agency);
    make(&path, || SigningKey::text(agency, &rand::random()).into_bytes())?;
    Ok(SigningKey::parse(&std::fs::read_to_string(path)?)?)
}

fn signing_key_file(state: &Path, agency: &str) -> PathBuf {
    state.join(format!("agency-{agency}.signing"))
}

fn key_pair(path: &Path) -> anyhow::Result<KeyPair> {
    make(path, || hex::encode(&*KeyPair::generate().private_bytes()).into_bytes())?;
    let text = std::fs::read_to_string(path)?;
    Ok(KeyPair::from_private(&hex::decode(text.trim())?)?)
}

fn issuer(state: &Path, name: &str) -> anyhow::Result<DevelopmentIssuer> {
    let key = state.join(format!("issuer-{}.key", host_of(name)));
    make(&key, || hex::encode(development::issuer_key()).into_bytes())?;
    let issuer = development::issuer(&key, name)?;
    let set = issuer.key_set()?.to_string();
    make(&key_set_file(state, name), || set.into_bytes())?;
    Ok(issuer)
}

fn key_set_file(state: &Path, issuer: &str) -> PathBuf {
    state.join(format!("issuer-{}.jwks.json", host_of(issuer)))
}

fn host_of(issuer: &str) -> &str {
    issuer.rsplit('/').next().unwrap_or(issuer)
}

/// Writes the file when it is not there yet.
fn make(path: &Path, content: impl FnOnce() -> Vec<u8>) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    std::fs::write(path, content()).with_context(|| format!("failed to write {}", path.display()))
}

fn toml_string(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
