//! What each party may know of a child, and a coordinator from afar.

use schemas::Timestamp;
use schemas::codes::{
    AgeBand, AttributionReason, ChildStatus, Confidence, LinkSide, NotificationPreference, PriorityFactor,
    Remedy,
};
use schemas::directory::Agency;
use schemas::ids::{AgencyId, ChildRef, Country, IncidentId, LinkId, OfferId, PersonRef, SeriesId};
use schemas::victim_id::ChildAddress;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Child, Incident, priority};

/// A child as one party may know of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChildView {
    pub incident_id: IncidentId,
    pub child_ref: ChildRef,
    pub age_band: AgeBand,
    pub status: ChildStatus,
    /// As the referral names it. A support service is not told.
    pub person_ref: Option<PersonRef>,
    pub attribution: Option<AttributionView>,
    pub custody: Option<CustodyView>,
    /// Whether the caller is the custodian.
    pub held_by_us: bool,
    /// For whoever has offered the custody, and for whoever it is offered to.
    pub offer: Option<OfferView>,
    /// For the custodian, and for whoever was asked.
    pub invited: Vec<AgencyId>,
    /// For the custodian.
    pub links: Vec<LinkView>,
    /// The same child in other incidents.
    pub linked: Vec<ChildAddress>,
    /// Where the search goes on: for whoever has ceded it.
    pub ceded_to: Option<ChildAddress>,
    /// For the custodian: the series that it stands in.
    pub series: Vec<SeriesId>,
    /// For the custodian all of them; for a support service itself.
    pub support: Vec<SupportView>,
    /// For the custodian.
    pub remedies: Vec<Remedy>,
    /// For the custodian.
    pub notification: Option<NotificationView>,
    /// For whoever looks for it: what had to be viewed of it already, so that nobody looks twice without need.
    pub viewed: Vec<ViewedView>,
    /// What speaks for looking at it now. A person decides.
    pub factors: Vec<PriorityFactor>,
    /// For the custodian.
    pub history: Vec<HappenedView>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AttributionView {
    pub country: Country,
    pub confidence: Confidence,
    pub reasons: Vec<AttributionReason>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CustodyView {
    pub custodian: AgencyId,
    pub country: Country,
    /// Not for a support service, as all that follows.
    pub since: Option<Timestamp>,
    /// How long the custodian may say nothing, in days: its own word.
    pub limit_days: Option<i32>,
    /// The first moment at which others may be asked to take over.
    pub limit: Option<Timestamp>,
    pub silent: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CustodyOfferView)]
pub struct OfferView {
    pub offer_id: OfferId,
    pub to: AgencyId,
    /// The first moment at which it can be accepted no more.
    pub until: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LinkView {
    pub link_id: LinkId,
    pub other: ChildAddress,
    pub stays: LinkSide,
    /// Whether this side has proposed it; else it awaits this side's answer.
    pub ours: bool,
    pub agreed: bool,
    pub by: AgencyId,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SupportView {
    pub service: AgencyId,
    pub acknowledged: bool,
}

/// What an agency had to view of a child.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ViewedView {
    pub agency: AgencyId,
    pub persons: usize,
    pub items: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NotificationView {
    pub preference: NotificationPreference,
    pub majority: Option<String>,
    /// Whether the survivor has come of age: the preference is the survivor's own from then on.
    pub of_age: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ChildHappened)]
pub struct HappenedView {
    pub what: String,
    pub at: Timestamp,
    pub by: Option<AgencyId>,
}

/// A child as a coordinator sees it: nothing of who it is, and no moment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WatchedChild {
    pub child_ref: ChildRef,
    pub status: ChildStatus,
    /// The custodian's State; none where nobody looks for the child.
    pub custodian: Option<Country>,
    /// Since when somebody looks for it, as an ISO week; or since when nobody does.
    pub week: String,
    /// Whether takers can be invited: nobody looks for it, or the custodian is past its own limit.
    pub left: bool,
    /// Which agencies could be invited.
    pub takers: Vec<AgencyId>,
    pub invited: Vec<AgencyId>,
}

pub fn of(
    incident_id: IncidentId,
    incident: &Incident,
    child_ref: ChildRef,
    agency: &AgencyId,
    now: Timestamp,
) -> ChildView {
    let child = &incident.children[&child_ref];
    let holds = child.is_held_by(agency);
    let works = holds || incident.engaged.contains_key(agency);
    let custody = child.custody.as_ref();
    let offer = child.offer.as_ref().filter(|offer| holds || offer.to == *agency);
    let support = child.support.iter().filter(|(service, _)| holds || *service == agency);
    ChildView {
        incident_id,
        child_ref,
        age_band: child.age_band,
        status: child.status,
        person_ref: child.person_ref.filter(|_| works),
        attribution: child.attribution.as_ref().filter(|_| works).map(|attribution| AttributionView {
            country: attribution.country.clone(),
            confidence: attribution.confidence,
            reasons: attribution.reasons.clone(),
        }),
        custody: custody.map(|custody| CustodyView {
            custodian: custody.custodian.clone(),
            country: custody.country.clone(),
            since: works.then_some(custody.since),
            limit_days: works.then_some(custody.limit_days),
            limit: works.then(|| custody.limit()),
            silent: works && !child.is_settled() && custody.is_silent(now),
        }),
        held_by_us: holds,
        offer: offer.map(|offer| OfferView {
            offer_id: offer.offer_id,
            to: offer.to.clone(),
            until: offer.until,
        }),
        invited: child.invited.iter().filter(|invited| holds || *invited == agency).cloned().collect(),
        links: child.links.iter().filter(|_| holds).map(|(id, link)| link_view(*id, link)).collect(),
        linked: child.linked.iter().filter(|_| holds).copied().collect(),
        ceded_to: child.ceded_to.filter(|_| child.ceded_by.as_ref() == Some(agency)),
        series: child.series.iter().filter(|_| holds).copied().collect(),
        support: support
            .map(|(service, acknowledged)| SupportView {
                service: service.clone(),
                acknowledged: *acknowledged,
            })
            .collect(),
        remedies: child.remedies.iter().filter(|_| holds).copied().collect(),
        notification: child.notification.as_ref().filter(|_| holds).map(|notification| NotificationView {
            preference: notification.preference,
            majority: notification.majority.clone(),
            of_age: notification.of_age,
        }),
        viewed: child.viewed.iter().filter(|_| works).map(viewed_view).collect(),
        factors: if works { priority::factors(incident, child, agency, now) } else { Vec::new() },
        history: child.history.iter().filter(|_| holds).map(happened).collect(),
    }
}

fn viewed_view((agency, viewed): (&AgencyId, &crate::domain::Viewed)) -> ViewedView {
    ViewedView { agency: agency.clone(), persons: viewed.viewers.len(), items: viewed.items }
}

fn link_view(link_id: LinkId, link: &crate::domain::Link) -> LinkView {
    LinkView {
        link_id,
        other: link.other,
        stays: link.stays,
        ours: link.ours,
        agreed: link.agreed,
        by: link.by.clone(),
    }
}

fn happened(taken: &crate::domain::Taken) -> HappenedView {
    HappenedView { what: taken.what.clone(), at: taken.at, by: taken.by.clone() }
}

/// The children of an incident that a coordinator watches over.
pub fn watched(incident: &Incident, coordinator: &Agency, now: Timestamp) -> Vec<WatchedChild> {
    let in_scope = incident.children.iter().filter(|(_, child)| incident.is_watched_by(child, coordinator));
    in_scope.map(|(child_ref, child)| from_afar(incident, coordinator, *child_ref, child, now)).collect()
}

fn from_afar(
    incident: &Incident,
    coordinator: &Agency,
    child_ref: ChildRef,
    child: &Child,
    now: Timestamp,
) -> WatchedChild {
    let custody = child.custody.as_ref();
    let left = child.is_left(now);
    let takers: Vec<AgencyId> = incident.takers_for(child, coordinator).cloned().collect();
    let invited = takers.iter().filter(|agency| child.invited.contains(agency)).cloned().collect();
    WatchedChild {
        child_ref,
        status: child.status,
        custodian: custody.map(|custody| custody.country.clone()),
        week: custody.map_or(child.registered, |custody| custody.since).iso_week(),
        left,
        takers: if left { takers } else { Vec::new() },
        invited,
    }
}
