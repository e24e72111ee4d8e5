//! What one coordinator sees of all incidents: within its countries, and coarse.

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::Timestamp;
use schemas::codes::{AssignmentState, ChildStatus, IncidentKind, SignalRole, Urgency};
use schemas::ids::{AgencyId, Country, IncidentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::frame::{Assignment, Child, Frame, Referral};

/// A period that ends so soon is shown before it does.
const SOON: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// An agency that has accepted and opened nothing for so long is shown.
const UNOPENED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

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

    fn assignments<'f>(&self, frame: &'f Frame) -> impl Iterator<Item = &'f Assignment> {
        frame.assignments.values().filter(|one| self.shows(&one.country))
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
    pub fn of<'a>(
        watch: &Watch<'_>,
        frames: impl IntoIterator<Item = (&'a IncidentId, &'a Frame)>,
        now: Timestamp,
        most_needs: usize,
    ) -> Self {
        let mut overview = Self::default();
        let mut flows = BTreeMap::new();
        for (incident_id, frame) in frames {
            let Some(referral) = watch.referral(frame) else { continue };
            overview.incidents += 1;
            *overview.stages.entry(stage(watch, frame)).or_default() += 1;
            *overview.urgencies.entry(referral.urgency()).or_default() += 1;
            *overview.kinds.entry(referral.kind()).or_default() += 1;
            *overview.weeks.entry(referral.received.iso_week()).or_default() += 1;
            if watch.shows(&referral.reporter_country) {
                for (to, role) in roles(watch, frame) {
                    *flows.entry((referral.reporter_country.clone(), to.clone(), role)).or_default() += 1;
                }
            }
            for child in children(watch, frame) {
                overview.children += 1;
                overview.children_without_custodian += u64::from(child.custodian.is_none());
            }
            if !frame.is_withdrawn {
                overview.needs.extend(needs(watch, *incident_id, referral, frame, now));
            }
        }
        overview.flows = flows
            .into_iter()
            .map(|((from, to, role), incidents)| Flow { from, to, role, incidents })
            .collect();
        overview.needs_in_all = u64::try_from(overview.needs.len()).unwrap_or(u64::MAX);
        let order = |need: &Need| (std::cmp::Reverse(need.urgency), need.concern, need.moment);
        overview.needs.sort_by_key(order);
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
    for assignment in watch.assignments(frame) {
        stage = match assignment.state {
            AssignmentState::Accepted => return Stage::AtWork,
            _ if assignment.awaits_answer() => Stage::Offered,
            _ if stage == Stage::Unassigned => Stage::Ended,
            _ => stage,
        };
    }
    stage
}

/// Children that are looked for, by somebody of the coordinator's countries or by nobody.
fn children<'f>(watch: &Watch<'_>, frame: &'f Frame) -> impl Iterator<Item = &'f Child> {
    let is_looked_for = |child: &&Child| {
        let found = matches!(
            child.status,
            ChildStatus::Identified
                | ChildStatus::Safeguarded
                | ChildStatus::AlreadyIdentified
                | ChildStatus::DuplicateWork
                | ChildStatus::Adult
                | ChildStatus::FalsePositive
        );
        !found && !child.is_ceded
    };
    let is_watched = |child: &&Child| child.custodian.as_ref().is_none_or(|one| watch.shows(&one.country));
    frame.children.values().filter(is_looked_for).filter(is_watched)
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
    for (id, one) in frame.assignments.iter().filter(|(_, one)| watch.shows(&one.country)) {
        let concern = match one.state {
            AssignmentState::Overdue | AssignmentState::Escalated => Concern::Unanswered,
            AssignmentState::Accepted
                if !frame.opened.contains(id) && is_past(one.since, UNOPENED_AFTER, now) =>
            {
                Concern::Unopened
            }
            _ => continue,
        };
        needs.push(need(concern, Some(&one.country), Some(&one.agency), one.since));
    }
    for request in frame.requests.values() {
        for clock in request.clocks.values().filter(|clock| !clock.is_paused) {
            let owing = request.owing(clock);
            if !watch.shows(owing) {
                continue;
            }
            if clock.ran_out.is_some() {
                needs.push(need(Concern::PeriodRanOut, Some(owing), None, clock.due));
            } else if is_past(now, SOON, clock.due) {
                continue;
            } else {
                needs.push(need(Concern::PeriodEndsSoon, Some(owing), None, clock.due));
            }
        }
    }
    for child in children(watch, frame) {
        if let Some(since) = child.nobody_since {
            needs.push(need(Concern::NobodyLooks, None, None, since));
        }
        let silent = child.custodian.as_ref().and_then(|one| Some((one, one.silent_since?)));
        if let Some((custodian, since)) = silent {
            let (country, agency) = (Some(&custodian.country), Some(&custodian.agency));
            needs.push(need(Concern::CustodianSilent, country, agency, since));
        }
    }
    if frame.lead.is_disputed && frame.lead.recorded.is_none() {
        let proposed = frame.lead.proposed.as_ref().filter(|country| watch.shows(country));
        needs.push(need(Concern::LeadDisputed, proposed, None, referral.received));
    }
    needs
}

/// Whether more than so long lies between two moments.
fn is_past(from: Timestamp, length: Duration, to: Timestamp) -> bool {
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    from.plus_millis(millis) < to
}
