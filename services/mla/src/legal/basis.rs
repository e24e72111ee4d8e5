//! Which instruments may be the legal basis of a request between two States, and why the others may not.
//!
//! Each question gets an answer with its reasons. What is not known stays unknown: it is never taken for "not bound".

use schemas::Timestamp;
use schemas::codes::{
    BasisAnswer, BasisReason, Completeness, Force, IncidentKind, Measure, RequestKind, ScopeEffect,
    VerificationMark,
};
use schemas::directory::view::Directory;
use schemas::ids::Country;
use schemas::legal::{ClockRow, ContentRow, Instrument, MeasureRow, ReservationRow, ScopeRow};
use schemas::time::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is asked of the law.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub requesting: &'a Country,
    pub requested: &'a Country,
    pub measure: Measure,
    /// By which kind of request; none where any would do.
    pub request: Option<RequestKind>,
    pub date: Date,
    /// What the incident is about; none where it is not told.
    pub kind: Option<IncidentKind>,
}

/// One reason for or against an instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    pub code: BasisReason,
    pub country: Option<Country>,
    /// Since or until when, or the day up to which is known what is known.
    pub date: Option<Date>,
    pub article: Option<String>,
    pub text: Option<String>,
    /// How the row that says so was confirmed.
    pub mark: VerificationMark,
}

/// An instrument with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessed<'a> {
    pub instrument: &'a Instrument,
    pub answer: BasisAnswer,
    pub reasons: Vec<Reason>,
    /// The rows on the measure that are offered.
    pub measures: Vec<&'a MeasureRow>,
}

impl Assessed<'_> {
    /// Everything that limits it: of the measure, of the scope, of reservations.
    pub fn limits(&self) -> Vec<String> {
        let of_measure = self.measures.iter().flat_map(|row| row.limits.iter().cloned());
        let limiting = [BasisReason::ScopeDepends, BasisReason::Reservation, BasisReason::ReservationUnknown];
        let others = self.reasons.iter().filter(|reason| limiting.contains(&reason.code));
        of_measure.chain(others.filter_map(|reason| reason.text.clone())).collect()
    }

    pub fn articles(&self) -> Vec<String> {
        let mut articles: Vec<String> = Vec::new();
        for article in self.measures.iter().flat_map(|row| &row.articles) {
            if !articles.contains(article) {
                articles.push(article.clone());
            }
        }
        articles
    }

    /// The kinds of request by which it covers the measure.
    pub fn requests(&self) -> Vec<RequestKind> {
        let mut kinds: Vec<RequestKind> = self.measures.iter().map(|row| row.request).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

/// Every instrument of the directory, by id.
pub fn assess<'a>(directory: &'a Directory, question: &Question<'_>, at: Timestamp) -> Vec<Assessed<'a>> {
    directory.instruments(at).map(|instrument| of(instrument, question)).collect()
}

/// One instrument.
pub fn of<'a>(instrument: &'a Instrument, question: &Question<'_>) -> Assessed<'a> {
    let mut reasons = Vec::new();
    let general = |code| reason(code, instrument.mark);
    if question.requesting == question.requested {
        reasons.push(general(BasisReason::SameState));
    }
    reasons.push(force(instrument, question.date));
    for country in [question.requesting, question.requested] {
        reasons.push(party(instrument, country, question.date));
    }
    if reasons.iter().all(|reason| answer_of(reason.code) == BasisAnswer::Applies) {
        reasons.push(general(BasisReason::BothBound));
    }
    let (measures, covered) = measure(instrument, question);
    reasons.push(covered);
    reasons.extend(scope(instrument, question.kind));
    reasons.extend(reservations(instrument, question));
    let answer = reasons.iter().map(|reason| answer_of(reason.code)).max_by_key(|answer| weight(*answer));
    Assessed { instrument, answer: answer.unwrap_or(BasisAnswer::Unknown), reasons, measures }
}

fn reason(code: BasisReason, mark: VerificationMark) -> Reason {
    Reason { code, country: None, date: None, article: None, text: None, mark }
}

/// What is known not to apply outweighs what is switched off, and that what is unknown.
fn weight(answer: BasisAnswer) -> u8 {
    match answer {
        BasisAnswer::Applies => 0,
        BasisAnswer::Unknown => 1,
        BasisAnswer::SwitchedOff => 2,
        BasisAnswer::DoesNotApply => 3,
    }
}

/// The answer that a reason would give alone.
pub fn answer_of(reason: BasisReason) -> BasisAnswer {
    match reason {
        BasisReason::BothBound
        | BasisReason::InForce
        | BasisReason::MeasureCovered
        | BasisReason::ScopeDepends
        | BasisReason::Reservation
        | BasisReason::ReservationUnknown => BasisAnswer::Applies,
        BasisReason::ForceUnknown | BasisReason::PartyUnknown | BasisReason::DateUnknown => {
            BasisAnswer::Unknown
        }
        BasisReason::NotVerified => BasisAnswer::SwitchedOff,
        BasisReason::NotInForce
        | BasisReason::NotBinding
        | BasisReason::NotAParty
        | BasisReason::NotYetAParty
        | BasisReason::NoLongerAParty
        | BasisReason::MeasureNotCovered
        | BasisReason::OutsideScope
        | BasisReason::SameState => BasisAnswer::DoesNotApply,
    }
}

/// Whether the list of parties was seen on or after the day.
fn was_seen_by(instrument: &Instrument, date: Date) -> bool {
    instrument.status_date.is_some_and(|seen| seen <= date)
}

fn force(instrument: &Instrument, date: Date) -> Reason {
    let code = match (instrument.force, instrument.in_force) {
        (Force::NotBinding, _) => BasisReason::NotBinding,
        (Force::NotInForce, _) => BasisReason::NotInForce,
        (Force::Unknown, _) => BasisReason::ForceUnknown,
        _ if !instrument.mark.is_offered() => BasisReason::NotVerified,
        (Force::InForce, Some(since)) if since <= date => BasisReason::InForce,
        (Force::InForce, Some(_)) => BasisReason::NotInForce,
        // Since when is not known; it was when its parties were looked at.
        (Force::InForce, None) if was_seen_by(instrument, date) => BasisReason::InForce,
        (Force::InForce, None) => BasisReason::ForceUnknown,
    };
    let seen = instrument.status_date.unwrap_or(instrument.as_of);
    Reason { date: Some(instrument.in_force.unwrap_or(seen)), ..reason(code, instrument.mark) }
}

fn party(instrument: &Instrument, country: &Country, date: Date) -> Reason {
    let row = instrument.parties.iter().find(|row| row.country == *country);
    let Some(row) = row else { return absent(instrument, country, date) };
    let (code, since) = match (row.until, row.in_force) {
        (Some(until), _) if until < date => (BasisReason::NoLongerAParty, Some(until)),
        _ if !row.mark.is_offered() => (BasisReason::NotVerified, None),
        (_, Some(since)) if since <= date => (BasisReason::InForce, Some(since)),
        (_, Some(since)) => (BasisReason::NotYetAParty, Some(since)),
        // Since when is not known; it was a party when the list was seen.
        (_, None) if was_seen_by(instrument, date) && instrument.force == Force::InForce => {
            (BasisReason::InForce, instrument.status_date)
        }
        (_, None) => (BasisReason::DateUnknown, None),
    };
    Reason { country: Some(country.clone()), date: since, ..reason(code, row.mark) }
}

/// Of a State that the list does not name. A list that is complete proves something for the time that it was seen, and
/// for good where no State joins by its own act.
fn absent(instrument: &Instrument, country: &Country, date: Date) -> Reason {
    let proves = instrument.completeness == Completeness::Complete
        && instrument.status_date.is_none_or(|seen| date <= seen);
    let code = if proves { BasisReason::NotAParty } else { BasisReason::PartyUnknown };
    let seen = instrument.status_date.unwrap_or(instrument.as_of);
    let text = (!proves).then(|| match instrument.completeness {
        Completeness::Complete => format!("no party on {seen}; it may have joined since"),
        Completeness::Partial => {
            "the list of parties is not complete: that a State is not in it proves nothing".to_owned()
        }
    });
    Reason { country: Some(country.clone()), date: Some(seen), text, ..reason(code, instrument.mark) }
}

fn measure<'a>(instrument: &'a Instrument, question: &Question<'_>) -> (Vec<&'a MeasureRow>, Reason) {
    let asked = |row: &&MeasureRow| {
        row.measure == question.measure && question.request.is_none_or(|request| request == row.request)
    };
    let rows: Vec<&MeasureRow> = instrument.measures.iter().filter(asked).collect();
    let offered: Vec<&MeasureRow> = rows.iter().copied().filter(|row| row.mark.is_offered()).collect();
    let found = match (offered.first(), rows.first()) {
        (Some(row), _) => {
            Reason { article: Some(row.articles.join(", ")), ..reason(BasisReason::MeasureCovered, row.mark) }
        }
        (None, Some(row)) => {
            Reason { article: Some(row.articles.join(", ")), ..reason(BasisReason::NotVerified, row.mark) }
        }
        (None, None) => reason(BasisReason::MeasureNotCovered, instrument.mark),
    };
    (offered, found)
}

fn scope(instrument: &Instrument, kind: Option<IncidentKind>) -> Option<Reason> {
    let about = |row: &&ScopeRow| row.kinds.is_empty() || kind.is_some_and(|kind| row.kinds.contains(&kind));
    let rows = &instrument.scope;
    let Some(row) = rows.iter().find(about) else {
        // Limited to some kinds, and it was not told which this is, or none of the rows names it.
        let code = if kind.is_some() { BasisReason::OutsideScope } else { BasisReason::ScopeDepends };
        return rows.first().map(|row| told(code, row));
    };
    let code = match row.effect {
        _ if !row.mark.is_offered() => BasisReason::NotVerified,
        ScopeEffect::Covers => return None,
        ScopeEffect::Excludes => BasisReason::OutsideScope,
        ScopeEffect::Depends => BasisReason::ScopeDepends,
    };
    Some(told(code, row))
}

fn told(code: BasisReason, row: &ScopeRow) -> Reason {
    Reason { article: Some(row.article.clone()), text: Some(row.text.clone()), ..reason(code, row.mark) }
}

/// Whether a State has made the reservation of an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    Yes,
    No,
    /// Nothing is told of it.
    Unknown,
}

pub fn reserved(instrument: &Instrument, article: &str, country: &Country, date: Date) -> Reserved {
    let of_article = instrument.reservable.iter().filter(|row| row.article == article);
    let mut own = instrument
        .reservations
        .iter()
        .filter(|row| row.country == *country && row.article == article)
        .peekable();
    if own.peek().is_none() && !of_article.flat_map(|row| &row.unreserved).any(|other| other == country) {
        return Reserved::Unknown;
    }
    if own.any(|row| stands(row, date)) { Reserved::Yes } else { Reserved::No }
}

fn stands(row: &ReservationRow, date: Date) -> bool {
    row.mark.is_offered()
        && row.since.is_none_or(|since| since <= date)
        && row.until.is_none_or(|until| until >= date)
}

/// Those that one of the two has made, and those that nothing is told of.
fn reservations(instrument: &Instrument, question: &Question<'_>) -> Vec<Reason> {
    let (measure, date) = (question.measure, question.date);
    let untouched = |article: &str| {
        instrument.reservable.iter().any(|row| row.article == article && !row.touches(measure))
    };
    let of_either = |country: &Country| country == question.requesting || country == question.requested;
    let standing = instrument.reservations.iter().filter(|row| of_either(&row.country) && stands(row, date));
    let made = standing.filter(|row| !untouched(&row.article)).map(|row| {
        let taken_away = row.excludes.contains(&measure);
        let code = if taken_away { BasisReason::MeasureNotCovered } else { BasisReason::Reservation };
        Reason {
            country: Some(row.country.clone()),
            date: row.since,
            article: Some(row.article.clone()),
            text: Some(row.text.clone()),
            ..reason(code, row.mark)
        }
    });
    let country = question.requested;
    let touching = instrument.reservable.iter().filter(|row| row.mark.is_offered() && row.touches(measure));
    let untold =
        touching.filter(|row| reserved(instrument, &row.article, country, date) == Reserved::Unknown);
    let unknown = untold.map(|row| Reason {
        country: Some(country.clone()),
        article: Some(row.article.clone()),
        text: Some(format!("not known here whether {country} has reserved {}: {}", row.article, row.text)),
        ..reason(BasisReason::ReservationUnknown, row.mark)
    });
    made.chain(unknown).collect()
}

/// What a request under it has to hold.
pub fn contents(
    instrument: &Instrument,
    request: RequestKind,
    measure: Measure,
) -> impl Iterator<Item = &ContentRow> {
    let rows = instrument.contents.iter();
    rows.filter(move |row| row.mark.is_offered() && row.is_about(request, measure))
}

/// The periods that can run in a request under it, and those that start outside of one.
pub fn clocks(instrument: &Instrument, requests: &[RequestKind]) -> Vec<ClockRow> {
    let about = |row: &&ClockRow| {
        row.mark.is_offered()
            && (row.requests.is_empty() || row.requests.iter().any(|kind| requests.contains(kind)))
    };
    instrument.clocks.iter().filter(about).cloned().collect()
}
