//! A directory of the tables' own: agencies of seven countries and one policy. Japan has no agency.

use schemas::codes::*;
use schemas::directory::{Agency, AssignmentRule, DutyContact, DutyHours, Entry, Policy, TransferRule};

use crate::world::{agency, countries, country};

pub fn entries() -> Vec<Entry> {
    use AgencyKind::*;
    let table = [
        ("nl-hotline", "NL", Hotline),
        ("us-provider", "US", Provider),
        ("de-police", "DE", PoliceUnit),
        ("de-central", "DE", CentralAuthority),
        ("fr-police", "FR", PoliceUnit),
        ("fr-victim-id", "FR", VictimIdentificationUnit),
        ("nl-police", "NL", PoliceUnit),
        ("br-police", "BR", PoliceUnit),
        ("us-police", "US", PoliceUnit),
        ("ph-police", "PH", PoliceUnit),
        ("ke-police", "KE", PoliceUnit),
        ("un-coordinator", "CH", Coordinator),
    ];
    let agencies =
        table.map(|(id, code, kind)| Entry { agency: Some(plain(id, code, kind)), ..Entry::default() });
    agencies.into_iter().chain([Entry { policy: Some(policy()), ..Entry::default() }]).collect()
}

fn plain(id: &str, code: &str, kind: AgencyKind) -> Agency {
    let watched: &[&str] =
        if kind == AgencyKind::Coordinator { &["BR", "DE", "FR", "JP", "KE", "NL", "PH", "US"] } else { &[] };
    Agency {
        id: agency(id),
        name: format!("Example {id}"),
        country: country(code),
        kind,
        incident_kinds: Vec::new(),
        round_the_clock: ["br-police", "ph-police"].contains(&id),
        issuer: format!("https://id.{}.example", code.to_lowercase()),
        subject: id.to_owned(),
        keys: Vec::new(),
        signing_keys: Vec::new(),
        duty_contacts: contacts(id),
        scope: countries(watched),
        wellbeing: None,
    }
}

fn contacts(id: &str) -> Vec<DutyContact> {
    let weekdays = (1..=5).map(|day| hours(day, 480, 1_080)).collect();
    let nights = (1..=7).map(|day| hours(day, 0, 480)).collect();
    match id {
        "de-police" => vec![
            contact("office", "Europe/Berlin", weekdays),
            contact("night desk", "Europe/Berlin", nights),
            contact("duty officer", "Europe/Berlin", Vec::new()),
        ],
        "fr-police" => vec![contact("permanence", "Europe/Paris", Vec::new())],
        "nl-police" => vec![contact("meldkamer", "Europe/Amsterdam", Vec::new())],
        "br-police" => vec![contact("plantao", "America/Sao_Paulo", Vec::new())],
        "us-police" => vec![contact("watch floor", "America/New_York", Vec::new())],
        "ph-police" => vec![contact("operations center", "Asia/Manila", Vec::new())],
        "ke-police" => vec![contact("desk", "Africa/Nairobi", Vec::new())],
        _ => Vec::new(),
    }
}

pub fn contact(name: &str, time_zone: &str, hours: Vec<DutyHours>) -> DutyContact {
    let (name, time_zone) = (name.to_owned(), time_zone.to_owned());
    DutyContact { name, time_zone, hours, languages: Vec::new(), phone: None, webhook: None }
}

fn hours(weekday: i32, from_minute: i32, to_minute: i32) -> DutyHours {
    DutyHours { weekday, from_minute, to_minute }
}

fn policy() -> Policy {
    use PersonCategory::*;
    let rule = |id: &str, agency_kind, facets, persons, respond_within_minutes| AssignmentRule {
        id: id.to_owned(),
        roles: Vec::new(),
        kinds: Vec::new(),
        urgencies: Vec::new(),
        agency_kind,
        facets,
        persons,
        respond_within_minutes,
    };
    let police = AgencyKind::PoliceUnit;
    let victim_unit = AgencyKind::VictimIdentificationUnit;
    let digests = vec![FacetKind::Person, FacetKind::PerceptualDigests];
    let mut all_but_answers = FacetKind::ALL.to_vec();
    let added = [
        FacetKind::AnswerText,
        FacetKind::CaseNumber,
        FacetKind::RequestText,
        FacetKind::RequestReasons,
        FacetKind::Handover,
    ];
    all_but_answers.retain(|kind| !added.contains(kind));
    let everybody_concerned = vec![Victim, Suspect, Undetermined];
    let in_need = || vec![Victim, Undetermined];
    Policy {
        name: "default".to_owned(),
        version: 1,
        acknowledge_within_minutes: 15,
        rules: vec![
            // No signal has this role here: it only says what may be forwarded to a central authority.
            AssignmentRule {
                roles: vec![SignalRole::Payee],
                ..rule(
                    "forwarded-to-central",
                    AgencyKind::CentralAuthority,
                    all_but_answers.clone(),
                    everybody_concerned.clone(),
                    4_320,
                )
            },
            rule("police-investigates", police, all_but_answers, everybody_concerned, 4_320),
            AssignmentRule {
                urgencies: vec![Urgency::ImminentDanger],
                ..rule("police-imminent-danger", police, vec![FacetKind::Person], in_need(), 240)
            },
            AssignmentRule {
                roles: vec![SignalRole::Victim],
                ..rule("victim-identification", victim_unit, digests, in_need(), 10_080)
            },
        ],
        transfers: transfers(),
    }
}

fn transfers() -> Vec<TransferRule> {
    use TransferBasis::*;
    let rule = |id: &str, from: &[&str], to: &[&str], basis, article: &str| TransferRule {
        id: id.to_owned(),
        from: countries(from),
        to: countries(to),
        basis,
        article: article.to_owned(),
    };
    let union = ["DE", "FR", "NL"];
    let partners = ["BR", "DE", "FR", "NL", "PH"];
    let overseas = ["BR", "JP", "KE", "PH", "US"];
    let of_directive = |articles| format!("Directive (EU) 2016/680 {articles}");
    vec![
        rule("within-the-union", &union, &union, IntraUnion, &of_directive("Article 9(3) and (4)")),
        rule("union-to-safeguards", &union, &overseas, Safeguards, &of_directive("Article 37")),
        rule("united-states-to-partners", &["US"], &partners, Agreement, "police agreement, example"),
    ]
}
