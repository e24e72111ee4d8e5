//! One incident's children: who looks for each of them, how the search stands, and what follows once a child is found.

mod aftercare;
pub mod aggregate;
mod custody;
pub mod ledger;
mod links;
pub mod membership;
mod notices;
pub mod priority;
mod search;
pub mod series;
mod state;

use chassis::decider::{Clock, Context, Rejection};
use schemas::Timestamp;
use schemas::codes::{
    ActorKind, AgeBand, AgencyKind, Annotation, ChildStatus, IncidentKind, PersonCategory, RejectionCode,
    Urgency,
};
use schemas::directory::Agency;
use schemas::ids::{AgencyId, AssignmentId, ChildRef, Country};
use schemas::referral::Person;
use schemas::victim_id::{
    AgencyEngaged, AgencyLeft, CaseNoted, CaseWithdrawn, ChildClockDue, ChildRegistered, InvitationEnded,
    MajorityReached, VictimIdCommand, VictimIdEvent,
};

pub use aggregate::Aggregate;
pub use ledger::Ledger;
pub use links::told;
pub use series::Series;
pub use state::{
    Attribution, Child, Custody, Engaged, Incident, Link, Notification, Offer, Taken, Viewed, evolve,
};

/// Most children of one incident that a unit may add to. Whoever is named by a referral is registered whatever their
/// number: nobody's child is left out in silence.
const MAX_CHILDREN: usize = 1_000;

/// The clocks of a child, by name.
const OFFER: &str = "offer";
const LIMIT: &str = "limit";
const NOBODY: &str = "nobody";
const MAJORITY: &str = "majority";

/// How long a child may wait for somebody who looks for it before coordinators are told, in minutes; and in imminent
/// danger.
const WAITS_MINUTES: i64 = 24 * 60;
const WAITS_IN_DANGER_MINUTES: i64 = 60;

/// What `routing.events` tells.
#[derive(Clone, Debug, PartialEq)]
pub enum RoutingNews {
    Opened {
        noted: CaseNoted,
        people: Vec<Person>,
    },
    Amended {
        amended: CaseAmended,
        people: Vec<Person>,
    },
    /// An agency has accepted its assignment.
    Accepted {
        agency: AgencyId,
        assignment_id: AssignmentId,
    },
    /// An assignment was revoked, or closed.
    Ended(AssignmentId),
    /// The reporter has withdrawn its referral.
    Withdrawn,
}

type Decided = Result<Vec<VictimIdEvent>, Rejection>;

/// What follows from an incident having been opened, amended, or taken up.
pub fn learn(context: &Context<'_>, incident: &Incident, news: &RoutingNews) -> Vec<VictimIdEvent> {
    match news {
        RoutingNews::Opened { noted, people } => know(context, incident, noted.clone(), people),
        RoutingNews::Amended { amended, people } => {
            let noted = incident.noted.as_ref().map(|noted| amended.of(noted));
            noted.map_or(Vec::new(), |noted| know(context, incident, noted, people))
        }
        RoutingNews::Accepted { agency, assignment_id } => {
            let engaged = context.directory.agency(agency, context.now).map(|known| AgencyEngaged {
                agency: agency.clone(),
                country: known.country.clone(),
                kind: known.kind,
                assignment_id: *assignment_id,
            });
            let before = incident.engaged.get(agency);
            let new = before.is_none_or(|before| !before.assignments.contains(assignment_id));
            engaged.filter(|_| new).map(VictimIdEvent::from).into_iter().collect()
        }
        RoutingNews::Withdrawn => vec![CaseWithdrawn {}.into()],
        RoutingNews::Ended(assignment_id) => {
            let of = incident.engaged.iter().filter(|(_, part)| part.assignments.contains(assignment_id));
            of.map(|(agency, _)| AgencyLeft { agency: agency.clone(), assignment_id: *assignment_id }.into())
                .collect()
        }
    }
}

/// What an amendment changes of what is known.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseAmended {
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub annotations: Vec<Annotation>,
    pub never_told: Vec<Country>,
}

impl CaseAmended {
    fn of(&self, noted: &CaseNoted) -> CaseNoted {
        CaseNoted {
            referral_id: noted.referral_id,
            kind: self.kind,
            // An urgency once raised stays raised.
            urgency: noted.urgency.max(self.urgency),
            annotations: self.annotations.clone(),
            never_told: self.never_told.clone(),
        }
    }
}

/// The incident as it is known now, and the children that nobody has registered yet.
fn know(
    context: &Context<'_>,
    incident: &Incident,
    noted: CaseNoted,
    people: &[Person],
) -> Vec<VictimIdEvent> {
    let changed = incident.noted.as_ref() != Some(&noted);
    let awaited_until = awaited_until(context, noted.urgency);
    let children = people.iter().filter(|person| is_child(person)).map(|person| ChildRegistered {
        child_ref: ChildRef::derive(&[
            context.aggregate_id.as_bytes(),
            person.person_ref.as_uuid().as_bytes(),
        ]),
        person_ref: Some(person.person_ref),
        age_band: person.age_band,
        by: None,
        awaited_until,
    });
    let new = children.filter(|child| !incident.children.contains_key(&child.child_ref));
    changed.then(|| noted.into()).into_iter().chain(new.map(VictimIdEvent::from)).collect()
}

/// Until when somebody should have taken up the search for a child that is registered now.
fn awaited_until(context: &Context<'_>, urgency: Urgency) -> Timestamp {
    let danger = urgency == Urgency::ImminentDanger;
    context.now.plus_minutes(if danger { WAITS_IN_DANGER_MINUTES } else { WAITS_MINUTES })
}

/// Victims that are not known to be of age, and minors of whom nobody knows yet what they are.
fn is_child(person: &Person) -> bool {
    let minor = matches!(person.age_band, AgeBand::UnderThirteen | AgeBand::Teenager);
    match person.category {
        PersonCategory::Victim => person.age_band != AgeBand::Adult,
        PersonCategory::Undetermined => minor,
        PersonCategory::Suspect | PersonCategory::WitnessOrReporter => false,
    }
}

/// # Errors
/// See [`RejectionCode`]; a rejected attempt is on record.
pub fn decide(context: &Context<'_>, incident: &Incident, command: &VictimIdCommand) -> Decided {
    let mut events = match command {
        VictimIdCommand::RegisterChild(command) => search::register(context, incident, command),
        VictimIdCommand::TakeCustody(command) => custody::take(context, incident, command),
        VictimIdCommand::OfferCustody(command) => custody::offer(context, incident, command),
        VictimIdCommand::AcceptCustody(command) => custody::accept(context, incident, command),
        VictimIdCommand::DeclineCustody(command) => custody::decline(context, incident, command),
        VictimIdCommand::WithdrawOffer(command) => custody::withdraw(context, incident, command),
        VictimIdCommand::ConfirmCustody(command) => custody::confirm(context, incident, command),
        VictimIdCommand::InviteTakers(command) => custody::invite(context, incident, command),
        VictimIdCommand::AttributeChild(command) => search::attribute(context, incident, command),
        VictimIdCommand::RecordStatus(command) => search::record(context, incident, command),
        VictimIdCommand::ReferToSupport(command) => aftercare::refer(context, incident, command),
        VictimIdCommand::AcknowledgeSupport(command) => aftercare::acknowledge(context, incident, command),
        VictimIdCommand::EndSupport(command) => aftercare::end(context, incident, command),
        VictimIdCommand::ExplainRemedies(command) => aftercare::explain(context, incident, command),
        VictimIdCommand::SetNotification(command) => aftercare::set_notification(context, incident, command),
        VictimIdCommand::ProposeLink(command) => links::propose(context, incident, command),
        VictimIdCommand::AgreeToLink(command) => links::agree(context, incident, command),
        VictimIdCommand::EndLink(command) => links::end(context, incident, command),
        VictimIdCommand::LinkNews(command) => links::hear(context, incident, command),
        VictimIdCommand::JoinSeries(command) => membership::join(context, incident, command),
        VictimIdCommand::LeaveSeries(command) => membership::leave(context, incident, command),
        VictimIdCommand::SeriesNews(command) => membership::hear(context, incident, command),
        VictimIdCommand::CountExposure(command) => ledger::count(context, incident, command),
        VictimIdCommand::ChildClockDue(command) => clock_due(context, incident, command),
        VictimIdCommand::OpenSeries(_)
        | VictimIdCommand::MemberNews(_)
        | VictimIdCommand::RecordExposure(_)
        | VictimIdCommand::ReadChild(_)
        | VictimIdCommand::ReadSeries(_) => Err(RejectionCode::NotEntitled.into()),
    }?;
    events.extend(end_of_invitation(incident, &events));
    events.extend(notices::of(context, incident, &events));
    Ok(events)
}

/// A custodian that is back at work keeps the search: whoever was asked to take over is told.
fn end_of_invitation(incident: &Incident, events: &[VictimIdEvent]) -> Option<VictimIdEvent> {
    events.iter().find_map(|event| {
        let child_ref = event.child_ref()?;
        let child = incident.children.get(&child_ref)?;
        let back = event.by().is_some_and(|by| child.is_held_by(by));
        (back && !child.invited.is_empty()).then(|| InvitationEnded { child_ref }.into())
    })
}

/// The child as the agency may know of it. One that it may not know of does not exist for it.
fn known<'a>(
    context: &Context<'_>,
    incident: &'a Incident,
    child_ref: ChildRef,
) -> Result<&'a Child, Rejection> {
    let child = incident.children.get(&child_ref).ok_or(RejectionCode::UnknownChild)?;
    if incident.may_know(context.agency, child) { Ok(child) } else { Err(RejectionCode::UnknownChild.into()) }
}

/// The child, where the agency is its custodian and a person acts for it.
fn held<'a>(
    context: &Context<'_>,
    incident: &'a Incident,
    child_ref: ChildRef,
) -> Result<&'a Child, Rejection> {
    let child = known(context, incident, child_ref)?;
    must_not_be_ceded(child)?;
    if !child.is_held_by(context.agency) {
        return Err(RejectionCode::NotCustodian.into());
    }
    context.must_be_human()?;
    Ok(child)
}

fn must_not_be_ceded(child: &Child) -> Result<(), Rejection> {
    if child.ceded_to.is_some() { Err(RejectionCode::Linked.into()) } else { Ok(()) }
}

/// Whether it is known who the child is.
pub const fn is_found(status: ChildStatus) -> bool {
    matches!(status, ChildStatus::Identified | ChildStatus::Safeguarded | ChildStatus::AlreadyIdentified)
}

/// Whether an agency of this kind looks for children.
const fn searches(kind: AgencyKind) -> bool {
    matches!(kind, AgencyKind::VictimIdentificationUnit | AgencyKind::PoliceUnit)
}

impl Incident {
    /// Whether an agency may know of a child: it has a part in the incident, holds the custody, or was asked to receive
    /// the child.
    pub fn may_know(&self, agency: &AgencyId, child: &Child) -> bool {
        let part = self.engaged.get(agency).map(|part| &part.country);
        let held = child.custody.as_ref().filter(|custody| custody.custodian == *agency);
        let country = part.or(held.map(|custody| &custody.country));
        match country {
            Some(country) => !self.is_never_told(country),
            None => child.support.contains_key(agency),
        }
    }

    /// Whether the originator has said that the State must never hear of it. What an agency of it holds stays with it
    /// until somebody else takes over.
    pub fn is_never_told(&self, country: &Country) -> bool {
        self.noted.as_ref().is_some_and(|noted| noted.never_told.contains(country))
    }

    /// Whether a coordinator watches over a child: its custodian's State lies in its scope, or, where nobody has the
    /// search, that of an agency at work on the incident. A State that is never told watches nothing.
    pub fn is_watched_by(&self, child: &Child, coordinator: &Agency) -> bool {
        let never_told = self.is_never_told(&coordinator.country);
        let custodian = child.custody.as_ref().map(|custody| &custody.country);
        let mut engaged = self.engaged.values().map(|engaged| &engaged.country);
        let in_scope = |country: &Country| coordinator.scope.contains(country);
        !never_told && custodian.map_or_else(|| engaged.any(in_scope), in_scope)
    }

    /// The agencies that may look for children of the incident.
    pub fn takers(&self) -> impl Iterator<Item = &AgencyId> {
        self.engaged.keys().filter(|agency| self.may_search(agency))
    }

    /// Those of them that a coordinator may ask to take a search over: of States in its scope.
    pub fn takers_for<'a>(
        &'a self,
        child: &'a Child,
        coordinator: &'a Agency,
    ) -> impl Iterator<Item = &'a AgencyId> {
        let in_scope = |agency: &&AgencyId| {
            self.engaged.get(*agency).is_some_and(|part| coordinator.scope.contains(&part.country))
        };
        self.takers().filter(in_scope).filter(|agency| !child.is_held_by(agency))
    }

    /// Whether an agency may look for children of the incident.
    fn may_search(&self, agency: &AgencyId) -> bool {
        let part = self.engaged.get(agency);
        part.is_some_and(|part| searches(part.kind) && !self.is_never_told(&part.country))
    }
}

/// A clock of a child has come; one that no longer runs yields nothing.
fn clock_due(context: &Context<'_>, incident: &Incident, command: &ChildClockDue) -> Decided {
    if context.actor.kind != ActorKind::Service {
        return Err(RejectionCode::NotEntitled.into());
    }
    let child_ref = command.child_ref;
    let Some(child) = incident.children.get(&child_ref) else { return Ok(Vec::new()) };
    let runs = clocks_of(child).any(|(name, due)| name == command.clock && due == command.due);
    if !runs {
        return Ok(Vec::new());
    }
    Ok(match command.clock.as_str() {
        OFFER => custody::expired(child_ref, child),
        LIMIT => custody::silent(child_ref, child),
        NOBODY => custody::nobody(incident, child_ref),
        _ => vec![MajorityReached { child_ref }.into()],
    })
}

fn clocks_of(child: &Child) -> impl Iterator<Item = (&'static str, Timestamp)> {
    let offer = child.offer.as_ref().map(|offer| (OFFER, offer.until));
    let custody = child.custody.as_ref().filter(|custody| !custody.told_silent && !child.is_settled());
    let limit = custody.map(|custody| (LIMIT, custody.limit()));
    let nobody = child.awaited_until.filter(|_| !child.is_settled()).map(|until| (NOBODY, until));
    let minor = child.notification.as_ref().filter(|notification| !notification.of_age);
    let majority = minor.and_then(|minor| Some((MAJORITY, minor.majority_at?)));
    [offer, limit, nobody, majority].into_iter().flatten()
}

pub fn clocks(incident: &Incident) -> Vec<Clock<VictimIdCommand>> {
    // Of what was withdrawn nobody is reminded.
    let children = incident.children.iter().filter(|_| !incident.withdrawn);
    let clocks = children.flat_map(|(child_ref, child)| clocks_of(child).map(|clock| (*child_ref, clock)));
    clocks
        .map(|(child_ref, (clock, due))| Clock {
            name: format!("{child_ref}/{clock}"),
            due,
            command: ChildClockDue { child_ref, clock: clock.to_owned(), due }.into(),
        })
        .collect()
}
