//! Children that somebody looks for, as delivery has them: who the custodian is, what goes with the child, who is told.

use std::collections::BTreeMap;

use chassis::decider::{Context, Rejection};
use schemas::codes::{AgencyKind, AlertReason, RejectionCode};
use schemas::delivery::{
    AlertDelivered, ChildNewsDelivered, CustodianNoted, DeliveryEvent, FacetAdded, HandoverAdded,
    HandoverClosed, OpenHandover,
};
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, ChildRef, Country};
use schemas::routing::FacetRef;
use schemas::victim_id::VictimIdEvent;
use schemas::{InputPosition, Timestamp};
use serde::{Deserialize, Serialize};

use super::disclosing::{
    About, Entitled, disclose, must_be_different, must_be_key_of, must_have_room, within_a_side,
};
use super::{Incident, crosses};

/// One of victim-id's events, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildNews {
    pub event: VictimIdEvent,
    pub at: InputPosition,
    /// Who gave the command that led to it.
    pub by: AgencyId,
}

/// What delivery holds of a child.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    pub custodian: Option<AgencyId>,
    pub handovers: Vec<Handover>,
}

/// What goes with a child, and to whom it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handover {
    pub added: FacetAdded,
    pub to: Option<AgencyId>,
}

/// What follows from one of victim-id's events: it has happened, so it is only passed on.
pub fn deliver(context: &Context<'_>, incident: &Incident, news: &ChildNews) -> Vec<DeliveryEvent> {
    let Some(child_ref) = news.event.child_ref() else { return Vec::new() };
    let to = match &news.event {
        VictimIdEvent::CustodyOffered(offered) => Some(&offered.to),
        VictimIdEvent::SupportReferred(referred) => Some(&referred.service),
        _ => None,
    };
    let added = news.event.sealed_facet().map(|facet| {
        let facet = FacetRef::of(facet, &news.at);
        HandoverAdded { child_ref, by: news.by.clone(), facet, to: to.cloned() }.into()
    });
    let passed_on = match &news.event {
        VictimIdEvent::CustodyAccepted(accepted) => {
            vec![CustodianNoted { child_ref, agency: Some(accepted.by.clone()) }.into()]
        }
        VictimIdEvent::CustodyCeded(_) => vec![CustodianNoted { child_ref, agency: None }.into()],
        VictimIdEvent::AgencyNoticed(noticed) => {
            let (agency, news) = (noticed.agency.clone(), noticed.news);
            vec![ChildNewsDelivered { agency, child_ref, news }.into()]
        }
        VictimIdEvent::OfferEnded(ended) => {
            vec![HandoverClosed { child_ref, agency: ended.to.clone() }.into()]
        }
        VictimIdEvent::SupportEnded(ended) => {
            vec![HandoverClosed { child_ref, agency: ended.service.clone() }.into()]
        }
        VictimIdEvent::CustodianSilent(silent) => {
            alerts(context, incident, AlertReason::CustodianSilent, std::slice::from_ref(&silent.country))
        }
        VictimIdEvent::NobodyLooks(nobody) => {
            alerts(context, incident, AlertReason::NobodyLooks, &nobody.countries)
        }
        _ => Vec::new(),
    };
    added.into_iter().chain(passed_on).collect()
}

/// Every coordinator in whose scope one of the States stands, and that may hear of the incident.
fn alerts(
    context: &Context<'_>,
    incident: &Incident,
    reason: AlertReason,
    countries: &[Country],
) -> Vec<DeliveryEvent> {
    let coordinators = context
        .directory
        .agencies(context.now)
        .filter(|agency| agency.kind == AgencyKind::Coordinator && !incident.is_never_told(&agency.country));
    let alerted = coordinators.filter_map(|agency| {
        let country = countries.iter().find(|country| agency.scope.contains(country))?.clone();
        let (agency, country) = (agency.id.clone(), Some(country));
        Some(AlertDelivered { agency, country, reason, assignment_id: None }.into())
    });
    alerted.collect()
}

/// Discloses what goes with a child: to its author, to whom it was given, and to whoever is custodian now.
pub fn open(
    context: &Context<'_>,
    incident: &Incident,
    command: &OpenHandover,
) -> Result<Vec<DeliveryEvent>, Rejection> {
    let handovers = incident.handovers(command.child_ref, context.agency, context.directory, context.now)?;
    must_be_key_of(context.directory, context.agency, &command.recipient_key_id, context.now)?;
    must_be_different(&command.facets)?;
    must_have_room(incident, context.agency)?;
    let about = About::Child(command.child_ref);
    disclose(context, incident, about, &command.recipient_key_id, handovers, &command.facets)
}

impl Incident {
    /// What of a child an agency may open, each with the basis on which it crosses the border to it.
    pub fn handovers(
        &self,
        child: ChildRef,
        agency: &AgencyId,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Vec<Entitled<'_>>, Rejection> {
        let unknown = RejectionCode::UnknownChild;
        let (registered, followed) =
            self.registered.as_ref().zip(self.children.get(&child)).ok_or(unknown)?;
        let own = directory.agency(agency, now).ok_or(RejectionCode::UnknownAgency)?;
        if self.is_never_told(&own.country) {
            return Err(unknown.into());
        }
        let holds = followed.custodian.as_ref() == Some(agency);
        let may = |handover: &&Handover| {
            holds || handover.added.by == *agency || handover.to.as_ref() == Some(agency)
        };
        let entitled = followed.handovers.iter().filter(may).filter_map(|handover| {
            let author = directory.agency(&handover.added.by, now)?;
            let transfer = if author.country == own.country {
                within_a_side()
            } else {
                crosses(registered, &handover.added.by, &own.country, directory, now)?
            };
            Some(Entitled { facet: &handover.added.facet, transfer: Some(transfer) })
        });
        let entitled: Vec<Entitled<'_>> = entitled.collect();
        if entitled.is_empty() && !holds { Err(unknown.into()) } else { Ok(entitled) }
    }
}

impl Followed {
    pub fn facets(&self) -> impl Iterator<Item = &FacetAdded> {
        self.handovers.iter().map(|handover| &handover.added)
    }
}

/// An offer is over: what went with it is closed to whom it was made.
pub fn close(children: &mut BTreeMap<ChildRef, Followed>, closed: &HandoverClosed) {
    let given = children.get_mut(&closed.child_ref).into_iter().flat_map(|child| &mut child.handovers);
    for handover in given.filter(|handover| handover.to.as_ref() == Some(&closed.agency)) {
        handover.to = None;
    }
}

pub fn add(children: &mut BTreeMap<ChildRef, Followed>, added: &HandoverAdded) {
    let facet = FacetAdded { by: added.by.clone(), facet: added.facet.clone() };
    children
        .entry(added.child_ref)
        .or_default()
        .handovers
        .push(Handover { added: facet, to: added.to.clone() });
}
