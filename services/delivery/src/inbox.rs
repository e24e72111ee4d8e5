//! The inbox: what stands before an agency, in the order in which it was delivered.
//!
//! Keys of the index: agency, a zero byte, partition and offset of the event (big endian). The value is what is kept of
//! it. A cursor is a vector of offsets, so it holds on every instance.

use chassis::cursor::Cursor;
use chassis::decider::{IndexEntry, IndexKey, Place};
use chassis::fold::Fold;
use chassis::problem::Problem;
use chassis::receipts::Promised;
use schemas::Event;
use schemas::Timestamp;
use schemas::codes::{
    AgencyKind, AlertReason, AssignmentState, ChildNews, DangerReason, ErasureReason, FacetKind,
    IncidentKind, JurisdictionBasis, RequestRole, RequestState, RequestStep, RetractionReason, Urgency,
};
use schemas::delivery::DeliveryEvent;
use schemas::directory::Agency;
use schemas::envelope::Body;
use schemas::ids::{
    AgencyId, AssignmentId, ChildRef, Country, DisclosureId, ErasureId, FacetId, IncidentId, PersonRef,
    ReferralId, RequestId, RetractionId,
};
use schemas::routing::{FacetRef, Transfer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Delivery;
use crate::domain::{Entitled, Incident, Item};
use crate::http::Pages;

/// One thing that came before an agency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[schema(as = InboxEntry)]
pub enum Entry {
    /// An assignment was offered.
    Assignment(Box<AssignmentEntry>),
    /// The assignment stands differently now.
    Changed { incident_id: IncidentId, assignment_id: AssignmentId, state: AssignmentState, at: Timestamp },
    /// A duty contact is to be called.
    Call {
        incident_id: IncidentId,
        assignment_id: AssignmentId,
        contact: String,
        attempt: i32,
        acknowledge_by: Timestamp,
        at: Timestamp,
    },
    /// A coordinator is told what needs a person.
    Alert {
        incident_id: IncidentId,
        country: Option<Country>,
        reason: AlertReason,
        /// What it is about, where it is about one assignment.
        assignment_id: Option<AssignmentId>,
        at: Timestamp,
    },
    /// What the agency had reported was opened with the offer, before a person had accepted.
    OpenedEarly {
        incident_id: IncidentId,
        disclosure_id: DisclosureId,
        /// Absent for a provider, which is not told where it went.
        opened_by: Option<AgencyId>,
        country: Option<Country>,
        at: Timestamp,
    },
    /// What was given to the agency is erased or restricted at its source, and so has to be here.
    Erased {
        incident_id: IncidentId,
        erasure_id: ErasureId,
        reason: ErasureReason,
        /// Kept as evidence for whoever holds it, and erased afterwards.
        restricted: bool,
        facets: Vec<FacetId>,
        at: Timestamp,
    },
    /// No replica holds the data keys of what the agency had erased any more.
    KeysErased { incident_id: IncidentId, facets: Vec<FacetId>, at: Timestamp },
    /// Something was done in a request for legal assistance, or an order, that the agency takes part in.
    Request {
        incident_id: IncidentId,
        request_id: RequestId,
        step: RequestStep,
        /// How it stood after it.
        state: RequestState,
        /// Whose step it was.
        role: RequestRole,
        at: Timestamp,
    },
    /// Something that concerns a child for whom somebody looks.
    Child { incident_id: IncidentId, child_ref: ChildRef, news: ChildNews, at: Timestamp },
    /// A legal period of a request nears its end, or has run out.
    Period {
        incident_id: IncidentId,
        request_id: RequestId,
        clock: String,
        due: Timestamp,
        ran_out: bool,
        at: Timestamp,
    },
    /// Something was taken back: to be acknowledged by a person.
    Retraction {
        incident_id: IncidentId,
        retraction_id: RetractionId,
        reason: RetractionReason,
        at: Timestamp,
    },
}

/// An entry as it is given, with the promise that its event stands in the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeliveredInboxEntry)]
pub struct Delivered {
    #[serde(flatten)]
    pub entry: Entry,
    /// A signed note, base64 (docs/audit-log.md). A provider has none: it is told nothing of delivery's events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// An offered assignment with what may be known of it before anything is opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssignmentEntry {
    pub incident_id: IncidentId,
    pub referral_id: ReferralId,
    pub assignment_id: AssignmentId,
    pub country: Country,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub danger_reason: Option<DangerReason>,
    pub week: Option<String>,
    pub bases: Vec<JurisdictionBasis>,
    /// As it stands now.
    pub state: AssignmentState,
    pub respond_by: Timestamp,
    /// Whether it may be opened before it is accepted.
    pub opens_with_offer: bool,
    /// What it entitles to, by facet.
    pub facets: Vec<FacetEntry>,
    pub transfer: Transfer,
    pub at: Timestamp,
}

/// A sealed facet that may be opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FacetEntry {
    pub facet_id: FacetId,
    pub kind: FacetKind,
    pub person_ref: Option<PersonRef>,
}

/// What the index keeps of an event: enough to show the entry with the incident's state.
#[derive(Serialize, Deserialize)]
struct Kept {
    incident: String,
    /// Sequence and digest of the event.
    sequence: i64,
    digest: [u8; 32],
    at: Timestamp,
    what: What,
}

#[derive(Serialize, Deserialize)]
enum What {
    Assignment(AssignmentId),
    Changed(AssignmentId, AssignmentState),
    Call { assignment: AssignmentId, contact: String, attempt: i32, acknowledge_by: Timestamp },
    Alert { country: Option<Country>, reason: AlertReason, assignment: Option<AssignmentId> },
    Retraction(RetractionId, RetractionReason),
    OpenedEarly { disclosure: DisclosureId, by: Option<AgencyId>, country: Option<Country> },
    Erased { erasure: ErasureId, reason: ErasureReason, restricted: bool, facets: Vec<FacetId> },
    KeysErased(Vec<FacetId>),
    Request { request: RequestId, step: RequestStep, state: RequestState, role: RequestRole },
    Period { request: RequestId, clock: String, due: Timestamp, ran_out: bool },
    Child(ChildRef, ChildNews),
}

pub fn entries(incident: &Incident, event: &Event<DeliveryEvent>, digest: &[u8]) -> Vec<IndexEntry> {
    let entry = |agency: &AgencyId, what| {
        let kept = Kept {
            incident: event.aggregate_id.clone(),
            sequence: event.sequence,
            digest: digest.try_into().unwrap_or_default(),
            at: event.time,
            what,
        };
        let value = postcard::to_allocvec(&kept).expect("an index entry is plain data");
        IndexEntry { key: IndexKey::Placed(of_agency(agency)), value: Some(value) }
    };
    if let DeliveryEvent::IncidentUpdated(_) = &event.body {
        // Shown again to whoever may open it: what was opened before has been said better since.
        let told = |item: &&Item| item.is_open() && !incident.is_never_told(&item.delivered.country);
        let items = incident.items.values().filter(told);
        return items
            .map(|item| entry(&item.delivered.agency, What::Assignment(item.delivered.assignment_id)))
            .collect();
    }
    let (agency, what) = match &event.body {
        DeliveryEvent::ItemDelivered(item) => (&item.agency, What::Assignment(item.assignment_id)),
        // Shown again as it stands now: more urgent, and perhaps to be opened at once.
        DeliveryEvent::ItemRaised(item) => (&item.agency, What::Assignment(item.assignment_id)),
        DeliveryEvent::ItemChanged(item) => (&item.agency, What::Changed(item.assignment_id, item.state)),
        DeliveryEvent::CallDelivered(call) => {
            let (contact, attempt) = (call.contact.clone(), call.attempt);
            let (assignment, acknowledge_by) = (call.assignment_id, call.acknowledge_by);
            (&call.agency, What::Call { assignment, contact, attempt, acknowledge_by })
        }
        DeliveryEvent::AlertDelivered(alert) => {
            let (country, reason, assignment) = (alert.country.clone(), alert.reason, alert.assignment_id);
            (&alert.agency, What::Alert { country, reason, assignment })
        }
        DeliveryEvent::RetractionDelivered(retraction) => {
            (&retraction.agency, What::Retraction(retraction.retraction_id, retraction.reason))
        }
        DeliveryEvent::EarlyOpeningDelivered(opening) => {
            let (by, country) = (opening.opened_by.clone(), opening.country.clone());
            (&opening.agency, What::OpenedEarly { disclosure: opening.disclosure_id, by, country })
        }
        DeliveryEvent::ErasureDelivered(told) => {
            let (erasure, reason, restricted) = (told.erasure_id, told.reason, told.restricted);
            (&told.agency, What::Erased { erasure, reason, restricted, facets: told.facets.clone() })
        }
        DeliveryEvent::RequestStepDelivered(told) => {
            let (request, step) = (told.request_id, told.step);
            (&told.agency, What::Request { request, step, state: told.state, role: told.role })
        }
        DeliveryEvent::RequestPeriodDelivered(told) => {
            let (request, clock) = (told.request_id, told.clock.clone());
            (&told.agency, What::Period { request, clock, due: told.due, ran_out: told.ran_out })
        }
        DeliveryEvent::ChildNewsDelivered(told) => (&told.agency, What::Child(told.child_ref, told.news)),
        DeliveryEvent::KeysErased(erased) => (&erased.by, What::KeysErased(erased.facets.clone())),
        _ => return Vec::new(),
    };
    vec![entry(agency, what)]
}

fn of_agency(agency: &AgencyId) -> Vec<u8> {
    [agency.as_str().as_bytes(), &[0]].concat()
}

/// A page of entries, and the cursor behind the last of them.
pub struct Page {
    pub entries: Vec<Delivered>,
    /// The cursor behind each entry.
    pub behind: Vec<Cursor>,
    pub cursor: Cursor,
    /// Whether there was more than the limit.
    pub more: bool,
}

/// Entries after the cursor, oldest first over all partitions.
///
/// # Errors
/// When the store cannot be read.
pub fn page(pages: &Pages, agency: &Agency, cursor: &Cursor, limit: usize) -> Result<Page, Problem> {
    let mut found = Vec::new();
    for partition in 0..pages.partitions {
        let from = cursor.0.get(&partition).copied().unwrap_or(0);
        found.extend(after(pages.front.fold(), &agency.id, partition, from, limit + 1)?);
    }
    found.sort_by_key(|found| (found.order, found.place.partition, found.place.offset));
    let more = found.len() > limit;
    found.truncate(limit);
    let mut next = cursor.clone();
    let (mut entries, mut behind) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
    for Found { place, kept, .. } in found {
        next.0.insert(place.partition, place.offset + 1);
        let promised = Promised {
            topic: DeliveryEvent::TOPIC,
            aggregate_id: kept.incident.clone(),
            sequence: kept.sequence,
            digest: kept.digest,
        };
        if let Some(entry) = shown(pages, kept)? {
            let receipt = pages.receipts.of(promised).filter(|_| agency.kind != AgencyKind::Provider);
            entries.push(Delivered { entry, receipt });
            behind.push(next.clone());
        }
    }
    Ok(Page { entries, behind, cursor: next, more })
}

struct Found {
    place: Place,
    kept: Kept,
    /// The latest time so far in the partition: sorting by it keeps the partition's own order, which a cursor
    /// depends on.
    order: Timestamp,
}

fn after(
    fold: &Fold<Delivery>,
    agency: &AgencyId,
    partition: i32,
    from: i64,
    limit: usize,
) -> Result<Vec<Found>, Problem> {
    let key = |offset| IndexKey::Placed(of_agency(agency)).at(Place { partition, offset });
    let (from, to) = (key(from), key(i64::MAX));
    let mut found: Vec<Found> = Vec::new();
    for entry in fold.index(&from, &to).take(limit) {
        let (key, value) = entry.map_err(|error| broken(&error))?;
        let offset = key.last_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes));
        let kept: Kept = postcard::from_bytes(&value).map_err(|error| broken(&error))?;
        let order = found.last().map_or(kept.at, |last| last.order.max(kept.at));
        found.push(Found { place: Place { partition, offset }, kept, order });
    }
    Ok(found)
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = %chassis::problem::chain(error), "failed to read an inbox");
    Problem::internal()
}

fn shown(pages: &Pages, kept: Kept) -> Result<Option<Entry>, Problem> {
    let Ok(incident_id) = kept.incident.parse::<IncidentId>() else { return Ok(None) };
    let at = kept.at;
    Ok(Some(match kept.what {
        What::Assignment(assignment) => {
            let state = pages.front.state(&kept.incident)?;
            match assignment_entry(pages, incident_id, &state.state, assignment, at) {
                Some(entry) => Entry::Assignment(Box::new(entry)),
                None => return Ok(None),
            }
        }
        What::Changed(assignment_id, state) => Entry::Changed { incident_id, assignment_id, state, at },
        What::Call { assignment, contact, attempt, acknowledge_by } => {
            Entry::Call { incident_id, assignment_id: assignment, contact, attempt, acknowledge_by, at }
        }
        What::Alert { country, reason, assignment } => {
            Entry::Alert { incident_id, country, reason, assignment_id: assignment, at }
        }
        What::Retraction(retraction_id, reason) => {
            Entry::Retraction { incident_id, retraction_id, reason, at }
        }
        What::OpenedEarly { disclosure, by, country } => {
            Entry::OpenedEarly { incident_id, disclosure_id: disclosure, opened_by: by, country, at }
        }
        What::Erased { erasure, reason, restricted, facets } => {
            Entry::Erased { incident_id, erasure_id: erasure, reason, restricted, facets, at }
        }
        What::Request { request, step, state, role } => {
            Entry::Request { incident_id, request_id: request, step, state, role, at }
        }
        What::Period { request, clock, due, ran_out } => {
            Entry::Period { incident_id, request_id: request, clock, due, ran_out, at }
        }
        What::Child(child_ref, news) => Entry::Child { incident_id, child_ref, news, at },
        What::KeysErased(facets) => Entry::KeysErased { incident_id, facets, at },
    }))
}

fn assignment_entry(
    pages: &Pages,
    incident_id: IncidentId,
    incident: &Incident,
    assignment_id: AssignmentId,
    at: Timestamp,
) -> Option<AssignmentEntry> {
    let registered = incident.registered.as_ref()?;
    let Item { delivered, state } = incident.items.get(&assignment_id)?;
    let directory = pages.reference.snapshot().directory;
    let entitled = incident.entitled_facets(assignment_id, &directory, pages.front.clock().now());
    let is_open =
        |one: &Entitled<'_>| incident.erasures.closed(one.facet.facet_id, &delivered.agency).is_none();
    let entitled = entitled.into_iter().filter(is_open);
    Some(AssignmentEntry {
        incident_id,
        referral_id: registered.referral_id,
        assignment_id,
        country: delivered.country.clone(),
        kind: registered.kind,
        urgency: registered.urgency,
        danger_reason: registered.danger_reason,
        week: registered.week.clone(),
        bases: delivered.bases.clone(),
        state: *state,
        respond_by: delivered.respond_by,
        opens_with_offer: delivered.entitlement.opens_with_offer,
        facets: entitled.map(|one| facet(one.facet)).collect(),
        transfer: delivered.transfer.clone(),
        at,
    })
}

fn facet(facet: &FacetRef) -> FacetEntry {
    FacetEntry { facet_id: facet.facet_id, kind: facet.kind, person_ref: facet.person_ref }
}
