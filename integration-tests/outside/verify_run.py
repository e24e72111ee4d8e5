"""One run of verify.py: three readers of a source of records, and every check over what they see."""

from collections import Counter

from verify_children import Children
from verify_frame import Commands, DeadLetters, Findings, Frame, KeySets, body_of
from verify_incidents import Directory, Incidents
from verify_reading import (
    AGAIN,
    COMMITTED,
    DEAD_LETTER,
    INPUTS,
    NOTICES,
    UNCOMMITTED,
    Markers,
    Traces,
    Unreadable,
    pack,
    partition_number,
    subject_of,
    topic_of,
)
from verify_log import HEADS, LOG, Log
from verify_requests import Requests

# In the order in which the services follow each other.
EVENTS = (
    "directory.events",
    "digest-sets.events",
    "referral.events",
    "routing.events",
    "mla.events",
    "victim-id.events",
    "delivery.events",
)
# The one topic whose cleaner takes records out.
COMPACTED = "sealed-keys"


class Verification:
    """One run over a source of records: three readers, and what the first committed one's records say."""

    def __init__(self, source, schemas, progress):
        self.source, self.schemas, self.progress = source, schemas, progress
        self.findings = Findings()
        self.topics = sorted(source.partitions)
        self.traces = {view: Traces() for view in (UNCOMMITTED, COMMITTED, AGAIN)}
        partitions, findings = source.partitions, self.findings
        self.dead_letters = DeadLetters(schemas, findings)
        self.commands = Commands(schemas, partitions, findings)
        self.key_sets = KeySets(schemas, partitions, findings)
        self.frame = Frame(partitions, self.commands, findings)
        self.directory = Directory()
        self.incidents = Incidents(self.directory, self.key_sets, self.dead_letters, findings)
        self.requests = Requests(self.key_sets, findings)
        self.children = Children(self.key_sets, findings)
        self.log = Log(findings)

    def run(self, markers=(), ledger=None, others=0, dead_letters=0):
        self.must_be_whole()
        self.search(Markers(markers, self.findings))
        self.follow()
        for record in self.source.read(self.topics, AGAIN, self.progress):
            self.traces[AGAIN].note(record)
        aborted = self.compare_readers()
        self.frame.finish(self.dead_letters, self.first_of)
        self.incidents.finish(self.frame.silent_clocks(self.dead_letters))
        self.requests.finish()
        self.children.finish()
        if LOG in self.topics:
            self.log.finish()
        if ledger:
            ledger.check(self.incidents, others, self.findings)
        self.count_dead_letters(dead_letters)
        return self.found(aborted, ledger)

    # --- reading --------------------------------------------------------------------------------------------

    def must_be_whole(self):
        """What is kept for good begins at its beginning."""
        for (topic, partition), span in self.source.spans.items():
            kept_for_good = topic in INPUTS or subject_of(topic) in (NOTICES, DEAD_LETTER)
            if kept_for_good and span.first > 0:
                place = pack(topic, partition, span.first)
                self.findings.add("gaps", "a topic kept for good is whole", place, "the first that is there")

    def search(self, markers):
        for record in self.source.read(self.topics, UNCOMMITTED, self.progress):
            self.traces[UNCOMMITTED].note(record)
            markers.search(record)
        markers.finish()

    def follow(self):
        """Topic by topic, so that every record comes after those that it is held against."""
        for record in self.committed(lambda topic: subject_of(topic) == DEAD_LETTER):
            self.dead_letters.take_in(record)
        for record in self.committed(lambda topic: topic.endswith(".commands")):
            self.commands.take_in(record)
        for record in self.committed(lambda topic: topic == COMPACTED):
            self.key_sets.take_in(record)
        for events in EVENTS:
            for record in self.committed(lambda topic: topic == events):
                self.take_event(record)
        for record in self.committed(lambda topic: subject_of(topic) == NOTICES):
            self.take_notice(record)
        for record in self.committed(lambda topic: topic == LOG):
            sequenced = self.decode(record)
            if sequenced is not None:
                self.log.take_leaves(record, sequenced)
        # Their signatures are for tools that have the key.
        for _ in self.committed(lambda topic: topic == HEADS):
            pass

    def committed(self, wanted):
        topics = [topic for topic in self.topics if wanted(topic)]
        for record in self.source.read(topics, COMMITTED, self.progress):
            self.traces[COMMITTED].note(record)
            yield record

    def take_event(self, record):
        self.log.take_event(record)
        event = self.decode(record)
        if event is None:
            return
        name = self.frame.take_in(record, event)
        _, body = body_of(event)
        if record.topic == "directory.events":
            self.directory.take_in(record, event, name, body)
        else:
            self.incidents.take_in(record, event, name, body)
            self.requests.take_in(record, event, name, body)
            self.children.take_in(record, event, name, body)

    def take_notice(self, record):
        notice = self.decode(record)
        if notice is not None:
            self.incidents.take_notice(record, notice)

    def decode(self, record):
        try:
            return self.schemas.read(subject_of(record.topic), record.value)
        except Unreadable as reason:
            self.findings.add("gaps", "a record reads", record.place, str(reason))
            return None

    # --- when all is read -----------------------------------------------------------------------------------

    def compare_readers(self):
        """How many records were aborted, by topic."""
        aborted = Counter()
        for place in sorted(self.source.spans):
            first, again, everything = (
                self.traces[view].of(place) for view in (COMMITTED, AGAIN, UNCOMMITTED)
            )
            if place[0] == COMPACTED:
                # Its cleaner takes records out between two readings, never the last, and puts none in.
                for later, earlier in ((again, first), (first, everything)):
                    added, changed = later.missing_in(earlier)
                    for offset in added + changed:
                        self.findings.add("gaps", "a cleaned topic only loses records", pack(*place, offset))
                    if later.offsets[-1:] != earlier.offsets[-1:]:
                        self.findings.add("gaps", "a cleaned topic keeps its last record", pack(*place, 0))
                continue
            differs = first.difference(again)
            if differs is not None:
                self.findings.add("gaps", "two committed readers see the same", pack(*place, differs))
            unseen, changed = first.missing_in(everything)
            for offset in unseen + changed:
                self.findings.add("gaps", "a committed record is every reader's", pack(*place, offset))
            only_uncommitted, _ = everything.missing_in(first)
            aborted[place[0]] += len(only_uncommitted)
            for offset in set(only_uncommitted) & set(again.offsets):
                self.findings.add("gaps", "an aborted record is no committed reader's", pack(*place, offset))
        return +aborted

    def first_of(self, place):
        """The first place that is there in a place's partition."""
        topic, partition = topic_of(place), partition_number(place)
        span = self.source.spans.get((topic, partition))
        return pack(topic, partition, span.first if span else 0)

    def count_dead_letters(self, expected):
        for _ in range(abs(self.dead_letters.total() - expected)):
            there = f"{self.dead_letters.total()} there, {expected} expected"
            self.findings.add("lost", "dead letters are as many as expected", "*.dead-letter", there)

    def found(self, aborted, ledger):
        spans = self.source.spans
        records = Counter()
        for (topic, _), trace in self.traces[COMMITTED].by_place.items():
            records[topic] += len(trace.offsets)
        used = {key_set for incident in self.incidents.incidents.values() for key_set in incident.key_sets()}
        return {
            "referrals": len(self.incidents.referrals),
            "requests": len(self.requests.requests),
            "steps": sum(request.steps for request in self.requests.requests.values()),
            "custody_moves": self.children.moves,
            **self.findings.kinds,
            "checks": dict(self.findings.checks.most_common()),
            "examples": self.findings.examples,
            "dead_letters": dict(self.dead_letters.reasons),
            "ledger": dict(ledger.counts) if ledger else None,
            "records": dict(sorted(records.items())),
            "events": dict(sorted(self.frame.bodies.items())),
            "aborted": dict(sorted(aborted.items())),
            "quiet": self.source.quiet,
            "open_transactions": sorted(
                f"{topic}/{partition}" for (topic, partition), span in spans.items() if span.end < span.high
            ),
            "commands_given_again": self.commands.again,
            "key_sets_unused": len(self.key_sets.there - used),
            "key_sets_erased": len(used & self.key_sets.erased - self.key_sets.there),
            "answers_with_an_older_directory": self.frame.older_directories,
            "digests": self.frame.digests(),
        }
