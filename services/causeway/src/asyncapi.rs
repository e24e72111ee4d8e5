//! The AsyncAPI 3 document: the topics, from the contract's own table and schemas.

use schemas::codec::SUBJECTS;
use schemas::topics::{DEAD_LETTER, JURISDICTION, Partitions, TOPICS, Topic, is_event_topic};
use serde_json::{Map, Value, json};

/// The document as `/asyncapi.json` serves it.
pub fn document() -> Value {
    let all: Vec<&Topic> = TOPICS.iter().chain([&JURISDICTION, &DEAD_LETTER]).collect();
    let channels: Map<String, Value> = all.iter().map(|topic| (id(topic), channel(topic))).collect();
    let operations: Map<String, Value> = all.iter().flat_map(|topic| operations(topic)).collect();
    json!({
        "asyncapi": "3.1.0",
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
            "name": format!("{}-value", topic.name),
            "headers": headers(topic),
            "bindings": { "kafka": { "key": { "type": "string" }, "bindingVersion": "0.5.0" } },
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

/// Commands and keys carry the trace alone; what services write in a transaction carries CloudEvents besides.
fn headers(topic: &Topic) -> Value {
    let text = json!({ "type": "string" });
    let events = is_event_topic(topic.name) || [JURISDICTION.name, DEAD_LETTER.name].contains(&topic.name);
    let mut properties = Map::from_iter([("traceparent".to_owned(), text.clone())]);
    let attributes =
        ["specversion", "id", "type", "source", "time", "subject"].map(|name| format!("ce_{name}"));
    let required: Vec<String> =
        if events { attributes.into_iter().chain(["content-type".to_owned()]).collect() } else { Vec::new() };
    properties.extend(required.iter().map(|name| (name.clone(), text.clone())));
    json!({ "type": "object", "required": required, "properties": properties })
}

fn operations(topic: &Topic) -> Vec<(String, Value)> {
    let operation = |action: &str, service: &str| {
        let value = json!({ "action": action, "channel": { "$ref": format!("#/channels/{}", id(topic)) },
            "messages": [{ "$ref": format!("#/channels/{}/messages/record", id(topic)) }],
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
