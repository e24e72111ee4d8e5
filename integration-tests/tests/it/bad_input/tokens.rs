//! Tokens that must not be believed, and some that must.

use std::collections::BTreeMap;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use causeway::development::{AUDIENCE, issuer, issuer_key};
use chassis::auth::DevelopmentIssuer;
use integration_tests::Deployment;
use schemas::Actor;
use schemas::codes::ActorKind;
use serde_json::{Value, json};

const EU: &str = "https://id.eu.example";
const AMERICAS: &str = "https://id.americas.example";

pub struct Tokens {
    /// Good ones, by agency.
    good: BTreeMap<String, String>,
    /// Good ones of machines.
    machines: BTreeMap<String, String>,
    eu: DevelopmentIssuer,
    /// Names its keys and itself as the European one does, and is not it.
    impostor: DevelopmentIssuer,
    /// The American issuer, signing in the European one's name.
    confused: DevelopmentIssuer,
    unknown_key: DevelopmentIssuer,
    untrusted: DevelopmentIssuer,
    other_audience: DevelopmentIssuer,
}

impl Tokens {
    pub fn new(deployment: &Deployment) -> Self {
        let key = |name: &str| {
            let file = deployment.state().join(format!("issuer-{name}.key"));
            hex::decode(std::fs::read_to_string(file).unwrap().trim()).unwrap()
        };
        let eu = key("id.eu.example");
        let world = &deployment.world;
        let agencies = world.agencies().iter().map(|agency| agency.id.as_str());
        let token = |agency: &str, kind| {
            let actor = Actor { id: "tester".to_owned(), kind };
            (agency.to_owned(), world.token_of(agency, &actor).unwrap())
        };
        Self {
            good: agencies.clone().map(|agency| token(agency, ActorKind::Human)).collect(),
            machines: agencies.map(|agency| token(agency, ActorKind::Machine)).collect(),
            eu: issuer(&deployment.state().join("issuer-id.eu.example.key"), EU).unwrap(),
            impostor: DevelopmentIssuer::new(&issuer_key(), EU, EU, AUDIENCE),
            confused: DevelopmentIssuer::new(&key("id.americas.example"), AMERICAS, EU, AUDIENCE),
            unknown_key: DevelopmentIssuer::new(&eu, "another-key", EU, AUDIENCE),
            untrusted: DevelopmentIssuer::new(&issuer_key(), "key", "https://id.other.example", AUDIENCE),
            other_audience: DevelopmentIssuer::new(&eu, EU, EU, "another-service"),
        }
    }

    /// The Authorization header of an agency, or of a trick.
    pub fn header(&self, agency: &str, trick: Option<&str>) -> anyhow::Result<Option<String>> {
        let good = || self.good.get(agency).cloned().with_context(|| format!("there is no agency {agency}"));
        let of = |issuer: &DevelopmentIssuer, seconds| {
            Ok::<_, anyhow::Error>(issuer.token("nl-hotline", &human("tester"), seconds)?)
        };
        let token = match trick {
            None => good()?,
            Some("missing") => return Ok(None),
            Some("basic") => return Ok(Some("Basic c3ludGhldGljOnN5bnRoZXRpYw==".to_owned())),
            Some("no-jwt") => "synthetic".to_owned(),
            Some("empty") => String::new(),
            Some("machine") => self.machines.get(agency).cloned().context("there is no such agency")?,
            Some("expired") => of(&self.eu, -3_600)?,
            Some("just-expired") => of(&self.eu, -5)?,
            Some("impostor") => of(&self.impostor, 60)?,
            Some("another-issuers-key") => of(&self.confused, 60)?,
            Some("unknown-key") => of(&self.unknown_key, 60)?,
            Some("untrusted-issuer") => of(&self.untrusted, 60)?,
            Some("another-audience") => of(&self.other_audience, 60)?,
            Some("unknown-subject") => self.eu.token("nobody", &human("tester"), 60)?,
            Some("too-long") => of(&self.eu, 60)? + &"A".repeat(8 * 1024),
            Some("another-agency") => edited(&good()?, 1, |claims| claims["sub"] = json!("de-police"))?,
            Some("of-none") => unsigned(&edited(&good()?, 0, |head| head["alg"] = json!("none"))?),
            Some("of-hmac") => edited(&good()?, 0, |head| head["alg"] = json!("HS256"))?,
            Some("of-rsa") => edited(&good()?, 0, |head| head["alg"] = json!("RS256"))?,
            Some("without-key") => {
                edited(&good()?, 0, |head| drop(head.as_object_mut().map(|head| head.shift_remove("kid"))))?
            }
            Some("brings-its-key") => {
                let own = self.impostor.key_set()?["keys"][0].clone();
                edited(&of(&self.impostor, 60)?, 0, |head| head["jwk"] = own.clone())?
            }
            Some("unsigned") => unsigned(&good()?),
            Some(claims) => self.eu.sign(&self.claims(claims)?)?,
        };
        Ok(Some(format!("Bearer {token}")))
    }

    /// Signed as it should be, and what it claims is not.
    fn claims(&self, trick: &str) -> anyhow::Result<Value> {
        let good = self.good.get("nl-hotline").context("the hotline has a token")?;
        let mut claims = part(good, 1)?;
        let now = claims["iat"].as_i64().unwrap_or_default();
        match trick {
            "not-yet" => claims["nbf"] = json!(now + 3_600),
            "actor-is-service" => claims["actor"]["kind"] = json!("service"),
            "actor-without-id" => claims["actor"]["id"] = json!(""),
            "actor-too-long" => claims["actor"]["id"] = json!("x".repeat(65)),
            "expires-in-words" => claims["exp"] = json!("tomorrow"),
            "several-audiences" => claims["aud"] = json!(["another-service", AUDIENCE]),
            lacks => {
                let claim =
                    lacks.strip_prefix("lacks-").with_context(|| format!("there is no trick {trick}"))?;
                claims.as_object_mut().context("claims are an object")?.shift_remove(claim);
            }
        }
        Ok(claims)
    }
}

fn human(id: &str) -> Actor {
    Actor { id: id.to_owned(), kind: ActorKind::Human }
}

fn part(token: &str, number: usize) -> anyhow::Result<Value> {
    let part = token.split('.').nth(number).context("a token has three parts")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?)
}

/// The token with one part of it changed and the signature as it was.
fn edited(token: &str, number: usize, edit: impl Fn(&mut Value)) -> anyhow::Result<String> {
    let mut changed = part(token, number)?;
    edit(&mut changed);
    let changed = URL_SAFE_NO_PAD.encode(changed.to_string());
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[number] = &changed;
    Ok(parts.join("."))
}

fn unsigned(token: &str) -> String {
    token.rsplit_once('.').map(|(signed, _)| format!("{signed}.")).unwrap_or_default()
}
