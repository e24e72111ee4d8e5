//! One incident as delivery has it: what stands before which agency, and what was disclosed to whom.

pub mod children;
pub mod disclosing;
pub mod erasure;
pub mod pictures;
pub mod requests;

use std::collections::BTreeMap;

use chassis::decider::{Context, Rejection};
use schemas::codes::{AgencyKind, AssignmentState, Authorisation, FacetKind, RejectionCode};
use schemas::delivery::{
    AccessReported, AlertDelivered, CallDelivered, DeliveryCommand, DeliveryEvent, EarlyOpeningDelivered,
    FacetAdded, FacetsDisclosed, IncidentRegistered, IncidentUpdated, ItemChanged, ItemDelivered, ItemRaised,
    OpenFacets, ReadTrail, ReportAccess, RetractionDelivered, TrailRead,
};
use schemas::directory::Policy;
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, AssignmentId, ChildRef, Country, DisclosureId, FacetId, KeySetId, RequestId};
use schemas::routing::{
    AssignmentOffered, AssignmentRaised, CoordinatorAlerted, FacetRef, IncidentAmended, IncidentOpened,
    RetractionIssued, RoutingEvent, Transfer,
};
use schemas::{InputPosition, Timestamp};
use serde::{Deserialize, Serialize};

use self::disclosing::{disclosed, must_be_different, must_be_key_of, must_have_room, select};
use self::erasure::Erasures;
use self::requests::Held;

pub use self::disclosing::{Entitled, disclosure_id};

/// What another service's event tells.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "read, passed on and dropped: a box would cost each of them more"
)]
pub enum News {
    Routing(RoutingNews),
    Mla(requests::MlaNews),
    VictimId(children::ChildNews),
}

/// One of routing's events, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutingNews {
    pub event: RoutingEvent,
    pub at: InputPosition,
    /// Who gave the command that led to it.
    pub by: AgencyId,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// As it was last amended.
    pub registered: Option<IncidentRegistered>,
    /// What parties have added, and who: free text of answers, case numbers.
    pub added: Vec<FacetAdded>,
    pub items: BTreeMap<AssignmentId, Item>,
    pub disclosures: BTreeMap<DisclosureId, FacetsDisclosed>,
    /// The reporter's facets that an amendment has replaced: nobody opens them, and they can be erased.
    pub superseded: Vec<FacetRef>,
    pub erasures: Erasures,
    /// Requests for legal assistance in it: who reads them, and their texts.
    pub requests: BTreeMap<RequestId, Held>,
    /// Children that somebody looks for, and what goes with each of them.
    pub children: BTreeMap<ChildRef, children::Followed>,
    /// What its pictures look like.
    pub pictures: pictures::Pictures,
}

/// An item in an agency's inbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub delivered: ItemDelivered,
    pub state: AssignmentState,
}

impl Item {
    /// Awaits an answer, or is being worked on.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            AssignmentState::Offered
                | AssignmentState::Overdue
                | AssignmentState::Escalated
                | AssignmentState::Accepted
        )
    }
}

/// What follows from one of routing's events: it has happened, so it is only passed on.
pub fn deliver(context: &Context<'_>, incident: &Incident, news: &RoutingNews) -> Vec<DeliveryEvent> {
    let added = news
        .event
        .sealed_facet()
        .map(|facet| FacetAdded { by: news.by.clone(), facet: FacetRef::of(facet, &news.at) }.into());
    pass_on(context, incident, &news.event).into_iter().chain(added).collect()
}

fn pass_on(context: &Context<'_>, incident: &Incident, news: &RoutingEvent) -> Vec<DeliveryEvent> {
    match news {
        RoutingEvent::IncidentOpened(opened) => vec![register(opened).into()],
        RoutingEvent::AssignmentOffered(offer) => vec![item(offer).into()],
        RoutingEvent::DutyContactCalled(called) => vec![
            CallDelivered {
                assignment_id: called.assignment_id,
                agency: called.agency.clone(),
                contact: called.contact.clone(),
                attempt: called.attempt,
                acknowledge_by: called.acknowledge_by,
            }
            .into(),
        ],
        RoutingEvent::CoordinatorAlerted(alert) => alerts(context, incident, alert),
        RoutingEvent::AssignmentRaised(raised) => raise(incident, raised).into_iter().collect(),
        RoutingEvent::IncidentAmended(amended) => amend(context, incident, amended),
        RoutingEvent::RetractionIssued(issued) => retract(issued).collect(),
        _ => change(incident, news).into_iter().collect(),
    }
}

fn raise(incident: &Incident, raised: &AssignmentRaised) -> Option<DeliveryEvent> {
    let agency = incident.items.get(&raised.assignment_id)?.delivered.agency.clone();
    Some(
        ItemRaised {
            assignment_id: raised.assignment_id,
            agency,
            urgency: raised.urgency,
            entitlement: raised.entitlement.clone(),
            respond_by: raised.respond_by,
        }
        .into(),
    )
}

fn register(opened: &IncidentOpened) -> IncidentRegistered {
    IncidentRegistered {
        referral_id: opened.referral_id,
        reporter: opened.reporter.clone(),
        kind: opened.kind,
        urgency: opened.urgency,
        danger_reason: opened.danger_reason,
        week: opened.week.clone(),
        people: opened.people.clone(),
        facets: opened.facets.clone(),
        retain_until: opened.handling.retain_until,
        never_told: opened.handling.never_told.clone(),
    }
}

/// An amendment names every person again, and so those that were erased: of them it opens nothing.
fn amend(context: &Context<'_>, incident: &Incident, amended: &IncidentAmended) -> Vec<DeliveryEvent> {
    let updated = update(amended).into();
    let mut after = incident.clone();
    evolve(&mut after, &updated, context.now);
    std::iter::once(updated).chain(erasure::close_anew(context, &after)).collect()
}

fn update(amended: &IncidentAmended) -> IncidentUpdated {
    IncidentUpdated {
        amendment: amended.amendment,
        kind: amended.kind,
        urgency: amended.urgency,
        danger_reason: amended.danger_reason,
        week: amended.week.clone(),
        people: amended.people.clone(),
        facets: amended.facets.clone(),
        retain_until: amended.handling.retain_until,
        never_told: amended.handling.never_told.clone(),
    }
}

fn retract(issued: &RetractionIssued) -> impl Iterator<Item = DeliveryEvent> {
    let (retraction_id, reason) = (issued.retraction_id, issued.reason);
    issued
        .recipients
        .iter()
        .map(move |agency| RetractionDelivered { agency: agency.clone(), retraction_id, reason }.into())
}

fn item(offer: &AssignmentOffered) -> ItemDelivered {
    ItemDelivered {
        assignment_id: offer.assignment_id,
        agency: offer.agency.clone(),
        country: offer.country.clone(),
        bases: offer.grounds.iter().map(|ground| ground.basis).collect(),
        entitlement: offer.entitlement.clone(),
        transfer: offer.transfer.clone(),
        respond_by: offer.respond_by,
    }
}

/// Every coordinator in whose scope the alert's country stands; all of them where no country was found. None that
/// stands itself in a State never told.
fn alerts(context: &Context<'_>, incident: &Incident, alert: &CoordinatorAlerted) -> Vec<DeliveryEvent> {
    let coordinators = context.directory.agencies(context.now).filter(|agency| {
        agency.kind == AgencyKind::Coordinator
            && !incident.is_never_told(&agency.country)
            && alert.country.as_ref().is_none_or(|country| agency.scope.contains(country))
    });
    coordinators
        .map(|agency| {
            AlertDelivered {
                agency: agency.id.clone(),
                country: alert.country.clone(),
                reason: alert.reason,
                assignment_id: alert.assignment_id,
            }
            .into()
        })
        .collect()
}

fn change(incident: &Incident, news: &RoutingEvent) -> Option<DeliveryEvent> {
    let (assignment_id, state) = news.assignment_state()?;
    let item = incident.items.get(&assignment_id)?;
    // Whoever works on it goes on while a coordinator looks.
    if state == AssignmentState::Escalated && item.state == AssignmentState::Accepted {
        return None;
    }
    let agency = item.delivered.agency.clone();
    Some(ItemChanged { assignment_id, agency, state }.into())
}

/// # Errors
/// See [`RejectionCode`]; a rejected attempt is on record.
pub fn decide(
    context: &Context<'_>,
    incident: &Incident,
    command: &DeliveryCommand,
) -> Result<Vec<DeliveryEvent>, Rejection> {
    match command {
        DeliveryCommand::OpenFacets(command) => open(context, incident, command),
        DeliveryCommand::OpenRequest(command) => requests::open(context, incident, command),
        DeliveryCommand::OpenHandover(command) => children::open(context, incident, command),
        DeliveryCommand::ReportAccess(command) => report(context, incident, command),
        DeliveryCommand::EraseFacets(command) => erasure::erase(context, incident, command),
        DeliveryCommand::PlaceHold(command) => erasure::place_hold(context, incident, command),
        DeliveryCommand::ReleaseHold(command) => erasure::release_hold(context, incident, command),
        DeliveryCommand::MomentCame(command) => erasure::moment_came(context, incident, command),
        DeliveryCommand::BeginKeyErasure(command) => erasure::begin(context, incident, command),
        DeliveryCommand::ReportKeysErased(command) => erasure::finish(context, incident, command),
        DeliveryCommand::ComparePictures(command) => pictures::compare(context, incident, command),
        DeliveryCommand::JudgeMatch(command) => pictures::judge(context, incident, command),
        DeliveryCommand::ReadMatches(_) => Err(RejectionCode::NotEntitled.into()),
        DeliveryCommand::ReadTrail(ReadTrail { size: Some(size) }) => {
            Ok(vec![TrailRead { agency: context.agency.clone(), size: *size }.into()])
        }
        DeliveryCommand::ReadTrail(ReadTrail { size: None }) => Err(RejectionCode::NotEntitled.into()),
    }
}

/// Discloses what the assignment entitles to: once accepted, or with the offer in imminent danger.
fn open(
    context: &Context<'_>,
    incident: &Incident,
    command: &OpenFacets,
) -> Result<Vec<DeliveryEvent>, Rejection> {
    let registered = incident.registered.as_ref().ok_or(RejectionCode::UnknownIncident)?;
    let item = incident.own_item(command.assignment_id, context.agency)?;
    must_be_key_of(context.directory, context.agency, &command.recipient_key_id, context.now)?;
    let with_offer = opens_with_offer(item)?;
    must_be_different(&command.facets)?;
    must_have_room(incident, context.agency)?;
    let entitled = incident.entitled_facets(command.assignment_id, context.directory, context.now);
    let asked = select(incident, context.agency, entitled, &command.facets)?;
    let disclosed = FacetsDisclosed {
        disclosure_id: disclosure_id(context.aggregate_id, context.cause),
        assignment_id: Some(command.assignment_id),
        request_id: None,
        child_ref: None,
        agency: context.agency.clone(),
        recipient_key_id: command.recipient_key_id.clone(),
        facets: asked.into_iter().map(|entitled| disclosed(registered, entitled)).collect(),
        transfer: item.delivered.transfer.clone(),
        with_offer,
    };
    let told = tell_originator(context, incident, registered, item, &disclosed);
    Ok(std::iter::once(disclosed.into()).chain(told).collect())
}

/// Of the first opening with the offer; a hotline or an authority hears who opened, a provider that somebody did.
fn tell_originator(
    context: &Context<'_>,
    incident: &Incident,
    registered: &IncidentRegistered,
    item: &Item,
    disclosed: &FacetsDisclosed,
) -> Option<DeliveryEvent> {
    let earlier = |one: &FacetsDisclosed| one.with_offer && one.assignment_id == disclosed.assignment_id;
    if !disclosed.with_offer || incident.disclosures.values().any(earlier) {
        return None;
    }
    let originator = context.directory.agency(&registered.reporter, context.now);
    let hears_who = originator.is_some_and(|agency| agency.kind != AgencyKind::Provider);
    Some(
        EarlyOpeningDelivered {
            agency: registered.reporter.clone(),
            disclosure_id: disclosed.disclosure_id,
            opened_by: hears_who.then(|| disclosed.agency.clone()),
            country: hears_who.then(|| item.delivered.country.clone()),
        }
        .into(),
    )
}

/// A person by name, every other facet by its kind. A case number is for every party.
fn entitles(item: &Item, facet: &FacetRef) -> bool {
    let entitlement = &item.delivered.entitlement;
    if facet.kind == FacetKind::CaseNumber {
        return true;
    }
    match facet.person_ref {
        Some(person) => {
            entitlement.facet_kinds.contains(&FacetKind::Person) && entitlement.persons.contains(&person)
        }
        None => entitlement.facet_kinds.contains(&facet.kind),
    }
}

/// Whether it opens although nobody has accepted it.
///
/// # Errors
/// When it does not open: not yet, or not any more.
fn opens_with_offer(item: &Item) -> Result<bool, Rejection> {
    match item.state {
        AssignmentState::Accepted => Ok(false),
        _ if !item.is_open() => Err(RejectionCode::NotEntitled.into()),
        _ if item.delivered.entitlement.opens_with_offer => Ok(true),
        _ => Err(RejectionCode::WrongState.into()),
    }
}

/// The agency's own client says what a person opened: its word, written down.
fn report(
    context: &Context<'_>,
    incident: &Incident,
    command: &ReportAccess,
) -> Result<Vec<DeliveryEvent>, Rejection> {
    let disclosure = incident.disclosures.get(&command.disclosure_id);
    let disclosure = disclosure.filter(|disclosure| disclosure.agency == *context.agency);
    let disclosure = disclosure.ok_or(RejectionCode::UnknownFacet)?;
    must_be_different(&command.facets)?;
    let given = |facet: &FacetId| disclosure.facets.iter().any(|disclosed| disclosed.facet_id == *facet);
    if !command.facets.iter().all(given) {
        return Err(RejectionCode::UnknownFacet.into());
    }
    Ok(vec![
        AccessReported {
            disclosure_id: command.disclosure_id,
            agency: context.agency.clone(),
            facets: command.facets.clone(),
        }
        .into(),
    ])
}

pub fn evolve(incident: &mut Incident, event: &DeliveryEvent, time: Timestamp) {
    match event {
        DeliveryEvent::IncidentRegistered(registered) => incident.registered = Some(registered.clone()),
        DeliveryEvent::IncidentUpdated(updated) => {
            if let Some(registered) = &mut incident.registered {
                incident.superseded.append(&mut registered.facets);
                update_registered(registered, updated);
            }
        }
        DeliveryEvent::FacetAdded(added) => incident.added.push(added.clone()),
        DeliveryEvent::ItemDelivered(delivered) => {
            let item = Item { delivered: delivered.clone(), state: AssignmentState::Offered };
            incident.items.insert(delivered.assignment_id, item);
        }
        DeliveryEvent::ItemChanged(changed) => {
            if let Some(item) = incident.items.get_mut(&changed.assignment_id) {
                item.state = changed.state;
            }
        }
        DeliveryEvent::ItemRaised(raised) => {
            if let Some(registered) = &mut incident.registered {
                registered.urgency = registered.urgency.max(raised.urgency);
            }
            if let Some(item) = incident.items.get_mut(&raised.assignment_id) {
                item.delivered.entitlement = raised.entitlement.clone();
                item.delivered.respond_by = raised.respond_by;
            }
        }
        DeliveryEvent::FacetsDisclosed(disclosed) => {
            incident.disclosures.insert(disclosed.disclosure_id, disclosed.clone());
        }
        DeliveryEvent::CallDelivered(_)
        | DeliveryEvent::AlertDelivered(_)
        | DeliveryEvent::RetractionDelivered(_)
        | DeliveryEvent::EarlyOpeningDelivered(_)
        | DeliveryEvent::AccessReported(_)
        | DeliveryEvent::TrailRead(_)
        | DeliveryEvent::ErasureDelivered(_)
        | DeliveryEvent::RequestStepDelivered(_)
        | DeliveryEvent::RequestPeriodDelivered(_)
        | DeliveryEvent::ChildNewsDelivered(_)
        | DeliveryEvent::CommandRejected(_)
        | DeliveryEvent::CommandFailed(_) => {}
        DeliveryEvent::HandoverAdded(added) => children::add(&mut incident.children, added),
        DeliveryEvent::HandoverClosed(closed) => children::close(&mut incident.children, closed),
        DeliveryEvent::CustodianNoted(noted) => {
            let child = incident.children.entry(noted.child_ref).or_default();
            child.custodian.clone_from(&noted.agency);
        }
        DeliveryEvent::RequestFacetAdded(added) => requests::add_facet(&mut incident.requests, added),
        DeliveryEvent::RequestReaderAdded(added) => requests::add_reader(&mut incident.requests, added),
        DeliveryEvent::RequestReaderRemoved(removed) => {
            if let Some(held) = incident.requests.get_mut(&removed.request_id) {
                held.readers.remove(&removed.agency);
            }
        }
        DeliveryEvent::PicturesCompared(_) | DeliveryEvent::MatchJudged(_) => {
            pictures::evolve(&mut incident.pictures, event);
        }
        DeliveryEvent::FacetsErased(_)
        | DeliveryEvent::ErasureRestricted(_)
        | DeliveryEvent::HoldPlaced(_)
        | DeliveryEvent::HoldReleased(_)
        | DeliveryEvent::KeyErasureBegun(_)
        | DeliveryEvent::KeysErased(_) => erasure::evolve(&mut incident.erasures, event, time),
    }
}

/// On what something that a party has added crosses to another State; nothing where it does not.
fn crosses(
    registered: &IncidentRegistered,
    author: &AgencyId,
    to: &Country,
    directory: &Directory,
    now: Timestamp,
) -> Option<Transfer> {
    let author = directory.agency(author, now)?;
    let policy = directory.policy(Policy::DEFAULT, now)?;
    // Whoever adds it to what the parties share lets them have it.
    policy.transfer(&author.country, to, registered.urgency, Authorisation::Standing)
}

fn update_registered(registered: &mut IncidentRegistered, updated: &IncidentUpdated) {
    registered.kind = updated.kind;
    // An urgency once raised stays raised.
    registered.urgency = registered.urgency.max(updated.urgency);
    registered.danger_reason = updated.danger_reason.or(registered.danger_reason);
    registered.week.clone_from(&updated.week);
    registered.people.clone_from(&updated.people);
    registered.facets.clone_from(&updated.facets);
    registered.retain_until = updated.retain_until;
    registered.never_told.clone_from(&updated.never_told);
}

impl Incident {
    /// Whether a facet is sealed under a key of the set.
    pub fn names(&self, key_set: KeySetId) -> bool {
        let registered = self.registered.iter().flat_map(|registered| &registered.facets);
        let requests = self.requests.values().flat_map(Held::facets);
        let handovers = self.children.values().flat_map(children::Followed::facets);
        let added = self.added.iter().chain(requests).chain(handovers).map(|added| &added.facet);
        registered.chain(added).chain(&self.superseded).any(|facet| facet.key_set_id == key_set)
    }

    /// Whether what was disclosed may be given again: as long as its own agency could open all of it anew, for the
    /// same key.
    ///
    /// # Errors
    /// As [`decide`] on opening it now.
    pub fn may_be_given(
        &self,
        disclosed: &FacetsDisclosed,
        agency: &AgencyId,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let given: Vec<FacetId> = disclosed.facets.iter().map(|facet| facet.facet_id).collect();
        if let Some(request) = disclosed.request_id {
            let texts = self.texts(request, agency, directory, now)?;
            must_be_key_of(directory, agency, &disclosed.recipient_key_id, now)?;
            return select(self, agency, texts, &given).map(drop);
        }
        if let Some(child) = disclosed.child_ref {
            let handovers = self.handovers(child, agency, directory, now)?;
            must_be_key_of(directory, agency, &disclosed.recipient_key_id, now)?;
            return select(self, agency, handovers, &given).map(drop);
        }
        let assignment = disclosed.assignment_id.ok_or(RejectionCode::UnknownAssignment)?;
        let item = self.own_item(assignment, agency)?;
        must_be_key_of(directory, agency, &disclosed.recipient_key_id, now)?;
        opens_with_offer(item)?;
        let entitled = self.entitled_facets(assignment, directory, now);
        select(self, agency, entitled, &given).map(drop)
    }

    fn own_item(&self, assignment: AssignmentId, agency: &AgencyId) -> Result<&Item, Rejection> {
        let item = self.items.get(&assignment).ok_or(RejectionCode::UnknownAssignment)?;
        let own = item.delivered.agency == *agency;
        if own { Ok(item) } else { Err(RejectionCode::NotYourAssignment.into()) }
    }

    /// Whether the originator has said that the State must never hear of it.
    pub fn is_never_told(&self, country: &Country) -> bool {
        self.registered.as_ref().is_some_and(|registered| registered.never_told.contains(country))
    }

    fn was_disclosed(&self, assignment: AssignmentId, facet: FacetId) -> bool {
        let mut disclosures = self.disclosures.values().filter(|one| one.assignment_id == Some(assignment));
        disclosures.any(|one| one.facets.iter().any(|disclosed| disclosed.facet_id == facet))
    }

    /// The facets that an assignment entitles its agency to open. The reporter's came through the transfer gate with
    /// the offer; what parties add goes through it here, from its author's country to the reader's. A State that is
    /// never told any more keeps what was disclosed to it, and gets nothing else.
    pub fn entitled_facets(
        &self,
        assignment: AssignmentId,
        directory: &Directory,
        now: Timestamp,
    ) -> Vec<Entitled<'_>> {
        let (Some(registered), Some(item)) = (&self.registered, self.items.get(&assignment)) else {
            return Vec::new();
        };
        let reported = registered.facets.iter().map(|facet| Some(Entitled { facet, transfer: None }));
        let crosses =
            |added: &FacetAdded| crosses(registered, &added.by, &item.delivered.country, directory, now);
        let added = self
            .added
            .iter()
            .map(|added| Some(Entitled { facet: &added.facet, transfer: Some(crosses(added)?) }));
        let untold = self.is_never_told(&item.delivered.country);
        let entitled = reported.chain(added).flatten().filter(|one| entitles(item, one.facet));
        entitled.filter(|one| !untold || self.was_disclosed(assignment, one.facet.facet_id)).collect()
    }
}
