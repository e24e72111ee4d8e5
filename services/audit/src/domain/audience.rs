//! For whom an event is, by what it says. Each by name: an event that is new must say here who reads it.

use schemas::Event;
use schemas::codes::ActorKind;
use schemas::delivery::DeliveryEvent;
use schemas::envelope::EventBody;
use schemas::ids::{AgencyId, Country};
use schemas::mla::MlaEvent;
use schemas::referral::ReferralEvent;
use schemas::routing::RoutingEvent;
use schemas::topics;
use schemas::victim_id::VictimIdEvent;

/// An event of an incident, of whichever topic.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "read, looked at and dropped: a box would cost each of them more"
)]
pub enum Told {
    Referral(Event<ReferralEvent>),
    Routing(Event<RoutingEvent>),
    Mla(Event<MlaEvent>),
    VictimId(Event<VictimIdEvent>),
    Delivery(Event<DeliveryEvent>),
}

/// Whom an event is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever has given the command that it answers.
    Acting,
    /// Whoever has given it, once there is more that tells it of the incident: a refusal alone tells nobody that there
    /// is one.
    Refused,
    /// An agency that it names. Who caused it is not for that one to know.
    Named(AgencyId),
    /// Parties know that it is there, and no more.
    Nobody,
}

/// How much of an event somebody is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    Frame,
    Body,
    Record,
}

impl Told {
    /// What the event says, by its name.
    pub fn name(&self) -> &'static str {
        use schemas::envelope::Body;
        match self {
            Self::Referral(event) => event.body.name(),
            Self::Routing(event) => event.body.name(),
            Self::Mla(event) => event.body.name(),
            Self::VictimId(event) => event.body.name(),
            Self::Delivery(event) => event.body.name(),
        }
    }

    pub fn audience(&self) -> Audience {
        match self {
            Self::Referral(event) => refused(event).unwrap_or_else(|| of_referral(&event.body)),
            Self::Routing(event) => refused(event).unwrap_or_else(|| of_routing(&event.body)),
            Self::Mla(event) => refused(event).unwrap_or_else(|| of_mla(&event.body)),
            Self::VictimId(event) => refused(event).unwrap_or_else(|| of_victim_id(&event.body)),
            Self::Delivery(event) => refused(event).unwrap_or_else(|| of_delivery(&event.body)),
        }
    }

    /// Who has given the command that it answers, where a person or a machine of an agency has.
    pub fn acting(&self) -> Option<&AgencyId> {
        match self {
            Self::Referral(event) => acting(event),
            Self::Routing(event) => acting(event),
            Self::Mla(event) => acting(event),
            Self::VictimId(event) => acting(event),
            Self::Delivery(event) => acting(event),
        }
    }

    /// How much of it an agency is shown, and whether it tells it that there is an incident.
    pub fn shown_to(&self, agency: &AgencyId) -> (Shown, bool) {
        let acted = self.acting() == Some(agency);
        match self.audience() {
            Audience::Acting if acted => (Shown::Record, true),
            Audience::Refused if acted => (Shown::Record, false),
            Audience::Named(named) if named == *agency && acted => (Shown::Record, true),
            Audience::Named(named) if named == *agency => (Shown::Body, true),
            _ => (Shown::Frame, false),
        }
    }
}

fn acting<B: EventBody>(event: &Event<B>) -> Option<&AgencyId> {
    let commanded = !topics::is_event_topic(&event.input.topic) && event.actor.kind != ActorKind::Service;
    commanded.then_some(&event.agency)
}

fn refused<B: EventBody>(event: &Event<B>) -> Option<Audience> {
    let refused = event.body.as_rejected().is_some() || event.body.as_failed().is_some();
    refused.then_some(Audience::Refused)
}

fn of_referral(event: &ReferralEvent) -> Audience {
    match event {
        ReferralEvent::ReferralReceived(_)
        | ReferralEvent::ReferralAmended(_)
        | ReferralEvent::ReferralWithdrawn(_) => Audience::Acting,
        // The assignment that feedback comes from is not shown to the reporter.
        ReferralEvent::FeedbackGiven(_)
        | ReferralEvent::FeedbackDeferred(_)
        | ReferralEvent::SubmissionsRefused(_)
        | ReferralEvent::CommandRejected(_)
        | ReferralEvent::CommandFailed(_) => Audience::Nobody,
    }
}

fn of_routing(event: &RoutingEvent) -> Audience {
    match event {
        RoutingEvent::AssignmentAccepted(_)
        | RoutingEvent::AssignmentDeclined(_)
        | RoutingEvent::AssignmentForwarded(_)
        | RoutingEvent::AssignmentRevoked(_)
        | RoutingEvent::AssignmentClosed(_)
        | RoutingEvent::AssignmentEscalated(_)
        | RoutingEvent::AssessmentAdded(_)
        | RoutingEvent::AssessmentRetracted(_)
        | RoutingEvent::LeadProposed(_)
        | RoutingEvent::LeadAccepted(_)
        | RoutingEvent::LeadDisputed(_)
        | RoutingEvent::LeadRecorded(_)
        | RoutingEvent::TransfersAuthorised(_)
        | RoutingEvent::FeedbackHeld(_)
        | RoutingEvent::CaseNumberAdded(_)
        | RoutingEvent::RetractionAcknowledged(_) => Audience::Acting,
        RoutingEvent::AssignmentOffered(offer) => Audience::Named(offer.agency.clone()),
        RoutingEvent::IncidentOpened(_)
        | RoutingEvent::IncidentAmended(_)
        | RoutingEvent::IncidentWithdrawn(_)
        | RoutingEvent::JurisdictionsFound(_)
        | RoutingEvent::OfferWithheld(_)
        | RoutingEvent::CoordinatorAlerted(_)
        | RoutingEvent::DutyContactCalled(_)
        | RoutingEvent::AssignmentOverdue(_)
        | RoutingEvent::AssignmentRaised(_)
        | RoutingEvent::RetractionIssued(_)
        | RoutingEvent::CommandRejected(_)
        | RoutingEvent::CommandFailed(_) => Audience::Nobody,
    }
}

fn of_mla(event: &MlaEvent) -> Audience {
    match event {
        MlaEvent::RequestDrafted(_)
        | MlaEvent::RequestAmended(_)
        | MlaEvent::UnitInvolved(_)
        | MlaEvent::RequestShared(_)
        | MlaEvent::RequestUnshared(_)
        | MlaEvent::PeriodAnswered(_)
        | MlaEvent::StepTaken(_) => Audience::Acting,
        // Delivery tells each party what concerns it.
        MlaEvent::IncidentNoted(_)
        | MlaEvent::StateEngaged(_)
        | MlaEvent::ClockStarted(_)
        | MlaEvent::ClockPaused(_)
        | MlaEvent::ClockMoved(_)
        | MlaEvent::ClockEnded(_)
        | MlaEvent::ClockWarned(_)
        | MlaEvent::ClockRanOut(_)
        | MlaEvent::RequestLapsed(_)
        | MlaEvent::CoordinatorAsked(_)
        | MlaEvent::CommandRejected(_)
        | MlaEvent::CommandFailed(_) => Audience::Nobody,
    }
}

fn of_victim_id(event: &VictimIdEvent) -> Audience {
    match event {
        VictimIdEvent::CustodyAccepted(_)
        | VictimIdEvent::CustodyOffered(_)
        | VictimIdEvent::OfferEnded(_)
        | VictimIdEvent::CustodyConfirmed(_)
        | VictimIdEvent::TakersInvited(_)
        | VictimIdEvent::ChildAttributed(_)
        | VictimIdEvent::StatusRecorded(_)
        | VictimIdEvent::SupportReferred(_)
        | VictimIdEvent::SupportAcknowledged(_)
        | VictimIdEvent::SupportEnded(_)
        | VictimIdEvent::RemediesExplained(_)
        | VictimIdEvent::NotificationSet(_)
        | VictimIdEvent::LinkProposed(_)
        | VictimIdEvent::LinkAgreed(_)
        | VictimIdEvent::LinkEnded(_)
        | VictimIdEvent::SeriesOpened(_)
        | VictimIdEvent::SeriesJoined(_)
        | VictimIdEvent::SeriesLeft(_) => Audience::Acting,
        VictimIdEvent::AgencyNoticed(noticed) => Audience::Named(noticed.agency.clone()),
        // Who had to view what is read by the person, and by whoever looks after them.
        VictimIdEvent::ExposureRecorded(_)
        | VictimIdEvent::ExposureLimitReached(_)
        | VictimIdEvent::ExposureCounted(_)
        | VictimIdEvent::CaseNoted(_)
        | VictimIdEvent::AgencyEngaged(_)
        | VictimIdEvent::AgencyLeft(_)
        | VictimIdEvent::ChildRegistered(_)
        | VictimIdEvent::CustodianSilent(_)
        | VictimIdEvent::InvitationEnded(_)
        | VictimIdEvent::MajorityReached(_)
        | VictimIdEvent::LinkAsked(_)
        | VictimIdEvent::LinkMade(_)
        | VictimIdEvent::CustodyCeded(_)
        | VictimIdEvent::CaseWithdrawn(_)
        | VictimIdEvent::NobodyLooks(_)
        | VictimIdEvent::MemberNoted(_)
        | VictimIdEvent::MemberLeft(_)
        | VictimIdEvent::MemberRefused(_)
        | VictimIdEvent::MemberTold(_)
        | VictimIdEvent::NewMaterialNoted(_)
        | VictimIdEvent::CommandRejected(_)
        | VictimIdEvent::CommandFailed(_) => Audience::Nobody,
    }
}

fn of_delivery(event: &DeliveryEvent) -> Audience {
    let named = match event {
        DeliveryEvent::ItemDelivered(event) => &event.agency,
        DeliveryEvent::ItemChanged(event) => &event.agency,
        DeliveryEvent::ItemRaised(event) => &event.agency,
        DeliveryEvent::CallDelivered(event) => &event.agency,
        DeliveryEvent::AlertDelivered(event) => &event.agency,
        DeliveryEvent::FacetsDisclosed(event) => &event.agency,
        DeliveryEvent::AccessReported(event) => &event.agency,
        DeliveryEvent::RetractionDelivered(event) => &event.agency,
        DeliveryEvent::EarlyOpeningDelivered(event) => &event.agency,
        DeliveryEvent::ErasureDelivered(event) => &event.agency,
        DeliveryEvent::FacetsErased(event) => &event.by,
        DeliveryEvent::ErasureRestricted(event) => &event.by,
        DeliveryEvent::KeysErased(event) => &event.by,
        DeliveryEvent::HoldPlaced(event) => &event.agency,
        DeliveryEvent::RequestStepDelivered(event) => &event.agency,
        DeliveryEvent::RequestPeriodDelivered(event) => &event.agency,
        DeliveryEvent::ChildNewsDelivered(event) => &event.agency,
        DeliveryEvent::HandoverClosed(event) => &event.agency,
        DeliveryEvent::MatchJudged(event) => &event.by,
        DeliveryEvent::TrailRead(event) => &event.agency,
        DeliveryEvent::HoldReleased(_) => return Audience::Acting,
        DeliveryEvent::IncidentRegistered(_)
        | DeliveryEvent::IncidentUpdated(_)
        | DeliveryEvent::FacetAdded(_)
        | DeliveryEvent::KeyErasureBegun(_)
        | DeliveryEvent::RequestFacetAdded(_)
        | DeliveryEvent::RequestReaderAdded(_)
        | DeliveryEvent::RequestReaderRemoved(_)
        | DeliveryEvent::HandoverAdded(_)
        | DeliveryEvent::CustodianNoted(_)
        | DeliveryEvent::PicturesCompared(_)
        | DeliveryEvent::CommandRejected(_)
        | DeliveryEvent::CommandFailed(_) => return Audience::Nobody,
    };
    Audience::Named(named.clone())
}

/// What decides whether a coordinator watches an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Where it was reported, and whose authorities have jurisdiction.
    pub countries: Vec<Country>,
    pub never_told: Vec<Country>,
}

impl Scope {
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Told>) -> Self {
        let mut scope = Self::default();
        for told in events {
            let Told::Routing(event) = told else { continue };
            match &event.body {
                RoutingEvent::IncidentOpened(opened) => {
                    scope.countries.push(opened.reporter_country.clone());
                    scope.never_told.clone_from(&opened.handling.never_told);
                }
                RoutingEvent::IncidentAmended(amended) => {
                    scope.never_told.extend(amended.handling.never_told.iter().cloned());
                }
                RoutingEvent::JurisdictionsFound(found) => {
                    scope.countries.extend(found.countries.iter().map(|found| found.country.clone()));
                }
                _ => {}
            }
        }
        scope
    }
}
