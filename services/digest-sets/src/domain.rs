//! One entry of a set: who may publish it, take it back, and say whether it is right.

use chassis::decider::{Context, Rejection};
use chassis::known::matched;
use known_material::Digest;
use schemas::codes::{AgencyKind, RejectionCode};
use schemas::digest_sets::{
    DigestSetsCommand, DigestSetsEvent, EntryPublished, EntryVoted, EntryWithdrawn, PublishEntry, SetDigest,
    SetEntry, VoteOnEntry,
};
use schemas::directory::Agency;

/// Kinds of agency whose people see material, and that sets are for.
pub const KINDS: [AgencyKind; 4] = [
    AgencyKind::Hotline,
    AgencyKind::PoliceUnit,
    AgencyKind::VictimIdentificationUnit,
    AgencyKind::CentralAuthority,
];

/// Most digests of one entry: one of each algorithm, and those of a few versions of the file.
const MAX_DIGESTS: usize = 20;
/// Longest name of an entry in its set, and longest member and classification.
const MAX_NAME_BYTES: usize = 128;
const MAX_LABEL_BYTES: usize = 64;

type Decided = Result<Vec<DigestSetsEvent>, Rejection>;

/// # Errors
/// See [`RejectionCode`]; a rejected attempt is on record.
pub fn decide(context: &Context<'_>, entry: &SetEntry, command: &DigestSetsCommand) -> Decided {
    let agency = context.directory.agency(context.agency, context.now);
    let agency = agency.filter(|agency| KINDS.contains(&agency.kind)).ok_or(RejectionCode::NotEntitled)?;
    match command {
        DigestSetsCommand::PublishEntry(command) => publish(agency, entry, command),
        DigestSetsCommand::WithdrawEntry(_) => withdraw(agency, entry),
        DigestSetsCommand::VoteOnEntry(command) => vote(context, agency, entry, command),
    }
}

/// Other content under the same name replaces what stood there.
fn publish(agency: &Agency, entry: &SetEntry, command: &PublishEntry) -> Decided {
    must_be_a_label(&command.entry, MAX_NAME_BYTES, "/entry")?;
    for (label, pointer) in [(&command.member, "/member"), (&command.classification, "/classification")] {
        label.as_ref().map_or(Ok(()), |label| must_be_a_label(label, MAX_LABEL_BYTES, pointer))?;
    }
    if command.digests.is_empty() || command.digests.len() > MAX_DIGESTS {
        return Err(Rejection::at(RejectionCode::Invalid, "/digests"));
    }
    for (number, digest) in command.digests.iter().enumerate() {
        let at = |field: &str| Rejection::at(RejectionCode::Invalid, &format!("/digests/{number}/{field}"));
        let algorithm = matched(digest.algorithm).ok_or_else(|| at("algorithm"))?;
        Digest::parse(algorithm, &digest.value).map_err(|_| at("value"))?;
    }
    let lower = |digest: &SetDigest| SetDigest {
        algorithm: digest.algorithm,
        value: digest.value.to_ascii_lowercase(),
    };
    let published = EntryPublished {
        set: command.set.clone(),
        entry: command.entry.clone(),
        by: agency.id.clone(),
        country: agency.country.clone(),
        member: command.member.clone(),
        classification: command.classification.clone(),
        digests: command.digests.iter().map(lower).collect(),
    };
    if entry.standing() == Some(&published) {
        return Err(RejectionCode::Unchanged.into());
    }
    Ok(vec![published.into()])
}

/// What stands in clear is a name or a code.
fn must_be_a_label(text: &str, longest: usize, pointer: &str) -> Result<(), Rejection> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._:/+- ".contains(letter);
    let valid = (1..=longest).contains(&text.len()) && text.chars().all(plain);
    if valid { Ok(()) } else { Err(Rejection::at(RejectionCode::Invalid, pointer)) }
}

fn withdraw(agency: &Agency, entry: &SetEntry) -> Decided {
    let published = entry.standing().ok_or(RejectionCode::UnknownEntry)?;
    if published.by != agency.id {
        return Err(RejectionCode::NotEntitled.into());
    }
    Ok(vec![EntryWithdrawn { by: agency.id.clone() }.into()])
}

/// By somebody else than has published it.
fn vote(context: &Context<'_>, agency: &Agency, entry: &SetEntry, command: &VoteOnEntry) -> Decided {
    let published = entry.standing().ok_or(RejectionCode::UnknownEntry)?;
    if published.by == agency.id {
        return Err(Rejection::at(RejectionCode::Invalid, "/vote"));
    }
    context.must_be_human()?;
    let before = entry.votes.get(&agency.id).map(|(_, vote)| *vote);
    if before == Some(command.vote) {
        return Err(RejectionCode::Unchanged.into());
    }
    let (by, country) = (agency.id.clone(), agency.country.clone());
    Ok(vec![EntryVoted { by, country, vote: command.vote }.into()])
}
