//! Who could see what of an incident, and when; and who has looked. From what was offered, accepted, shared and taken
//! back, and from the directory's history: which tokens spoke for an agency meanwhile, and to which keys it was opened.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;
use schemas::codes::{AgencyKind, AssignmentState, ErasureReason, FacetKind};
use schemas::delivery::{DeliveryEvent, FacetsDisclosed};
use schemas::directory::Agency;
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, AssignmentId, ChildRef, DisclosureId, FacetId, KeyId, ReferralId, RequestId};
use schemas::routing::Entitlement;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audience::{Scope, Told};

/// From one moment on, until another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Span {
    pub from: Timestamp,
    /// None where it still is so.
    pub until: Option<Timestamp>,
}

/// By what an agency knows of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReaderGround)]
pub enum Ground {
    /// It has reported it.
    Report(ReferralId),
    /// It was offered a part.
    Assignment(AssignmentId),
    /// It takes part in a request for legal assistance.
    Request(RequestId),
    /// It looks for a child, or was offered to.
    Child(ChildRef),
    /// It is a coordinator that watches one of its countries.
    Scope,
}

/// When it could open facets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReaderOpening)]
pub struct MayOpen {
    /// Of these kinds.
    pub kinds: Vec<FacetKind>,
    /// How many persons, where persons are among them.
    pub persons: usize,
    pub span: Span,
}

/// When it was given data keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReaderOpened)]
pub struct Opened {
    pub time: Timestamp,
    /// The actor of the token.
    pub actor: String,
    pub disclosure_id: DisclosureId,
    pub recipient_key_id: KeyId,
    pub kinds: Vec<FacetKind>,
    pub facets: Vec<FacetId>,
    /// What of it the agency's own client says a person has opened: its word.
    pub reported: Vec<FacetId>,
}

/// An agency that could see something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = IncidentReader)]
pub struct Reader {
    pub agency: AgencyId,
    pub ground: Ground,
    /// When it knew of the incident by this.
    pub told: Span,
    pub may_open: Vec<MayOpen>,
    pub opened: Vec<Opened>,
}

/// What the directory said of an agency meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReaderStanding)]
pub struct Standing {
    pub agency: AgencyId,
    pub span: Span,
    /// Whose tokens spoke for it.
    pub issuer: String,
    pub subject: String,
    /// To which keys facets could be opened.
    pub keys: Vec<KeyId>,
}

/// Somebody has taken the trail away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TrailReading)]
pub struct TrailReading {
    pub agency: AgencyId,
    pub actor: String,
    pub time: Timestamp,
}

/// Facets that nobody opens from then on, or only whoever holds them as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FacetsClosed)]
pub struct Closed {
    pub time: Timestamp,
    pub reason: ErasureReason,
    pub facets: Vec<FacetId>,
    pub held_as_evidence: bool,
}

/// Who could see what of an incident, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = IncidentReaders)]
pub struct Readers {
    pub readers: Vec<Reader>,
    pub standings: Vec<Standing>,
    pub trails: Vec<TrailReading>,
    /// For the operator alone.
    pub closed: Vec<Closed>,
}

impl Readers {
    /// From every event of the incident, each topic in order, and the directory with its history.
    pub fn of(directory: &Directory, events: &[Told]) -> Self {
        let mut reading = Reading::default();
        for told in events {
            if let Told::Delivery(event) = told {
                reading.take_in(event.time, &event.actor.id, &event.body);
            }
        }
        let mut readers: Vec<Reader> = reading.readers.into_values().flatten().collect();
        readers.extend(coordinators(directory, events));
        readers.sort_by_key(|reader| (reader.told.from, reader.agency.clone(), reader.ground));
        let standings = standings(directory, &readers);
        Self { readers, standings, trails: reading.trails, closed: reading.closed }
    }

    /// What of it is for an agency: its own part.
    #[must_use]
    pub fn only(mut self, agency: &AgencyId) -> Self {
        self.readers.retain(|reader| reader.agency == *agency);
        self.standings.retain(|standing| standing.agency == *agency);
        self.trails.retain(|reading| reading.agency == *agency);
        self.closed.clear();
        self
    }
}

/// What delivery's events tell, by agency and ground: several where one was told of it again.
#[derive(Default)]
struct Reading {
    readers: BTreeMap<(AgencyId, Ground), Vec<Reader>>,
    entitlements: BTreeMap<AssignmentId, (AgencyId, Entitlement)>,
    custodians: BTreeMap<ChildRef, AgencyId>,
    trails: Vec<TrailReading>,
    closed: Vec<Closed>,
}

impl Reading {
    fn take_in(&mut self, at: Timestamp, actor: &str, event: &DeliveryEvent) {
        match event {
            DeliveryEvent::IncidentRegistered(event) => {
                self.told(at, &event.reporter, Ground::Report(event.referral_id));
            }
            DeliveryEvent::ItemDelivered(event) => {
                let (id, entitlement) = (event.assignment_id, event.entitlement.clone());
                self.told(at, &event.agency, Ground::Assignment(id));
                let with_offer = entitlement.opens_with_offer;
                self.entitlements.insert(id, (event.agency.clone(), entitlement));
                if with_offer {
                    self.open_assignment(at, id);
                }
            }
            DeliveryEvent::ItemRaised(event) => self.raise(at, event.assignment_id, &event.entitlement),
            DeliveryEvent::ItemChanged(event) => match event.state {
                AssignmentState::Accepted => self.open_assignment(at, event.assignment_id),
                AssignmentState::Declined
                | AssignmentState::Forwarded
                | AssignmentState::Revoked
                | AssignmentState::Closed => {
                    self.close(at, &event.agency, Ground::Assignment(event.assignment_id));
                }
                AssignmentState::Offered | AssignmentState::Overdue | AssignmentState::Escalated => {}
            },
            DeliveryEvent::RequestReaderAdded(event) => {
                let ground = Ground::Request(event.request_id);
                self.told(at, &event.agency, ground);
                if !event.withheld {
                    self.open(at, &event.agency, ground, vec![FacetKind::RequestText], 0);
                }
            }
            DeliveryEvent::RequestReaderRemoved(event) => {
                self.end(at, &event.agency, Ground::Request(event.request_id));
            }
            DeliveryEvent::CustodianNoted(event) => {
                let ground = Ground::Child(event.child_ref);
                if let Some(before) = self.custodians.remove(&event.child_ref) {
                    self.close(at, &before, ground);
                }
                if let Some(agency) = &event.agency {
                    self.custodians.insert(event.child_ref, agency.clone());
                    self.told(at, agency, ground);
                    self.open(at, agency, ground, vec![FacetKind::Handover], 0);
                }
            }
            DeliveryEvent::HandoverAdded(event) => {
                if let Some(agency) = &event.to {
                    let ground = Ground::Child(event.child_ref);
                    self.told(at, agency, ground);
                    self.open(at, agency, ground, vec![event.facet.kind], 0);
                }
            }
            DeliveryEvent::HandoverClosed(event) => {
                self.close(at, &event.agency, Ground::Child(event.child_ref));
            }
            DeliveryEvent::ChildNewsDelivered(event) => {
                self.told(at, &event.agency, Ground::Child(event.child_ref));
            }
            DeliveryEvent::FacetsDisclosed(event) => self.disclose(at, actor, event),
            DeliveryEvent::AccessReported(event) => {
                let opened = self.readers.values_mut().flatten().flat_map(|reader| &mut reader.opened);
                for opened in opened.filter(|opened| opened.disclosure_id == event.disclosure_id) {
                    opened.reported.extend(&event.facets);
                }
            }
            DeliveryEvent::TrailRead(event) => {
                let (agency, actor) = (event.agency.clone(), actor.to_owned());
                self.trails.push(TrailReading { agency, actor, time: at });
            }
            DeliveryEvent::FacetsErased(event) => self.closed.push(Closed {
                time: at,
                reason: event.reason,
                facets: event.facets.clone(),
                held_as_evidence: false,
            }),
            DeliveryEvent::ErasureRestricted(event) => self.closed.push(Closed {
                time: at,
                reason: event.reason,
                facets: event.facets.clone(),
                held_as_evidence: true,
            }),
            _ => {}
        }
    }

    fn told(&mut self, at: Timestamp, agency: &AgencyId, ground: Ground) {
        let known = self.readers.entry((agency.clone(), ground)).or_default();
        if known.last().is_none_or(|reader| reader.told.until.is_some()) {
            let told = Span { from: at, until: None };
            let agency = agency.clone();
            known.push(Reader { agency, ground, told, may_open: Vec::new(), opened: Vec::new() });
        }
    }

    fn reader(&mut self, agency: &AgencyId, ground: Ground) -> Option<&mut Reader> {
        self.readers.get_mut(&(agency.clone(), ground))?.last_mut()
    }

    fn open(
        &mut self,
        at: Timestamp,
        agency: &AgencyId,
        ground: Ground,
        kinds: Vec<FacetKind>,
        persons: usize,
    ) {
        let known = self.reader(agency, ground).and_then(|reader| reader.may_open.last());
        if known.is_some_and(|open| open.is_of(&kinds, persons)) {
            return;
        }
        self.close(at, agency, ground);
        if let Some(reader) = self.reader(agency, ground) {
            reader.may_open.push(MayOpen { kinds, persons, span: Span { from: at, until: None } });
        }
    }

    fn open_assignment(&mut self, at: Timestamp, id: AssignmentId) {
        let Some((agency, entitlement)) = self.entitlements.get(&id).cloned() else { return };
        let (kinds, persons) = (entitlement.facet_kinds, entitlement.persons.len());
        self.open(at, &agency, Ground::Assignment(id), kinds, persons);
    }

    /// More urgent, it may open with the offer, or more of it.
    fn raise(&mut self, at: Timestamp, id: AssignmentId, entitlement: &Entitlement) {
        let Some((agency, known)) = self.entitlements.get_mut(&id) else { return };
        known.clone_from(entitlement);
        let agency = agency.clone();
        let is_open = self
            .reader(&agency, Ground::Assignment(id))
            .and_then(|reader| reader.may_open.last())
            .is_some_and(|open| open.span.until.is_none());
        if is_open || entitlement.opens_with_offer {
            self.open_assignment(at, id);
        }
    }

    /// Opens nothing from now on.
    fn close(&mut self, at: Timestamp, agency: &AgencyId, ground: Ground) {
        let open = self.reader(agency, ground).and_then(|reader| reader.may_open.last_mut());
        if let Some(open) = open.filter(|open| open.span.until.is_none()) {
            open.span.until = Some(at);
        }
    }

    /// Nor knows of it by this any more.
    fn end(&mut self, at: Timestamp, agency: &AgencyId, ground: Ground) {
        self.close(at, agency, ground);
        if let Some(reader) = self.reader(agency, ground) {
            reader.told.until = Some(at);
        }
    }

    fn disclose(&mut self, at: Timestamp, actor: &str, event: &FacetsDisclosed) {
        let ground = match (event.assignment_id, event.request_id, event.child_ref) {
            (Some(assignment), _, _) => Ground::Assignment(assignment),
            (_, Some(request), _) => Ground::Request(request),
            (_, _, Some(child)) => Ground::Child(child),
            _ => return,
        };
        let kinds: BTreeSet<FacetKind> = event.facets.iter().map(|facet| facet.kind).collect();
        // Whoever has written a text opens it too, without having been told of it.
        self.told(at, &event.agency, ground);
        if let Some(reader) = self.reader(&event.agency, ground) {
            reader.opened.push(Opened {
                time: at,
                actor: actor.to_owned(),
                disclosure_id: event.disclosure_id,
                recipient_key_id: event.recipient_key_id.clone(),
                kinds: kinds.into_iter().collect(),
                facets: event.facets.iter().map(|facet| facet.facet_id).collect(),
                reported: Vec::new(),
            });
        }
    }
}

/// Coordinators that could see the incident's frame: those whose scope it stood in, as the directory had them then.
fn coordinators(directory: &Directory, events: &[Told]) -> Vec<Reader> {
    let routing: Vec<(Timestamp, &Told)> = events
        .iter()
        .filter_map(|told| match told {
            Told::Routing(event) => Some((event.time, told)),
            _ => None,
        })
        .collect();
    let mut readers = Vec::new();
    let is_one = |(_, agency): &(Timestamp, &Agency)| agency.kind == AgencyKind::Coordinator;
    for (agency, history) in directory.histories().filter(|(_, history)| history.iter().any(is_one)) {
        // Both what the incident is and what the coordinator is may change it.
        let moments: BTreeSet<Timestamp> =
            routing.iter().map(|(time, _)| *time).chain(history.iter().map(|(from, _)| *from)).collect();
        let mut spans: Vec<Span> = Vec::new();
        for moment in moments {
            let scope = Scope::of(routing.iter().filter(|(time, _)| *time <= moment).map(|(_, told)| *told));
            let entry = history.iter().rev().find(|(from, _)| *from <= moment).map(|(_, entry)| *entry);
            let watches = entry.is_some_and(|entry| {
                entry.kind == AgencyKind::Coordinator
                    && !scope.never_told.contains(&entry.country)
                    && scope.countries.iter().any(|country| entry.scope.contains(country))
            });
            let is_open = spans.last().is_some_and(|span| span.until.is_none());
            match spans.last_mut() {
                Some(open) if is_open && !watches => open.until = Some(moment),
                _ if watches && !is_open => spans.push(Span { from: moment, until: None }),
                _ => {}
            }
        }
        readers.extend(spans.into_iter().map(|told| Reader {
            agency: agency.clone(),
            ground: Ground::Scope,
            told,
            may_open: Vec::new(),
            opened: Vec::new(),
        }));
    }
    readers
}

/// How each of the readers stood in the directory from when it was told first.
fn standings(directory: &Directory, readers: &[Reader]) -> Vec<Standing> {
    let mut first: BTreeMap<&AgencyId, Timestamp> = BTreeMap::new();
    for reader in readers {
        let from = first.entry(&reader.agency).or_insert(reader.told.from);
        *from = (*from).min(reader.told.from);
    }
    let mut standings: Vec<Standing> = Vec::new();
    for (agency, history) in directory.histories() {
        let Some(first) = first.get(&agency) else { continue };
        for (number, (from, entry)) in history.iter().enumerate() {
            let until = history.get(number + 1).map(|(next, _)| *next);
            if until.is_some_and(|until| until <= *first) {
                continue;
            }
            let span = Span { from: *from, until };
            let keys: Vec<KeyId> = entry.keys.iter().map(|key| key.key_id.clone()).collect();
            let (issuer, subject) = (entry.issuer.clone(), entry.subject.clone());
            let standing = Standing { agency: agency.clone(), span, issuer, subject, keys };
            // Another name or other hours are nobody's way in.
            match standings.last_mut() {
                Some(last) if last.is_as(&standing) => last.span.until = until,
                _ => standings.push(standing),
            }
        }
    }
    standings
}

impl MayOpen {
    fn is_of(&self, kinds: &[FacetKind], persons: usize) -> bool {
        self.span.until.is_none() && self.kinds == kinds && self.persons == persons
    }
}

impl Standing {
    fn is_as(&self, other: &Self) -> bool {
        (&self.agency, &self.issuer, &self.subject, &self.keys)
            == (&other.agency, &other.issuer, &other.subject, &other.keys)
    }
}
