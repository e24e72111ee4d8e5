//! The topics: who writes them, how they are keyed, and how long they are kept.
//!
//! From this one table come `causeway topics`, the AsyncAPI document and the rights of each service.

use crate::ids::Country;

/// One topic of the deployment, or one family of topics.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// Without the deployment's prefix.
    pub name: &'static str,
    /// What the record's key is.
    pub key: &'static str,
    pub partitions: Partitions,
    pub kept: Kept,
    /// The services, or people by way of a service, that write it.
    pub written_by: &'static [&'static str],
    /// The services that read it.
    pub read_by: &'static [&'static str],
    pub holds: &'static str,
}

/// How many partitions a topic has. A count is fixed for the life of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitions {
    /// Total order over the whole topic.
    One,
    /// The deployment's count: the same for all topics keyed by incident, so that they are co-partitioned.
    PerIncident,
}

/// How long records stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The record itself: never cut.
    ForGood,
    /// Never cut by time; records below the committed offset are deleted by hand or by an operator's job.
    UntilAnswered,
    /// One value per key; a tombstone erases.
    Compacted,
}

pub const TOPICS: &[Topic] = &[
    Topic {
        name: "directory.commands",
        key: "directory entry",
        partitions: Partitions::One,
        kept: Kept::UntilAnswered,
        written_by: &["directory"],
        read_by: &["directory"],
        holds: "what operators and agencies ask of the directory",
    },
    Topic {
        name: "directory.events",
        key: "directory entry",
        partitions: Partitions::One,
        kept: Kept::ForGood,
        written_by: &["directory"],
        read_by: &[
            "directory",
            "intake",
            "routing",
            "mla",
            "victim-id",
            "digest-sets",
            "delivery",
            "audit",
            "dashboard",
        ],
        holds: "agencies, keys, policies and legal data, with their whole history",
    },
    Topic {
        name: "referral.commands",
        key: "incident",
        partitions: Partitions::PerIncident,
        kept: Kept::UntilAnswered,
        written_by: &["intake"],
        read_by: &["intake"],
        holds: "referrals as submitted, sealed",
    },
    Topic {
        name: "referral.events",
        key: "incident",
        partitions: Partitions::PerIncident,
        kept: Kept::ForGood,
        written_by: &["intake"],
        read_by: &["intake", "routing", "delivery", "audit"],
        holds: "referrals received and refused, and the reporter's feedback",
    },
    Topic {
        name: "routing.commands",
        key: "incident",
        partitions: Partitions::PerIncident,
        kept: Kept::UntilAnswered,
        written_by: &["routing"],
        read_by: &["routing"],
        holds: "what agencies answer, and clocks that have run out",
    },
    Topic {
        name: "routing.events",
        key: "incident",
        partitions: Partitions::PerIncident,
        kept: Kept::ForGood,
        written_by: &["routing"],
        read_by: &["routing", "intake", "mla", "victim-id", "delivery", "audit", "dashboard"],
        holds: "jurisdictions, assignments, answers, the lead",
    },
    Topic {
        name: "mla.commands",
        key: "incident",
        partitions: Partitions::PerIncident,
        kept: Kept::UntilAnswered,
        written_by: &["mla"],
        read_by: &["mla"],
        holds: "what authorities do with requests and orders, and legal periods that are due",
    },
    Topic {
        name: "mla.events",
        key: "incident",
        partitions: Partitions::PerIncident,
        kept: Kept::ForGood,
        written_by: &["mla"],
        read_by: &["mla", "delivery", "audit", "dashboard"],
        holds: "requests for legal assistance, orders to providers, and their legal periods",
    },
    Topic {
        name: "victim-id.commands",
        key: "incident, series or viewer",
        partitions: Partitions::PerIncident,
        kept: Kept::UntilAnswered,
        written_by: &["victim-id"],
        read_by: &["victim-id"],
        holds: "what agencies do for a child, clocks that ran out, and what incidents, series and the ledger tell",
    },
    Topic {
        name: "victim-id.events",
        key: "incident, series or viewer",
        partitions: Partitions::PerIncident,
        kept: Kept::ForGood,
        written_by: &["victim-id"],
        read_by: &["victim-id", "delivery", "audit", "dashboard"],
        holds: "custody of the search for each child, what it is owed, series, and who had to view how much",
    },
    Topic {
        name: "digest-sets.commands",
        key: "entry of a set",
        partitions: Partitions::PerIncident,
        kept: Kept::UntilAnswered,
        written_by: &["digest-sets"],
        read_by: &["digest-sets"],
        holds: "digests that agencies publish, take back, agree with and dispute",
    },
    Topic {
        name: "digest-sets.events",
        key: "entry of a set",
        partitions: Partitions::PerIncident,
        kept: Kept::ForGood,
        written_by: &["digest-sets"],
        read_by: &["digest-sets", "intake", "delivery", "audit"],
        holds: "digests of known material, with who has published each and who agrees or disputes",
    },
    Topic {
        name: "delivery.commands",
        key: "incident",
        partitions: Partitions::PerIncident,
        kept: Kept::UntilAnswered,
        written_by: &["delivery", "audit"],
        read_by: &["delivery"],
        holds: "requests to open facets, reports of access, and readings of trails",
    },
    Topic {
        name: "delivery.events",
        key: "incident",
        partitions: Partitions::PerIncident,
        kept: Kept::ForGood,
        written_by: &["delivery"],
        read_by: &["delivery", "audit", "dashboard"],
        holds: "what was put before whom, disclosed to whom, and opened",
    },
    Topic {
        name: "audit.log",
        key: "nothing",
        partitions: Partitions::One,
        kept: Kept::ForGood,
        written_by: &["audit"],
        read_by: &["audit"],
        holds: "every event's place in one log, as a commitment that tells nobody what happened",
    },
    Topic {
        name: "audit.checkpoints",
        key: "nothing",
        partitions: Partitions::One,
        kept: Kept::ForGood,
        written_by: &["audit"],
        read_by: &["audit"],
        holds: "the signed heads of the log",
    },
    Topic {
        name: "sealed-keys",
        key: "key set",
        partitions: Partitions::PerIncident,
        kept: Kept::Compacted,
        written_by: &["intake", "routing", "mla", "victim-id", "delivery"],
        read_by: &["delivery"],
        holds: "wrapped data keys, the only place where they stand",
    },
];

/// Notices of one country; one topic each, created when the directory first names the country.
pub const JURISDICTION: Topic = Topic {
    name: "jurisdiction",
    key: "incident",
    partitions: Partitions::One,
    kept: Kept::ForGood,
    written_by: &["delivery"],
    read_by: &[],
    holds: "the notices that every agency of one country may see",
};

/// Records set aside; one topic per topic that a service reads as input.
pub const DEAD_LETTER: Topic = Topic {
    name: "dead-letter",
    key: "what its source is keyed by",
    partitions: Partitions::One,
    kept: Kept::ForGood,
    written_by: &["directory", "intake", "routing", "mla", "victim-id", "digest-sets", "delivery"],
    read_by: &[],
    holds: "records that could not be decoded or decided, with the reason",
};

/// The topics that services take records from, to answer them, and so may set records aside from; with those services.
pub const INPUTS: &[(&str, &[&str])] = &[
    ("directory.commands", &["directory"]),
    ("referral.commands", &["intake"]),
    ("routing.commands", &["routing"]),
    ("mla.commands", &["mla"]),
    ("victim-id.commands", &["victim-id"]),
    ("digest-sets.commands", &["digest-sets"]),
    ("delivery.commands", &["delivery"]),
    ("referral.events", &["routing"]),
    ("routing.events", &["intake", "mla", "victim-id", "delivery"]),
    ("mla.events", &["delivery"]),
    ("victim-id.events", &["delivery"]),
];

/// Whose progress a service asks Kafka for, and what was set aside by whom: services that it waits for before it takes
/// something away.
pub const WATCHES: &[(&str, &[&str])] = &[("delivery", &["intake", "routing", "mla", "victim-id"])];

pub fn named(name: &str) -> Option<&'static Topic> {
    let set_aside = || name.ends_with(DEAD_LETTER.name).then_some(&DEAD_LETTER);
    TOPICS.iter().find(|topic| topic.name == name).or_else(set_aside)
}

/// Whether records of the topic are written in transactions.
pub fn is_event_topic(name: &str) -> bool {
    name.ends_with(".events")
}

/// The topic of one country's notices.
pub fn jurisdiction(country: &Country) -> String {
    format!("{}.{}", JURISDICTION.name, country.as_str().to_ascii_lowercase())
}

/// The topic of records set aside from a topic.
pub fn dead_letter(topic: &str) -> String {
    format!("{topic}.{}", DEAD_LETTER.name)
}

/// What the service takes in.
pub fn inputs(service: &str) -> impl Iterator<Item = &'static str> {
    INPUTS.iter().filter(move |(_, services)| services.contains(&service)).map(|(input, _)| *input)
}

/// The services that the service watches.
pub fn watched(service: &str) -> &'static [&'static str] {
    WATCHES.iter().find(|(watcher, _)| *watcher == service).map_or(&[], |(_, watched)| watched)
}

/// Whether the service writes the topic.
pub fn writes(service: &str, topic: &str) -> bool {
    let family = |family: &Topic| topic.split_once('.').is_some_and(|(name, _)| name == family.name);
    if let Some(topic) = TOPICS.iter().find(|known| known.name == topic) {
        topic.written_by.contains(&service)
    } else if family(&JURISDICTION) {
        JURISDICTION.written_by.contains(&service)
    } else {
        sets_aside(service, topic)
    }
}

/// Whether the topic is one of what the service sets aside.
fn sets_aside(service: &str, topic: &str) -> bool {
    inputs(service).any(|input| dead_letter(input) == topic)
}

/// Whether the service reads the topic. One that no service reads is read at the start by those that write it: they
/// look which schemas it holds.
pub fn reads(service: &str, topic: &str) -> bool {
    match TOPICS.iter().find(|known| known.name == topic) {
        Some(topic) => topic.read_by.contains(&service),
        None => {
            let set_aside = watched(service).iter().any(|watched| sets_aside(watched, topic));
            set_aside || writes(service, topic)
        }
    }
}
