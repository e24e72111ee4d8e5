//! Incidents one by one, for whoever looks for some of them.

use std::cmp::Reverse;

use schemas::codes::{IncidentKind, Urgency};
use schemas::ids::{Country, IncidentId};

use super::frame::{Frame, Referral};
use super::overview::{Stage, Watch, stage};

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
    pub fn of<'a>(
        watch: &Watch<'_>,
        frames: impl IntoIterator<Item = (&'a IncidentId, &'a Frame)>,
        filter: &Filter,
        skip: usize,
        take: usize,
    ) -> Self {
        let mut found: Vec<(&IncidentId, &Frame, &Referral)> = frames
            .into_iter()
            .filter_map(|(id, frame)| Some((id, frame, watch.referral(frame)?)))
            .filter(|(_, frame, referral)| filter.takes(watch, frame, referral))
            .collect();
        found.sort_by_cached_key(|(id, _, referral)| {
            (Reverse(referral.urgency()), Reverse(referral.received.iso_week()), **id)
        });
        let line = |(id, frame, referral): &(&IncidentId, &Frame, &Referral)| Line {
            incident_id: **id,
            urgency: referral.urgency(),
            kind: referral.kind(),
            stage: stage(watch, frame),
            week: referral.received.iso_week(),
            reported_in: Some(referral.reporter_country.clone()).filter(|country| watch.shows(country)),
            countries: frame.roles.keys().filter(|country| watch.shows(country)).cloned().collect(),
        };
        Self { all: found.len(), lines: found.iter().skip(skip).take(take).map(line).collect() }
    }
}
