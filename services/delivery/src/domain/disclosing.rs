//! What is disclosed of what an agency is entitled to, whichever way it came to it.

use std::collections::BTreeSet;

use chassis::decider::{Context, Rejection};
use schemas::Timestamp;
use schemas::codes::{Authorisation, FacetKind, RejectionCode, TransferBasis};
use schemas::delivery::{DeliveryEvent, FacetDisclosed, FacetsDisclosed, IncidentRegistered};
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, ChildRef, DisclosureId, FacetId, KeyId, RequestId};
use schemas::routing::{FacetRef, Transfer};

use super::Incident;

/// Most disclosures of one incident to one agency: bounds what an incident weighs, far above what people open.
const MAX_DISCLOSURES: usize = 1_000;

/// A facet that may be opened, and on what it crosses where another party than the reporter added it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entitled<'a> {
    pub facet: &'a FacetRef,
    pub transfer: Option<Transfer>,
}

/// What parties hand each other beside the referral.
#[derive(Clone, Copy, Debug)]
pub enum About {
    Request(RequestId),
    Child(ChildRef),
}

/// The disclosure that a command leads to: sending the command again finds the same.
pub fn disclosure_id(incident: &str, cause: &str) -> DisclosureId {
    DisclosureId::derive(&[incident.as_bytes(), cause.as_bytes()])
}

/// Discloses texts of a request, or what goes with a child: each says on what it crosses, and what holds for all of
/// them is that the reader takes part.
pub fn disclose(
    context: &Context<'_>,
    incident: &Incident,
    about: About,
    key: &KeyId,
    entitled: Vec<Entitled<'_>>,
    facets: &[FacetId],
) -> Result<Vec<DeliveryEvent>, Rejection> {
    let registered = incident.registered.as_ref().ok_or(RejectionCode::UnknownIncident)?;
    let asked = select(incident, context.agency, entitled, facets)?;
    let transfer = asked.iter().find_map(|entitled| entitled.transfer.clone());
    let (request_id, child_ref) = match about {
        About::Request(request) => (Some(request), None),
        About::Child(child) => (None, Some(child)),
    };
    let disclosed = FacetsDisclosed {
        disclosure_id: disclosure_id(context.aggregate_id, context.cause),
        assignment_id: None,
        request_id,
        child_ref,
        agency: context.agency.clone(),
        recipient_key_id: key.clone(),
        transfer: transfer.unwrap_or_else(within_a_side),
        facets: asked.into_iter().map(|entitled| disclosed(registered, entitled)).collect(),
        with_offer: false,
    };
    Ok(vec![disclosed.into()])
}

pub fn within_a_side() -> Transfer {
    Transfer {
        basis: TransferBasis::Domestic,
        rule: None,
        article: "no border is crossed".to_owned(),
        authorisation: Authorisation::Standing,
    }
}

pub fn must_be_key_of(
    directory: &Directory,
    agency: &AgencyId,
    key: &KeyId,
    now: Timestamp,
) -> Result<(), Rejection> {
    let unknown = || Rejection::at(RejectionCode::UnknownKey, "/recipient_key_id");
    directory.key(agency, key, now).ok_or_else(unknown)?;
    Ok(())
}

pub fn must_have_room(incident: &Incident, agency: &AgencyId) -> Result<(), Rejection> {
    let earlier = incident.disclosures.values().filter(|one| one.agency == *agency).count();
    if earlier < MAX_DISCLOSURES { Ok(()) } else { Err(RejectionCode::TooMany.into()) }
}

/// Named twice, a facet would stand twice in the record.
pub fn must_be_different(facets: &[FacetId]) -> Result<(), Rejection> {
    let different: BTreeSet<&FacetId> = facets.iter().collect();
    let all = different.len() == facets.len();
    if all { Ok(()) } else { Err(Rejection::at(RejectionCode::Invalid, "/facets")) }
}

/// What is entitled to and was erased is told from what never was.
pub fn select<'a>(
    incident: &Incident,
    agency: &AgencyId,
    entitled: Vec<Entitled<'a>>,
    asked: &[FacetId],
) -> Result<Vec<Entitled<'a>>, Rejection> {
    let closed = |one: &Entitled<'_>| incident.erasures.closed(one.facet.facet_id, agency);
    if asked.is_empty() {
        let refused = entitled.iter().find_map(closed).unwrap_or(RejectionCode::NotEntitled);
        let open: Vec<Entitled<'a>> = entitled.into_iter().filter(|one| closed(one).is_none()).collect();
        return if open.is_empty() { Err(refused.into()) } else { Ok(open) };
    }
    let find = |id: &FacetId| {
        let found = entitled.iter().find(|one| one.facet.facet_id == *id);
        let found = found.ok_or(RejectionCode::NotEntitled)?;
        closed(found).map_or_else(|| Ok(found.clone()), |code| Err(code.into()))
    };
    asked.iter().map(find).collect()
}

pub fn disclosed(
    registered: &IncidentRegistered,
    Entitled { facet, transfer }: Entitled<'_>,
) -> FacetDisclosed {
    // Who receives a child need not know whom of the referral it is.
    let person_ref = facet.person_ref.filter(|_| facet.kind != FacetKind::Handover);
    let person = registered.people.iter().find(|person| Some(person.person_ref) == person_ref);
    FacetDisclosed {
        facet_id: facet.facet_id,
        kind: facet.kind,
        person_ref,
        person_category: person.map(|person| person.category),
        key_set_id: facet.key_set_id,
        at: facet.at.clone(),
        transfer,
    }
}
