//! Erasure: disclosure closes by an event, and the data keys are taken out of `sealed-keys` after it.
//!
//! Whoever brought facets in has them erased, by request or by the retention date. While a hold stands they are
//! restricted instead: closed for everybody but whoever holds them (Directive (EU) 2016/680, Article 16(3)).

use std::collections::{BTreeMap, BTreeSet};

use chassis::decider::{Clock, Context, Rejection};
use schemas::Timestamp;
use schemas::codes::{ActorKind, AgencyKind, AssignmentState, ErasureReason, RejectionCode};
use schemas::delivery::{
    BeginKeyErasure, DeliveryCommand, DeliveryEvent, EraseFacets, ErasureDelivered, ErasureRestricted,
    FacetsErased, HoldPlaced, HoldReleased, KeyErasureBegun, KeySetErasure, KeysErased, MomentCame,
    PlaceHold, ReleaseHold, ReportKeysErased,
};
use schemas::ids::{AgencyId, ErasureId, FacetId, HoldId, KeySetId, PersonRef};
use schemas::routing::FacetRef;
use serde::{Deserialize, Serialize};

use super::Incident;

type Decision = Result<Vec<DeliveryEvent>, Rejection>;

/// Most holds of one incident: bounds what an incident weighs.
const MAX_HOLDS: usize = 50;

/// What is closed, what keeps it from being erased, and which keys are still to go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Erasures {
    pub holds: BTreeMap<HoldId, HoldPlaced>,
    /// Closed for good, and how many facets each erasure closed.
    pub erased: BTreeSet<FacetId>,
    pub erasures: BTreeMap<ErasureId, usize>,
    /// Whoever was erased by name, and why: what is sealed of them anew is erased as well.
    pub erased_persons: BTreeMap<PersonRef, ErasureReason>,
    /// Closed while a hold stands, and erased afterwards.
    pub restricted: BTreeMap<ErasureId, ErasureRestricted>,
    pub pending: BTreeMap<KeySetId, PendingKeys>,
}

/// Data keys of one record of `sealed-keys` that are to go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingKeys {
    pub by: AgencyId,
    pub facets: BTreeSet<FacetId>,
    pub whole: bool,
    /// Where records stood that hold them.
    pub offsets: BTreeSet<i64>,
    /// When disclosure was closed, and when the record was found that is to be superseded.
    pub closed_at: Timestamp,
    pub begun_at: Option<Timestamp>,
}

impl Erasures {
    /// Why the facet is closed for the agency; `None` when it is not.
    pub fn closed(&self, facet: FacetId, agency: &AgencyId) -> Option<RejectionCode> {
        if self.erased.contains(&facet) {
            return Some(RejectionCode::Erased);
        }
        let holds = || self.holds.values().any(|hold| hold.agency == *agency);
        (self.is_restricted(facet) && !holds()).then_some(RejectionCode::Restricted)
    }

    fn is_restricted(&self, facet: FacetId) -> bool {
        self.restricted.values().any(|one| one.facets.contains(&facet))
    }

    /// Whoever was closed by name, for good or while a hold stands.
    fn closed_persons(&self) -> BTreeMap<PersonRef, ErasureReason> {
        let restricted = self.restricted.values().filter_map(|one| Some((one.person_ref?, one.reason)));
        restricted.chain(self.erased_persons.clone()).collect()
    }
}

/// The erasure that a command leads to: sending the command again finds the same.
pub fn erasure_id(incident: &str, cause: &str) -> ErasureId {
    ErasureId::derive(&[incident.as_bytes(), cause.as_bytes()])
}

/// The hold that a command leads to: sending the command again finds the same.
pub fn hold_id(incident: &str, cause: &str) -> HoldId {
    HoldId::derive(&[incident.as_bytes(), cause.as_bytes()])
}

/// Every facet that was ever brought in, and by whom.
fn facets(incident: &Incident) -> impl Iterator<Item = (&AgencyId, &FacetRef)> {
    let reported = incident.registered.iter().flat_map(|registered| {
        let all = registered.facets.iter().chain(&incident.superseded);
        all.map(|facet| (&registered.reporter, facet))
    });
    let requests = incident.requests.values().flat_map(super::requests::Held::facets);
    let handovers = incident.children.values().flat_map(super::children::Followed::facets);
    let added = incident.added.iter().chain(requests).chain(handovers);
    reported.chain(added.map(|added| (&added.by, &added.facet)))
}

/// Those that somebody brought in, of one person alone where one is named, and that are open still.
fn open_facets_of(incident: &Incident, agency: &AgencyId, person: Option<PersonRef>) -> Vec<FacetId> {
    let erasures = &incident.erasures;
    facets(incident)
        .filter(|(by, facet)| *by == agency && (person.is_none() || facet.person_ref == person))
        .map(|(_, facet)| facet.facet_id)
        .filter(|facet| !erasures.erased.contains(facet) && !erasures.is_restricted(*facet))
        .collect()
}

pub fn erase(context: &Context<'_>, incident: &Incident, command: &EraseFacets) -> Decision {
    let own = |person: Option<PersonRef>| {
        facets(incident)
            .any(|(by, facet)| by == context.agency && (person.is_none() || facet.person_ref == person))
    };
    if !own(None) {
        return Err(RejectionCode::NotEntitled.into());
    }
    context.must_be_human()?;
    // That its time has come is for the clock to say.
    if command.reason == ErasureReason::RetentionExpired {
        return Err(Rejection::at(RejectionCode::Invalid, "/reason"));
    }
    if !own(command.person_ref) {
        return Err(Rejection::at(RejectionCode::Invalid, "/person_ref"));
    }
    let facets = open_facets_of(incident, context.agency, command.person_ref);
    if facets.is_empty() {
        return Err(RejectionCode::Erased.into());
    }
    let erasure = ErasureRestricted {
        erasure_id: erasure_id(context.aggregate_id, context.cause),
        by: context.agency.clone(),
        person_ref: command.person_ref,
        reason: command.reason,
        facets,
    };
    Ok(close(incident, erasure))
}

/// What an amendment has sealed anew of whoever was closed by name before it.
pub fn close_anew(context: &Context<'_>, incident: &Incident) -> Vec<DeliveryEvent> {
    let Some(registered) = &incident.registered else { return Vec::new() };
    let reporter = &registered.reporter;
    let closed = incident.erasures.closed_persons();
    let anew = closed.into_iter().map(|(person, reason)| ErasureRestricted {
        erasure_id: erasure_id(context.aggregate_id, &format!("{}/{person}", context.cause)),
        by: reporter.clone(),
        person_ref: Some(person),
        reason,
        facets: open_facets_of(incident, reporter, Some(person)),
    });
    in_turn(incident, context.now, anew.filter(|erasure| !erasure.facets.is_empty()), close)
}

/// One after the other, each on what the one before it has closed: the last of a key set takes the whole record out.
fn in_turn(
    incident: &Incident,
    now: Timestamp,
    erasures: impl IntoIterator<Item = ErasureRestricted>,
    close: impl Fn(&Incident, ErasureRestricted) -> Vec<DeliveryEvent>,
) -> Vec<DeliveryEvent> {
    let (mut events, mut after) = (Vec::new(), incident.clone());
    for erasure in erasures {
        let closed = close(&after, erasure);
        closed.iter().for_each(|event| evolve(&mut after.erasures, event, now));
        events.extend(closed);
    }
    events
}

/// Erased, or restricted where a hold stands; whoever was given any of it is told.
fn close(incident: &Incident, erasure: ErasureRestricted) -> Vec<DeliveryEvent> {
    if incident.erasures.holds.is_empty() {
        return erase_now(incident, erasure);
    }
    let told = tell(incident, &erasure, true);
    std::iter::once(erasure.into()).chain(told).collect()
}

fn erase_now(incident: &Incident, erasure: ErasureRestricted) -> Vec<DeliveryEvent> {
    let gone = |facet: &FacetId| incident.erasures.erased.contains(facet) || erasure.facets.contains(facet);
    let mut key_sets: BTreeMap<KeySetId, KeySetErasure> = BTreeMap::new();
    for (_, facet) in facets(incident).filter(|(_, facet)| erasure.facets.contains(&facet.facet_id)) {
        let key_set_id = facet.key_set_id;
        let of_set = |one: &FacetRef| one.key_set_id == key_set_id;
        let whole = facets(incident).filter(|(_, one)| of_set(one)).all(|(_, one)| gone(&one.facet_id));
        let key_set = KeySetErasure { key_set_id, facets: Vec::new(), whole };
        key_sets.entry(key_set_id).or_insert(key_set).facets.push(facet.facet_id);
    }
    let told = tell(incident, &erasure, false);
    let ErasureRestricted { erasure_id, by, person_ref, reason, facets } = erasure;
    let key_sets = key_sets.into_values().collect();
    let erased = FacetsErased { erasure_id, by, person_ref, reason, facets, key_sets };
    std::iter::once(erased.into()).chain(told).collect()
}

fn tell(incident: &Incident, erasure: &ErasureRestricted, restricted: bool) -> Vec<DeliveryEvent> {
    let mut given: BTreeMap<&AgencyId, BTreeSet<FacetId>> = BTreeMap::new();
    for disclosure in incident.disclosures.values() {
        let facets = disclosure.facets.iter().map(|facet| facet.facet_id);
        let facets: BTreeSet<FacetId> = facets.filter(|facet| erasure.facets.contains(facet)).collect();
        if !facets.is_empty() {
            given.entry(&disclosure.agency).or_default().extend(facets);
        }
    }
    let told = given.into_iter().map(|(agency, facets)| {
        ErasureDelivered {
            agency: agency.clone(),
            erasure_id: erasure.erasure_id,
            reason: erasure.reason,
            restricted,
            facets: facets.into_iter().collect(),
        }
        .into()
    });
    told.collect()
}

/// Police or a central authority that works on it, or has, keeps it as evidence.
pub fn place_hold(context: &Context<'_>, incident: &Incident, command: &PlaceHold) -> Decision {
    let works = incident.items.values().any(|item| {
        item.delivered.agency == *context.agency
            && matches!(item.state, AssignmentState::Accepted | AssignmentState::Closed)
    });
    let agency = context.directory.agency(context.agency, context.now);
    let may_hold = |kind| matches!(kind, AgencyKind::PoliceUnit | AgencyKind::CentralAuthority);
    if !works || !agency.is_some_and(|agency| may_hold(agency.kind)) {
        return Err(RejectionCode::NotEntitled.into());
    }
    context.must_be_human()?;
    if command.until.is_some_and(|until| until <= context.now) {
        return Err(Rejection::at(RejectionCode::Invalid, "/until"));
    }
    if incident.erasures.holds.len() >= MAX_HOLDS {
        return Err(RejectionCode::TooMany.into());
    }
    let placed = HoldPlaced {
        hold_id: hold_id(context.aggregate_id, context.cause),
        agency: context.agency.clone(),
        reason: command.reason,
        until: command.until,
    };
    Ok(vec![placed.into()])
}

pub fn release_hold(context: &Context<'_>, incident: &Incident, command: &ReleaseHold) -> Decision {
    let hold = incident.erasures.holds.get(&command.hold_id);
    if hold.is_none_or(|hold| hold.agency != *context.agency) {
        return Err(RejectionCode::UnknownHold.into());
    }
    context.must_be_human()?;
    Ok(release(incident, command.hold_id, context.now))
}

/// Once the last hold is gone, what was restricted is erased.
fn release(incident: &Incident, hold_id: HoldId, now: Timestamp) -> Vec<DeliveryEvent> {
    let mut events = vec![HoldReleased { hold_id }.into()];
    if incident.erasures.holds.keys().all(|standing| *standing == hold_id) {
        events.extend(in_turn(incident, now, incident.erasures.restricted.values().cloned(), erase_now));
    }
    events
}

/// A moment that no longer counts yields nothing.
pub fn moment_came(context: &Context<'_>, incident: &Incident, command: &MomentCame) -> Decision {
    if command.due > context.now {
        return Ok(Vec::new());
    }
    if let Some(hold_id) = command.hold_id {
        let hold = incident.erasures.holds.get(&hold_id);
        let ends = hold.is_some_and(|hold| hold.until == Some(command.due));
        return Ok(if ends { release(incident, hold_id, context.now) } else { Vec::new() });
    }
    let Some(registered) = &incident.registered else { return Ok(Vec::new()) };
    let facets = open_facets_of(incident, &registered.reporter, None);
    if registered.retain_until != Some(command.due) || facets.is_empty() {
        return Ok(Vec::new());
    }
    let erasure = ErasureRestricted {
        erasure_id: erasure_id(context.aggregate_id, context.cause),
        by: registered.reporter.clone(),
        person_ref: None,
        reason: ErasureReason::RetentionExpired,
        facets,
    };
    Ok(close(incident, erasure))
}

/// The retention date while there is something to erase, and the ends of holds.
pub fn clocks(incident: &Incident) -> Vec<Clock<DeliveryCommand>> {
    let clock = |name: String, hold_id, due| Clock { name, due, command: MomentCame { hold_id, due }.into() };
    let holds = incident.erasures.holds.values();
    let ends = holds.filter_map(|hold| Some((hold.hold_id, hold.until?)));
    let ends = ends.map(|(hold, until)| clock(format!("hold/{hold}"), Some(hold), until));
    let retention = incident.registered.as_ref().and_then(|registered| {
        let due = registered.retain_until?;
        let open = !open_facets_of(incident, &registered.reporter, None).is_empty();
        // What comes in under a date that has rung already is another tick.
        let closed_before = incident.erasures.erasures.len() + incident.erasures.restricted.len();
        open.then(|| clock(format!("retention/{closed_before}"), None, due))
    });
    ends.chain(retention).collect()
}

pub fn begin(context: &Context<'_>, incident: &Incident, command: &BeginKeyErasure) -> Decision {
    must_be_own(context)?;
    let pending = expected(incident, command.key_set_id, &command.facets)?;
    if pending.begun_at.is_some() {
        return Err(RejectionCode::WrongState.into());
    }
    let BeginKeyErasure { key_set_id, offset, facets } = command.clone();
    Ok(vec![KeyErasureBegun { key_set_id, offset, facets }.into()])
}

pub fn finish(context: &Context<'_>, incident: &Incident, command: &ReportKeysErased) -> Decision {
    must_be_own(context)?;
    let pending = expected(incident, command.key_set_id, &command.facets)?;
    if pending.begun_at.is_none() {
        return Err(RejectionCode::WrongState.into());
    }
    let ReportKeysErased { key_set_id, facets } = command.clone();
    Ok(vec![KeysErased { key_set_id, by: pending.by.clone(), facets }.into()])
}

/// What is reported is what is waited for: an instance that is behind reports something older.
fn expected<'a>(
    incident: &'a Incident,
    key_set: KeySetId,
    facets: &[FacetId],
) -> Result<&'a PendingKeys, Rejection> {
    let pending = incident.erasures.pending.get(&key_set);
    let same = |pending: &&PendingKeys| pending.facets.iter().eq(facets);
    pending.filter(same).ok_or_else(|| RejectionCode::WrongState.into())
}

fn must_be_own(context: &Context<'_>) -> Result<(), Rejection> {
    let own = *context.agency == AgencyId::own() && context.actor.kind == ActorKind::Service;
    if own { Ok(()) } else { Err(RejectionCode::NotEntitled.into()) }
}

/// Takes one event in, of those that are of erasure.
pub fn evolve(erasures: &mut Erasures, event: &DeliveryEvent, time: Timestamp) {
    match event {
        DeliveryEvent::FacetsErased(erased) => {
            erasures.restricted.remove(&erased.erasure_id);
            erasures.erased.extend(&erased.facets);
            erasures.erasures.insert(erased.erasure_id, erased.facets.len());
            erasures.erased_persons.extend(erased.person_ref.map(|person| (person, erased.reason)));
            for key_set in &erased.key_sets {
                take_out(erasures, &erased.by, key_set, time);
            }
        }
        DeliveryEvent::ErasureRestricted(restricted) => {
            erasures.restricted.insert(restricted.erasure_id, restricted.clone());
        }
        DeliveryEvent::HoldPlaced(placed) => {
            erasures.holds.insert(placed.hold_id, placed.clone());
        }
        DeliveryEvent::HoldReleased(released) => {
            erasures.holds.remove(&released.hold_id);
        }
        DeliveryEvent::KeyErasureBegun(begun) => {
            if let Some(pending) = erasures.pending.get_mut(&begun.key_set_id) {
                pending.begun_at = Some(time);
                pending.offsets.extend(begun.offset);
            }
        }
        DeliveryEvent::KeysErased(erased) => {
            erasures.pending.remove(&erased.key_set_id);
        }
        _ => {}
    }
}

/// A set that more is taken out of while the first part is still waited for is waited for anew.
fn take_out(erasures: &mut Erasures, by: &AgencyId, key_set: &KeySetErasure, time: Timestamp) {
    let pending = erasures.pending.entry(key_set.key_set_id).or_insert_with(|| PendingKeys {
        by: by.clone(),
        facets: BTreeSet::new(),
        whole: false,
        offsets: BTreeSet::new(),
        closed_at: time,
        begun_at: None,
    });
    pending.facets.extend(&key_set.facets);
    pending.whole = key_set.whole;
    pending.closed_at = time;
    pending.begun_at = None;
}
