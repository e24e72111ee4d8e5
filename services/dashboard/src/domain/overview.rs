//! What one coordinator sees of all incidents: within its countries, and coarse.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemas::Timestamp;
use schemas::codes::{AssignmentState, IncidentKind, SignalRole, Urgency};
use schemas::ids::{AgencyId, AssignmentId, Country, IncidentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::frame::{Assignment, Child, Frame, Referral};

/// A period that ends so soon is shown before it does.
const SOON_MINUTES: i64 = 3 * 24 * 60;
/// An agency that has accepted and opened nothing for so long is shown.
const UNOPENED_MINUTES: i64 = 24 * 60;

/// What a coordinator watches.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// Its own country, which some incidents are kept from.
    pub country: &'a Country,
    pub scope: &'a [Country],
}

impl Watch<'_> {
    pub fn shows(&self, country: &Country) -> bool {
        self.scope.contains(country)
    }

    /// The referral, where the incident exists for the coordinator.
    pub fn referral<'f>(&self, frame: &'f Frame) -> Option<&'f Referral> {
        let referral = frame.referral.as_ref()?;
        let watched = self.shows(&referral.reporter_country) || frame.roles.keys().any(|one| self.shows(one));
        (watched && !referral.never_told.contains(self.country)).then_some(referral)
    }

    fn assignments<'f>(&self, frame: &'f Frame) -> impl Iterator<Item = (&'f AssignmentId, &'f Assignment)> {
        frame.assignments.iter().filter(|(_, one)| self.shows(&one.country))
    }

    /// Children that somebody has to be looked for, and whom the coordinator watches over: its custodian's State lies
    /// in its countries, or, where nobody has the search, that of an agency at work on the incident.
    fn children<'f>(&self, frame: &'f Frame) -> impl Iterator<Item = &'f Child> {
        let at_work = self.assignments(frame).any(|(_, one)| one.state == AssignmentState::Accepted);
        let is_watched = move |child: &&Child| {
            child.custodian.as_ref().map_or(at_work, |custodian| self.shows(&custodian.country))
        };
        let children = frame.children.values().filter(|child| !child.status.is_settled() && !child.is_ceded);
        children.filter(is_watched)
    }
}

/// How far the work on an incident has come, as far as the coordinator's countries are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// No agency was asked.
    Unassigned,
    /// Asked, and nobody has accepted.
    Offered,
    /// Somebody has accepted.
    AtWork,
    /// Nobody is asked or at work any more.
    Ended,
    /// By its reporter.
    Withdrawn,
}

impl Stage {
    pub const ALL: [Self; 5] = [Self::Unassigned, Self::Offered, Self::AtWork, Self::Ended, Self::Withdrawn];

    /// As addresses and data say it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Offered => "offered",
            Self::AtWork => "at-work",
            Self::Ended => "ended",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Why a person should look now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Concern {
    /// An agency has not answered in time, or was asked for by a party.
    Unanswered,
    /// A legal period has run out.
    PeriodRanOut,
    /// Nobody looks for a child.
    NobodyLooks,
    /// Whoever looks for a child has said nothing for longer than it has itself set.
    CustodianSilent,
    /// Nobody agrees which State leads.
    LeadDisputed,
    /// An agency has accepted and opened nothing.
    Unopened,
    /// A legal period ends soon.
    PeriodEndsSoon,
}

/// Something that needs a person, and with whom it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DashboardNeed)]
pub struct Need {
    pub incident_id: IncidentId,
    pub urgency: Urgency,
    pub concern: Concern,
    pub country: Option<Country>,
    pub agency: Option<AgencyId>,
    /// Since when; of a period that has not run out, when it ends.
    pub moment: Timestamp,
}

impl Need {
    /// The most urgent and oldest first, and everywhere the same.
    fn order(&self) -> impl Ord {
        let place = (self.incident_id, self.country.as_ref(), self.agency.as_ref());
        (Reverse(self.urgency), self.concern, self.moment, place)
    }
}

/// How many incidents lead from where they were reported to a country in a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DashboardFlow)]
pub struct Flow {
    pub from: Country,
    pub to: Country,
    pub role: SignalRole,
    pub incidents: u64,
}

/// Numbers over all incidents that exist for the coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DashboardOverview)]
pub struct Overview {
    pub incidents: u64,
    pub stages: BTreeMap<Stage, u64>,
    #[schema(value_type = BTreeMap<String, u64>)]
    pub urgencies: BTreeMap<Urgency, u64>,
    #[schema(value_type = BTreeMap<String, u64>)]
    pub kinds: BTreeMap<IncidentKind, u64>,
    /// Referrals by the ISO week in which they came in, such as `2026-W48`.
    pub weeks: BTreeMap<String, u64>,
    pub flows: Vec<Flow>,
    /// Children that are looked for, and those of them for whom nobody does.
    pub children: u64,
    pub children_without_custodian: u64,
    /// What needs a person, the most urgent and oldest first; no more than the page shows.
    pub needs: Vec<Need>,
    /// How many there are in all.
    pub needs_in_all: u64,
}

impl Overview {
    /// Over frames as they stand now; with so many of the needs.
    pub fn of(
        watch: &Watch<'_>,
        frames: impl IntoIterator<Item = (IncidentId, Frame)>,
        now: Timestamp,
        most_needs: usize,
    ) -> Self {
        let mut overview = Self::default();
        let mut flows = BTreeMap::new();
        for (incident_id, frame) in frames {
            let Some(referral) = watch.referral(&frame) else { continue };
            overview.incidents += 1;
            *overview.stages.entry(stage(watch, &frame)).or_default() += 1;
            *overview.urgencies.entry(referral.urgency()).or_default() += 1;
            *overview.kinds.entry(referral.kind()).or_default() += 1;
            *overview.weeks.entry(referral.received.iso_week()).or_default() += 1;
            if watch.shows(&referral.reporter_country) {
                for (to, role) in roles(watch, &frame) {
                    *flows.entry((referral.reporter_country.clone(), to.clone(), role)).or_default() += 1;
                }
            }
            for child in watch.children(&frame) {
                overview.children += 1;
                overview.children_without_custodian += u64::from(child.custodian.is_none());
            }
            overview.needs.extend(needs(watch, incident_id, referral, &frame, now));
        }
        overview.flows = flows
            .into_iter()
            .map(|((from, to, role), incidents)| Flow { from, to, role, incidents })
            .collect();
        overview.needs_in_all = u64::try_from(overview.needs.len()).unwrap_or(u64::MAX);
        overview.needs.sort_by(|one, other| one.order().cmp(&other.order()));
        overview.needs.truncate(most_needs);
        overview
    }
}

fn roles<'f>(watch: &Watch<'_>, frame: &'f Frame) -> impl Iterator<Item = (&'f Country, SignalRole)> {
    let shown = frame.roles.iter().filter(|(country, _)| watch.shows(country));
    shown.flat_map(|(country, roles)| roles.iter().map(move |role| (country, *role)))
}

pub fn stage(watch: &Watch<'_>, frame: &Frame) -> Stage {
    if frame.is_withdrawn {
        return Stage::Withdrawn;
    }
    let mut stage = Stage::Unassigned;
    for (_, assignment) in watch.assignments(frame) {
        stage = match assignment.state {
            AssignmentState::Accepted => return Stage::AtWork,
            state if state.awaits_answer() => Stage::Offered,
            _ if stage == Stage::Unassigned => Stage::Ended,
            _ => stage,
        };
    }
    stage
}

fn needs(
    watch: &Watch<'_>,
    incident_id: IncidentId,
    referral: &Referral,
    frame: &Frame,
    now: Timestamp,
) -> Vec<Need> {
    let urgency = referral.urgency();
    let need = |concern, country: Option<&Country>, agency: Option<&AgencyId>, moment| Need {
        incident_id,
        urgency,
        concern,
        country: country.cloned(),
        agency: agency.cloned(),
        moment,
    };
    let mut needs = Vec::new();
    for (id, one) in watch.assignments(frame) {
        let unopened_since = one.since.plus_minutes(UNOPENED_MINUTES);
        let concern = match one.state {
            AssignmentState::Overdue | AssignmentState::Escalated => Concern::Unanswered,
            AssignmentState::Accepted if !frame.opened.contains(id) && unopened_since < now => {
                Concern::Unopened
            }
            _ => continue,
        };
        needs.push(need(concern, Some(&one.country), Some(&one.agency), one.since));
    }
    for request in frame.requests.values() {
        for clock in request.clocks.values().filter(|clock| !clock.is_paused) {
            let (owing, soon) = (request.owing(clock), clock.due <= now.plus_minutes(SOON_MINUTES));
            let concern = if clock.has_run_out { Concern::PeriodRanOut } else { Concern::PeriodEndsSoon };
            if watch.shows(owing) && !clock.is_answered && (clock.has_run_out || soon) {
                needs.push(need(concern, Some(owing), None, clock.due));
            }
        }
    }
    for child in watch.children(frame) {
        match (&child.custodian, child.nobody_since) {
            (Some(custodian), _) => needs.extend(custodian.silent_since.map(|since| {
                need(Concern::CustodianSilent, Some(&custodian.country), Some(&custodian.agency), since)
            })),
            // Of what was withdrawn nobody takes a search up.
            (None, Some(since)) if !frame.is_withdrawn => {
                needs.push(need(Concern::NobodyLooks, None, None, since));
            }
            (None, _) => {}
        }
    }
    if let Some((country, since)) = &frame.disputed_lead
        && watch.shows(country)
        && !frame.is_withdrawn
    {
        needs.push(need(Concern::LeadDisputed, Some(country), None, *since));
    }
    needs
}
