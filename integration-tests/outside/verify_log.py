"""The audit log, held against the events: each of them is one leaf, exactly once, and says what the leaf commits to.

Written from docs/audit-log.md alone.
"""

import hashlib
import struct

LOG, HEADS = "audit.log", "audit.checkpoints"


class Log:
    """What stands in the log, and what should."""

    def __init__(self, findings):
        self.findings = findings
        self.size = 0
        # The record of each event, until its leaf was seen.
        self.events = {}
        self.seen = set()

    def take_event(self, record):
        self.events[record.topic, record.partition, record.offset] = record

    def take_leaves(self, record, sequenced):
        if sequenced["first"] != self.size:
            self.findings.add("gaps", "leaves follow each other", record.place, str(self.size))
        for leaf in sequenced["leaves"]:
            place = leaf["topic"], leaf["partition"], leaf["offset"]
            if place in self.seen:
                self.findings.add("doubled", "an event is one leaf", record.place, "{}/{}/{}".format(*place))
            self.seen.add(place)
            event = self.events.pop(place, None)
            if event is None:
                self.findings.add("gaps", "a leaf is of an event", record.place, "{}/{}/{}".format(*place))
            elif commitment(event, leaf["timestamp"]) != leaf["commitment"]:
                self.findings.add("gaps", "a leaf commits to its event", event.place, str(self.size))
            self.size += 1

    def finish(self):
        """The last events of a partition may be on their way when everything stops; one before a leaf never is."""
        last = {}
        for topic, partition, offset in self.seen:
            last[topic, partition] = max(offset, last.get((topic, partition), -1))
        for (topic, partition, offset), event in self.events.items():
            if offset < last.get((topic, partition), -1):
                self.findings.add("lost", "each event is a leaf", event.place, "")


def digest(*parts):
    together = hashlib.sha256()
    for part in parts:
        together.update(struct.pack(">Q", len(part)) + part)
    return together.digest()


def commitment(record, timestamp):
    """Of an event as it stands in Kafka."""
    topic, value = record.topic.encode(), record.value
    schema, fields = value[1:5], Fields(value, 5)
    fields.bytes()
    fields.bytes()
    sequence, predecessor, salt = fields.number(), fields.bytes(), fields.bytes()
    fields.bytes(), fields.number(), fields.number()
    fields.bytes(), fields.bytes(), fields.number()
    fields.bytes(), fields.bytes(), fields.bytes()
    fields.number()
    if fields.number():
        fields.bytes()
    body_salt = digest(b"causeway-body-salt-v1", salt)
    place = [struct.pack(">i", record.partition), struct.pack(">q", record.offset), struct.pack(">q", timestamp)]
    return digest(
        b"causeway-leaf-v1",
        topic,
        struct.pack(">q", sequence),
        predecessor,
        digest(b"causeway-event-v1", topic, record.key, value),
        digest(b"causeway-place-v1", salt, *place),
        digest(b"causeway-body-v1", body_salt, schema, value[fields.at :]),
    )


class Fields:
    """The fields of a datum, from a place on."""

    def __init__(self, value, at):
        self.value, self.at = value, at

    def number(self):
        bits, shift = 0, 0
        while True:
            byte = self.value[self.at]
            self.at += 1
            bits |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (bits >> 1) ^ -(bits & 1)

    def bytes(self):
        length = self.number()
        self.at += length
        return self.value[self.at - length : self.at]
