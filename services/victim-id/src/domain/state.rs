//! What the events of one incident add up to.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;
use schemas::codes::{
    AgeBand, AgencyKind, AttributionReason, ChildStatus, Confidence, LinkSide, NotificationPreference, Remedy,
};
use schemas::ids::{
    AgencyId, AssignmentId, ChildRef, Country, LinkId, OfferId, PersonRef, SeriesId, ViewerId,
};
use schemas::victim_id::{CaseNoted, ChildAddress, ChildRegistered, VictimIdEvent};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub noted: Option<CaseNoted>,
    /// Agencies that have accepted a part in it.
    pub engaged: BTreeMap<AgencyId, Engaged>,
    pub children: BTreeMap<ChildRef, Child>,
    /// Whether its reporter has withdrawn the referral.
    pub withdrawn: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engaged {
    pub country: Country,
    pub kind: AgencyKind,
    pub assignments: BTreeSet<AssignmentId>,
}

/// The search for one child. Children of one incident know nothing of each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    pub person_ref: Option<PersonRef>,
    pub age_band: AgeBand,
    pub registered: Timestamp,
    pub status: ChildStatus,
    pub attribution: Option<Attribution>,
    pub custody: Option<Custody>,
    pub offer: Option<Offer>,
    /// Whom a coordinator has asked to take over.
    pub invited: BTreeSet<AgencyId>,
    /// Proposals that are neither made nor ended.
    pub links: BTreeMap<LinkId, Link>,
    /// The same child in other incidents, for which nobody else looks.
    pub linked: BTreeSet<ChildAddress>,
    /// Where the search for this child goes on; nobody looks for it here.
    pub ceded_to: Option<ChildAddress>,
    /// Who has ceded it.
    pub ceded_by: Option<AgencyId>,
    /// Series that it stands in.
    pub series: BTreeSet<SeriesId>,
    /// Whether there is new material of it that its custodian has not answered yet: abuse may have resumed.
    pub new_material: bool,
    /// How much each agency had to view of it.
    pub viewed: BTreeMap<AgencyId, Viewed>,
    /// Until when somebody should have taken the search up; none once somebody has, or coordinators were told.
    pub awaited_until: Option<Timestamp>,
    /// Support services, and whether they have answered.
    pub support: BTreeMap<AgencyId, bool>,
    pub remedies: BTreeSet<Remedy>,
    pub notification: Option<Notification>,
    pub history: Vec<Taken>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    pub country: Country,
    pub confidence: Confidence,
    pub reasons: Vec<AttributionReason>,
    pub by: AgencyId,
}

/// What one agency had to view of a child.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewed {
    pub viewers: BTreeSet<ViewerId>,
    pub items: i64,
}

/// Who looks for the child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custody {
    pub custodian: AgencyId,
    pub country: Country,
    pub since: Timestamp,
    /// How long it may say nothing: its own word.
    pub limit_days: i32,
    /// When it last did something for the child.
    pub last_sign: Timestamp,
    /// Whether coordinators were told that it has said nothing for so long.
    pub told_silent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub offer_id: OfferId,
    pub to: AgencyId,
    /// The first moment at which it can be accepted no more.
    pub until: Timestamp,
}

/// A proposal that two children are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub other: ChildAddress,
    pub stays: LinkSide,
    /// Whether this side has proposed it.
    pub ours: bool,
    /// Whether this side, which was asked, has agreed.
    pub agreed: bool,
    pub by: AgencyId,
    /// Of one that the other side has proposed: States that must never hear of its incident.
    pub never_told: Vec<Country>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    pub preference: NotificationPreference,
    pub majority: Option<String>,
    pub majority_at: Option<Timestamp>,
    /// Whether the survivor has come of age, and decides.
    pub of_age: bool,
}

/// Something that happened to the search, by its name and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub what: String,
    pub at: Timestamp,
    pub by: Option<AgencyId>,
}

impl Custody {
    /// The first moment at which others may be asked to take over.
    pub fn limit(&self) -> Timestamp {
        self.last_sign.plus_minutes(i64::from(self.limit_days) * MINUTES_A_DAY)
    }

    /// Whether the custodian has said nothing for as long as it has itself set.
    pub fn is_silent(&self, now: Timestamp) -> bool {
        now >= self.limit()
    }
}

const MINUTES_A_DAY: i64 = 24 * 60;
/// So much of what happened to a child is kept to be shown: bounds what an incident weighs.
const KEPT_HISTORY: usize = 500;

impl Child {
    pub fn is_held_by(&self, agency: &AgencyId) -> bool {
        self.custody.as_ref().is_some_and(|custody| custody.custodian == *agency)
    }

    /// Whether others may be asked to take the search over: nobody has it, or its custodian is past its own limit.
    pub fn is_left(&self, now: Timestamp) -> bool {
        let silent = self.custody.as_ref().is_none_or(|custody| custody.is_silent(now));
        self.ceded_to.is_none() && !self.is_settled() && silent
    }

    /// Whether nobody has to be looked for, for now.
    pub const fn is_settled(&self) -> bool {
        self.status.is_settled()
    }
}

/// Takes one event in. Total, and holds no rule.
pub fn evolve(incident: &mut Incident, event: &VictimIdEvent, at: Timestamp) {
    match event {
        VictimIdEvent::CaseNoted(noted) => incident.noted = Some(noted.clone()),
        VictimIdEvent::AgencyEngaged(engaged) => {
            let (country, kind) = (engaged.country.clone(), engaged.kind);
            let part = Engaged { country, kind, assignments: BTreeSet::new() };
            let part = incident.engaged.entry(engaged.agency.clone()).or_insert(part);
            part.assignments.insert(engaged.assignment_id);
        }
        VictimIdEvent::AgencyLeft(left) => {
            if let Some(part) = incident.engaged.get_mut(&left.agency) {
                part.assignments.remove(&left.assignment_id);
            }
            incident.engaged.retain(|_, part| !part.assignments.is_empty());
        }
        VictimIdEvent::ChildRegistered(registered) => {
            incident.children.insert(registered.child_ref, registered_child(registered, at));
        }
        VictimIdEvent::CaseWithdrawn(_) => incident.withdrawn = true,
        _ => {}
    }
    let child = event.child_ref().and_then(|child_ref| incident.children.get_mut(&child_ref));
    if let Some(child) = child {
        evolve_child(child, event, at);
    }
}

fn registered_child(registered: &ChildRegistered, at: Timestamp) -> Child {
    Child {
        person_ref: registered.person_ref,
        age_band: registered.age_band,
        registered: at,
        status: ChildStatus::Unidentified,
        attribution: None,
        custody: None,
        offer: None,
        invited: BTreeSet::new(),
        links: BTreeMap::new(),
        linked: BTreeSet::new(),
        ceded_to: None,
        ceded_by: None,
        series: BTreeSet::new(),
        new_material: false,
        viewed: BTreeMap::new(),
        awaited_until: Some(registered.awaited_until),
        support: BTreeMap::new(),
        remedies: BTreeSet::new(),
        notification: None,
        history: Vec::new(),
    }
}

/// What happened, as a reader of the history wants it.
fn named(event: &VictimIdEvent) -> String {
    let name = schemas::envelope::Body::name(event);
    match event {
        VictimIdEvent::StatusRecorded(recorded) => format!("{name}: {}", recorded.status),
        VictimIdEvent::OfferEnded(ended) => format!("{name}: {}", ended.end),
        VictimIdEvent::CustodyAccepted(accepted) => format!("{name}: {}", accepted.route),
        VictimIdEvent::LinkEnded(ended) => format!("{name}: {}", ended.end),
        _ => name.to_owned(),
    }
}

fn evolve_child(child: &mut Child, event: &VictimIdEvent, at: Timestamp) {
    if matches!(event, VictimIdEvent::AgencyNoticed(_)) {
        return;
    }
    let by = event.by().cloned();
    // What was viewed is counted, and nothing that happened to the search.
    if !matches!(event, VictimIdEvent::ExposureCounted(_)) {
        child.history.push(Taken { what: named(event), at, by: by.clone() });
    }
    // The whole of it stands in the topic.
    if child.history.len() > KEPT_HISTORY {
        child.history.remove(0);
    }
    // Whatever the custodian does for the child is a sign of life.
    if let Some(custody) = child.custody.as_mut().filter(|custody| Some(&custody.custodian) == by.as_ref()) {
        // What was done before may come in after what was done later.
        custody.last_sign = custody.last_sign.max(at);
        custody.told_silent = false;
        child.new_material = false;
    }
    match event {
        VictimIdEvent::CustodyAccepted(accepted) => {
            child.custody = Some(Custody {
                custodian: accepted.by.clone(),
                country: accepted.country.clone(),
                since: at,
                limit_days: accepted.limit_days,
                last_sign: at,
                told_silent: false,
            });
            child.offer = None;
            child.invited.clear();
            child.awaited_until = None;
        }
        VictimIdEvent::NobodyLooks(_) => child.awaited_until = None,
        VictimIdEvent::CustodyOffered(offered) => {
            let (offer_id, to, until) = (offered.offer_id, offered.to.clone(), offered.until);
            child.offer = Some(Offer { offer_id, to, until });
        }
        VictimIdEvent::OfferEnded(_) => child.offer = None,
        VictimIdEvent::CustodianSilent(_) => {
            if let Some(custody) = &mut child.custody {
                custody.told_silent = true;
            }
        }
        VictimIdEvent::TakersInvited(invited) => child.invited.extend(invited.agencies.iter().cloned()),
        VictimIdEvent::InvitationEnded(_) => child.invited.clear(),
        VictimIdEvent::ChildAttributed(attributed) => {
            child.attribution = Some(Attribution {
                country: attributed.country.clone(),
                confidence: attributed.confidence,
                reasons: attributed.reasons.clone(),
                by: attributed.by.clone(),
            });
            if child.status == ChildStatus::Unidentified {
                child.status = ChildStatus::Attributed;
            }
        }
        VictimIdEvent::StatusRecorded(recorded) => child.status = recorded.status,
        VictimIdEvent::SupportReferred(referred) => {
            child.support.insert(referred.service.clone(), false);
        }
        VictimIdEvent::SupportAcknowledged(acknowledged) => {
            child.support.insert(acknowledged.service.clone(), true);
        }
        VictimIdEvent::SupportEnded(ended) => {
            child.support.remove(&ended.service);
        }
        VictimIdEvent::RemediesExplained(explained) => child.remedies.extend(&explained.remedies),
        VictimIdEvent::NotificationSet(set) => {
            // A month that was told stays until another is.
            let before = child.notification.take();
            let of_age = before.as_ref().is_some_and(|before| before.of_age);
            let (majority, majority_at) = match (&set.majority, before) {
                (None, Some(before)) => (before.majority, before.majority_at),
                (majority, _) => (majority.clone(), set.majority_at),
            };
            child.notification =
                Some(Notification { preference: set.preference, majority, majority_at, of_age });
        }
        VictimIdEvent::MajorityReached(_) => {
            if let Some(notification) = &mut child.notification {
                notification.of_age = true;
                // Nobody speaks for the survivor any more.
                if notification.preference == NotificationPreference::ThroughRepresentative {
                    notification.preference = NotificationPreference::NoContact;
                }
            }
        }
        VictimIdEvent::LinkProposed(proposed) => {
            let (other, stays, by) = (proposed.other, proposed.stays, proposed.by.clone());
            child.links.insert(
                proposed.link_id,
                Link { other, stays, ours: true, agreed: false, by, never_told: Vec::new() },
            );
        }
        VictimIdEvent::LinkAsked(asked) => {
            let (other, stays, by) = (asked.other, asked.stays, asked.by.clone());
            let never_told = asked.never_told.clone();
            let link = Link { other, stays, ours: false, agreed: false, by, never_told };
            child.links.insert(asked.link_id, link);
        }
        VictimIdEvent::LinkAgreed(agreed) => {
            if let Some(link) = child.links.get_mut(&agreed.link_id) {
                link.agreed = true;
            }
        }
        VictimIdEvent::LinkEnded(ended) => {
            child.links.remove(&ended.link_id);
        }
        VictimIdEvent::LinkMade(made) => {
            child.links.remove(&made.link_id);
            if made.stays == LinkSide::Here {
                child.linked.insert(made.other);
            } else {
                child.ceded_to = Some(made.other);
                child.status = ChildStatus::DuplicateWork;
            }
        }
        VictimIdEvent::CustodyCeded(ceded) => {
            child.ceded_by = Some(ceded.custodian.clone());
            child.custody = None;
        }
        VictimIdEvent::SeriesJoined(joined) => {
            child.series.insert(joined.series_id);
        }
        VictimIdEvent::SeriesLeft(left) => {
            child.series.remove(&left.series_id);
        }
        VictimIdEvent::NewMaterialNoted(_) => child.new_material = true,
        VictimIdEvent::ExposureCounted(counted) => {
            let viewed = child.viewed.entry(counted.agency.clone()).or_default();
            viewed.viewers.insert(counted.viewer);
            viewed.items += i64::from(counted.items);
        }
        VictimIdEvent::ExposureRecorded(_)
        | VictimIdEvent::ExposureLimitReached(_)
        | VictimIdEvent::SeriesOpened(_)
        | VictimIdEvent::MemberNoted(_)
        | VictimIdEvent::MemberLeft(_)
        | VictimIdEvent::MemberRefused(_)
        | VictimIdEvent::MemberTold(_)
        | VictimIdEvent::AgencyNoticed(_)
        | VictimIdEvent::CustodyConfirmed(_)
        | VictimIdEvent::CaseNoted(_)
        | VictimIdEvent::CaseWithdrawn(_)
        | VictimIdEvent::AgencyEngaged(_)
        | VictimIdEvent::AgencyLeft(_)
        | VictimIdEvent::ChildRegistered(_)
        | VictimIdEvent::CommandRejected(_)
        | VictimIdEvent::CommandFailed(_) => {}
    }
}
