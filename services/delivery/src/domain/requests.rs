//! Requests for legal assistance, as delivery has them: who takes part, which texts there are, and who is told what.

use std::collections::BTreeMap;

use chassis::decider::{Context, Rejection};
use schemas::codes::{AgencyKind, Authorisation, FacetKind, RejectionCode, RequestRole, TransferBasis};
use schemas::delivery::{
    AlertDelivered, DeliveryEvent, FacetAdded, OpenRequest, RequestFacetAdded, RequestPeriodDelivered,
    RequestReaderAdded, RequestReaderRemoved, RequestStepDelivered,
};
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, InstrumentId, RequestId};
use schemas::mla::{CoordinatorAsked, MlaEvent};
use schemas::routing::{FacetRef, Transfer};
use schemas::{InputPosition, Timestamp};
use serde::{Deserialize, Serialize};

use super::Incident;
use super::disclosing::{
    About, Entitled, disclose, must_be_different, must_be_key_of, must_have_room, within_a_side,
};

/// One of mla's events, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct MlaNews {
    pub event: MlaEvent,
    pub at: InputPosition,
    /// Who gave the command that led to it.
    pub by: AgencyId,
}

/// What delivery holds of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub readers: BTreeMap<AgencyId, Reader>,
    /// The request's own text as it was last written.
    pub text: Vec<FacetAdded>,
    /// What its sides have written on their steps.
    pub notes: Vec<FacetAdded>,
    /// Earlier drafts: a side's own, and opened by nobody any more.
    pub superseded: Vec<FacetAdded>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reader {
    pub role: RequestRole,
    pub basis: Option<InstrumentId>,
    pub withheld: bool,
}

/// What follows from one of mla's events: it has happened, so it is only passed on.
pub fn deliver(context: &Context<'_>, incident: &Incident, news: &MlaNews) -> Vec<DeliveryEvent> {
    let Some(request_id) = news.event.request_id() else { return Vec::new() };
    let draft = !matches!(news.event, MlaEvent::StepTaken(_));
    let added = news.event.sealed_facets().into_iter().map(|facet| {
        let facet = FacetRef::of(facet, &news.at);
        RequestFacetAdded { request_id, by: news.by.clone(), facet, draft }.into()
    });
    let told = match &news.event {
        MlaEvent::RequestShared(shared) => vec![
            RequestReaderAdded {
                request_id,
                agency: shared.agency.clone(),
                role: shared.role,
                basis: shared.basis.clone(),
                withheld: shared.withheld,
            }
            .into(),
        ],
        MlaEvent::RequestUnshared(left) => {
            vec![RequestReaderRemoved { request_id, agency: left.agency.clone() }.into()]
        }
        MlaEvent::StepTaken(taken) => readers(incident, request_id)
            .filter(|agency| **agency != taken.by)
            .map(|agency| {
                RequestStepDelivered {
                    agency: agency.clone(),
                    request_id,
                    step: taken.step.code(),
                    state: taken.state,
                    role: taken.role,
                }
                .into()
            })
            .collect(),
        MlaEvent::ClockWarned(warned) => periods(incident, request_id, &warned.clock, warned.due, false),
        MlaEvent::ClockRanOut(out) => periods(incident, request_id, &out.clock, out.due, true),
        MlaEvent::CoordinatorAsked(asked) => alerts(context, incident, asked),
        _ => Vec::new(),
    };
    added.chain(told).collect()
}

fn readers(incident: &Incident, request: RequestId) -> impl Iterator<Item = &AgencyId> {
    incident.requests.get(&request).into_iter().flat_map(|held| held.readers.keys())
}

fn periods(
    incident: &Incident,
    request_id: RequestId,
    clock: &str,
    due: Timestamp,
    ran_out: bool,
) -> Vec<DeliveryEvent> {
    readers(incident, request_id)
        .map(|agency| {
            let (agency, clock) = (agency.clone(), clock.to_owned());
            RequestPeriodDelivered { agency, request_id, clock, due, ran_out }.into()
        })
        .collect()
}

/// Every coordinator in whose scope the State stands that owes it, and that may hear of the incident.
fn alerts(context: &Context<'_>, incident: &Incident, asked: &CoordinatorAsked) -> Vec<DeliveryEvent> {
    let watches = context.directory.agencies(context.now).filter(|agency| {
        agency.kind == AgencyKind::Coordinator
            && agency.scope.contains(&asked.country)
            && !incident.is_never_told(&agency.country)
    });
    watches
        .map(|agency| {
            AlertDelivered {
                agency: agency.id.clone(),
                country: Some(asked.country.clone()),
                reason: asked.reason,
                assignment_id: None,
            }
            .into()
        })
        .collect()
}

/// Discloses the texts of a request to an agency that takes part in it.
pub fn open(
    context: &Context<'_>,
    incident: &Incident,
    command: &OpenRequest,
) -> Result<Vec<DeliveryEvent>, Rejection> {
    let texts = incident.texts(command.request_id, context.agency, context.directory, context.now)?;
    must_be_key_of(context.directory, context.agency, &command.recipient_key_id, context.now)?;
    must_be_different(&command.facets)?;
    must_have_room(incident, context.agency)?;
    must_have_agreed(incident, context.agency, command)?;
    let about = About::Request(command.request_id);
    disclose(context, incident, about, &command.recipient_key_id, texts, &command.facets)
}

/// Whoever asks for a text under conditions is told what to do first.
fn must_have_agreed(incident: &Incident, agency: &AgencyId, command: &OpenRequest) -> Result<(), Rejection> {
    let Some(held) = incident.requests.get(&command.request_id) else { return Ok(()) };
    let closed = held.readers.get(agency).is_some_and(|reader| reader.withheld);
    let asks = |text: &FacetAdded| command.facets.is_empty() || command.facets.contains(&text.facet.facet_id);
    if closed && held.text.iter().any(asks) { Err(RejectionCode::ConditionsNotAgreed.into()) } else { Ok(()) }
}

/// The request itself, between authorities that it binds.
fn by_request(basis: &InstrumentId) -> Transfer {
    Transfer {
        basis: TransferBasis::Agreement,
        rule: None,
        article: format!("request under {basis}; Directive (EU) 2016/680 Article 37(1)(a)"),
        authorisation: Authorisation::Standing,
    }
}

impl Incident {
    /// The texts of a request that an agency may open: those that its part in it lets it read, each with the basis on
    /// which it crosses the border to it.
    pub fn texts(
        &self,
        request: RequestId,
        agency: &AgencyId,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Vec<Entitled<'_>>, Rejection> {
        let held = self.requests.get(&request).ok_or(RejectionCode::UnknownRequest)?;
        let reader = held.readers.get(agency).ok_or(RejectionCode::UnknownRequest)?;
        let own = directory.agency(agency, now).ok_or(RejectionCode::UnknownAgency)?;
        if self.is_never_told(&own.country) {
            return Err(RejectionCode::UnknownRequest.into());
        }
        // What an order's reasons are is between authorities.
        let readable = |facet: &FacetRef| {
            reader.role != RequestRole::Addressee || facet.kind != FacetKind::RequestReasons
        };
        // Conditions are agreed to before what they are for is read.
        let text = held.text.iter().filter(|_| !reader.withheld);
        let texts = text.chain(&held.notes).filter(|added| readable(&added.facet)).filter_map(|added| {
            let author = directory.agency(&added.by, now)?;
            let transfer = match held.basis_between(reader) {
                _ if author.country == own.country => within_a_side(),
                Some(basis) => by_request(basis),
                None => return None,
            };
            Some(Entitled { facet: &added.facet, transfer: Some(transfer) })
        });
        Ok(texts.collect())
    }
}

impl Held {
    /// Every text that was ever brought in.
    pub fn facets(&self) -> impl Iterator<Item = &FacetAdded> {
        self.text.iter().chain(&self.notes).chain(&self.superseded)
    }

    /// The legal basis of the request: the asked side was given it with the request, and its answers go back on it.
    fn basis_between<'a>(&'a self, reader: &'a Reader) -> Option<&'a InstrumentId> {
        reader.basis.as_ref().or_else(|| self.readers.values().find_map(|other| other.basis.as_ref()))
    }
}

pub fn add_facet(requests: &mut BTreeMap<RequestId, Held>, added: &RequestFacetAdded) {
    let facet = FacetAdded { by: added.by.clone(), facet: added.facet.clone() };
    let held = requests.entry(added.request_id).or_default();
    if !added.draft {
        held.notes.push(facet);
        return;
    }
    // Whatever stands in another event is of an earlier draft.
    let (now, before) =
        std::mem::take(&mut held.text).into_iter().partition(|text| text.facet.at == facet.facet.at);
    held.text = now;
    held.superseded.extend::<Vec<_>>(before);
    held.text.push(facet);
}

pub fn add_reader(requests: &mut BTreeMap<RequestId, Held>, added: &RequestReaderAdded) {
    let reader = Reader { role: added.role, basis: added.basis.clone(), withheld: added.withheld };
    requests.entry(added.request_id).or_default().readers.insert(added.agency.clone(), reader);
}
