//! What a service may do in Kafka, and nothing more: what the table of topics says of it, and what its clients need
//! beside that.

use std::fmt;

use schemas::topics;
use serde::Serialize;

use crate::kafka::FOLLOWERS;

/// A right, in the form of a rule of Strimzi's `KafkaUser`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Right {
    pub resource: Resource,
    pub operations: Vec<Operation>,
}

/// What it is a right to: one name, or each name that begins so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    #[serde(rename = "type")]
    pub kind: Kind,
    pub name: String,
    #[serde(rename = "patternType")]
    pub pattern: Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Topic,
    Group,
    TransactionalId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Pattern {
    Literal,
    Prefix,
}

/// Read and write entitle to describe as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Operation {
    Read,
    Write,
    Create,
    Describe,
}

/// The rights of a service, in a deployment with such a prefix.
pub fn of(service: &str, prefix: &str) -> Vec<Right> {
    let own = topics::TOPICS.iter().map(|topic| topic.name.to_owned());
    let dead = topics::INPUTS.iter().map(|(input, _)| topics::dead_letter(input));
    let mut rights: Vec<Right> = own
        .chain(dead)
        .filter_map(|topic| right(Kind::Topic, Pattern::Literal, prefix, &topic, &on_topic(service, &topic)))
        .collect();
    let notices = format!("{}.", topics::JURISDICTION.name);
    let mut on_notices = on_topic(service, &notices);
    if !on_notices.is_empty() {
        // They come with the countries of the directory.
        on_notices.push(Operation::Create);
    }
    rights.extend(right(Kind::Topic, Pattern::Prefix, prefix, &notices, &on_notices));
    // A service that writes nothing follows alone: it is no member of a group.
    if rights.iter().any(|right| right.operations.contains(&Operation::Write)) {
        rights.extend(right(Kind::Group, Pattern::Literal, prefix, service, &[Operation::Read]));
        let ids = format!("{service}.");
        rights.extend(right(Kind::TransactionalId, Pattern::Prefix, prefix, &ids, &[Operation::Write]));
    }
    rights.extend(right(Kind::Group, Pattern::Literal, prefix, FOLLOWERS, &[Operation::Read]));
    for watched in topics::watched(service) {
        rights.extend(right(Kind::Group, Pattern::Literal, prefix, watched, &[Operation::Describe]));
    }
    rights
}

fn on_topic(service: &str, topic: &str) -> Vec<Operation> {
    let reads = topics::reads(service, topic).then_some(Operation::Read);
    let writes = topics::writes(service, topic).then_some(Operation::Write);
    let operations: Vec<Operation> = reads.into_iter().chain(writes).collect();
    let watched = || topics::watched(service).iter().any(|of| topics::inputs(of).any(|input| input == topic));
    // How far others are in it.
    if operations.is_empty() && watched() { vec![Operation::Describe] } else { operations }
}

fn right(kind: Kind, pattern: Pattern, prefix: &str, name: &str, operations: &[Operation]) -> Option<Right> {
    let resource = Resource { kind, name: format!("{prefix}{name}"), pattern };
    (!operations.is_empty()).then(|| Right { resource, operations: operations.to_vec() })
}

/// As Kafka's own tool takes it.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for operation in &self.operations {
            write!(f, "--operation {operation:?} ")?;
        }
        let option = match self.resource.kind {
            Kind::Topic => "--topic",
            Kind::Group => "--group",
            Kind::TransactionalId => "--transactional-id",
        };
        write!(f, "{option} '{}'", self.resource.name)?;
        match self.resource.pattern {
            Pattern::Literal => Ok(()),
            Pattern::Prefix => write!(f, " --resource-pattern-type prefixed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_do_what_the_table_says_of_it_and_nothing_else() {
        let shown: Vec<String> = of("routing", "p.").iter().map(Right::to_string).collect();
        let expected = [
            "--operation Read --topic 'p.directory.events'",
            "--operation Read --topic 'p.referral.events'",
            "--operation Read --operation Write --topic 'p.routing.commands'",
            "--operation Read --operation Write --topic 'p.routing.events'",
            "--operation Write --topic 'p.sealed-keys'",
            "--operation Read --operation Write --topic 'p.routing.commands.dead-letter'",
            "--operation Read --operation Write --topic 'p.referral.events.dead-letter'",
            "--operation Read --group 'p.routing'",
            "--operation Write --transactional-id 'p.routing.' --resource-pattern-type prefixed",
            "--operation Read --group 'p.follower'",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn who_only_looks_writes_nothing() {
        let rights = of("dashboard", "");
        assert!(rights.iter().all(|right| right.operations == [Operation::Read]), "{rights:?}");
    }
}
