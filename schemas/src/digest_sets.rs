//! `digest-sets.commands` and `digest-sets.events`: digests of material that is known, as agencies share them.
//!
//! The aggregate is one entry of a set. Digests stand in clear: they are of material, not of an incident, and tell
//! nobody where it was found.

use std::collections::BTreeMap;

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{DigestAlgorithm, EntryVote};
use crate::envelope::{CommandFailed, CommandRejected};
use crate::ids::{AgencyId, Country, SetEntryId, SetName};
use crate::{command_bodies, event_bodies};

/// A digest of a file, or of what a picture shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.digest_sets")]
#[serde(deny_unknown_fields)]
pub struct SetDigest {
    pub algorithm: DigestAlgorithm,
    /// Hexadecimal.
    pub value: String,
}

/// An entry as its agency has published it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.digest_sets")]
pub struct EntryPublished {
    pub set: SetName,
    /// As the set names it.
    pub entry: String,
    pub by: AgencyId,
    pub country: Country,
    /// Who has entered it where the set comes from, where that is told.
    pub member: Option<String>,
    /// As the set's scheme has it, such as `A1`.
    pub classification: Option<String>,
    pub digests: Vec<SetDigest>,
}

/// The entry was taken back: it matches nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.digest_sets")]
pub struct EntryWithdrawn {
    pub by: AgencyId,
}

/// An agency that has seen the material says whether the entry is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.digest_sets")]
pub struct EntryVoted {
    pub by: AgencyId,
    pub country: Country,
    pub vote: EntryVote,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.digest_sets")]
pub struct PublishEntry {
    pub set: SetName,
    pub entry: String,
    pub member: Option<String>,
    pub classification: Option<String>,
    pub digests: Vec<SetDigest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.digest_sets")]
pub struct WithdrawEntry {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.digest_sets")]
pub struct VoteOnEntry {
    pub vote: EntryVote,
}

command_bodies! {
    /// What stands in `digest-sets.commands`.
    DigestSetsCommand in "digest-sets.commands" {
        PublishEntry,
        WithdrawEntry,
        VoteOnEntry,
    }
}

event_bodies! {
    /// What stands in `digest-sets.events`.
    DigestSetsEvent in "digest-sets.events" {
        EntryPublished,
        EntryWithdrawn,
        EntryVoted,
    }
}

/// What the events of one entry add up to, for its own service and for whoever matches by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetEntry {
    pub published: Option<EntryPublished>,
    pub withdrawn: bool,
    /// The last vote of each agency.
    pub votes: BTreeMap<AgencyId, (Country, EntryVote)>,
}

impl SetEntry {
    /// Takes one event in. Total, and holds no rule.
    pub fn evolve(&mut self, event: &DigestSetsEvent) {
        match event {
            DigestSetsEvent::EntryPublished(published) => {
                // Who has voted has voted on what stood there.
                let before = self.published.as_ref().map(|before| (&before.digests, &before.classification));
                if before != Some((&published.digests, &published.classification)) {
                    self.votes.clear();
                }
                self.published = Some(published.clone());
                self.withdrawn = false;
            }
            DigestSetsEvent::EntryWithdrawn(_) => self.withdrawn = true,
            DigestSetsEvent::EntryVoted(voted) => {
                self.votes.insert(voted.by.clone(), (voted.country.clone(), voted.vote));
            }
            DigestSetsEvent::CommandRejected(_) | DigestSetsEvent::CommandFailed(_) => {}
        }
    }

    /// The entry, where it stands.
    pub fn standing(&self) -> Option<&EntryPublished> {
        self.published.as_ref().filter(|_| !self.withdrawn)
    }

    pub fn is_disputed(&self) -> bool {
        self.votes.values().any(|(_, vote)| *vote == EntryVote::Disputed)
    }

    /// Whether a match of the same file closes an item, so that nobody looks at it again: agencies of two States have
    /// seen the material, and nobody disputes the entry.
    pub fn closes(&self) -> bool {
        let Some(published) = self.standing() else { return false };
        let elsewhere = |(country, vote): &(Country, EntryVote)| {
            *vote == EntryVote::Agreed && *country != published.country
        };
        !self.is_disputed() && self.votes.values().any(elsewhere)
    }
}

/// An entry that a content item matches: the same file, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.digest_sets")]
pub struct KnownMatch {
    pub entry_id: SetEntryId,
    pub set: SetName,
    /// Who has published the entry.
    pub by: AgencyId,
    pub algorithm: DigestAlgorithm,
    pub classification: Option<String>,
    /// Whether it closes the item: agencies of two States have seen the material, and nobody disputes the entry.
    pub closes: bool,
}
