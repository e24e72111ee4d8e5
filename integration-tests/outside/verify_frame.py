"""What holds for every record of a deployment, whatever it says: chains, causes, outcomes, dead letters.

The part of verify.py that knows the envelope and nothing of incidents.
"""

import hashlib
from collections import Counter

from verify_reading import INPUTS, Unreadable, pack, shown, topic_of

KINDS = ("lost", "doubled", "leaked", "gaps")
EXAMPLES = 20

# Bodies that stand alone: a command that was refused or failed did nothing else.
ALONE = {"CommandRejected", "CommandFailed"}
# Bodies of which one input may call for several. Of every other, a second in one answer is one too many.
MANY = {
    "AssignmentOffered",
    "OfferWithheld",
    "CoordinatorAlerted",
    "DutyContactCalled",
    "AssignmentRaised",
    "AssignmentRevoked",
    "AlertDelivered",
    "RetractionDelivered",
    "FacetsErased",
    "ErasureDelivered",
    "ClockStarted",
    "ClockPaused",
    "ClockMoved",
    "ClockEnded",
    "RequestShared",
    "RequestUnshared",
    "RequestFacetAdded",
    "RequestStepDelivered",
    "RequestPeriodDelivered",
    "ChildRegistered",
    "AgencyNoticed",
    "LinkEnded",
}
# Commands that put an attempt on record: whoever asks is not entitled.
ATTEMPTS = {"ReadReferral", "ReadRouting", "ReadRequest", "ReadChild", "ReadMatches", "ReadTrail"}
# Commands that may come to nothing: a clock that no longer runs, news of a link that was heard before.
CLOCK = "ClockDue"
CLOCKS = {CLOCK, "MomentCame", "PeriodDue", "ChildClockDue", "LinkNews"}
# The key of records that only let a segment roll.
HEARTBEAT = b"heartbeat"


class Findings:
    """What does not hold, counted by kind and by check, with the first examples of each kind."""

    def __init__(self):
        self.kinds = Counter({kind: 0 for kind in KINDS})
        self.checks = Counter()
        self.examples = {kind: [] for kind in KINDS}

    def add(self, kind, check, place, detail=""):
        self.kinds[kind] += 1
        self.checks[f"{kind}: {check}"] += 1
        if len(self.examples[kind]) < EXAMPLES:
            where = place if isinstance(place, str) else shown(place)
            self.examples[kind].append({"check": check, "at": where, "detail": detail})

    def __bool__(self):
        return any(self.kinds.values())


# --- derivations --------------------------------------------------------------------------------------------


def digest_of(*parts):
    """SHA-256 over the parts, each preceded by its length as 8 bytes, big endian."""
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def partition_of(key, count):
    return int.from_bytes(digest_of(key)[:4], "big") % count


def event_id_of(topic, aggregate, sequence):
    """The id that every event's place in its chain gives it, as 16 bytes: a version 8 UUID."""
    derived = bytearray(digest_of(b"EventId", topic, aggregate, sequence.to_bytes(8, "big"))[:16])
    derived[6] = derived[6] & 0x0F | 0x80
    derived[8] = derived[8] & 0x3F | 0x80
    return bytes(derived)


def as_bytes(identifier):
    """A UUID's 16 bytes; text that is none stands for itself."""
    try:
        return bytes.fromhex(identifier.replace("-", ""))
    except ValueError:
        return identifier.encode()


def is_named(record, *meant):
    """Whether a record's headers give it this id, type and subject."""
    headers = dict(record.headers)
    said = headers.get("ce_id"), headers.get("ce_type"), headers.get("ce_subject")
    return said == tuple(text.encode() for text in meant)


def body_of(datum):
    """The short name of a union's record, and the record."""
    name, body = datum["body"]
    return name.rpartition(".")[2], body


# --- commands and dead letters ------------------------------------------------------------------------------


class Commands:
    """The commands as they were given. The same command may stand several times: it is one."""

    def __init__(self, schemas, partitions, findings):
        self.schemas, self.partitions, self.findings = schemas, partitions, findings
        # By id: where it first stands, the digest over what it asks, and its name.
        self.first = {}
        # The assignment and the moment of every clock that rang, by the command's id.
        self.clocks = {}
        self.unread = {}
        self.again = 0

    def take_in(self, record):
        place = record.place
        try:
            command = self.schemas.read(record.topic, record.value)
        except Unreadable as reason:
            # No gap by itself: whoever reads the topic sets it aside, and that is looked for.
            self.unread[place] = str(reason)
            return
        name, body = body_of(command)
        aggregate = command["aggregate_id"].encode()
        if record.key != aggregate:
            self.findings.add("gaps", "a command's key is its aggregate", place)
        if record.partition != partition_of(aggregate, self.partitions[record.topic]):
            self.findings.add("gaps", "a command stands in its aggregate's partition", place)
        command_id = as_bytes(command["command_id"])
        if command_id in self.first:
            self.again += 1
        else:
            self.first[command_id] = (place, command["digest"], name)
            if name == CLOCK:
                self.clocks[command_id] = body["assignment_id"], body["due"]


class DeadLetters:
    """Records that were set aside: how many, why, and from where."""

    def __init__(self, schemas, findings):
        self.schemas, self.findings = schemas, findings
        self.reasons = Counter()
        # By the place of the record set aside: the services that did so.
        self.aside = {}

    def take_in(self, record):
        try:
            letter = self.schemas.read("dead-letter", record.value)
        except Unreadable as reason:
            self.findings.add("gaps", "a dead letter reads", record.place, str(reason))
            return
        source, service = letter["source"], letter["service"]
        self.reasons[f"{service}, {source['topic']}: {letter['reason']}"] += 1
        if record.topic != f"{source['topic']}.dead-letter":
            self.findings.add("gaps", "a dead letter stands in its source's topic", record.place)
        place = pack(source["topic"], source["partition"], source["offset"])
        key = (letter["key"] or b"").decode(errors="replace")
        if not is_named(record, shown(place), "org.causeway.dead-letter.DeadLetter", key):
            self.findings.add("gaps", "a dead letter's headers name it", record.place, shown(place))
        services = self.aside.setdefault(place, set())
        if service in services:
            self.findings.add("doubled", "a record is set aside once", record.place, shown(place))
        services.add(service)

    def has(self, place, service):
        return service in self.aside.get(place, ())

    def total(self):
        return sum(self.reasons.values())


class KeySets:
    """The sets of wrapped keys that stand in sealed-keys: the last word on each counts."""

    def __init__(self, schemas, partitions, findings):
        self.schemas, self.partitions, self.findings = schemas, partitions, findings
        self.there, self.erased = set(), set()

    def take_in(self, record):
        key = record.key or b""
        if key == HEARTBEAT:
            return
        if record.value is None:
            self.there.discard(key.decode())
            self.erased.add(key.decode())
            return
        try:
            key_set = self.schemas.read(record.topic, record.value)
        except Unreadable as reason:
            self.findings.add("gaps", "a key set reads", record.place, str(reason))
            return
        if key != key_set["key_set_id"].encode():
            self.findings.add("gaps", "a key set's key is its id", record.place)
        if record.partition != partition_of(key, self.partitions[record.topic]):
            self.findings.add("gaps", "a key set stands in its partition", record.place)
        self.there.add(key_set["key_set_id"])


# --- events -------------------------------------------------------------------------------------------------


class Chain:
    """Where an aggregate's chain has come to in one topic."""

    __slots__ = ("sequence", "digest", "partition")

    def __init__(self, partition):
        self.sequence, self.digest, self.partition = 0, b"", partition


class Run:
    """The events of one partition that answer one input, one right after the other."""

    __slots__ = ("input", "cause", "digest", "names")

    def __init__(self, input_, cause, digest):
        self.input, self.cause, self.digest, self.names = input_, cause, digest, set()


class Frame:
    """Every event's envelope: its place in a chain, its key and partition, what it answers, its headers."""

    def __init__(self, partitions, commands, findings):
        self.partitions, self.commands, self.findings = partitions, commands, findings
        self.chains = {topic: {} for topic in INPUTS}
        # Where each event stands, by its id; and which input each cause was, by topic.
        self.events = {}
        self.answers = {topic: {} for topic in INPUTS}
        self.runs = {}
        self.last_inputs = {}
        # The newest directory that a partition was decided with, and how often an older one came after it.
        self.directories, self.older_directories = {}, 0
        self.bodies = Counter()

    def take_in(self, record, event):
        """Checks one event; returns its body's name."""
        name, body = body_of(event)
        self.bodies[f"{record.topic} {name}"] += 1
        self.check_chain(record, event)
        self.check_input(record, event, name)
        self.check_headers(record, event, name)
        if name == "CommandRejected" and body["command_id"] != event["cause"]:
            self.findings.add("gaps", "a refusal names its command", record.place)
        if name == "CommandFailed" and body["command_id"] not in (None, event["cause"]):
            self.findings.add("gaps", "a failure names its command", record.place)
        self.check_attempt(record, event, name, body)
        return name

    def check_attempt(self, record, event, name, body):
        command = self.commands.first.get(as_bytes(event["cause"]))
        if command is None or command[2] not in ATTEMPTS or name == "CommandFailed":
            return
        if name != "CommandRejected" or body["code"] != "not-entitled":
            self.findings.add("leaked", "an attempt to read is refused", record.place, name)

    def check_chain(self, record, event):
        place, topic, findings = record.place, record.topic.encode(), self.findings
        aggregate, sequence = event["aggregate_id"], event["sequence"]
        key = aggregate.encode()
        if record.key != key:
            findings.add("gaps", "an event's key is its aggregate", place)
        chains = self.chains[record.topic]
        chain = chains.get(aggregate)
        if chain is None:
            chain = chains[aggregate] = Chain(record.partition)
            if record.partition != partition_of(key, self.partitions[record.topic]):
                findings.add("gaps", "an event stands in its aggregate's partition", place)
        elif chain.partition != record.partition:
            findings.add("gaps", "an aggregate stands in one partition", place, f"and {chain.partition}")
        event_id = as_bytes(event["event_id"])
        if event_id != event_id_of(topic, key, max(sequence, 0)):
            findings.add("gaps", "an event's id follows from its place in the chain", place)
        if event_id in self.events:
            findings.add("doubled", "an event's id is its own", place, shown(self.events[event_id]))
        else:
            self.events[event_id] = place
        if sequence <= chain.sequence:
            # Twice, or out of order: what stands behind it still has to follow what stood before.
            findings.add("doubled", "a sequence stands once", place, f"{sequence} after {chain.sequence}")
            return
        if sequence != chain.sequence + 1:
            findings.add("gaps", "sequences have no gap", place, f"{sequence} after {chain.sequence}")
        elif event["predecessor"] != chain.digest:
            findings.add("gaps", "the predecessor's digest is the record before", place)
        chain.sequence = sequence
        chain.digest = digest_of(b"causeway-event-v1", topic, record.key or b"", record.value)

    def check_input(self, record, event, name):
        place, findings, source = record.place, self.findings, event["input"]
        input_ = pack(source["topic"], source["partition"], source["offset"])
        cause = as_bytes(event["cause"])
        lane = record.topic, record.partition
        run = self.runs.get(lane)
        if run is None or run.input != input_:
            run = self.runs[lane] = Run(input_, cause, event["cause_digest"])
            self.begin_run(record, event, input_, cause)
        elif (run.cause, run.digest) != (cause, event["cause_digest"]):
            findings.add("gaps", "an input is one cause", place, shown(input_))
        names = run.names
        if name in names and name not in MANY or names and (name in ALONE or names & ALONE):
            findings.add("doubled", "an input has one outcome", place, f"{name} after {sorted(names)}")
        names.add(name)

    def begin_run(self, record, event, input_, cause):
        place, findings, source = record.place, self.findings, event["input"]
        if source["topic"] not in INPUTS[record.topic] or source["partition"] != record.partition:
            findings.add(
                "gaps", "an event answers an input of its service and partition", place, shown(input_)
            )
        lane = record.topic, record.partition, source["topic"]
        last = self.last_inputs.get(lane, -1)
        answers = self.answers[record.topic]
        if source["offset"] == last or source["offset"] < last and answers.get(cause) == input_:
            findings.add("doubled", "an input is answered in one place", place, shown(input_))
        elif source["offset"] < last:
            findings.add("gaps", "input positions never go back", place, f"{source['offset']} after {last}")
        self.last_inputs[lane] = max(last, source["offset"])
        if cause not in answers:
            answers[cause] = input_
        elif answers[cause] != input_:
            findings.add("doubled", "a cause has one outcome", place, f"and at {shown(answers[cause])}")
        known = event["directory_position"]
        newest = self.directories.setdefault(lane[:2], known)
        self.older_directories += known < newest
        self.directories[lane[:2]] = max(known, newest)
        command = self.commands.first.get(cause)
        if command and event["cause_digest"] != command[1]:
            findings.add("gaps", "an event carries the digest of what its command asked", place)

    def check_headers(self, record, event, name):
        service = record.topic.partition(".")[0]
        # The service is named as its event topic, except for intake.
        service = "intake" if service == "referral" else service
        if not is_named(record, event["event_id"], f"org.causeway.{service}.{name}", event["aggregate_id"]):
            self.findings.add("gaps", "an event's headers name it", record.place, repr(record.headers))

    # --- when all is read -----------------------------------------------------------------------------------

    def finish(self, dead_letters, firsts):
        for topic, answers in self.answers.items():
            for cause, input_ in answers.items():
                self.check_cause(topic, cause, input_, firsts)
        self.check_outcomes(dead_letters)
        for place, reason in self.commands.unread.items():
            if place not in dead_letters.aside:
                self.findings.add("lost", "a command that does not read is set aside", place, reason)

    def check_cause(self, topic, cause, input_, firsts):
        """The input that an event names must be the record that its cause is the id of."""
        source = topic_of(input_)
        if not source.endswith(".commands"):
            if self.events.get(cause) != input_:
                self.findings.add("gaps", "a cause is the event at the input's place", input_, f"for {topic}")
            return
        # Commands below the group's offset may have been deleted.
        if input_ < firsts(input_):
            return
        command = self.commands.first.get(cause)
        if command is None:
            self.findings.add("gaps", "a cause is the command at the input's place", input_, f"for {topic}")
        elif command[0] != input_:
            detail = f"answered was {shown(input_)}"
            self.findings.add("lost", "a command is answered where it first stands", command[0], detail)

    def check_outcomes(self, dead_letters):
        for command_id, (place, _, name) in self.commands.first.items():
            topic = topic_of(place).replace(".commands", ".events")
            if command_id in self.answers[topic] or name in CLOCKS or place in dead_letters.aside:
                continue
            self.findings.add("lost", "a command has an outcome", place, name)

    def silent_clocks(self, dead_letters):
        """Clocks that rang and changed nothing: where, of which assignment, and for which moment."""
        for command_id, clock in self.commands.clocks.items():
            place = self.commands.first[command_id][0]
            if command_id not in self.answers["routing.events"] and place not in dead_letters.aside:
                yield place, *clock

    def digests(self):
        """One digest per events topic; verify.py's documentation says over what."""
        found = {}
        for topic, chains in self.chains.items():
            hash_ = hashlib.sha256()
            for aggregate in sorted(name.encode() for name in chains):
                chain = chains[aggregate.decode()]
                for part in (aggregate, chain.sequence.to_bytes(8, "big"), chain.digest):
                    hash_.update(len(part).to_bytes(8, "big") + part)
            found[topic] = hash_.hexdigest()
        return found
