//! The AsyncAPI 3 document: the topics, from the contract's own table and schemas.

use schemas::codec::SUBJECTS;
use schemas::topics::{DEAD_LETTER, JURISDICTION, Partitions, TOPICS, Topic};
use serde_json::{Map, Value, json};

/// The document as `/asyncapi.json` serves it.
pub fn document() -> Value {
    let all: Vec<&Topic> = TOPICS.iter().chain([&JURISDICTION, &DEAD_LETTER]).collect();
    let channels: Map<String, Value> = all.iter().map(|topic| (id(topic), channel(topic))).collect();
    let operations: Map<String, Value> = all.iter().flat_map(|topic| operations(topic)).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Causeway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The topics of the backbone. Records are Avro in the Confluent wire format; headers carry \
                the CloudEvents attributes and the trace.",
            "license": { "name": "Apache-2.0" },
        },
        "channels": channels,
        "operations": operations,
    })
}

/// A name without dots, as the document's keys want it.
fn id(topic: &Topic) -> String {
    topic.name.replace('.', "-")
}

/// A topic, or the pattern of a family of topics.
fn address(topic: &Topic) -> String {
    match topic.name {
        name if name == JURISDICTION.name => format!("{name}.{{country}}"),
        name if name == DEAD_LETTER.name => format!("{{topic}}.{name}"),
        name => name.to_owned(),
    }
}

fn channel(topic: &Topic) -> Value {
    let partitions = match topic.partitions {
        Partitions::One => "one partition",
        Partitions::PerIncident => {
            "the deployment's count of partitions, the same for all topics keyed by incident"
        }
    };
    let versions =
        SUBJECTS.iter().find(|subject| subject.name == topic.name).map_or(&[][..], |it| it.versions);
    let newest: Value = versions.last().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut channel = json!({
        "address": address(topic),
        "description": format!("{}; keyed by {}; {partitions}", topic.holds, topic.key),
        "messages": { "record": {
            "contentType": "application/avro",
            "payload": { "schemaFormat": "application/vnd.apache.avro+json;version=1.9.0", "schema": newest },
        } },
    });
    let parameter = match topic.name {
        name if name == JURISDICTION.name => Some(("country", "ISO 3166-1 alpha-2, lower case")),
        name if name == DEAD_LETTER.name => Some(("topic", "the topic that the record was set aside from")),
        _ => None,
    };
    if let Some((name, description)) = parameter {
        channel["parameters"] = json!({ name: { "description": description } });
    }
    channel
}

fn operations(topic: &Topic) -> Vec<(String, Value)> {
    let operation = |action: &str, service: &str| {
        let value = json!({ "action": action, "channel": { "$ref": format!("#/channels/{}", id(topic)) },
            "summary": format!("{service} {action}s") });
        (format!("{service}-{action}-{}", id(topic)), value)
    };
    let writes = topic.written_by.iter().map(|service| operation("send", service));
    writes.chain(topic.read_by.iter().map(|service| operation("receive", service))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn every_topic_stands_in_the_document_with_its_schema() {
        let document = document();
        for topic in TOPICS.iter().chain([&JURISDICTION, &DEAD_LETTER]) {
            let channel = &document["channels"][id(topic)];
            let schema = &channel["messages"]["record"]["payload"]["schema"];
            assert_eq!(schema["type"], "record", "{}", topic.name);
        }
        for operation in document["operations"].as_object().unwrap().values() {
            let channel = operation["channel"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            assert!(document["channels"].get(channel).is_some(), "{channel}");
        }
    }
}
