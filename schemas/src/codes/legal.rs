//! The code lists of legal assistance: instruments, legal periods, and the steps of a request.

use super::{List, UnknownCode};

code_lists! {
    /// How a row of legal data was confirmed. It travels with the row.
    VerificationMark = "verification-mark" {
        Read = "V",
        ReadQualified = "V-qualified",
        Secondary = "S",
        NotVerified = "NV",
        Declared = "declared",
    }

    /// What an instrument of international cooperation is.
    InstrumentKind = "instrument-kind" {
        Convention = "convention",
        UnionLaw = "union-law",
        Agreement = "agreement",
        Reciprocity = "reciprocity",
        Scheme = "scheme",
    }

    /// Whether an instrument is in force.
    Force = "force" {
        InForce = "in-force",
        NotInForce = "not-in-force",
        Unknown = "unknown",
        NotBinding = "not-binding",
    }

    /// Whether a list of parties names all of them.
    Completeness = "completeness" {
        Complete = "complete",
        Partial = "partial",
    }

    /// What one State asks of another, or of a provider.
    Measure = "measure" {
        Preservation = "preservation",
        SubscriberData = "subscriber-data",
        TrafficData = "traffic-data",
        ContentData = "content-data",
        SearchAndSeizure = "search-and-seizure",
        Hearing = "hearing",
        ServiceOfDocuments = "service-of-documents",
        IdentificationOfAPerson = "identification-of-a-person",
        RemovalOrBlocking = "removal-or-blocking",
        JointTeam = "joint-team",
        SpontaneousInformation = "spontaneous-information",
    }

    /// What a request has to hold, as its legal basis demands. The text itself is sealed.
    ContentElement = "content-element" {
        Authority = "authority",
        Validation = "validation",
        Addressee = "addressee",
        Proceedings = "proceedings",
        Facts = "facts",
        Assistance = "assistance",
        PersonOrIdentifier = "person-or-identifier",
        Purpose = "purpose",
        DataAndLink = "data-and-link",
        Necessity = "necessity",
        IntentToRequest = "intent-to-request",
        ApplicableLaw = "applicable-law",
        DataCategory = "data-category",
        TimeRange = "time-range",
        EmergencyReasons = "emergency-reasons",
    }

    /// What a legal period is to whoever owes it.
    ClockKind = "clock-kind" {
        Min = "min",
        Max = "max",
        Exact = "exact",
        Target = "target",
    }

    /// In what a legal period is counted.
    ClockUnit = "clock-unit" {
        Hours = "hours",
        CalendarDays = "calendar-days",
        WorkingDays = "working-days",
        Weeks = "weeks",
        Months = "months",
        Years = "years",
    }

    /// By which rules a legal period is counted.
    Counting = "counting" {
        Union = "union",
        Plain = "plain",
    }

    /// When a clock of an instrument runs at all.
    ClockCondition = "clock-condition" {
        Emergency = "emergency",
        NotEmergency = "not-emergency",
        Notified = "notified",
        NotNotified = "not-notified",
        NotValidated = "not-validated",
        Preservation = "preservation",
        NotPreservation = "not-preservation",
    }

    /// What follows when a legal period has run out.
    ClockConsequence = "clock-consequence" {
        Overdue = "overdue",
        FloorReached = "floor-reached",
        Ceases = "ceases",
        Release = "release",
        Lapses = "lapses",
        Consult = "consult",
    }

    /// Why a legal period has ended.
    ClockEnd = "clock-end" {
        Met = "met",
        Late = "late",
        Lapsed = "lapsed",
        Superseded = "superseded",
        Withdrawn = "withdrawn",
    }

    /// What a request is.
    RequestKind = "request-kind" {
        Assistance = "assistance",
        ProductionOrder = "production-order",
        PreservationOrder = "preservation-order",
    }

    /// Who somebody is in a request.
    RequestRole = "request-role" {
        Requesting = "requesting",
        Requested = "requested",
        Addressee = "addressee",
    }

    /// How a request stands.
    RequestState = "request-state" {
        Draft = "draft",
        Validated = "validated",
        Transmitted = "transmitted",
        Received = "received",
        ReturnedDeficient = "returned-deficient",
        Forwarded = "forwarded",
        Acknowledged = "acknowledged",
        AdditionalInfoRequested = "additional-info-requested",
        Accepted = "accepted",
        AcceptedWithConditions = "accepted-with-conditions",
        Postponed = "postponed",
        Refused = "refused",
        InExecution = "in-execution",
        MeasureSubstituted = "measure-substituted",
        Delayed = "delayed",
        Executed = "executed",
        PartiallyExecuted = "partially-executed",
        TransferSuspended = "transfer-suspended",
        EvidenceTransmitted = "evidence-transmitted",
        Closed = "closed",
        Withdrawn = "withdrawn",
        NotExecuted = "not-executed",
        InEnforcement = "in-enforcement",
        Lapsed = "lapsed",
    }

    /// What is done in a request.
    RequestStep = "request-step" {
        Validation = "validation",
        Transmission = "transmission",
        WrittenConfirmation = "written-confirmation",
        Receipt = "receipt",
        ReturnDeficient = "return-deficient",
        Forwarding = "forwarding",
        Acknowledgement = "acknowledgement",
        InformationRequest = "information-request",
        Information = "information",
        Consultation = "consultation",
        ConsultationConclusion = "consultation-conclusion",
        Acceptance = "acceptance",
        ConditionsAgreement = "conditions-agreement",
        Postponement = "postponement",
        Resumption = "resumption",
        Refusal = "refusal",
        Execution = "execution",
        Substitution = "substitution",
        Delay = "delay",
        Preserved = "preserved",
        HolderEnd = "holder-end",
        Outcome = "outcome",
        TransferSuspension = "transfer-suspension",
        TransferResumption = "transfer-resumption",
        EvidenceTransmission = "evidence-transmission",
        EvidenceReceipt = "evidence-receipt",
        Costs = "costs",
        Document = "document",
        Closure = "closure",
        Withdrawal = "withdrawal",
        Notification = "notification",
        NotificationReceipt = "notification-receipt",
        NoGroundConfirmation = "no-ground-confirmation",
        ClarificationRequest = "clarification-request",
        Clarification = "clarification",
        Objection = "objection",
        ObjectionReview = "objection-review",
        NonExecution = "non-execution",
        ExPostValidation = "ex-post-validation",
        Extension = "extension",
        ProductionConfirmation = "production-confirmation",
        EnforcementRequest = "enforcement-request",
        Recognition = "recognition",
        ConditionsOnUse = "conditions-on-use",
        Deletion = "deletion",
        LegalRemedy = "legal-remedy",
        RelatedCase = "related-case",
    }

    /// By which way a request or evidence goes.
    Channel = "channel" {
        CentralAuthorities = "central-authorities",
        JudicialAuthorities = "judicial-authorities",
        Interpol = "interpol",
        ContactPoint = "contact-point",
        DecentralisedItSystem = "decentralised-it-system",
        ProviderDirect = "provider-direct",
        Diplomatic = "diplomatic",
    }

    /// Who has validated a request or order.
    Validator = "validator" {
        Judge = "judge",
        Court = "court",
        InvestigatingJudge = "investigating-judge",
        PublicProsecutor = "public-prosecutor",
    }

    /// On what a request is refused.
    RefusalGround = "refusal-ground" {
        PoliticalOffence = "political-offence",
        EssentialInterests = "essential-interests",
        NotInConformity = "not-in-conformity",
        ProhibitedByDomesticLaw = "prohibited-by-domestic-law",
        ContraryToLegalSystem = "contrary-to-legal-system",
        DualCriminality = "dual-criminality",
        ImmunityOrPrivilege = "immunity-or-privilege",
        NationalSecurity = "national-security",
        ProcedureNotCovered = "procedure-not-covered",
        NeBisInIdem = "ne-bis-in-idem",
        Extraterritorial = "extraterritorial",
        FundamentalRights = "fundamental-rights",
        MeasureThreshold = "measure-threshold",
    }

    /// On what a request is postponed.
    PostponementGround = "postponement-ground" {
        OwnProceedings = "own-proceedings",
        EvidenceInUse = "evidence-in-use",
    }

    /// Whether the sides have to consult before a refusal or postponement.
    ConsultationDuty = "consultation-duty" {
        Mandatory = "mandatory",
        WhereAppropriate = "where-appropriate",
    }

    /// About what the sides consult.
    ConsultationSubject = "consultation-subject" {
        Refusal = "refusal",
        Postponement = "postponement",
        Timing = "timing",
        Proportionality = "proportionality",
        Costs = "costs",
        Conditions = "conditions",
    }

    /// Under what a request is accepted. Accepted conditions bind the requesting side.
    ConditionCode = "condition" {
        UseLimitation = "use-limitation",
        Confidentiality = "confidentiality",
        AccountOfUse = "account-of-use",
        ReturnOfEvidence = "return-of-evidence",
        DataProtection = "data-protection",
        Other = "other",
    }

    /// Why something takes longer.
    DelayReason = "delay-reason" {
        CourtDecisionPending = "court-decision-pending",
        ProviderHasNotAnswered = "provider-has-not-answered",
        Complexity = "complexity",
        Capacity = "capacity",
        TranslationPending = "translation-pending",
        PersonNotFound = "person-not-found",
        Other = "other",
    }

    /// Why a request is withdrawn.
    WithdrawalReason = "withdrawal-reason" {
        NoLongerRequired = "no-longer-required",
        ObtainedOtherwise = "obtained-otherwise",
        ConditionsNotAcceptable = "conditions-not-acceptable",
        ConfidentialityNotPossible = "confidentiality-not-possible",
        NotValidated = "not-validated",
        SentInError = "sent-in-error",
    }

    /// Why something is needed by a date.
    NeededByReason = "needed-by-reason" {
        DataLoss = "data-loss",
        Detention = "detention",
        HearingDate = "hearing-date",
        LimitationPeriod = "limitation-period",
        RiskToAChild = "risk-to-a-child",
    }

    /// Whether a request stands in a language that the other side accepts.
    TranslationState = "translation-state" {
        NotNeeded = "not-needed",
        Pending = "pending",
        Attached = "attached",
    }

    /// Why a provider does not comply with an order (Annex III).
    NonExecutionReason = "non-execution-reason" {
        Incomplete = "incomplete",
        Impossible = "impossible",
        DataNotHeld = "data-not-held",
        ImmunityOrPrivilege = "immunity-or-privilege",
        ThirdCountryLaw = "third-country-law",
    }

    /// Who has sought a legal remedy.
    RemedyApplicant = "remedy-applicant" {
        SuspectOrAccused = "suspect-or-accused",
        OtherPerson = "other-person",
        Provider = "provider",
    }

    /// What a case is that belongs to a request and is conducted elsewhere.
    RelatedProceedings = "related-proceedings" {
        Extradition = "extradition",
        ArrestWarrant = "arrest-warrant",
        TransferOfProceedings = "transfer-of-proceedings",
        Investigation = "investigation",
    }

    /// What came of comparing a digest.
    DigestCheck = "digest-check" {
        Matches = "matches",
        Differs = "differs",
    }

    /// What can be done so that preserved data are not lost.
    PreservationAdvice = "preservation-advice" {
        AskHolderEnd = "ask-holder-end",
        MakeRequest = "make-request",
        TransmitRequest = "transmit-request",
        Extend = "extend",
    }

    /// The form in which a request stands on paper.
    PaperForm = "paper-form" {
        EioAnnexA = "eio-annex-a",
        EpocAnnexI = "epoc-annex-i",
        Budapest29 = "budapest-29",
    }

    /// Why something stands on the list of the day.
    DueReason = "due-reason" {
        LegalPeriod = "legal-period",
        Overdue = "overdue",
        Preservation = "preservation",
        Receipt = "receipt",
        Decision = "decision",
        NeededBy = "needed-by",
        WrittenConfirmation = "written-confirmation",
        Information = "information",
        Conditions = "conditions",
        EvidenceReceipt = "evidence-receipt",
        Returned = "returned",
        Validation = "validation",
        Outcome = "outcome",
        Evidence = "evidence",
        Closure = "closure",
        Deletion = "deletion",
    }

    /// What a row on the scope of an instrument says of a kind of incident.
    ScopeEffect = "scope-effect" {
        Covers = "covers",
        Excludes = "excludes",
        Depends = "depends",
    }

    /// Whether an instrument may be a legal basis.
    BasisAnswer = "basis-answer" {
        Applies = "applies",
        DoesNotApply = "does-not-apply",
        Unknown = "unknown",
        SwitchedOff = "switched-off",
    }

    /// Why an instrument is, or is not, a legal basis.
    BasisReason = "basis-reason" {
        BothBound = "both-bound",
        InForce = "in-force",
        NotInForce = "not-in-force",
        ForceUnknown = "force-unknown",
        NotBinding = "not-binding",
        NotAParty = "not-a-party",
        NotYetAParty = "not-yet-a-party",
        NoLongerAParty = "no-longer-a-party",
        PartyUnknown = "party-unknown",
        DateUnknown = "date-unknown",
        MeasureCovered = "measure-covered",
        MeasureNotCovered = "measure-not-covered",
        OutsideScope = "outside-scope",
        ScopeDepends = "scope-depends",
        NotVerified = "not-verified",
        Reservation = "reservation",
        ReservationUnknown = "reservation-unknown",
        SameState = "same-state",
    }

    /// What a coordinator says of a legal period that has run out, or will.
    PeriodAnswer = "period-answer" {
        SidesReminded = "sides-reminded",
        SidesInContact = "sides-in-contact",
        LaterDateAgreed = "later-date-agreed",
        OtherWayTaken = "other-way-taken",
        NothingMoreHere = "nothing-more-here",
    }
}
