"""A made-up deployment in memory, for the self-test of verify.py: records as the services would write them.

Three incidents. In the first a child in Germany is in imminent danger, payments lead to the Netherlands, and
Kenya is never to be told: Germany is called, is late, which is escalated, accepts, gives its case number,
opens and reports, and asks the coordinator to look; a coordinator is refused. In the second a provider
reports a child in France and allows the transfer later; the assignment is forwarded, becomes an imminent
danger, and is declined with a note. In the third a hotline amends its referral, police hold its feedback and
take an assessment back, and the hotline withdraws. Drafts are written in the order in which they were added,
so that a fault can be planted before or after: in what is said, with every sequence and digest in order, or
in the records as they stand.
"""

import copy
import io
import uuid
from collections import Counter

from fastavro import schemaless_writer
from verify_frame import digest_of, event_id_of, partition_of
from verify_reading import (
    AGAIN,
    COMMITTED,
    DEAD_LETTER,
    INPUTS,
    NOTICES,
    UNCOMMITTED,
    Record,
    Span,
    subject_of,
)

PARTITIONS = 2
# An identifier that is derived from a name: the made-up world is the same in every run.
NAMESPACE = uuid.UUID("6f0c9d1e-7a52-4b7e-9a41-0d5a8c3e2b10")
SERVICES = {
    "directory": "directory",
    "referral": "intake",
    "routing": "routing",
    "mla": "mla",
    "victim-id": "victim-id",
    "delivery": "delivery",
}


def an_id(name):
    return str(uuid.uuid5(NAMESPACE, name))


def child_of(person):
    return an_id(f"child {person['person_ref']}")


# --- writing ------------------------------------------------------------------------------------------------


class Draft:
    """A record before it is written: what it says may name other drafts, by their place or their id."""

    def __init__(self, topic, key, body, cause=None, **envelope):
        self.topic, self.key, self.body, self.cause = topic, key, body, cause
        self.envelope = envelope
        self.name = envelope.get("name")
        # Set by the writer.
        self.partition = self.offset = self.id = None

    def __repr__(self):
        return f"{self.topic} {self.name or ''} of {self.key}"

    def position(self):
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}

    def names(self):
        """The drafts without which this one would not be there."""
        return ([self.cause] if self.cause else []) + places_in(self.body)


class At:
    """Where a draft will stand."""

    def __init__(self, draft):
        self.draft = draft


class IdOf:
    """The id that a draft will have."""

    def __init__(self, draft):
        self.draft = draft


def places_in(value):
    """The drafts whose places are named."""
    if isinstance(value, At):
        return [value.draft]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [draft for part in parts for draft in places_in(part)]


def resolved(value):
    if isinstance(value, At):
        return value.draft.position()
    if isinstance(value, IdOf):
        return value.draft.id
    if isinstance(value, dict):
        return {name: resolved(part) for name, part in value.items()}
    if isinstance(value, list):
        return [resolved(part) for part in value]
    return value


class Writer:
    """Writes drafts in their order: each gets its place, events their sequence and predecessor."""

    def __init__(self, schemas, partitions):
        self.schemas, self.partitions = schemas, partitions
        self.records = {topic: [] for topic in partitions}
        self.ends, self.chains = Counter(), {}

    def write(self, drafts):
        for draft in drafts:
            count = self.partitions[draft.topic]
            # An event goes to the partition of its input, a notice to its topic's only one.
            draft.partition = partition_of(draft.key.encode(), count) if count > 1 else 0
            lane = draft.topic, draft.partition
            draft.offset = self.ends[lane]
            # A commit takes an offset of its own here and there.
            self.ends[lane] += 2 if draft.offset % 3 == 2 else 1
            value, headers = self.value(draft)
            key = draft.key.encode()
            self.records[draft.topic].append(
                Record(draft.topic, draft.partition, draft.offset, key, value, headers)
            )
        return self.records

    def value(self, draft):
        if draft.topic in INPUTS:
            return self.event(draft)
        if draft.topic.endswith(".commands"):
            return self.command(draft)
        if isinstance(draft.body, bytes):
            return draft.body, []
        subject = subject_of(draft.topic)
        headers = {}
        if subject in (NOTICES, DEAD_LETTER):
            headers = self.headers(self.id_of(draft), f"{subject}.{draft.name}", draft.key)
        return self.encode(subject, resolved(draft.body)), headers or []

    @staticmethod
    def id_of(draft):
        """A notice is known by its event, a dead letter by the place of what was set aside."""
        said = resolved(draft.body)
        if "source" not in said:
            return said["event_id"]
        source = said["source"]
        return f"{source['topic']}/{source['partition']}/{source['offset']}"

    @staticmethod
    def headers(an_id, name, subject):
        headers = {"ce_id": an_id, "ce_type": f"org.causeway.{name}", "ce_subject": subject}
        return [(name, text.encode()) for name, text in headers.items()]

    def event(self, draft):
        chain = draft.topic, draft.key
        sequence, predecessor = self.chains.get(chain, (0, b""))
        sequence += 1
        key = draft.key.encode()
        draft.id = str(uuid.UUID(bytes=event_id_of(draft.topic.encode(), key, sequence)))
        command = draft.cause.topic.endswith(".commands")
        event = {
            "event_id": draft.id,
            "aggregate_id": draft.key,
            "sequence": sequence,
            "predecessor": predecessor,
            "salt": digest_of(draft.id.encode())[:16],
            "input": draft.cause.position(),
            "cause": draft.cause.id,
            "cause_digest": draft.cause.envelope.get("digest", b"asked") if command else b"",
            **self.who(draft),
            "directory_position": draft.envelope.get("directory", 0),
            "signature": None,
            "body": (self.full_name(draft), resolved(draft.body)),
        }
        value = self.encode(draft.topic, event)
        self.chains[chain] = sequence, digest_of(b"causeway-event-v1", draft.topic.encode(), key, value)
        service = SERVICES[draft.topic.partition(".")[0]]
        return value, self.headers(draft.id, f"{service}.{draft.name}", draft.key)

    def command(self, draft):
        draft.id = draft.envelope["id"]
        if isinstance(draft.body, bytes):
            return draft.body, []
        command = {
            "command_id": draft.id,
            "aggregate_id": draft.key,
            "digest": draft.envelope.get("digest", b"asked"),
            **self.who(draft),
            "signature": None,
            "body": (self.full_name(draft), resolved(draft.body)),
        }
        return self.encode(draft.topic, command), []

    def who(self, draft):
        return {
            "time": draft.envelope.get("time", 1_000),
            "agency": draft.envelope.get("agency", "causeway"),
            "actor": {"id": "somebody", "kind": "human"},
        }

    @staticmethod
    def full_name(draft):
        if draft.name in ("CommandRejected", "CommandFailed"):
            return f"org.causeway.{draft.name}"
        family = draft.topic.partition('.')[0].replace('-', '_')
        return f"org.causeway.{family}.{draft.name}"

    def encode(self, subject, datum):
        out = io.BytesIO()
        out.write(b"\x00" + self.schemas.ids[subject][-1].to_bytes(4, "big"))
        schemaless_writer(out, self.schemas.newest[subject], datum)
        return out.getvalue()


class MemorySource:
    """Records in memory, seen by each of the three readers alike unless told otherwise."""

    def __init__(self, partitions, records):
        self.partitions, self.quiet = partitions, True
        self.views = {
            view: {t: list(r) for t, r in records.items()} for view in (COMMITTED, AGAIN, UNCOMMITTED)
        }
        self.spans = {
            (topic, partition): Span(0, 1 << 40, 1 << 40)
            for topic, count in partitions.items()
            for partition in range(count)
        }

    def read(self, topics, view, _progress):
        for topic in topics:
            yield from self.views[view][topic]


# --- the made-up deployment ---------------------------------------------------------------------------------


def agency(name, country, kind, **more):
    return {
        "id": name,
        "name": name,
        "country": country,
        "kind": kind,
        "incident_kinds": [],
        "round_the_clock": False,
        "issuer": "https://issuer.example",
        "subject": name,
        "keys": [{"key_id": f"{name}-1", "public_key": "AAAA"}],
        "duty_contacts": [],
        "scope": [],
        **more,
    }


AGENCIES = [
    agency("nl-hotline", "NL", "hotline"),
    agency("us-provider", "US", "provider"),
    agency("de-police", "DE", "police-unit"),
    agency("fr-police", "FR", "police-unit"),
    agency("fr-central", "FR", "central-authority"),
    agency("ke-police", "KE", "police-unit"),
    agency("un-coordinator", "CH", "coordinator", scope=["DE", "FR", "KE", "NL", "US"]),
]
POLICY = {"name": "default", "version": 1, "acknowledge_within_minutes": 15, "rules": [], "transfers": []}
DOMESTIC = {
    "basis": "domestic",
    "rule": None,
    "article": "no border is crossed",
    "authorisation": "standing",
}
STANDING = {"basis": "intra-union", "rule": "union", "article": "Article 36", "authorisation": "standing"}


class World:
    """The drafts of the made-up deployment, in the order in which they are written."""

    def __init__(self):
        self.drafts = []
        self.ledger = []
        self.load_directory()
        self.imminent_danger()
        self.provider_report()
        self.withdrawn_referral()
        self.refusals()

    def partitions(self):
        single = ["directory.events", "directory.commands"]
        single += [f"{NOTICES}.{country}" for country in ("de", "fr", "ke", "us", "nl", "ch")]
        single += [f"{topic}.{DEAD_LETTER}" for topic in ("referral.commands", "routing.events")]
        many = [topic for pair in INPUTS for topic in (pair, pair.replace(".events", ".commands"))]
        many = [topic for topic in many if topic not in single] + ["sealed-keys"]
        return {**dict.fromkeys(single, 1), **dict.fromkeys(many, PARTITIONS)}

    def add(self, topic, key, name, body, cause=None, **envelope):
        draft = Draft(topic, key, body, cause, name=name, **envelope)
        self.drafts.append(draft)
        return draft

    def command(self, service, key, name, body, by, **envelope):
        number = len(self.drafts)
        envelope = {"id": an_id(f"command {number}"), "agency": by, **envelope}
        return self.add(f"{service}.commands", key, name, body, **envelope)

    def event(self, service, key, name, body, cause, **envelope):
        by = {"agency": cause.envelope.get("agency", "causeway")}
        return self.add(f"{service}.events", key, name, body, cause, **{**by, **envelope})

    def refused(self, service, key, name, body, by):
        command = self.command(service, key, name, body, by)
        said = {"command_id": IdOf(command), "command": name, "code": "not-entitled", "pointer": None}
        return self.event(service, key, "CommandRejected", said, command)

    def load_directory(self):
        entries = [{"agency": one, "policy": None} for one in AGENCIES]
        entries.append({"agency": None, "policy": POLICY})
        key = "genesis/directory"
        load = self.command("directory", key, "LoadGenesis", {"entries": entries}, "causeway")
        self.event("directory", key, "GenesisLoaded", {"entries": entries}, load, directory=-1)

    # --- the services' steps --------------------------------------------------------------------------------

    def seal(self, name):
        """A set of wrapped keys; returns its id."""
        key_set = an_id(f"keys of {name}")
        wrapped = {
            "key_set_id": key_set,
            "incident_id": an_id(f"incident of {name}"),
            "vault_key_id": "vault-1",
            "encapsulation": b"e" * 32,
            "nonce": b"n" * 12,
            "wrapped_keys": b"w" * 64,
            "sealed_at": 1_000,
        }
        self.add("sealed-keys", key_set, "KeySet", wrapped)
        return key_set

    def note(self, name, kind="answer-text"):
        """The free text of an answer, or a case number, under keys of its own."""
        return sealed(facet_ref(name, kind, None, self.seal(name)))

    def pass_on(self, incident, event, facet):
        """That a party added a facet."""
        body = {"by": event.envelope["agency"], "facet": facet_at(facet, event)}
        self.event("delivery", incident, "FacetAdded", body, event)

    def receive(self, incident, reporter, country, urgency, signals, people, handling):
        """A command with its keys, the referral, and the incident that it opens."""
        key_set = self.seal(incident)
        refs = [facet_ref(incident, "person", person["person_ref"], key_set) for person in people]
        refs += [facet_ref(incident, kind, None, key_set) for kind in ("narrative", "report")]
        common = {
            "referral_id": an_id(f"referral of {incident}"),
            "reporter": reporter,
            "reporter_country": country,
            "kind": "csam",
            "urgency": urgency,
            "danger_reason": None,
            "week": "2026-W47",
            "annotations": [],
            "people": people,
            "signals": signals,
            "handling": handling,
        }
        referral = {
            **common,
            "form": "json",
            "items": [],
            "facets": [sealed(ref) for ref in refs],
            "selectors": [],
            "gate": {"version": 1, "withheld": []},
            "ip_database": None,
            "asks_to_join": None,
        }
        digest = digest_of(incident.encode())
        body = {"referral": referral}
        command = self.command("referral", incident, "ReceiveReferral", body, reporter, digest=digest)
        received = self.event("referral", incident, "ReferralReceived", copy.deepcopy(body), command)
        self.ledger.append(
            {
                "reference": f"R-{len(self.ledger)}",
                "reporter": reporter,
                "status": "received",
                "referral_id": common["referral_id"],
                "incident_id": incident,
                "digest": digest.hex(),
            }
        )
        refs = [facet_at(ref, received) for ref in refs]
        opening = {**common, "facets": refs}
        opened = self.event("routing", incident, "IncidentOpened", opening, received)
        registered = {
            name: opening[name]
            for name in (
                "referral_id",
                "reporter",
                "kind",
                "urgency",
                "danger_reason",
                "week",
                "people",
                "facets",
            )
        }
        registered |= {name: opening["handling"][name] for name in ("retain_until", "never_told")}
        self.event("delivery", incident, "IncidentRegistered", registered, opened)
        noted = {name: opening[name] for name in ("referral_id", "kind", "urgency")}
        noted["never_told"] = opening["handling"]["never_told"]
        self.event("mla", incident, "IncidentNoted", noted, opened)
        case = {name: opening[name] for name in ("referral_id", "kind", "urgency", "annotations")}
        case["never_told"] = opening["handling"]["never_told"]
        self.event("victim-id", incident, "CaseNoted", case, opened)
        for person in people:
            if person["category"] == "victim" and person["age_band"] != "adult":
                child = {name: person[name] for name in ("person_ref", "age_band")}
                child |= {"child_ref": child_of(person), "by": None, "awaited_until": 90_000_000}
                self.event("victim-id", incident, "ChildRegistered", child, opened)
        countries = sorted({country for signal in signals for country in signal["countries"]})
        found = [{"country": country, "grounds": [ground(country)]} for country in countries]
        found = {"rules_version": 1, "countries": found}
        self.event("routing", incident, "JurisdictionsFound", found, received)
        return received, refs

    def offer(self, incident, cause, agency, country, persons, urgency, transfer=STANDING, **more):
        entitlement = {
            "facet_kinds": ["person", "narrative"],
            "persons": persons,
            "opens_with_offer": urgency == "imminent-danger",
        }
        offer = {
            "assignment_id": an_id(f"{incident} for {agency}"),
            "agency": agency,
            "country": country,
            "grounds": [ground(country)],
            "rule": "rule",
            "policy_version": 1,
            "entitlement": entitlement,
            "transfer": transfer,
            "respond_by": 9_000,
            "forwarded_from": None,
            **more,
        }
        offered = self.event("routing", incident, "AssignmentOffered", offer, cause)
        item = {name: offer[name] for name in ("assignment_id", "agency", "country")}
        item["bases"] = ["territory"]
        item |= {name: offer[name] for name in ("entitlement", "transfer", "respond_by")}
        delivered = self.event("delivery", incident, "ItemDelivered", item, offered)
        self.notice(incident, delivered, item, "offered", urgency)
        return offered, item

    def notice(self, incident, event, item, state, urgency):
        notice = {
            "event_id": IdOf(event),
            "incident_id": incident,
            "assignment_id": item["assignment_id"],
            "country": item["country"],
            "agency": item["agency"],
            "state": state,
            "kind": "csam",
            "urgency": urgency,
            "bases": item["bases"],
            "respond_by": item["respond_by"],
            "time": 1_000,
        }
        self.add(f"{NOTICES}.{item['country'].lower()}", incident, "Notice", notice, event)

    def change(self, incident, cause, name, item, state, urgency, **more):
        body = {"assignment_id": item["assignment_id"], **more}
        changed = self.event("routing", incident, name, body, cause)
        body = {"assignment_id": item["assignment_id"], "agency": item["agency"], "state": state}
        delivered = self.event("delivery", incident, "ItemChanged", body, changed)
        self.notice(incident, delivered, item, state, urgency)
        if more.get("note"):
            self.pass_on(incident, changed, more["note"])
        return changed

    def feed_back(self, incident, cause, item, stage, country=None, reason=None):
        said = {"stage": stage, "country": country, "decline_reason": reason, "outcome": None}
        body = {"assignment_id": item["assignment_id"], "feedback": said}
        self.event("referral", incident, "FeedbackGiven", body, cause)

    def call(self, incident, cause, item, contact="desk", attempt=1, until=5_000):
        body = {
            "assignment_id": item["assignment_id"],
            "agency": item["agency"],
            "contact": contact,
            "attempt": attempt,
            "acknowledge_by": until,
        }
        called = self.event("routing", incident, "DutyContactCalled", body, cause)
        self.event("delivery", incident, "CallDelivered", body, called)

    def withhold(self, incident, cause, country, agency, reason):
        body = {"country": country, "agency": agency, "reason": reason, "rule": None}
        self.event("routing", incident, "OfferWithheld", body, cause)
        self.alert(incident, cause, "offer-withheld", country)

    def alert(self, incident, cause, reason, country, assignment=None):
        body = {"reason": reason, "country": country, "assignment_id": assignment}
        alerted = self.event("routing", incident, "CoordinatorAlerted", body, cause)
        body = {**body, "agency": "un-coordinator"}
        self.event("delivery", incident, "AlertDelivered", body, alerted)

    def lead(self, incident, cause, country):
        factors = [{"factor": "victim-interests", "country": country, "signals": 1}]
        self.event("routing", incident, "LeadProposed", {"country": country, "factors": factors}, cause)

    def request(self, incident):
        """Germany asks France for something: written, shared, and each step told to the other side."""
        request, text = an_id(f"request of {incident}"), self.note("request", "request-text")
        draft = {
            "kind": "assistance",
            "requested": "FR",
            "authority": "fr-central",
            "addressee": None,
            "measures": ["content-data"],
            "basis": "eio",
            "emergency": None,
            "notified": False,
            "needed_by": None,
            "languages": [],
            "translation": "not-needed",
            "parent": None,
            "confidential": False,
            "conditions": [],
            "elements": ["facts"],
            "text": text,
            "reasons": None,
        }
        ask = self.command("mla", incident, "DraftRequest", {"draft": draft}, "de-central")
        self.share(incident, request, "de-central", "requesting", None, ask)
        body = {"request_id": request, "by": "de-central", "country": "DE", "draft": draft}
        drafted = self.event("mla", incident, "RequestDrafted", body, ask)
        self.hold_text(incident, request, "de-central", text, drafted)
        sending = {"channel": "central-authorities", "oral": False}
        take = self.step(incident, request, "Transmission", sending, "de-central")
        self.share(incident, request, "fr-central", "requested", "eio", take)
        self.taken(incident, request, "Transmission", sending, "transmitted", "fr-central", take)
        take = self.step(incident, request, "Receipt", {}, "fr-central")
        self.taken(incident, request, "Receipt", {}, "received", "de-central", take)

    def search(self, incident, person):
        """Germany looks for a child, and hands the search on to France."""
        child = child_of(person)
        take = self.command("victim-id", incident, "TakeCustody", {"child_ref": child, "limit_days": 30}, "de-police")
        self.custody(incident, child, "de-police", "DE", "first", None, take)
        offer, note = an_id(f"offer of {child}"), self.note("handover", "handover")
        offering = {"child_ref": child, "to": "fr-police", "until": 9_000_000, "handover": note}
        ask = self.command("victim-id", incident, "OfferCustody", offering, "de-police")
        offered = self.event(
            "victim-id", incident, "CustodyOffered", offering | {"offer_id": offer, "by": "de-police"}, ask
        )
        ref = {name: note[name] for name in ("facet_id", "kind", "person_ref", "key_set_id")}
        added = {"child_ref": child, "by": "de-police", "facet": facet_at(ref, offered), "to": "fr-police"}
        self.event("delivery", incident, "HandoverAdded", added, offered)
        self.child_news(incident, child, "fr-police", "custody-offered", ask)
        accepting = {"child_ref": child, "offer_id": offer, "limit_days": 30}
        accept = self.command("victim-id", incident, "AcceptCustody", accepting, "fr-police")
        self.custody(incident, child, "fr-police", "FR", "handed-on", "de-police", accept)
        self.child_news(incident, child, "de-police", "custody-passed", accept)

    def custody(self, incident, child, by, country, route, before, cause):
        body = {
            "child_ref": child,
            "by": by,
            "country": country,
            "route": route,
            "from": before,
            "limit_days": 30,
        }
        accepted = self.event("victim-id", incident, "CustodyAccepted", body, cause)
        noted = {"child_ref": child, "agency": by}
        self.event("delivery", incident, "CustodianNoted", noted, accepted)

    def child_news(self, incident, child, agency, news, cause):
        body = {"child_ref": child, "agency": agency, "news": news}
        noticed = self.event("victim-id", incident, "AgencyNoticed", body, cause)
        self.event("delivery", incident, "ChildNewsDelivered", dict(body), noticed)

    def step(self, incident, request, name, says, by):
        said = (f"org.causeway.mla.step.{name}", says)
        body = {"request_id": request, "step": said, "note": None, "reference": None}
        return self.command("mla", incident, "TakeStep", body, by)

    def taken(self, incident, request, name, says, state, told, take):
        by = take.envelope["agency"]
        role = "requesting" if by == "de-central" else "requested"
        common = {"request_id": request, "role": role, "state": state}
        said = {"by": by, "step": (f"org.causeway.mla.step.{name}", says), "note": None, "reference": None}
        event = self.event("mla", incident, "StepTaken", common | said, take)
        body = common | {"agency": told, "step": name.lower()}
        self.event("delivery", incident, "RequestStepDelivered", body, event)

    def share(self, incident, request, agency, role, basis, cause):
        body = {"request_id": request, "agency": agency, "role": role, "basis": basis, "withheld": False}
        shared = self.event("mla", incident, "RequestShared", body, cause)
        self.event("delivery", incident, "RequestReaderAdded", dict(body), shared)

    def hold_text(self, incident, request, by, facet, event):
        ref = {name: facet[name] for name in ("facet_id", "kind", "person_ref", "key_set_id")}
        body = {"request_id": request, "by": by, "facet": facet_at(ref, event), "draft": True}
        self.event("delivery", incident, "RequestFacetAdded", body, event)

    # --- two incidents --------------------------------------------------------------------------------------

    def imminent_danger(self):
        """A child in Germany, a suspect in Kenya, which is never told; Germany accepts and opens.

        The Netherlands, where the hotline stands, have nobody to be offered anything.
        """
        danger = "imminent-danger"
        incident = self.danger = an_id("incident of danger")
        child, suspect = a_person("child", "victim"), a_person("suspect", "suspect")
        signals = [signal("victim", "DE", child), signal("offender", "KE", suspect)]
        signals.append({**signal("payee", "NL", child), "person_ref": None})
        people = [child, suspect]
        received, refs = self.receive(
            incident, "nl-hotline", "NL", danger, signals, people, handling("standing", ["KE"])
        )
        offered, item = self.offer(incident, received, "de-police", "DE", [child["person_ref"]], danger)
        self.feed_back(incident, offered, item, "routed", "DE")
        self.call(incident, received, item)
        self.withhold(incident, received, "KE", "ke-police", "never-told")
        self.withhold(incident, received, "NL", None, "no-agency")
        self.lead(incident, received, "DE")
        clock = {"assignment_id": item["assignment_id"], "due": 5_000}
        due = self.command("routing", incident, "ClockDue", clock, "causeway")
        self.call(incident, due, item, "duty officer", 2, 10_000)
        # It rings again, and no longer runs; the one after it is the answer's own.
        self.command("routing", incident, "ClockDue", clock, "causeway")
        due = self.command("routing", incident, "ClockDue", {**clock, "due": item["respond_by"]}, "causeway")
        self.change(incident, due, "AssignmentOverdue", item, "overdue", danger)
        unanswered = {"reason": "unanswered", "note": None}
        self.change(incident, due, "AssignmentEscalated", item, "escalated", danger, **unanswered)
        self.alert(incident, due, "escalated", "DE", item["assignment_id"])
        accept = self.command(
            "routing", incident, "AcceptAssignment", {"assignment_id": item["assignment_id"]}, "de-police"
        )
        accepted = self.change(incident, accept, "AssignmentAccepted", item, "accepted", danger)
        self.feed_back(incident, accepted, item, "accepted", "DE")
        number = self.note("case of Germany", "case-number")
        add = self.command("routing", incident, "AddCaseNumber", {"number": number}, "de-police")
        body = {"by": "de-police", "number": number}
        added = self.event("routing", incident, "CaseNumberAdded", body, add)
        self.pass_on(incident, added, number)
        self.escalate_accepted(incident, item)
        self.request(incident)
        self.search(incident, child)
        asked = {"assignment_id": item["assignment_id"], "facets": [], "recipient_key_id": "de-police-1"}
        ask = self.command("delivery", incident, "OpenFacets", asked, "de-police")
        number = facet_at(number, added)
        given = [{**refs[0], "person_category": "victim", "transfer": None}]
        given += [{**refs[2], "person_category": None, "transfer": None}]
        given += [{**number, "person_category": None, "transfer": DOMESTIC}]
        self.sealed_for_others = [
            {**refs[1], "person_category": "suspect", "transfer": None},
            {**refs[3], "person_category": None, "transfer": None},
        ]
        disclosure = {
            "disclosure_id": an_id("disclosure"),
            "assignment_id": item["assignment_id"],
            "agency": "de-police",
            "recipient_key_id": "de-police-1",
            "facets": given,
            "transfer": item["transfer"],
            "with_offer": False,
        }
        self.event("delivery", incident, "FacetsDisclosed", disclosure, ask)
        report = {"disclosure_id": an_id("disclosure"), "facets": [given[0]["facet_id"]]}
        reported = self.command("delivery", incident, "ReportAccess", report, "de-police")
        self.event("delivery", incident, "AccessReported", {**report, "agency": "de-police"}, reported)
        self.refused("delivery", incident, "OpenFacets", asked, "un-coordinator")

    def escalate_accepted(self, incident, item):
        """Whoever works on it asks for a coordinator, and goes on."""
        note = self.note("word to the coordinator")
        body = {"assignment_id": item["assignment_id"], "reason": "needs-coordination", "note": note}
        ask = self.command("routing", incident, "EscalateAssignment", body, "de-police")
        escalated = self.event("routing", incident, "AssignmentEscalated", body, ask)
        self.pass_on(incident, escalated, note)
        self.alert(incident, ask, "escalated", "DE", item["assignment_id"])

    def provider_report(self):
        """France alone, which the provider allows later; forwarded, then raised, then declined."""
        incident = self.report = an_id("incident of report")
        child = a_person("other child", "victim")
        received, refs = self.receive(
            incident,
            "us-provider",
            "US",
            "routine",
            [signal("victim", "FR", child)],
            [child],
            handling("per-case", []),
        )
        self.withhold(incident, received, "FR", "fr-police", "not-authorised")
        allow = self.command("routing", incident, "AuthoriseTransfers", {"countries": ["FR"]}, "us-provider")
        self.event("routing", incident, "TransfersAuthorised", {"countries": ["FR"]}, allow)
        transfer = {**STANDING, "authorisation": "per-case"}
        persons = [child["person_ref"]]
        _, first = self.offer(incident, allow, "fr-police", "FR", persons, "routine", transfer)
        body = {"assignment_id": first["assignment_id"], "to": "fr-central", "note": None}
        forward = self.command("routing", incident, "ForwardAssignment", body, "fr-police")
        more = {"to": "fr-central", "note": None}
        self.change(incident, forward, "AssignmentForwarded", first, "forwarded", "routine", **more)
        _, item = self.offer(
            incident,
            forward,
            "fr-central",
            "FR",
            persons,
            "routine",
            transfer,
            forwarded_from=first["assignment_id"],
        )
        self.raise_it(incident, item)
        self.open_early(incident, item, refs[0])
        more = {"reason": "no-capacity", "note": self.note("word of France")}
        body = {"assignment_id": item["assignment_id"], **more}
        decline = self.command("routing", incident, "DeclineAssignment", body, "fr-central")
        item = {**item, "respond_by": 2_000}
        declined = self.change(
            incident, decline, "AssignmentDeclined", item, "declined", "imminent-danger", **more
        )
        self.feed_back(incident, declined, item, "not-actionable", None, "no-capacity")
        self.refused("routing", an_id("no such incident"), "AcceptLead", {"country": "FR"}, "fr-police")
        asked = {"incident_id": incident}
        self.refused("routing", incident, "ReadRouting", asked, "ke-police")
        asked = {"referral_id": an_id(f"referral of {incident}")}
        self.refused("referral", incident, "ReadReferral", asked, "ke-police")

    def raise_it(self, incident, item):
        assessment = {
            "kind": "urgency",
            "value": "imminent-danger",
            "reason": "expert-opinion",
            "person_ref": None,
        }
        body = {"assessment": assessment, "note": None}
        assess = self.command("routing", incident, "AddAssessment", body, "fr-central")
        added = {"assessment_id": an_id("assessment"), "by": "fr-central", **body}
        self.event("routing", incident, "AssessmentAdded", added, assess)
        raised = {
            "urgency": "imminent-danger",
            "entitlement": {**item["entitlement"], "opens_with_offer": True},
            "respond_by": 2_000,
        }
        assignment = {"assignment_id": item["assignment_id"]}
        cause = self.event("routing", incident, "AssignmentRaised", {**assignment, **raised}, assess)
        body = {**assignment, "agency": item["agency"], **raised}
        delivered = self.event("delivery", incident, "ItemRaised", body, cause)
        self.notice(incident, delivered, {**item, "respond_by": 2_000}, "offered", "imminent-danger")
        self.call(incident, assess, item)

    def open_early(self, incident, item, ref):
        """The provider that reported it hears that somebody opened the child with the offer, and not who."""
        asked = {"assignment_id": item["assignment_id"], "facets": [], "recipient_key_id": "fr-central-1"}
        ask = self.command("delivery", incident, "OpenFacets", asked, "fr-central")
        disclosure = {
            "disclosure_id": an_id("early disclosure"),
            "assignment_id": item["assignment_id"],
            "agency": "fr-central",
            "recipient_key_id": "fr-central-1",
            "facets": [{**ref, "person_category": "victim", "transfer": None}],
            "transfer": item["transfer"],
            "with_offer": True,
        }
        self.event("delivery", incident, "FacetsDisclosed", disclosure, ask)
        told = {
            "agency": "us-provider",
            "disclosure_id": disclosure["disclosure_id"],
            "opened_by": None,
            "country": None,
        }
        self.event("delivery", incident, "EarlyOpeningDelivered", told, ask)
        self.erase(incident, ref)

    def erase(self, incident, ref):
        """Whoever reported the child has it erased; the rest of its set of keys stays."""
        asked = {"person_ref": ref["person_ref"], "reason": "data-subject"}
        ask = self.command("delivery", incident, "EraseFacets", asked, "us-provider")
        key_set = {"key_set_id": ref["key_set_id"], "facets": [ref["facet_id"]], "whole": False}
        erased = {
            "erasure_id": an_id("erasure"),
            "by": "us-provider",
            **asked,
            "facets": [ref["facet_id"]],
            "key_sets": [key_set],
        }
        self.event("delivery", incident, "FacetsErased", erased, ask)
        told = {
            "agency": "fr-central",
            "erasure_id": erased["erasure_id"],
            "reason": "data-subject",
            "restricted": False,
            "facets": erased["facets"],
        }
        self.event("delivery", incident, "ErasureDelivered", told, ask)

    def withdrawn_referral(self):
        """Germany alone: amended, assessed with a word that is taken back, feedback held, withdrawn."""
        incident = self.withdrawn = an_id("incident withdrawn")
        child = a_person("third child", "victim")
        received, _ = self.receive(
            incident,
            "nl-hotline",
            "NL",
            "routine",
            [signal("victim", "DE", child)],
            [child],
            handling("standing", []),
        )
        persons = [child["person_ref"]]
        offered, item = self.offer(incident, received, "de-police", "DE", persons, "routine")
        self.feed_back(incident, offered, item, "routed", "DE")
        self.amend(incident, received)
        assignment = {"assignment_id": item["assignment_id"]}
        accept = self.command("routing", incident, "AcceptAssignment", assignment, "de-police")
        accepted = self.change(incident, accept, "AssignmentAccepted", item, "accepted", "priority")
        self.feed_back(incident, accepted, item, "accepted", "DE")
        self.hold(incident, {**assignment, "until": 50_000})
        self.take_back(incident)
        reason = {"reason": "false-positive"}
        withdraw = self.command("referral", incident, "WithdrawReferral", reason, "nl-hotline")
        gone = self.event("referral", incident, "ReferralWithdrawn", reason, withdraw)
        self.event("routing", incident, "IncidentWithdrawn", dict(reason), gone)
        self.change(incident, gone, "AssignmentRevoked", item, "revoked", "priority", **reason, note=None)
        self.retract(incident, gone, 1, None, "false-positive", ["de-police"])

    def amend(self, incident, received):
        before = received.body["referral"]
        key_set = self.seal(f"amended {incident}")
        refs = [{**facet_ref(f"amended {incident}", "narrative", None, key_set)}]
        referral = {**before, "urgency": "priority", "facets": [sealed(ref) for ref in refs]}
        asks = self.command("referral", incident, "AmendReferral", {"referral": referral}, "nl-hotline")
        body = {"amendment": 1, "referral": referral}
        amended = self.event("referral", incident, "ReferralAmended", body, asks)
        updated = {name: referral[name] for name in ("kind", "urgency", "danger_reason", "week", "people")}
        updated |= {"amendment": 1, "facets": [facet_at(ref, amended) for ref in refs]}
        body = {**updated, "annotations": [], "signals": [], "handling": referral["handling"]}
        cause = self.event("routing", incident, "IncidentAmended", body, amended)
        updated |= {name: referral["handling"][name] for name in ("retain_until", "never_told")}
        self.event("delivery", incident, "IncidentUpdated", updated, cause)

    def hold(self, incident, body):
        asks = self.command("routing", incident, "HoldFeedback", body, "de-police")
        held = self.event("routing", incident, "FeedbackHeld", body, asks)
        self.event("referral", incident, "FeedbackDeferred", dict(body), held)

    def take_back(self, incident):
        assessment = {"kind": "fictional", "value": None, "reason": "expert-opinion", "person_ref": None}
        body = {"assessment": assessment, "note": self.note("word on the material")}
        assess = self.command("routing", incident, "AddAssessment", body, "de-police")
        assessment_id = an_id("assessment taken back")
        body = {"assessment_id": assessment_id, "by": "de-police", **body}
        added = self.event("routing", incident, "AssessmentAdded", body, assess)
        self.pass_on(incident, added, body["note"])
        body = {"assessment_id": assessment_id, "reason": "assessed-anew"}
        asks = self.command("routing", incident, "RetractAssessment", body, "de-police")
        self.event("routing", incident, "AssessmentRetracted", body, asks)
        retraction = self.retract(incident, asks, 0, assessment_id, "assessed-anew", ["nl-hotline"])
        acknowledge = self.command("routing", incident, "AcknowledgeRetraction", retraction, "nl-hotline")
        body = {**retraction, "by": "nl-hotline"}
        self.event("routing", incident, "RetractionAcknowledged", body, acknowledge)

    def retract(self, incident, cause, number, assessment_id, reason, recipients):
        retraction = {"retraction_id": an_id(f"retraction {number}")}
        body = {**retraction, "assessment_id": assessment_id, "reason": reason, "recipients": recipients}
        issued = self.event("routing", incident, "RetractionIssued", body, cause)
        for agency in recipients:
            body = {"agency": agency, **retraction, "reason": reason}
            self.event("delivery", incident, "RetractionDelivered", body, issued)
        return retraction

    def refusals(self):
        body = {"refusals": [{"reason": "malformed", "pointer": "", "count": 2}]}
        count = self.command("referral", "refusals/nl-hotline", "CountRefusals", body, "nl-hotline")
        self.event("referral", "refusals/nl-hotline", "SubmissionsRefused", body, count)

    # --- looking for drafts ---------------------------------------------------------------------------------

    def named(self, name, number=0, topic=""):
        found = [d for d in self.drafts if d.name == name and d.topic.startswith(topic)]
        return found[number]

    def without(self, draft):
        """The world in which this was never written, and nothing that follows from it."""
        gone = {draft}
        for later in self.drafts:
            if any(named in gone for named in later.names()):
                gone.add(later)
        self.drafts = [draft for draft in self.drafts if draft not in gone]


def a_person(name, category):
    return {
        "person_ref": an_id(name),
        "category": category,
        "age_band": "unknown",
        "facet_id": an_id(f"facet of {name}"),
    }


def facet_ref(incident, kind, person, key_set):
    facet = an_id(f"{incident} {kind} {person}")
    return {"facet_id": facet, "kind": kind, "person_ref": person, "key_set_id": key_set}


def sealed(ref):
    return {**ref, "nonce": b"n" * 12, "ciphertext": b"sealed" * 9}


def facet_at(facet, event):
    """A sealed facet as it is known where its ciphertext does not stand."""
    names = ("facet_id", "kind", "person_ref", "key_set_id")
    return {**{name: facet[name] for name in names}, "at": At(event)}


def signal(role, country, person):
    return {
        "role": role,
        "countries": [country],
        "source": "ip",
        "confidence": "high",
        "basis": "territory",
        "person_ref": person["person_ref"],
        "item_ref": None,
    }


def ground(country):
    return {
        "role": "victim",
        "basis": "territory",
        "source": "ip",
        "confidence": "high",
        "articles": [country],
        "person_ref": None,
    }


def handling(transfers, never_told):
    return {
        "tlp": "TLP:AMBER",
        "codes": [],
        "purpose": "child-protection",
        "retain_until": None,
        "never_told": never_told,
        "transfers": transfers,
    }
