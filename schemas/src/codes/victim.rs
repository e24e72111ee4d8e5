//! The code lists of victim identification: custody of the search, and what a child is owed.

use super::{List, UnknownCode};

code_lists! {
    /// How the search for a child stands.
    ChildStatus = "child-status" {
        Unidentified = "unidentified",
        Attributed = "attributed",
        Tentative = "tentative",
        Identified = "identified",
        Safeguarded = "safeguarded",
        AlreadyIdentified = "already-identified",
        DuplicateWork = "duplicate-work",
        Cold = "cold",
        Adult = "adult",
        FalsePositive = "false-positive",
    }

    /// Why a child is thought to be in a country.
    AttributionReason = "attribution-reason" {
        SpokenLanguage = "spoken-language",
        WrittenText = "written-text",
        PlaceRecognised = "place-recognised",
        ObjectRecognised = "object-recognised",
        ClothingOrUniform = "clothing-or-uniform",
        AccountOrAddress = "account-or-address",
        DeviceData = "device-data",
        Statement = "statement",
        LinkedCase = "linked-case",
        Other = "other",
    }

    /// Why a search rests.
    ColdReason = "cold-reason" {
        LeadsExhausted = "leads-exhausted",
        AwaitingMaterial = "awaiting-material",
        LegalObstacle = "legal-obstacle",
    }

    /// How custody of a search came to its custodian.
    CustodyRoute = "custody-route" {
        First = "first",
        HandedOn = "handed-on",
        TakenOver = "taken-over",
    }

    /// Why an offer of custody led to nothing.
    OfferEnd = "offer-end" {
        Declined = "declined",
        Withdrawn = "withdrawn",
        Expired = "expired",
        Superseded = "superseded",
    }

    /// Why custody is not accepted.
    HandoverDeclineReason = "handover-decline-reason" {
        NoCapacity = "no-capacity",
        NotInJurisdiction = "not-in-jurisdiction",
        AlreadyHeld = "already-held",
        ConflictOfInterest = "conflict-of-interest",
        Other = "other",
    }

    /// What a survivor is entitled to.
    Remedy = "remedy" {
        Compensation = "compensation",
        LegalAid = "legal-aid",
        Counselling = "counselling",
        RemovalOfMaterial = "removal-of-material",
        ProtectionMeasures = "protection-measures",
        Participation = "participation",
        NonRepetition = "non-repetition",
    }

    /// Whether a survivor hears of further material.
    NotificationPreference = "notification-preference" {
        NoContact = "no-contact",
        ThroughRepresentative = "through-representative",
        Survivor = "survivor",
    }

    /// On which side of a link the search goes on.
    LinkSide = "link-side" {
        Here = "here",
        There = "there",
    }

    /// What one incident of a link tells the other.
    LinkSaid = "link-said" {
        Asked = "asked",
        Agreed = "agreed",
        Made = "made",
        Ended = "ended",
    }

    /// Why a proposed link led to nothing.
    LinkEnd = "link-end" {
        Declined = "declined",
        Withdrawn = "withdrawn",
        Superseded = "superseded",
        OtherSide = "other-side",
    }

    /// What an agency is told of a child.
    ChildNews = "child-news" {
        CustodyOffered = "custody-offered",
        OfferEnded = "offer-ended",
        CustodyPassed = "custody-passed",
        CustodianSilent = "custodian-silent",
        TakersInvited = "takers-invited",
        InvitationEnded = "invitation-ended",
        SupportReferred = "support-referred",
        SupportAcknowledged = "support-acknowledged",
        LinkAsked = "link-asked",
        LinkEnded = "link-ended",
        LinkMade = "link-made",
        MajorityReached = "majority-reached",
        SeriesGrew = "series-grew",
        SeriesIdentified = "series-identified",
        NewMaterial = "new-material",
        SeriesUnknown = "series-unknown",
        SupportEnded = "support-ended",
    }

    /// What an incident tells a series of one of its children.
    MemberSaid = "member-said" {
        Joined = "joined",
        Changed = "changed",
        Left = "left",
    }

    /// What a series tells the incident of one of its children.
    SeriesSaid = "series-said" {
        Unknown = "unknown",
        Grew = "grew",
        Identified = "identified",
    }

    /// What a person says of an item that looks like a known one.
    MatchVerdict = "match-verdict" {
        Confirmed = "confirmed",
        Disputed = "disputed",
    }

    /// What an agency that has seen the material says of an entry of a digest set.
    EntryVote = "entry-vote" {
        Agreed = "agreed",
        Disputed = "disputed",
    }

    /// Why a child stands where it does in the queue of a unit. A person decides.
    PriorityFactor = "priority-factor" {
        ImminentDanger = "imminent-danger",
        NobodyLooks = "nobody-looks",
        CustodianSilent = "custodian-silent",
        LiveStreamed = "live-streamed",
        Unidentified = "unidentified",
        YoungChild = "young-child",
        OfferedToUs = "offered-to-us",
        NewMaterial = "new-material",
    }
}

impl ChildStatus {
    /// Whether nobody has to be looked for, for now.
    pub const fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Safeguarded
                | Self::AlreadyIdentified
                | Self::DuplicateWork
                | Self::Adult
                | Self::FalsePositive
        )
    }
}

impl LinkSide {
    /// The same, as the other side says it.
    pub const fn seen_from_there(self) -> Self {
        match self {
            Self::Here => Self::There,
            Self::There => Self::Here,
        }
    }
}
