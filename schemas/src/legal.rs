//! Legal data as entries of the directory: instruments of international cooperation, and calendars.
//!
//! Every row carries how it was confirmed ([`VerificationMark`]). What a row says is data: no rule here knows an
//! instrument by name.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{
    ClockCondition, ClockConsequence, ClockKind, ClockUnit, Completeness, ConsultationDuty, ContentElement,
    Counting, Force, IncidentKind, InstrumentKind, Measure, PostponementGround, RefusalGround, RequestKind,
    RequestRole, RequestStep, ScopeEffect, VerificationMark,
};
use crate::ids::{Country, InstrumentId};
use crate::time::Date;

/// A treaty, an act of Union law, an agreement of two States, or a promise of reciprocity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    pub id: InstrumentId,
    pub title: String,
    pub kind: InstrumentKind,
    /// Grows with each change, so that a decision can name what it used.
    pub version: i32,
    pub force: Force,
    /// Since when; none where it is not in force or not known.
    #[serde(default)]
    pub in_force: Option<Date>,
    /// How the entry into force was confirmed.
    pub mark: VerificationMark,
    /// The day on which the rows were put together.
    pub as_of: Date,
    /// The day up to which the list of parties was seen: a State may have joined later. None where no State joins by
    /// its own act, as in Union law.
    #[serde(default)]
    pub status_date: Option<Date>,
    pub completeness: Completeness,
    /// By which rules its periods are counted.
    pub counting: Counting,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub sources: Vec<String>,
    #[serde(default)]
    pub parties: Vec<PartyRow>,
    /// Where it lets a State reserve.
    #[serde(default)]
    pub reservable: Vec<ReservableRow>,
    #[serde(default)]
    pub reservations: Vec<ReservationRow>,
    /// Which kinds of incident its offences cover; without a row, all of them.
    #[serde(default)]
    pub scope: Vec<ScopeRow>,
    #[serde(default)]
    pub measures: Vec<MeasureRow>,
    #[serde(default)]
    pub contents: Vec<ContentRow>,
    #[serde(default)]
    pub clocks: Vec<ClockRow>,
    #[serde(default)]
    pub grounds: Vec<GroundRow>,
    #[serde(default)]
    pub postponements: Vec<PostponementRow>,
}

/// A State that is bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct PartyRow {
    pub country: Country,
    /// Since when it is in force for the State; none where that is not known.
    #[serde(default)]
    pub in_force: Option<Date>,
    /// The day of ratification or accession, or only its year.
    #[serde(default)]
    pub ratified: Option<String>,
    /// The last day on which the State was bound.
    #[serde(default)]
    pub until: Option<Date>,
    pub mark: VerificationMark,
}

/// A reservation or declaration of a party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct ReservationRow {
    pub country: Country,
    pub article: String,
    pub text: String,
    /// Since when it stands; none where it is not known, or from the first day on.
    #[serde(default)]
    pub since: Option<Date>,
    /// The last day before it was withdrawn.
    #[serde(default)]
    pub until: Option<Date>,
    /// The measures it takes away; empty where it only limits.
    #[serde(default)]
    pub excludes: Vec<Measure>,
    pub mark: VerificationMark,
}

/// An article that lets a State reserve, so that a State of which nothing is told may have done so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct ReservableRow {
    pub article: String,
    /// What a State that has reserved may do.
    pub text: String,
    /// Empty means every measure.
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// States that are known to have made none.
    #[serde(default)]
    pub unreserved: Vec<Country>,
    pub mark: VerificationMark,
}

impl ReservableRow {
    /// Whether a reservation would matter to a request of this measure.
    pub fn touches(&self, measure: Measure) -> bool {
        self.measures.is_empty() || self.measures.contains(&measure)
    }
}

/// Whether its offences cover kinds of incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct ScopeRow {
    /// Empty means every kind.
    #[serde(default)]
    pub kinds: Vec<IncidentKind>,
    pub effect: ScopeEffect,
    pub article: String,
    pub text: String,
    pub mark: VerificationMark,
}

/// A measure that it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct MeasureRow {
    pub measure: Measure,
    /// By which kind of request.
    pub request: RequestKind,
    pub articles: Vec<String>,
    #[serde(default)]
    pub limits: Vec<String>,
    pub mark: VerificationMark,
}

/// Something that a request under it has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct ContentRow {
    pub element: ContentElement,
    pub article: String,
    pub request: RequestKind,
    /// Empty means every measure.
    #[serde(default)]
    pub measures: Vec<Measure>,
    #[serde(default)]
    pub except: Vec<Measure>,
    /// Only then.
    #[serde(default)]
    pub when: Vec<ClockCondition>,
    /// Without it the request is not complete; else it is asked for where possible.
    pub mandatory: bool,
    pub mark: VerificationMark,
}

/// A legal period: who owes what to whom, for how long, and what moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct ClockRow {
    /// Such as `EIO-12.3`.
    pub id: String,
    pub article: String,
    /// What is owed, in words.
    pub duty: String,
    pub owed_by: RequestRole,
    pub owed_to: RequestRole,
    pub kind: ClockKind,
    /// None where the instrument names no number ("expeditiously").
    #[serde(default)]
    pub number: Option<i32>,
    #[serde(default)]
    pub unit: Option<ClockUnit>,
    /// Empty means every kind of request.
    #[serde(default)]
    pub requests: Vec<RequestKind>,
    /// All of them must hold.
    #[serde(default)]
    pub when: Vec<ClockCondition>,
    /// The steps that start it; none where it starts outside a request.
    #[serde(default)]
    pub starts: Vec<RequestStep>,
    #[serde(default)]
    pub ends: Vec<RequestStep>,
    #[serde(default)]
    pub pauses: Vec<RequestStep>,
    #[serde(default)]
    pub resumes: Vec<RequestStep>,
    /// Steps after which something else guards what it guarded.
    #[serde(default)]
    pub superseded_by: Vec<RequestStep>,
    /// What makes it longer, once.
    #[serde(default)]
    pub extension: Option<ExtensionRow>,
    pub then: ClockConsequence,
    /// How long before the end it warns, in hours, longest first.
    #[serde(default)]
    pub warn_hours: Vec<i32>,
    pub mark: VerificationMark,
    #[serde(default)]
    pub note: String,
}

/// By how much a legal period may be made longer, and by which step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct ExtensionRow {
    pub step: RequestStep,
    pub number: i32,
    pub unit: ClockUnit,
    pub article: String,
}

/// A ground on which it lets a request be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct GroundRow {
    pub ground: RefusalGround,
    pub article: String,
    /// Empty means every measure.
    #[serde(default)]
    pub measures: Vec<Measure>,
    #[serde(default)]
    pub except: Vec<Measure>,
    /// Only for a State that has made the reservation of this article.
    #[serde(default)]
    pub reserved: bool,
    #[serde(default)]
    pub consultation: Option<ConsultationDuty>,
    pub mark: VerificationMark,
}

/// A ground on which it lets a request be put off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct PostponementRow {
    pub ground: PostponementGround,
    pub article: String,
    #[serde(default)]
    pub consultation: Option<ConsultationDuty>,
    pub mark: VerificationMark,
}

/// A country's time zone, weekend and holidays: what days in it are working days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.legal")]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    pub country: Country,
    /// Grows with each change.
    pub version: i32,
    /// IANA name of the zone in which the country's authorities sit.
    pub time_zone: String,
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub weekend: Vec<i32>,
    /// Those that fall outside of the weekend; sorted, within the years named.
    pub holidays: Vec<Date>,
    pub first_year: i32,
    pub last_year: i32,
    pub source: String,
    pub mark: VerificationMark,
}

impl VerificationMark {
    /// Whether a row with this mark is offered. All others are switched off until somebody confirms them.
    pub const fn is_offered(self) -> bool {
        matches!(self, Self::Read | Self::Secondary | Self::Declared)
    }
}

impl ContentRow {
    /// Whether the row speaks of a request of this kind for this measure.
    pub fn is_about(&self, request: RequestKind, measure: Measure) -> bool {
        self.request == request && covers(&self.measures, &self.except, measure)
    }
}

impl GroundRow {
    pub fn is_about(&self, measure: Measure) -> bool {
        covers(&self.measures, &self.except, measure)
    }
}

fn covers(measures: &[Measure], except: &[Measure], measure: Measure) -> bool {
    (measures.is_empty() || measures.contains(&measure)) && !except.contains(&measure)
}
