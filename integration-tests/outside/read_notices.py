"""Reads the notices of one country as a stranger would: with a Kafka client and the registry's address.

Shares no code with the product: every schema comes from the registry, by the id that each record carries.
Prints one JSON object per notice (key, headers, and the notice itself) and ends after as many as were asked
for. Exit code 0 when all came; 1 when time ran out or a record could not be read; 2 for wrong arguments.
"""

import argparse
import json
import sys
import time
from datetime import datetime, timezone

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

# Where a registry of Apicurio's make speaks Confluent's protocol.
CONFLUENT_API = "/apis/ccompat/v7"
# How long one question to the cluster may take; the whole run is bounded by --timeout.
ASK_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.1


class Failed(Exception):
    """Why the notices could not be read, for the person who reads the test's output."""


def main():
    arguments = parse_arguments()
    try:
        read(arguments)
    except Failed as failure:
        print(f"read_notices: {failure}", file=sys.stderr)
        return 1
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brokers", required=True, help="bootstrap servers, comma separated")
    parser.add_argument("--registry", required=True, help="the schema registry's address")
    parser.add_argument("--topic", required=True, help="the full name, with the deployment's prefix")
    parser.add_argument("--count", required=True, type=int, help="how many notices to wait for")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds")
    return parser.parse_args()


def read(arguments):
    deadline = time.monotonic() + arguments.timeout
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": confluent_address(arguments.registry)}))
    consumer = Consumer({
        "bootstrap.servers": arguments.brokers,
        # Partitions are assigned by hand and nothing is committed, so the group is a name only.
        "group.id": "outside-reader",
        "enable.auto.commit": False,
        # What an aborted transaction has written was never said.
        "isolation.level": "read_committed",
        # What goes wrong is told once, by the exit.
        "log_level": 2,
    })
    try:
        consumer.assign(beginnings(consumer, arguments.topic, deadline))
        for read_so_far in range(arguments.count):
            record = next_record(consumer, deadline)
            if record is None:
                raise Failed(
                    f"{read_so_far} of {arguments.count} notices in {arguments.topic} "
                    f"after {arguments.timeout:g} s"
                )
            print(json.dumps(shown(record, deserialize), default=as_json), flush=True)
    finally:
        consumer.close()


def confluent_address(registry):
    registry = registry.rstrip("/")
    return registry if "/apis/" in registry else registry + CONFLUENT_API


def beginnings(consumer, topic, deadline):
    """The beginning of every partition, once there is the topic: it comes with the first of its country."""
    reason = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    while time.monotonic() < deadline:
        try:
            found = consumer.list_topics(topic, timeout=ASK_SECONDS).topics[topic]
        except KafkaException as error:
            reason = error.args[0]
            continue
        if found.error is None:
            return [TopicPartition(topic, partition, 0) for partition in found.partitions]
        reason = found.error
        time.sleep(LOOK_AGAIN_SECONDS)
    raise Failed(f"{topic} cannot be read: {reason.str()}")


def next_record(consumer, deadline):
    """The next record, or None when time has run out."""
    while (left := deadline - time.monotonic()) > 0:
        record = consumer.poll(min(left, ASK_SECONDS))
        if record is None:
            continue
        if record.error() is None:
            return record
        if not record.error().retriable():
            raise Failed(record.error().str())
    return None


def shown(record, deserialize):
    place = f"{record.topic()}/{record.partition()}/{record.offset()}"
    context = SerializationContext(record.topic(), MessageField.VALUE, record.headers())
    try:
        notice = deserialize(record.value(), context)
    except Exception as error:
        raise Failed(f"{place} does not read: {error!r}") from error
    return {
        "partition": record.partition(),
        "offset": record.offset(),
        "key": text(record.key()),
        "headers": {name: text(value) for name, value in record.headers() or []},
        "notice": notice,
    }


def text(value):
    return None if value is None else value.decode()


def as_json(value):
    """Avro's timestamp-millis comes as an aware datetime: RFC 3339, in milliseconds and in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"a notice has no field of type {type(value).__name__}")


if __name__ == "__main__":
    sys.exit(main())
