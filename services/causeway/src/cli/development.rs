//! Keys and tokens for development; production's come from key ceremonies and identity providers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use audit_log::SigningKey;
use base64::Engine as _;
use causeway::development;
use chassis::seal::KeyPair;
use clap::{Args, ValueEnum};
use schemas::Actor;
use schemas::codes::ActorKind;
use schemas::ids::AgencyId;
use serde_json::json;

use super::Output;

/// Longest life of a development token: a day.
const MAX_SECONDS: i64 = 86_400;

#[derive(Args)]
pub struct Token {
    /// The issuer's key file, as `causeway keygen issuer` writes it.
    #[arg(long)]
    issuer_key: PathBuf,
    #[arg(long)]
    issuer: String,
    /// The subject by which the directory knows the agency.
    #[arg(long)]
    subject: String,
    /// The opaque id of the person or program.
    #[arg(long, default_value = "developer")]
    actor: String,
    #[arg(long, default_value = "human")]
    actor_kind: ActorKind,
    #[arg(long, default_value_t = 3_600, value_parser = clap::value_parser!(i64).range(1..=MAX_SECONDS))]
    seconds: i64,
}

impl Token {
    pub fn run(&self, output: &Output) -> anyhow::Result<()> {
        let issuer = development::issuer(&self.issuer_key, &self.issuer)?;
        let actor = Actor { id: self.actor.clone(), kind: self.actor_kind };
        let token = issuer.token(&self.subject, &actor, self.seconds)?;
        output.print(&json!({ "token": token }), || token.clone())
    }
}

#[derive(Args)]
pub struct Keygen {
    kind: KeyKind,
    /// Where the private key goes; readable by its owner only.
    #[arg(long)]
    out: PathBuf,
    /// With `issuer`: the issuer's name, which is also its key's id.
    #[arg(long, default_value = "https://issuer.example")]
    issuer: String,
    /// With `signing`: the agency as the directory knows it.
    #[arg(long, required_if_eq("kind", "signing"))]
    agency: Option<AgencyId>,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeyKind {
    /// An agency's or the vault's key pair (X25519).
    Agency,
    /// An issuer's signing key (Ed25519); prints its key set.
    Issuer,
    /// A key that an agency signs its commands with (Ed25519).
    Signing,
    /// A shared secret of 32 bytes.
    Secret,
}

impl Keygen {
    pub fn run(&self, output: &Output) -> anyhow::Result<()> {
        match self.kind {
            KeyKind::Agency => {
                let keys = KeyPair::generate();
                write_private(&self.out, &hex::encode(&*keys.private_bytes()))?;
                let public = base64::engine::general_purpose::STANDARD.encode(keys.public_bytes());
                let hexed = hex::encode(keys.public_bytes());
                let text = format!("for the directory: {public}\nfor seal.vault_public_key_file: {hexed}");
                output.print(&json!({ "public_key": public, "public_key_hex": hexed }), || text)
            }
            KeyKind::Issuer => {
                write_private(&self.out, &hex::encode(development::issuer_key()))?;
                let set = development::issuer(&self.out, &self.issuer)?.key_set()?;
                output.print(&set, || set.to_string())
            }
            KeyKind::Signing => {
                let agency = self.agency.as_ref().context("--agency is missing")?;
                let text = SigningKey::text(agency.as_str(), &rand::random());
                write_private(&self.out, &text)?;
                let public = SigningKey::parse(&text)?.public().to_string();
                output.print(&json!({ "public_key": public }), || format!("for the directory: {public}"))
            }
            KeyKind::Secret => {
                write_private(&self.out, &development::secret())?;
                output.print(&json!({ "written": self.out }), || format!("written to {}", self.out.display()))
            }
        }
    }
}

/// Never over a key that is there.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("failed to create {}", path.display()))?;
    Ok(writeln!(file, "{text}")?)
}
