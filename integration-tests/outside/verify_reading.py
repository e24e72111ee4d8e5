"""Reads the topics of a deployment for verify.py: every record as it stands, and what it says.

Shares no code with the product: the Avro schemas are read as files, the frame around each datum (a zero byte
and the schema's id, 4 bytes, big endian) is taken off here, and the client is Confluent's.
"""

import base64
import io
import json
import re
import sys
import time
import uuid
from array import array
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from fastavro import parse_schema, schemaless_reader

# Subjects whose records stand in many topics.
NOTICES = "jurisdiction"
DEAD_LETTER = "dead-letter"
# What each service takes its inputs from, by the topic that it answers in.
INPUTS = {
    "directory.events": ("directory.commands",),
    "referral.events": ("referral.commands", "routing.events"),
    "routing.events": ("routing.commands", "referral.events"),
    "mla.events": ("mla.commands", "routing.events"),
    "victim-id.events": ("victim-id.commands", "routing.events"),
    "digest-sets.events": ("digest-sets.commands",),
    "delivery.events": ("delivery.commands", "routing.events", "mla.events", "victim-id.events"),
}

# How a reader sees a topic. The second committed reader is a client of its own.
COMMITTED, AGAIN, UNCOMMITTED = "committed", "committed again", "uncommitted"

ASK_SECONDS = 15.0
# Nothing new for so long, and all is taken to have come to rest.
QUIET_SECONDS = 2.0
# Kafka gives something within this time, or it is not there to be read.
STALLED_SECONDS = 60.0
TELL_SECONDS = 3.0
# A batch is what comes within this time, up to so many records.
GATHER_SECONDS = 0.05
BATCH = 1_000


class Failed(Exception):
    """Why the deployment could not be read, for the person who started the run."""


class Unreadable(Exception):
    """Why one record does not read. Never any of its content."""


class Record(NamedTuple):
    """A record as it stands; the topic without the deployment's prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list

    @property
    def place(self):
        return pack(self.topic, self.partition, self.offset)


class Span(NamedTuple):
    """What a committed reader sees of a partition, and the end that an uncommitted one sees."""

    first: int
    end: int
    high: int


# --- places -------------------------------------------------------------------------------------------------

_names, _numbers = [], {}


def pack(topic, partition, offset):
    """Topic, partition and offset as one number: hundreds of thousands of them are kept."""
    number = _numbers.get(topic)
    if number is None:
        number = _numbers[topic] = len(_names)
        _names.append(topic)
    return ((number << 16 | partition) << 44) | offset


def topic_of(place):
    return _names[place >> 60]


def partition_number(place):
    return place >> 44 & 0xFFFF


def offset_of(place):
    return place & (1 << 44) - 1


def shown(place):
    return f"{topic_of(place)}/{partition_number(place)}/{offset_of(place)}"


# --- schemas ------------------------------------------------------------------------------------------------


class Schemas:
    """The schemas of every subject and version, by the id that records carry."""

    def __init__(self, folder):
        folder = Path(folder)
        self.by_id, self.newest = {}, {}
        try:
            self.ids = json.loads((folder / "ids.json").read_text())
            for subject, ids in self.ids.items():
                for version, schema_id in enumerate(ids, 1):
                    text = (folder / subject / f"v{version}.avsc").read_text()
                    # Parsed one by one: every subject has an `Event` or the like of its own.
                    schema = parse_schema(without_logical_types(json.loads(text)))
                    self.by_id[schema_id] = (subject, schema)
                    self.newest[subject] = schema
        except (OSError, ValueError) as error:
            raise Failed(f"the schemas in {folder} do not read: {error}") from error

    def read(self, subject, value):
        """What a record says. Of a union of records it is the record's name and the record."""
        if value is None:
            raise Unreadable("no value")
        if len(value) < 5 or value[0] != 0:
            raise Unreadable("not in the wire format")
        schema_id = int.from_bytes(value[1:5], "big")
        known, schema = self.by_id.get(schema_id, (None, None))
        if known != subject:
            raise Unreadable(f"schema id {schema_id} is none of {subject}")
        newest = self.newest[subject]
        data = io.BytesIO(value)
        data.seek(5)
        try:
            datum = schemaless_reader(
                data,
                schema,
                None if newest is schema else newest,
                return_record_name=True,
                return_record_name_override=True,
            )
        except Exception as error:
            raise Unreadable(f"does not decode: {type(error).__name__}") from error
        if data.tell() != len(value):
            raise Unreadable("bytes are left over after the datum")
        return datum


def without_logical_types(schema):
    """Moments stay whole milliseconds: a calendar is of no use here, and slow."""
    if isinstance(schema, dict):
        return {
            name: without_logical_types(value)
            for name, value in schema.items()
            if name not in ("logicalType", "doc")
        }
    if isinstance(schema, list):
        return [without_logical_types(value) for value in schema]
    return schema


def subject_of(topic):
    """The subject whose schemas the topic's records are written with."""
    if topic.endswith("." + DEAD_LETTER):
        return DEAD_LETTER
    if topic.startswith(NOTICES + "."):
        return NOTICES
    return topic


# --- Kafka --------------------------------------------------------------------------------------------------


def is_named(topic):
    """Whether the headers of the topic's records say what they are."""
    return topic in INPUTS or subject_of(topic) in (NOTICES, DEAD_LETTER)


class KafkaSource:
    """A deployment's topics as they stood when it was asked: nothing behind that point is read."""

    def __init__(self, brokers, prefix, subjects, wait):
        self.brokers, self.prefix = brokers, prefix
        self.admin = AdminClient({"bootstrap.servers": brokers, "log_level": 2})
        self.partitions = self.find_topics(subjects)
        self.spans = self.wait_until_quiet(wait)

    def find_topics(self, subjects):
        """The deployment's own topics, each with its number of partitions; other prefixes are left alone."""
        try:
            metadata = self.admin.list_topics(timeout=ASK_SECONDS)
        except KafkaException as error:
            raise Failed(f"Kafka does not answer at {self.brokers}: {error.args[0].str()}") from error
        plain = [subject for subject in subjects if subject not in (NOTICES, DEAD_LETTER)]
        wanted = {*plain, *(f"{name}.{DEAD_LETTER}" for name in plain)}
        found = {}
        for name, topic in metadata.topics.items():
            if not name.startswith(self.prefix):
                continue
            name = name[len(self.prefix) :]
            if name in wanted or re.fullmatch(NOTICES + r"\.[a-z]{2}", name):
                found[name] = len(topic.partitions)
        missing = sorted(set(plain) - set(found))
        if missing:
            raise Failed(f"topics are missing under the prefix '{self.prefix}': {', '.join(missing)}")
        return found

    def wait_until_quiet(self, wait):
        """Where every partition begins and ends, once nothing is written and no transaction is open any more.

        What is still on its way through the services would be taken for lost.
        """
        deadline = time.monotonic() + wait
        spans = self.ask_spans()
        while True:
            time.sleep(QUIET_SECONDS)
            before, spans = spans, self.ask_spans()
            self.quiet = spans == before and all(span.end == span.high for span in spans.values())
            if self.quiet or time.monotonic() > deadline:
                return spans

    def ask_spans(self):
        firsts = self.ask_offsets(OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
        # For a committed reader the end is the last stable offset.
        ends = self.ask_offsets(OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        highs = self.ask_offsets(OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        return {place: Span(first, ends[place], highs[place]) for place, first in firsts.items()}

    def ask_offsets(self, spec, isolation):
        asked = {
            TopicPartition(self.prefix + topic, partition): spec
            for topic, count in self.partitions.items()
            for partition in range(count)
        }
        answers = self.admin.list_offsets(asked, isolation_level=isolation, request_timeout=ASK_SECONDS)
        try:
            return {
                (place.topic[len(self.prefix) :], place.partition): answer.result().offset
                for place, answer in answers.items()
            }
        except KafkaException as error:
            raise Failed(f"the ends of the topics are not to be had: {error.args[0].str()}") from error

    def read(self, topics, view, progress):
        """Every record of the topics up to their ends, in the order of each partition."""
        left = {
            place: span.end
            for place, span in self.spans.items()
            if place[0] in topics and span.first < span.end
        }
        if not left:
            return
        consumer = self.consumer(view)
        try:
            consumer.assign(
                [
                    TopicPartition(self.prefix + topic, partition, self.spans[topic, partition].first)
                    for topic, partition in left
                ]
            )
            yield from self.drain(consumer, left, view, progress)
        finally:
            consumer.close()

    def consumer(self, view):
        uncommitted = view == UNCOMMITTED
        return Consumer(
            {
                "bootstrap.servers": self.brokers,
                # Partitions are assigned by hand and nothing is committed, so the group is a name only.
                "group.id": f"outside-verifier-{uuid.uuid4()}",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_uncommitted" if uncommitted else "read_committed",
                # An offset that is not there is an error, never a reason to go on somewhere else.
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "check.crcs": True,
                # The end of a partition is told when a fetch comes back empty.
                "fetch.wait.max.ms": 50,
                # The readers differ in how they fetch, so that they do not err alike.
                "fetch.message.max.bytes": 1 << 20 if view == COMMITTED else 3 << 20,
                "queued.max.messages.kbytes": 16_384,
                "log_level": 2,
            }
        )

    def drain(self, consumer, left, view, progress):
        skip, heard = len(self.prefix), time.monotonic()
        while left:
            messages = consumer.consume(BATCH, GATHER_SECONDS)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > STALLED_SECONDS:
                raise Failed(f"nothing came for {STALLED_SECONDS:g} s; unread: {sorted(left)[:5]}")
            for message in messages:
                place = (message.topic() or "")[skip:], message.partition()
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        if message.offset() >= left.get(place, 0):
                            left.pop(place, None)
                    elif not error.retriable():
                        raise Failed(f"{place[0]}/{place[1]} cannot be read: {error.str()}")
                    continue
                end = left.get(place)
                if end is None:
                    continue
                if message.offset() >= end:
                    del left[place]
                    continue
                headers = message.headers() if view == UNCOMMITTED or is_named(place[0]) else None
                yield Record(*place, message.offset(), message.key(), message.value(), headers or [])
            progress.tell(view, len(messages))


class Progress:
    """Says on standard error, every few seconds, how far the run has come."""

    def __init__(self, silent=False):
        self.silent = silent
        self.records = 0
        self.begun = self.told = time.monotonic()

    def tell(self, what, records):
        self.records += records
        now = time.monotonic()
        if not self.silent and now - self.told > TELL_SECONDS:
            self.told = now
            print(f"verify: {now - self.begun:.0f} s, {self.records} records read ({what})", file=sys.stderr)


# --- readers compared ---------------------------------------------------------------------------------------


class Trace:
    """What one reader saw of one partition: the offsets, and for each record 8 bytes that stand for it."""

    def __init__(self):
        self.offsets, self.prints = array("q"), array("q")

    def note(self, record):
        self.offsets.append(record.offset)
        self.prints.append(hash((record.key, record.value)))

    def difference(self, other):
        """The first offset at which two readers did not see the same; None when they agree."""
        for mine, theirs in zip(zip(self.offsets, self.prints), zip(other.offsets, other.prints)):
            if mine != theirs:
                return min(mine[0], theirs[0])
        longer, shorter = sorted((self.offsets, other.offsets), key=len, reverse=True)
        return longer[len(shorter)] if len(longer) > len(shorter) else None

    def missing_in(self, other):
        """The offsets that this reader saw and the other did not; records of one offset must be the same."""
        seen = dict(zip(other.offsets, other.prints))
        missing = [offset for offset in self.offsets if offset not in seen]
        changed = [
            offset for offset, print_ in zip(self.offsets, self.prints) if seen.get(offset, print_) != print_
        ]
        return missing, changed


class Traces:
    """What one reader saw of every partition."""

    def __init__(self):
        self.by_place = {}

    def note(self, record):
        place = record.topic, record.partition
        trace = self.by_place.get(place)
        if trace is None:
            trace = self.by_place[place] = Trace()
        trace.note(record)

    def of(self, place):
        return self.by_place.get(place) or Trace()


# --- markers ------------------------------------------------------------------------------------------------

# Shorter ones would be found in ciphertext by chance.
SHORTEST_MARKER = 8
# Patterns that begin with so many equal bytes are looked for as one.
SAME_BEGINNING = 8
SEPARATOR = b"\x00\xff\xfe\x00"
SEARCH_BYTES = 4 << 20


def spellings(marker):
    """Every form in which a marker may hide in bytes, by the form's name."""
    plain = marker.encode()
    yield "plain", plain
    for name, text in (("plain, lower case", marker.lower()), ("plain, upper case", marker.upper())):
        if text != marker:
            yield name, text.encode()
    for shift in range(3):
        for name, text in base64_forms(plain, shift):
            yield f"{name} after {shift} bytes", text
    yield "hex", plain.hex().encode()
    yield "hex, upper case", plain.hex().upper().encode()
    little, big = marker.encode("utf-16-le"), marker.encode("utf-16-be")
    if max(marker) < "\u0100":
        # Both have all between the first and the last zero byte in common.
        yield "UTF-16", little.rstrip(b"\x00")
    else:
        yield "UTF-16LE", little
        yield "UTF-16BE", big


def base64_forms(plain, shift):
    """The characters that stand for these bytes alone, whatever comes before and after them."""
    encoded = base64.b64encode(b"\x00" * shift + plain)
    first, end = -(-shift * 8 // 6), (shift + len(plain)) * 8 // 6
    standard = encoded[first:end]
    yield "base64", standard
    url = standard.translate(bytes.maketrans(b"+/", b"-_"))
    if url != standard:
        yield "base64url", url


class Markers:
    """Texts that must stand nowhere: looked for in keys, values and headers, in every spelling.

    Records are searched many at a time. Markers that begin alike cost no more than one; thousands that begin
    differently take long.
    """

    def __init__(self, markers, findings):
        self.findings = findings
        self.patterns = {}
        for number, marker in enumerate(markers, 1):
            if len(marker.encode()) < SHORTEST_MARKER:
                raise Failed(
                    f"marker {number} has under {SHORTEST_MARKER} bytes: it would be found by chance"
                )
            for spelling, pattern in spellings(marker):
                self.patterns.setdefault(pattern, f"marker {number} as {spelling}")
        self.needles = self.common_beginnings()
        self.waiting, self.bytes = [], 0

    def common_beginnings(self):
        groups = {}
        for pattern in self.patterns:
            groups.setdefault(pattern[:SAME_BEGINNING], []).append(pattern)
        return {common_beginning(patterns): patterns for patterns in groups.values()}

    def search(self, record):
        if not self.needles:
            return
        parts = [record.key or b"", record.value or b""]
        for name, value in record.headers:
            parts += [name.encode(), value or b""]
        blob = SEPARATOR.join(parts)
        self.waiting.append((record.place, blob))
        self.bytes += len(blob)
        if self.bytes > SEARCH_BYTES:
            self.finish()

    def finish(self):
        everything = SEPARATOR.join(blob for _, blob in self.waiting)
        for needle, patterns in self.needles.items():
            if needle in everything:
                self.name(needle, patterns)
        self.waiting, self.bytes = [], 0

    def name(self, needle, patterns):
        for place, blob in self.waiting:
            if needle not in blob:
                continue
            for pattern in patterns:
                if pattern in blob:
                    self.findings.add("leaked", "marker", place, self.patterns[pattern])


def common_beginning(patterns):
    least, most = min(patterns), max(patterns)
    same = 0
    while same < len(least) and least[same] == most[same]:
        same += 1
    return least[:same]
