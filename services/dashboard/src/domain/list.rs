//! Incidents one by one, for whoever looks for some of them.

use std::cmp::Reverse;

use schemas::codes::{IncidentKind, Urgency};
use schemas::ids::{Country, IncidentId};

use super::frame::{Frame, Referral};
use super::overview::{Stage, Watch, stage};

/// Fewer lines than these are not worth an early sort.
const LINES_KEPT: usize = 1_000;

/// Which incidents are looked for; whatever is none is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub stage: Option<Stage>,
    pub urgency: Option<Urgency>,
    pub kind: Option<IncidentKind>,
    /// Where it was reported, or whom it concerns.
    pub country: Option<Country>,
}

/// An incident as a line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub incident_id: IncidentId,
    pub urgency: Urgency,
    pub kind: IncidentKind,
    pub stage: Stage,
    /// In which it came in, such as `2026-W48`.
    pub week: String,
    /// None where it lies outside of what the coordinator watches.
    pub reported_in: Option<Country>,
    pub countries: Vec<Country>,
}

/// Some of the lines, and how many there are in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    pub lines: Vec<Line>,
    pub all: usize,
}

impl Filter {
    fn takes(&self, watch: &Watch<'_>, frame: &Frame, referral: &Referral) -> bool {
        let concerns = |country: &Country| {
            // What is not shown cannot be asked for either.
            let reported = referral.reporter_country == *country || frame.roles.contains_key(country);
            watch.shows(country) && reported
        };
        self.stage.is_none_or(|wanted| stage(watch, frame) == wanted)
            && self.urgency.is_none_or(|wanted| referral.urgency() == wanted)
            && self.kind.is_none_or(|wanted| referral.kind() == wanted)
            && self.country.as_ref().is_none_or(concerns)
    }
}

impl Lines {
    /// The most urgent first, and of those the latest week; within a week by their ids, which say nothing.
    pub fn of(
        watch: &Watch<'_>,
        frames: impl IntoIterator<Item = (IncidentId, Frame)>,
        filter: &Filter,
        skip: usize,
        take: usize,
    ) -> Self {
        let (mut lines, mut all, wanted) = (Vec::new(), 0, skip.saturating_add(take));
        for (incident_id, frame) in frames {
            let Some(referral) = watch.referral(&frame) else { continue };
            if !filter.takes(watch, &frame, referral) {
                continue;
            }
            all += 1;
            lines.push(Line::of(watch, incident_id, &frame, referral));
            // No more of them are kept than twice as many as may be shown.
            if lines.len() >= wanted.saturating_mul(2).max(LINES_KEPT) {
                lines.sort_by_cached_key(Line::order);
                lines.truncate(wanted);
            }
        }
        lines.sort_by_cached_key(Line::order);
        Self { all, lines: lines.into_iter().skip(skip).take(take).collect() }
    }
}

impl Line {
    fn of(watch: &Watch<'_>, incident_id: IncidentId, frame: &Frame, referral: &Referral) -> Self {
        Self {
            incident_id,
            urgency: referral.urgency(),
            kind: referral.kind(),
            stage: stage(watch, frame),
            week: referral.received.iso_week(),
            reported_in: Some(referral.reporter_country.clone()).filter(|country| watch.shows(country)),
            countries: frame.roles.keys().filter(|country| watch.shows(country)).cloned().collect(),
        }
    }

    fn order(&self) -> impl Ord + use<> {
        (Reverse(self.urgency), Reverse(self.week.clone()), self.incident_id)
    }
}
