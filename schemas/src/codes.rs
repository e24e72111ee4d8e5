//! The code lists: every word that a rule may turn on, as a type.
//!
//! A list grows at its end; a code is never reused or removed, since topics are kept for good.

mod legal;
mod victim;

pub use legal::*;
pub use victim::*;

/// A code that its list does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a code of the list {list} (GET /v1/code-lists/{list} shows them)")]
pub struct UnknownCode {
    list: &'static str,
}

/// A code of any list.
pub trait Code: Copy {
    const LIST: &'static str;

    fn code(self) -> &'static str;
}

impl<C: Code> Code for &C {
    const LIST: &'static str = C::LIST;

    fn code(self) -> &'static str {
        (*self).code()
    }
}

/// A code list as data.
#[derive(Clone, Copy, Debug)]
pub struct List {
    pub name: &'static str,
    pub codes: &'static [&'static str],
    /// JSON: an array of [`Entry`].
    pub data: &'static str,
}

/// One code with what people read of it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CodeListEntry)]
pub struct Entry {
    pub code: String,
    /// English label, in the terms of the Luxembourg Guidelines where they have one.
    pub label: String,
    pub definition: String,
    /// Where the code or its meaning comes from.
    pub source: String,
    /// Labels in ar, es, fr, ru and zh: the official term where there is one, and else as the pages say it.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub labels: std::collections::BTreeMap<String, String>,
}

/// Every list.
pub const LISTS: &[List] =
    &joined::<{ OWN_LISTS.len() + legal::OWN_LISTS.len() + victim::OWN_LISTS.len() }>(&[
        OWN_LISTS,
        legal::OWN_LISTS,
        victim::OWN_LISTS,
    ]);

const fn joined<const COUNT: usize>(parts: &[&[List]]) -> [List; COUNT] {
    let mut all = [parts[0][0]; COUNT];
    let (mut part, mut within, mut number) = (0, 0, 0);
    while number < COUNT {
        if within == parts[part].len() {
            (part, within) = (part + 1, 0);
        }
        all[number] = parts[part][within];
        (within, number) = (within + 1, number + 1);
    }
    all
}

impl List {
    pub fn named(name: &str) -> Option<&'static List> {
        LISTS.iter().find(|list| list.name == name)
    }

    /// What people read of a code, in English where the language has no label; the code itself where nobody knows it.
    pub fn label(&self, code: &str, language: &str) -> String {
        let entry = self.entries().into_iter().find(|entry| entry.code == code);
        let label = entry.map(|mut entry| entry.labels.remove(language).unwrap_or(entry.label));
        label.unwrap_or_else(|| code.to_owned())
    }

    pub fn entries(&self) -> Vec<Entry> {
        serde_json::from_str(self.data).expect("a test parses the data of every list")
    }
}

code_lists! {
    /// Who did something: a person, a person's program, or a service of this system.
    ActorKind = "actor-kind" {
        Human = "human",
        Machine = "machine",
        Service = "service",
    }

    /// What an agency is.
    AgencyKind = "agency-kind" {
        Hotline = "hotline",
        Helpline = "helpline",
        Provider = "provider",
        PoliceUnit = "police-unit",
        CentralAuthority = "central-authority",
        VictimIdentificationUnit = "victim-identification-unit",
        SupportService = "support-service",
        FinancialIntelligenceUnit = "financial-intelligence-unit",
        Coordinator = "coordinator",
    }

    /// What an incident is about.
    IncidentKind = "incident-kind" {
        Csam = "csam",
        TraffickingForSexualExploitation = "trafficking-for-sexual-exploitation",
        ExploitationInTravelAndTourism = "exploitation-in-travel-and-tourism",
        ChildSexualAbuse = "child-sexual-abuse",
        MisleadingDomainName = "misleading-domain-name",
        MisleadingWordsOrImages = "misleading-words-or-images",
        OnlineSolicitation = "online-solicitation",
        UnsolicitedObsceneMaterial = "unsolicited-obscene-material",
        Other = "other",
    }

    /// How fast somebody must act.
    Urgency = "urgency" {
        Routine = "routine",
        Priority = "priority",
        ImminentDanger = "imminent-danger",
    }

    /// Why an incident is an imminent danger.
    DangerReason = "danger-reason" {
        ThreatToLife = "threat-to-life",
        OngoingAbuse = "ongoing-abuse",
        PlannedMeeting = "planned-meeting",
        SelfHarm = "self-harm",
        MissingChild = "missing-child",
        LiveStreamInProgress = "live-stream-in-progress",
        ReporterEscalation = "reporter-escalation",
    }

    /// What else is known of an incident or an item.
    Annotation = "annotation" {
        Sextortion = "sextortion",
        CsamSolicitation = "csam-solicitation",
        MinorToMinor = "minor-to-minor",
        Spam = "spam",
        SadisticOnlineExploitation = "sadistic-online-exploitation",
        SelfGenerated = "self-generated",
        LiveStreamed = "live-streamed",
        AiGenerated = "ai-generated",
        Trafficking = "trafficking",
        TravellingOffender = "travelling-offender",
        Grooming = "grooming",
        Viral = "viral",
        PaymentInvolved = "payment-involved",
        DrawingOrAnimation = "drawing-or-animation",
        PhysicalHarm = "physical-harm",
        Violence = "violence",
        Bestiality = "bestiality",
        Infant = "infant",
        PotentialMeme = "potential-meme",
    }

    /// What a content item is.
    MediaKind = "media-kind" {
        Image = "image",
        Video = "video",
        LiveStream = "live-stream",
        Audio = "audio",
        Text = "text",
        Page = "page",
        Other = "other",
    }

    /// How a digest was made.
    DigestAlgorithm = "digest-algorithm" {
        Md5 = "md5",
        Sha1 = "sha-1",
        Sha256 = "sha-256",
        Sha512 = "sha-512",
        Pdq = "pdq",
        PhotoDna = "photodna",
        TmkPdqf = "tmk-pdqf",
    }

    /// By which scheme an item was classified.
    ClassificationScheme = "classification-scheme" {
        Industry = "industry",
        Inhope = "inhope",
        Iwf = "iwf",
        National = "national",
        LawfulSameSeries = "lawful-same-series",
    }

    /// What a person is to an incident (Directive (EU) 2016/680 Article 6).
    PersonCategory = "person-category" {
        Victim = "victim",
        Suspect = "suspect",
        WitnessOrReporter = "witness-or-reporter",
        Undetermined = "undetermined",
    }

    /// A person's age, as coarse as it stands in clear.
    AgeBand = "age-band" {
        UnderThirteen = "0-12",
        Teenager = "13-17",
        Adult = "adult",
        Unknown = "unknown",
    }

    /// Whose link to a country a signal is.
    SignalRole = "signal-role" {
        Victim = "victim",
        Offender = "offender",
        Provider = "provider",
        Hosting = "hosting",
        Payer = "payer",
        Payee = "payee",
    }

    /// How the link to a country is known.
    SignalSource = "signal-source" {
        Ip = "ip",
        Phone = "phone",
        DeclaredResidence = "declared-residence",
        Nationality = "nationality",
        CountryCodeDomain = "country-code-domain",
        ProviderEstablishment = "provider-establishment",
        LanguageHint = "language-hint",
        DeclaredHosting = "declared-hosting",
    }

    /// How sure a signal is.
    Confidence = "confidence" {
        Low = "low",
        Medium = "medium",
        High = "high",
    }

    /// On what a State's jurisdiction rests.
    JurisdictionBasis = "jurisdiction-basis" {
        Territory = "territory",
        OffenderNationality = "offender-nationality",
        OffenderResidence = "offender-residence",
        VictimNationality = "victim-nationality",
        VictimResidence = "victim-residence",
        ProviderEstablishment = "provider-establishment",
        Hosting = "hosting",
    }

    /// On what the transfer of personal data to an agency rests.
    TransferBasis = "transfer-basis" {
        Domestic = "domestic",
        IntraUnion = "intra-union",
        Adequacy = "adequacy",
        Safeguards = "safeguards",
        Agreement = "agreement",
        VitalInterests = "vital-interests",
    }

    /// How the originator allowed a transfer.
    Authorisation = "authorisation" {
        Standing = "standing",
        PerCase = "per-case",
        ImminentDanger = "imminent-danger",
    }

    /// What the originator decided on transfers when it filed the referral.
    TransferPolicy = "transfer-policy" {
        Standing = "standing",
        PerCase = "per-case",
    }

    /// What a sealed facet holds.
    FacetKind = "facet-kind" {
        Person = "person",
        Narrative = "narrative",
        ContentLocations = "content-locations",
        Report = "report",
        PerceptualDigests = "perceptual-digests",
        AnswerText = "answer-text",
        CaseNumber = "case-number",
        RequestText = "request-text",
        RequestReasons = "request-reasons",
        Handover = "handover",
    }

    /// Why an agency declines an assignment.
    DeclineReason = "decline-reason" {
        NotInJurisdiction = "not-in-jurisdiction",
        NoOffenceHere = "no-offence-here",
        AlreadyKnown = "already-known",
        InsufficientInformation = "insufficient-information",
        Duplicate = "duplicate",
        NoCapacity = "no-capacity",
        HandledElsewhere = "handled-elsewhere",
    }

    /// Why an assignment is taken back.
    RevokeReason = "revoke-reason" {
        FalsePositive = "false-positive",
        WithdrawnByReporter = "withdrawn-by-reporter",
        WrongJurisdiction = "wrong-jurisdiction",
        Superseded = "superseded",
        LegalObjection = "legal-objection",
    }

    /// Why a person is asked to look beside the agency whose assignment it is.
    EscalationReason = "escalation-reason" {
        Unanswered = "unanswered",
        NeedsCoordination = "needs-coordination",
        ConflictOfJurisdiction = "conflict-of-jurisdiction",
        NoCapacity = "no-capacity",
        RiskIncreased = "risk-increased",
    }

    /// Why something that was said is taken back.
    RetractionReason = "retraction-reason" {
        FalsePositive = "false-positive",
        Duplicate = "duplicate",
        SentInError = "sent-in-error",
        LegalObjection = "legal-objection",
        AssessedAnew = "assessed-anew",
    }

    /// Why data keys are erased.
    ErasureReason = "erasure-reason" {
        RetentionExpired = "retention-expired",
        Unlawful = "unlawful",
        LegalObligation = "legal-obligation",
        DataSubject = "data-subject",
        SentInError = "sent-in-error",
    }

    /// Why facets are kept that would be erased otherwise.
    HoldReason = "hold-reason" {
        Evidence = "evidence",
        AccuracyDisputed = "accuracy-disputed",
    }

    /// What came of an assignment.
    CloseOutcome = "close-outcome" {
        VictimSafeguarded = "victim-safeguarded",
        SuspectIdentified = "suspect-identified",
        InvestigationOpened = "investigation-opened",
        NoFurtherAction = "no-further-action",
        Transferred = "transferred",
        FalsePositive = "false-positive",
    }

    /// Why an agency was not offered what its role would have given it.
    WithheldReason = "withheld-reason" {
        NeverTold = "never-told",
        NoTransferBasis = "no-transfer-basis",
        NotAuthorised = "not-authorised",
        NoAgency = "no-agency",
    }

    /// Why a coordinator is told.
    AlertReason = "alert-reason" {
        CountryWithoutAgency = "country-without-agency",
        OfferWithheld = "offer-withheld",
        NobodyAnswered = "nobody-answered",
        NoCountryFound = "no-country-found",
        LeadDisputed = "lead-disputed",
        Escalated = "escalated",
        NobodyAccepted = "nobody-accepted",
        LegalPeriodRanOut = "legal-period-ran-out",
        PreservationAtRisk = "preservation-at-risk",
        CustodianSilent = "custodian-silent",
        NobodyLooks = "nobody-looks",
    }

    /// What an assessment says.
    AssessmentKind = "assessment-kind" {
        Kind = "kind",
        Urgency = "urgency",
        Classification = "classification",
        AgeRange = "age-range",
        Adult = "adult",
        Fictional = "fictional",
        AiGenerated = "ai-generated",
        FalsePositive = "false-positive",
    }

    /// On what an assessment rests.
    AssessmentReason = "assessment-reason" {
        ViewedMaterial = "viewed-material",
        KnownMaterial = "known-material",
        InvestigationFinding = "investigation-finding",
        RegistryCheck = "registry-check",
        ExpertOpinion = "expert-opinion",
        ReporterCorrection = "reporter-correction",
    }

    /// What speaks for a State as the lead (Eurojust guidelines on deciding which jurisdiction should prosecute).
    LeadFactor = "lead-factor" {
        MajorityOfCriminality = "majority-of-criminality",
        SuspectLocation = "suspect-location",
        SuspectNationality = "suspect-nationality",
        VictimInterests = "victim-interests",
        Evidence = "evidence",
        Delay = "delay",
    }

    /// The Traffic Light Protocol, version 2.0.
    Tlp = "tlp" {
        Red = "TLP:RED",
        AmberStrict = "TLP:AMBER+STRICT",
        Amber = "TLP:AMBER",
        Green = "TLP:GREEN",
        Clear = "TLP:CLEAR",
    }

    /// Europol handling codes; a set, since they combine.
    HandlingCode = "handling-code" {
        H0 = "H0",
        H1 = "H1",
        H2 = "H2",
        H3 = "H3",
    }

    /// For what the referral may be used.
    Purpose = "purpose" {
        CriminalInvestigation = "criminal-investigation",
        ChildProtection = "child-protection",
        PreventionOfThreat = "prevention-of-threat",
    }

    /// How far a referral has come, as its reporter is told.
    FeedbackStage = "feedback-stage" {
        Received = "received",
        Routed = "routed",
        Accepted = "accepted",
        Actionable = "actionable",
        NotActionable = "not-actionable",
        Closed = "closed",
    }

    /// What a change of the directory would do to an agency.
    PreviewEffect = "preview-effect" {
        Asked = "asked",
        NotAsked = "not-asked",
        OpensMore = "opens-more",
        OpensLess = "opens-less",
        AnswersSooner = "answers-sooner",
        AnswersLater = "answers-later",
    }

    /// How an assignment stands.
    AssignmentState = "assignment-state" {
        Offered = "offered",
        Accepted = "accepted",
        Declined = "declined",
        Forwarded = "forwarded",
        Revoked = "revoked",
        Overdue = "overdue",
        Closed = "closed",
        Escalated = "escalated",
    }

    /// In which form a referral was filed.
    ReferralForm = "referral-form" {
        Json = "json",
        CyberTipline = "cybertipline",
    }

    /// What a keyed selector was made from.
    SelectorKind = "selector-kind" {
        Account = "account",
        Email = "email",
        Phone = "phone",
        Ip = "ip",
        Payment = "payment",
        Url = "url",
        File = "file",
    }

    /// Why a submission met the no-content gate or was otherwise refused.
    RefusalReason = "refusal-reason" {
        Malformed = "malformed",
        UnknownField = "unknown-field",
        EmbeddedContent = "embedded-content",
        Attachment = "attachment",
        FieldTooLong = "field-too-long",
        InvalidValue = "invalid-value",
        TooLarge = "too-large",
        RateLimited = "rate-limited",
    }

    /// Why a command was rejected.
    RejectionCode = "rejection" {
        UnknownIncident = "unknown-incident",
        UnknownAssignment = "unknown-assignment",
        NotEntitled = "not-entitled",
        NotYourAssignment = "not-your-assignment",
        WrongState = "wrong-state",
        NeedsAPerson = "needs-a-person",
        UnknownAgency = "unknown-agency",
        UnknownFacet = "unknown-facet",
        UnknownKey = "unknown-key",
        ReferenceConflict = "reference-conflict",
        KeyReused = "key-reused",
        NeedsSecondPerson = "needs-second-person",
        NeedsOtherIssuer = "needs-other-issuer",
        OtherStateConcerned = "other-state-concerned",
        CoordinatorCannotWiden = "coordinator-cannot-widen",
        UnknownProposal = "unknown-proposal",
        NotEmpty = "not-empty",
        TransferNotAllowed = "transfer-not-allowed",
        Invalid = "invalid",
        Erased = "erased",
        UnknownRetraction = "unknown-retraction",
        UnknownAssessment = "unknown-assessment",
        Withdrawn = "withdrawn",
        TooMany = "too-many",
        Restricted = "restricted",
        UnknownHold = "unknown-hold",
        UnknownRequest = "unknown-request",
        Incomplete = "incomplete",
        NoLegalBasis = "no-legal-basis",
        ConsultationNeeded = "consultation-needed",
        GroundNotAvailable = "ground-not-available",
        NotYourStep = "not-your-step",
        AlreadyExtended = "already-extended",
        PeriodOver = "period-over",
        ConditionsNotAgreed = "conditions-not-agreed",
        UnknownChild = "unknown-child",
        UnknownOffer = "unknown-offer",
        UnknownLink = "unknown-link",
        NotCustodian = "not-custodian",
        CustodyHeld = "custody-held",
        OfferOpen = "offer-open",
        NotSilent = "not-silent",
        Linked = "linked",
        LinkOpen = "link-open",
        UnknownSeries = "unknown-series",
        UnknownEntry = "unknown-entry",
        UnknownMatch = "unknown-match",
        Unchanged = "unchanged",
        NobodyOnDuty = "nobody-on-duty",
    }
}

impl AssignmentState {
    /// Offered and not answered by a person yet, late or not.
    pub const fn awaits_answer(self) -> bool {
        matches!(self, Self::Offered | Self::Overdue | Self::Escalated)
    }

    /// Awaits an answer, or is being worked on.
    pub const fn is_open(self) -> bool {
        self.awaits_answer() || matches!(self, Self::Accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_types_name_the_same_codes() {
        for list in LISTS {
            let entries: Vec<Entry> =
                serde_json::from_str(list.data).unwrap_or_else(|error| panic!("{}: {error}", list.name));
            let codes: Vec<&str> = entries.iter().map(|entry| entry.code.as_str()).collect();
            assert_eq!(codes, list.codes, "{}", list.name);
            for entry in &entries {
                let complete =
                    [&entry.label, &entry.definition, &entry.source].iter().all(|text| !text.is_empty());
                assert!(complete, "{}: {} lacks a label, a definition or a source", list.name, entry.code);
                let languages = ["ar", "es", "fr", "ru", "zh"];
                assert!(entry.labels.keys().all(|language| languages.contains(&language.as_str())));
            }
        }
    }
}
