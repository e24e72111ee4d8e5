//! `directory.commands` and `directory.events`: agencies, their keys and duty contacts, policies, and legal data.
//!
//! The aggregate is one directory entry. Every service follows the events into a [`view::Directory`].

pub mod view;

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{
    AgencyKind, Authorisation, FacetKind, IncidentKind, PersonCategory, SignalRole, TransferBasis, Urgency,
};
use crate::envelope::{CommandFailed, CommandRejected};
use crate::ids::{AgencyId, Country, EntryId, KeyId, ProposalId};
use crate::legal::{Calendar, Instrument};
use crate::routing::Transfer;
use crate::time::Timestamp;
use crate::{command_bodies, event_bodies};

/// One entry of the directory, as it stands after a change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct Entry {
    #[serde(default)]
    pub agency: Option<Agency>,
    #[serde(default)]
    pub policy: Option<Policy>,
    #[serde(default)]
    pub instrument: Option<Instrument>,
    #[serde(default)]
    pub calendar: Option<Calendar>,
}

/// An agency: who it is, what it takes, how it is known and reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct Agency {
    pub id: AgencyId,
    pub name: String,
    pub country: Country,
    pub kind: AgencyKind,
    /// The kinds of incident it takes; empty means all.
    #[serde(default)]
    pub incident_kinds: Vec<IncidentKind>,
    /// A national contact point that answers at any hour (Budapest Convention, Article 35).
    #[serde(default)]
    pub round_the_clock: bool,
    /// The issuer and subject by which its tokens are known.
    pub issuer: String,
    pub subject: String,
    /// Public keys that facets are re-wrapped to.
    #[serde(default)]
    pub keys: Vec<AgencyKey>,
    /// Public keys that it signs its commands with, as C2SP `signed-note` writes them, each by the agency's id:
    /// `de-police+0a1b2c3d+...`.
    #[serde(default)]
    #[avro(default = "[]")]
    pub signing_keys: Vec<String>,
    /// In the order in which they are called.
    #[serde(default)]
    pub duty_contacts: Vec<DutyContact>,
    /// The countries a coordinator watches; empty for every other kind.
    #[serde(default)]
    pub scope: Vec<Country>,
    /// How much its people may have to view before somebody looks after them; none where it has set no limit.
    #[serde(default)]
    pub wellbeing: Option<Wellbeing>,
}

/// What an agency has set for the wellbeing of those who have to view material.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct Wellbeing {
    /// A person who has viewed more than so many items within so many days, this one included, is warned.
    pub items: i32,
    pub days: i32,
    /// Who of the agency reads by person who had to view what: the actors of their tokens. Functions, never persons'
    /// names: everybody reads the directory.
    pub leads: Vec<String>,
}

/// A public key of an agency (HPKE, X25519: 32 bytes, base64).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct AgencyKey {
    pub key_id: KeyId,
    pub public_key: String,
}

/// Who is called, in which hours, by which way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct DutyContact {
    /// A function, never a person's name: `night desk`.
    pub name: String,
    /// IANA time zone of the hours.
    pub time_zone: String,
    /// When the contact is on duty; empty means always.
    #[serde(default)]
    pub hours: Vec<DutyHours>,
    /// BCP 47 language tags.
    #[serde(default)]
    pub languages: Vec<String>,
    #[serde(default)]
    pub phone: Option<String>,
    #[serde(default)]
    pub webhook: Option<String>,
}

/// A span of one weekday, in the contact's own time zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct DutyHours {
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub weekday: i32,
    /// Minutes since midnight; `from` is in, `to` is out, 1440 is the day's end.
    pub from_minute: i32,
    pub to_minute: i32,
}

/// Which kind of agency gets what, by when, and on what data may cross a border.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The name in `policy/<name>`; routing uses `default`.
    pub name: String,
    /// Grows with each change, so that a decision can name what it used.
    pub version: i32,
    /// In imminent danger: how long a duty contact has to acknowledge, in minutes.
    pub acknowledge_within_minutes: i32,
    pub rules: Vec<AssignmentRule>,
    pub transfers: Vec<TransferRule>,
}

/// One rule of assignment: role, kind and urgency to a kind of agency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct AssignmentRule {
    pub id: String,
    /// Empty means any.
    #[serde(default)]
    pub roles: Vec<SignalRole>,
    /// Empty means any.
    #[serde(default)]
    pub kinds: Vec<IncidentKind>,
    /// Empty means any.
    #[serde(default)]
    pub urgencies: Vec<Urgency>,
    pub agency_kind: AgencyKind,
    /// The facets the agency may open.
    pub facets: Vec<FacetKind>,
    /// The categories of persons it may open.
    pub persons: Vec<PersonCategory>,
    pub respond_within_minutes: i32,
}

/// On what personal data may go from one country to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.directory")]
#[serde(deny_unknown_fields)]
pub struct TransferRule {
    pub id: String,
    /// The senders' countries; empty means any.
    #[serde(default)]
    pub from: Vec<Country>,
    /// The recipients' countries; empty means any.
    #[serde(default)]
    pub to: Vec<Country>,
    pub basis: TransferBasis,
    /// Such as `Directive (EU) 2016/680 Article 36`.
    pub article: String,
}

impl Policy {
    /// The name of the policy that every service decides by.
    pub const DEFAULT: &'static str = "default";

    /// On what something may go from one country to another; `None` where nothing allows it. In imminent danger
    /// Article 38 of Directive (EU) 2016/680 stands in for a missing rule.
    pub fn transfer(
        &self,
        from: &Country,
        to: &Country,
        urgency: Urgency,
        authorisation: Authorisation,
    ) -> Option<Transfer> {
        if from == to {
            return Some(Transfer {
                basis: TransferBasis::Domestic,
                rule: None,
                article: "no border is crossed".to_owned(),
                authorisation: Authorisation::Standing,
            });
        }
        if let Some(rule) = self.transfers.iter().find(|rule| rule.applies(from, to)) {
            let (basis, article) = (rule.basis, rule.article.clone());
            return Some(Transfer { basis, rule: Some(rule.id.clone()), article, authorisation });
        }
        (urgency == Urgency::ImminentDanger).then(|| Transfer {
            basis: TransferBasis::VitalInterests,
            rule: None,
            article: "Directive (EU) 2016/680 Article 38(1)(a)".to_owned(),
            authorisation,
        })
    }
}

impl TransferRule {
    fn applies(&self, from: &Country, to: &Country) -> bool {
        let holds = |list: &[Country], country| list.is_empty() || list.contains(country);
        holds(&self.from, from) && holds(&self.to, to)
    }
}

/// Commands: load the first directory; propose, confirm or withdraw a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct LoadGenesis {
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct ProposeChange {
    pub entry: Entry,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct ConfirmChange {
    pub proposal_id: ProposalId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct WithdrawChange {
    pub proposal_id: ProposalId,
}

/// The first directory: once, on an empty topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct GenesisLoaded {
    pub entries: Vec<Entry>,
}

/// A change that widens reading waits for a second person, of the State concerned, of another issuer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct ChangeProposed {
    pub proposal_id: ProposalId,
    pub entry: Entry,
    /// What it widens, in words a second person can judge.
    pub widens: Vec<String>,
    /// The issuer of the proposer's token: the second person's must be another.
    pub issuer: String,
    /// The State whose agency must confirm; none when any other may.
    pub state_concerned: Option<Country>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct ChangeConfirmed {
    pub proposal_id: ProposalId,
    /// From when the change acts: it stands visible until then.
    pub acts_from: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct ChangeWithdrawn {
    pub proposal_id: ProposalId,
}

/// The entry stands so from `acts_from` on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.directory")]
pub struct EntryChanged {
    pub entry: Entry,
    pub acts_from: Timestamp,
}

command_bodies! {
    /// What stands in `directory.commands`.
    DirectoryCommand in "directory.commands" {
        LoadGenesis,
        ProposeChange,
        ConfirmChange,
        WithdrawChange,
    }
}

event_bodies! {
    /// What stands in `directory.events`.
    DirectoryEvent in "directory.events" {
        GenesisLoaded,
        ChangeProposed,
        ChangeConfirmed,
        ChangeWithdrawn,
        EntryChanged,
    }
}

impl Entry {
    /// The entry's id, from what it holds.
    ///
    /// # Errors
    /// When it holds nothing, or more than one thing, or a name that is no entry id.
    pub fn id(&self) -> Result<EntryId, String> {
        let text = match (&self.agency, &self.policy, &self.instrument, &self.calendar) {
            (Some(agency), None, None, None) => format!("agency/{}", agency.id),
            (None, Some(policy), None, None) => format!("policy/{}", policy.name),
            (None, None, Some(instrument), None) => format!("instrument/{}", instrument.id),
            (None, None, None, Some(calendar)) => {
                format!("calendar/{}", calendar.country.as_str().to_ascii_lowercase())
            }
            _ => return Err("an entry holds exactly one of agency, policy, instrument, calendar".to_owned()),
        };
        EntryId::try_new(&text).map_err(|error| error.to_string())
    }
}
