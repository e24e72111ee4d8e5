"""Proves that verify.py finds what it is there to find.

A made-up deployment is written in memory, as the services would write it: three incidents with a State never
told, a forwarded assignment, transfers allowed later, an escalation, sealed notes, a disclosure, refusals, a
withdrawal. Untouched it must verify, and
so must what may happen to any deployment (resends, aborted records, a dead letter that is expected). Then
faults are planted, one at a time:

- on the records as they stand: each one dropped, doubled, exchanged with its neighbour, changed, moved;
- in the story before it is written, with every sequence and digest in order, so that only what the records
  say gives it away: each event left out with all that follows from it, each event said twice, and wrong
  agencies, countries, facets and answers.

Each fault must be found, as the kind that it is where that is certain.
"""

import base64
import copy
import sys
from collections import Counter

from verify_frame import KINDS, body_of
from verify_ledger import Ledger
from verify_reading import (
    AGAIN,
    INPUTS,
    NOTICES,
    UNCOMMITTED,
    Progress,
    Span,
)
from verify_run import Verification
from verify_world import (
    STANDING,
    At,
    Draft,
    MemorySource,
    World,
    Writer,
    an_id,
    handling,
)

MARKER = "Marker: Nobody Ever Lived at 7 Made-up Lane"
MARKED = "leaked: marker"


class Bench:
    """Plants faults and counts whether they were found."""

    def __init__(self, schemas):
        self.schemas = schemas
        self.tried, self.missed = Counter(), []

    def written(self, world):
        partitions = world.partitions()
        return partitions, Writer(self.schemas, partitions).write(world.drafts)

    def verify(self, source, lines, markers=(MARKER,), **options):
        ledger = Ledger.of(lines)
        run = Verification(source, self.schemas, Progress(silent=True))
        return run.run(markers=markers, ledger=ledger, **options)

    def clean(self, what, found):
        self.tried["untouched"] += 1
        if any(found[kind] for kind in KINDS):
            self.missed.append(f"{what} does not verify: {found['checks']} {found['examples']}")

    def found(self, group, what, found, kind=None):
        """`kind` may be one of the four kinds, or a check of one: `gaps: sequences have no gap`."""
        self.tried[group] += 1
        checks = {name for check in found["checks"] for name in (check, check.partition(":")[0])}
        if not (kind in checks if kind else checks):
            meant = f" as '{kind}'" if kind else ""
            self.missed.append(f"{group}: {what} was not found{meant}: {found['checks']}")

    def story(self, group, what, plant, kind=None):
        """A fault in what the records say, all sequences and digests in order."""
        world = World()
        plant(world)
        self.found(group, what, self.verify(MemorySource(*self.written(world)), world.ledger), kind)

    def records(self, group, what, plant, kind=None, **options):
        """A fault in the records as they stand, for all readers alike."""
        world = World()
        partitions, records = self.written(world)
        plant(records)
        self.found(group, what, self.verify(MemorySource(partitions, records), world.ledger, **options), kind)


def self_test(schemas):
    bench = Bench(schemas)
    untouched(bench)
    each_record(bench)
    each_event(bench)
    wrong_records(bench)
    wrong_stories(bench)
    wrong_answers(bench)
    wrong_readers(bench)
    markers(bench)
    for miss in bench.missed:
        print(f"self-test: {miss}")
    for group, count in bench.tried.items():
        print(f"  {count:>4}  {group}")
    print(f"self-test: {sum(bench.tried.values())} cases, {len(bench.missed)} not as they should be")
    return 1 if bench.missed else 0


def untouched(bench):
    world = World()
    partitions, records = bench.written(world)
    bench.clean("the made-up deployment", bench.verify(MemorySource(partitions, records), world.ledger))

    again = [
        {**world.ledger[0], "status": "unknown", "referral_id": None, "incident_id": None, "digest": None}
    ]
    bench.clean(
        "a reference sent three times",
        bench.verify(MemorySource(partitions, records), again + world.ledger + world.ledger),
    )
    silent = [{**again[0], "reference": world.ledger[1]["reference"], "reporter": "us-provider"}]
    bench.clean(
        "a sender that heard nothing",
        bench.verify(MemorySource(partitions, records), [*silent, world.ledger[0], *world.ledger[2:]]),
    )
    bench.clean(
        "a referral from elsewhere",
        bench.verify(MemorySource(partitions, records), world.ledger[1:], others=1),
    )
    source = MemorySource(partitions, records)
    for topic in ("routing.events", "jurisdiction.de"):
        record = records[topic][-1]
        source.views[UNCOMMITTED][topic].append(record._replace(offset=record.offset + 5))
    found = bench.verify(source, world.ledger)
    bench.clean("aborted records", found)
    if found["aborted"] != {"routing.events": 1, "jurisdiction.de": 1}:
        bench.missed.append(f"aborted records are counted wrong: {found['aborted']}")

    world = World()
    resent = copy.copy(world.named("AcceptAssignment"))
    world.drafts.append(resent)
    poison = Draft("referral.commands", "poison", b"not a record", id=an_id("poison"))
    letter = Draft(
        "referral.commands.dead-letter",
        "poison",
        {
            "source": At(poison),
            "reason": "the record does not decode",
            "service": "intake",
            "time": 1_000,
            "key": b"poison",
            "value": b"not a record",
        },
        name="DeadLetter",
    )
    world.drafts += [poison, letter]
    source = MemorySource(*bench.written(world))
    bench.clean("a poisonous record", bench.verify(source, world.ledger, dead_letters=1))
    bench.found("dead letters", "one that nobody expects", bench.verify(source, world.ledger), "lost")
    found = bench.verify(source, world.ledger, dead_letters=2)
    bench.found("dead letters", "one too few", found, "lost")
    partitions, records = bench.written(world)
    aside = records["referral.commands.dead-letter"]
    put(aside, 0, aside[0]._replace(headers=[]))
    found = bench.verify(MemorySource(partitions, records), world.ledger, dead_letters=1)
    bench.found("dead letters", "one without headers", found, "gaps: a dead letter's headers name it")
    world.drafts.append(copy.copy(letter))
    found = bench.verify(MemorySource(*bench.written(world)), world.ledger, dead_letters=2)
    bench.found("dead letters", "one record set aside twice", found, "doubled")
    world.drafts = world.drafts[:-2]
    source = MemorySource(*bench.written(world))
    bench.found("dead letters", "a poisonous record left lying", bench.verify(source, world.ledger), "lost")


def each_record(bench):
    """Every single event, notice and key set as it stands: dropped, doubled, exchanged, changed."""
    _, records = bench.written(World())
    topics = [t for t in records if t in INPUTS or t == "sealed-keys" or t.startswith(NOTICES)]
    for topic in topics:
        for number, record in enumerate(records[topic]):
            what = f"{topic} number {number}"
            bench.records("a record dropped", what, lambda r: r[topic].pop(number))
            if topic == "sealed-keys":
                continue
            later = record._replace(offset=record.offset + 1_000)
            bench.records("a record doubled later", what, lambda r: r[topic].append(later), "doubled")
            bench.records(
                "a record doubled at once", what, lambda r: r[topic].insert(number, record), "doubled"
            )
            if topic.startswith(NOTICES):
                continue
            changed = record._replace(value=record.value[:-1] + bytes([record.value[-1] ^ 1]))
            bench.records("a record's last bit changed", what, lambda r: put(r[topic], number, changed))
            moved = record._replace(partition=1 - record.partition)
            if topic != "directory.events":
                bench.records(
                    "a record in another partition", what, lambda r: put(r[topic], number, moved), "gaps"
                )
            other = neighbour(records[topic], number)
            if other is not None:
                bench.records(
                    "two records exchanged", what, lambda r: exchange(r[topic], number, other), "gaps"
                )


def put(records, number, record):
    records[number] = record


def neighbour(records, number):
    """The next record of the same aggregate."""
    for other in range(number + 1, len(records)):
        if records[other].key == records[number].key:
            return other
    return None


def exchange(records, one, other):
    first, second = records[one], records[other]
    records[one] = second._replace(offset=first.offset)
    records[other] = first._replace(offset=second.offset)


def each_event(bench):
    """Every event and notice in a story that is in order by itself: never written, or said twice."""
    for number, draft in enumerate(World().drafts):
        if draft.topic.endswith(".commands"):
            continue
        bench.story("never written", repr(draft), lambda w: w.without(w.drafts[number]))
        if draft.topic == "sealed-keys":
            continue
        bench.story(
            "said again", repr(draft), lambda w: w.drafts.append(copy.copy(w.drafts[number])), "doubled"
        )
        bench.story(
            "said twice",
            repr(draft),
            lambda w: w.drafts.insert(number + 1, copy.copy(w.drafts[number])),
            "doubled",
        )


def wrong_records(bench):
    """What only the bytes, keys and headers give away."""

    def rewritten(topic, number, change):
        def plant(records):
            record = records[topic][number]
            event = bench.schemas.read(topic, record.value)
            name, _ = body_of(event)
            full_name, body = event["body"]
            change(event, body)
            value = Writer(bench.schemas, {}).encode(topic, {**event, "body": (full_name, body)})
            records[topic][number] = record._replace(value=value)

        return plant

    def exchange_sequences(records):
        topic = "routing.events"
        first, second = 0, neighbour(records[topic], 0)
        rewritten(topic, first, lambda event, _: event.update(sequence=2))(records)
        rewritten(topic, second, lambda event, _: event.update(sequence=1))(records)

    group = "wrong records"
    bench.records(group, "two sequences exchanged", exchange_sequences, "gaps")
    topic = "routing.events"
    changes = {
        "a sequence left out": lambda event, _: event.update(sequence=event["sequence"] + 1),
        "another predecessor": lambda event, _: event.update(predecessor=b"\x00" * 32),
        "another event id": lambda event, _: event.update(event_id=an_id("another")),
        "another aggregate": lambda event, _: event.update(aggregate_id=an_id("another")),
        "another cause": lambda event, _: event.update(cause=an_id("another")),
        "another digest of the cause": lambda event, _: event.update(cause_digest=b"another"),
        "an input of another topic": lambda event, _: event["input"].update(topic="delivery.commands"),
        "an input of another place": lambda event, _: event["input"].update(offset=77),
    }
    _, records = bench.written(World())
    last = {record.key: number for number, record in enumerate(records[topic])}
    for what, change in changes.items():
        for number in (1, *last.values()):
            # What an event of another service asked has no digest.
            if what != "another digest of the cause" or number != 1:
                bench.records(group, what, rewritten(topic, number, change))
    number = len(records["jurisdiction.de"]) - 1
    for what, name in (("no headers", None), ("another's header", "ce_id"), ("another type", "ce_type")):
        told = records["jurisdiction.de"][number]
        headers = [(key, b"another" if key == name else value) for key, value in told.headers if name]
        notice = told._replace(headers=headers)
        bench.records(
            group,
            f"a notice with {what}",
            lambda r: put(r["jurisdiction.de"], number, notice),
            "gaps: a notice's headers name it",
        )
    replaced = {
        "another key": {"key": b"another"},
        "no headers": {"headers": []},
        "no value": {"value": None},
        "no frame": {"value": b"\x01\x00\x00\x00\x06"},
        "another schema's id": {"value": b"\x00\x00\x00\x00\x08"},
        "a byte too many": {"value": records[topic][3].value + b"\x00"},
    }
    for what, parts in replaced.items():
        bench.records(group, what, lambda r: put(r[topic], 3, r[topic][3]._replace(**parts)), "gaps")


def wrong_stories(bench):
    """What only the meaning gives away: sequences, digests and ids are all in order."""
    told = "leaked: a State never told is told nothing"
    decided = "leaked: delivery says what routing decided"
    called_for = "leaked: delivery does what routing calls for"
    notice = "leaked: a notice says what its event says"
    feedback = "leaked: a reporter is told what it may know"
    domestic = {**STANDING, "basis": "domestic"}
    more = {"facet_kinds": ["report"], "persons": [], "opens_with_offer": True}
    item, disclosure = an_item, changed("FacetsDisclosed")
    stories = [
        ("an item for another agency", item(agency="fr-police"), "leaked: an item is its offer's agency's"),
        ("an item for a State never told", item(agency="ke-police", country="KE"), told),
        ("an item that entitles to more", item(entitlement=more), decided),
        (
            "a lead of a State never told",
            changed("LeadProposed")(country="KE"),
            "leaked: a lead is one of those that may be told",
        ),
        (
            "a late answer that nobody looks into",
            lambda world: world.without(world.named("AssignmentEscalated")),
            "lost: an assignment that nobody answered is escalated",
        ),
        (
            "a step told to whoever has no part in it",
            changed("RequestStepDelivered")(agency="ke-police"),
            "leaked: a step is told to whoever takes part",
        ),
        (
            "a step told as another",
            changed("RequestStepDelivered")(state="refused"),
            "leaked: a step is told as it was taken",
        ),
        (
            "a step that nobody is told of",
            lambda world: world.without(world.named("RequestStepDelivered")),
            "lost: a step is told to everybody who takes part",
        ),
        (
            "a step by whoever has no part in it",
            changed("StepTaken")(by="ke-police"),
            "leaked: a step is taken by whoever takes part",
        ),
        (
            "a reader that mla did not name",
            changed("RequestReaderAdded")(agency="ke-police"),
            "leaked: delivery holds who takes part of a request as mla says",
        ),
        (
            "a custodian beside another",
            changed("CustodyAccepted")(**{"from": "ke-police"}),
            "doubled: a child has one custodian",
        ),
        (
            "custody that nobody has asked to be taken over",
            changed("CustodyAccepted")(route="taken-over"),
            "leaked: custody passes as both have said",
        ),
        (
            "custody that another has accepted",
            changed("CustodyAccepted")(by="ke-police"),
            "leaked: whoever is custodian has accepted it",
        ),
        (
            "an offer by whoever has nothing to offer",
            changed("CustodyOffered")(by="ke-police"),
            "leaked: whoever offers custody has it",
        ),
        (
            "a child that nobody registers",
            lambda world: world.without(world.named("ChildRegistered")),
            "lost: every child is registered",
        ),
        (
            "an incident that victim identification does not know",
            lambda world: world.without(world.named("CaseNoted")),
            "lost: victim identification knows an opened incident",
        ),
        (
            "news of a child told to another",
            changed("ChildNewsDelivered")(agency="ke-police"),
            "leaked: news of a child is told to whom it concerns",
        ),
        (
            "news of a child that nobody is told",
            lambda world: world.without(world.named("ChildNewsDelivered")),
            "lost: whom it concerns is told of a child",
        ),
        (
            "a handover that delivery does not hold",
            lambda world: world.without(world.named("HandoverAdded")),
            "lost: delivery holds what victim-id says of a child",
        ),
        (
            "a text that is closed to nobody",
            changed("RequestReaderAdded")(withheld=True),
            "leaked: a text is as closed as mla says",
        ),
        (
            "a text that delivery does not hold",
            lambda world: world.without(world.named("RequestFacetAdded")),
            "lost: delivery holds what mla says of a request",
        ),
        (
            "an incident that is not noted",
            lambda world: world.without(world.named("IncidentNoted")),
            "lost: an opened incident is noted",
        ),
        ("a facet added by another", changed("FacetAdded")(by="fr-police"), decided),
        ("a facet that stands elsewhere", facet_elsewhere, decided),
        ("a disclosure of what stands elsewhere", disclosed_elsewhere, ENTITLED),
        (
            "an erasure by another",
            changed("FacetsErased")(by="fr-central"),
            "lost: only its author has a facet erased",
        ),
        ("what is erased, given again", given_again, "leaked: what is erased is given to nobody"),
        ("what a party adds, on no basis", added_crosses_on(None), CROSSES),
        ("what a party adds, on another basis", added_crosses_on(STANDING), CROSSES),
        (
            "an originator that is not told",
            lambda world: world.without(world.named("EarlyOpeningDelivered")),
            "lost: the originator is told of an early opening",
        ),
        (
            "another that is told for the originator",
            changed("EarlyOpeningDelivered")(agency="nl-hotline"),
            "leaked: the originator is told of an early opening",
        ),
        (
            "a provider that is told who opened",
            changed("EarlyOpeningDelivered")(opened_by="fr-central", country="FR"),
            "leaked: a provider is not told who opened",
        ),
        ("a stranger that reads", read_by_a_stranger, "leaked: an attempt to read is refused"),
        (
            "a retraction for a stranger",
            changed("RetractionIssued")(recipients=["nl-hotline", "fr-police"]),
            "leaked: a retraction is for those who may have acted on it",
        ),
        (
            "a withdrawal for another reason",
            changed("IncidentWithdrawn")(reason="duplicate"),
            "gaps: an incident is withdrawn as its referral",
        ),
        (
            "feedback deferred otherwise",
            changed("FeedbackDeferred")(until=60_000),
            "leaked: feedback is deferred as it is held",
        ),
        ("an item on another transfer", item(transfer=domestic), decided),
        ("an item of what was not offered", item_of_nothing, called_for),
        ("a changed item of another agency", changed("ItemChanged")(agency="fr-police"), decided),
        ("a raised item of another agency", changed("ItemRaised")(agency="fr-police"), decided),
        ("an offer to a State never told", offer("ke-police", "KE"), told),
        ("an offer to an agency of a State never told", offer("ke-police", "DE"), told),
        ("an offer to an agency of elsewhere", offer("fr-police", "US"), AGENCY_STANDS),
        (
            "an offer of a person of elsewhere",
            offer_of_a_stranger,
            "leaked: an offer names persons of its country only",
        ),
        (
            "an offer without the originator's word",
            offer_unasked,
            "leaked: no offer crosses a border without the originator's word",
        ),
        (
            "an offer that crosses a border as domestic",
            offer_as_domestic,
            "leaked: a transfer is domestic within one country only",
        ),
        (
            "a forwarded assignment with more",
            forward_more,
            "leaked: a forwarded assignment gives no more than the first",
        ),
        ("an agency offered twice", offer_again, "doubled: an agency is offered an incident once"),
        (
            "transfers that another allows",
            allowed_by_another,
            "leaked: the originator alone allows transfers",
        ),
        ("a call to a State never told", call_kenya, told),
        (
            "an alert for nobody's coordinator",
            changed("AlertDelivered")(agency="de-police"),
            "leaked: an alert is for a coordinator of the country",
        ),
        (
            "an alert of another country",
            changed("AlertDelivered")(country="DE"),
            "leaked: a coordinator hears what routing alerts it of",
        ),
        ("a notice of a State never told", notice_of_kenya, told),
        (
            "a notice in another country's topic",
            notice_elsewhere,
            "leaked: a notice stands in its country's topic",
        ),
        ("a notice of another state", changed("Notice")(state="closed"), notice),
        ("a notice of another agency", changed("Notice")(agency="fr-police"), notice),
        (
            "a notice of nothing",
            changed("Notice")(event_id=an_id("nothing")),
            "leaked: a notice follows from an event of delivery",
        ),
        (
            "a disclosure to another agency",
            disclosure(agency="fr-police"),
            "leaked: an item stays its agency's",
        ),
        (
            "a disclosure to another's key",
            disclosure(recipient_key_id="fr-police-1"),
            "leaked: keys are wrapped to a key of the agency",
        ),
        (
            "a disclosure on another transfer",
            disclosure(transfer=domestic),
            "leaked: a disclosure rests on the offer's transfer",
        ),
        ("a disclosure of another's person", disclose_others(0), ENTITLED),
        ("a disclosure of another kind", disclose_others(1), ENTITLED),
        (
            "a disclosure before it is accepted",
            disclose_early,
            "leaked: facets are disclosed once the assignment is accepted",
        ),
        (
            "an access to what was not disclosed",
            changed("AccessReported")(facets=[an_id("other")]),
            "leaked: access is reported to what was disclosed",
        ),
        ("feedback of another country", feed_back(0, country="KE"), feedback),
        ("a provider told of a country", feed_back(2, country="FR"), feedback),
        (
            "an incident opened otherwise",
            changed("IncidentOpened")(handling=handling("standing", [])),
            "leaked: an incident is opened as it was referred",
        ),
        (
            "an incident of another place",
            opened_elsewhere,
            "gaps: an incident names where its referral stands",
        ),
        ("an incident registered otherwise", changed("IncidentRegistered")(urgency="routine"), decided),
        (
            "a country that no signal names",
            more_countries,
            "leaked: no country is found that no signal names",
        ),
        ("a country that is not found", fewer_countries, "lost: every country that a signal names is found"),
        ("offers without a policy", no_policy, "lost: offers are decided with the directory at hand"),
        ("a command answered twice", answered_twice, "doubled: a cause has one outcome"),
        (
            "a command answered where it was sent again",
            answered_where_sent_again,
            "lost: a command is answered where it first stands",
        ),
        ("an input answered after a later one", went_back, "gaps: input positions never go back"),
        (
            "a refusal of another command",
            changed("CommandRejected")(command_id=an_id("other")),
            "gaps: a refusal names its command",
        ),
    ]
    for what, plant, check in stories:
        bench.story("wrong stories", what, plant, check)


AGENCY_STANDS = "leaked: an agency stands in the country it acts for"
ENTITLED = "leaked: a facet is disclosed to whoever is entitled to it"
CROSSES = "leaked: what a party adds crosses on a basis"


def changed(name, number=0):
    """A draft that says something else."""
    return lambda **parts: lambda world: world.named(name, number).body.update(parts)


def an_item(**parts):
    """The inbox item alone: the offer says what it should."""

    def plant(world):
        draft = world.named("ItemDelivered")
        draft.body = {**draft.body, **parts}

    return plant


def item_of_nothing(world):
    world.named("ItemDelivered").cause = world.named("JurisdictionsFound")


def offer(agency, country, **more):
    """Offer, item and notice, all of them in order."""

    def plant(world):
        received = world.named("ReferralReceived")
        world.offer(world.danger, received, agency, country, [], "imminent-danger", **more)

    return plant


def offer_of_a_stranger(world):
    """The suspect of Kenya for France."""
    received = world.named("ReferralReceived")
    suspect = received.body["referral"]["people"][1]["person_ref"]
    world.offer(world.danger, received, "fr-police", "FR", [suspect], "imminent-danger")


def offer_unasked(world):
    """The provider keeps transfers to itself: it has allowed Germany, and France is offered."""
    world.named("TransfersAuthorised").body["countries"] = ["DE"]


def offer_as_domestic(world):
    world.named("AssignmentOffered").body["transfer"] = {**STANDING, "basis": "domestic"}


def offer_again(world):
    received = world.named("ReferralReceived")
    child = received.body["referral"]["people"][0]["person_ref"]
    again = {"assignment_id": an_id("again")}
    world.offer(world.danger, received, "de-police", "DE", [child], "imminent-danger", **again)


def forward_more(world):
    for name in ("AssignmentOffered", "ItemDelivered"):
        draft = world.named(name, 2)
        more = {**draft.body["entitlement"], "facet_kinds": ["person", "narrative", "report"]}
        draft.body = {**draft.body, "entitlement": more}


def allowed_by_another(world):
    world.named("TransfersAuthorised").envelope["agency"] = "fr-police"


def call_kenya(world):
    for name in ("DutyContactCalled", "CallDelivered"):
        draft = world.named(name)
        draft.body = {**draft.body, "agency": "ke-police"}


def notice_of_kenya(world):
    notice = world.named("Notice")
    notice.topic, notice.body = "jurisdiction.ke", {**notice.body, "country": "KE"}


def notice_elsewhere(world):
    world.named("Notice").topic = "jurisdiction.fr"


def disclose_others(which):
    """A facet that was sealed for somebody else: another person's, or of a kind that is not named."""

    def plant(world):
        world.named("FacetsDisclosed").body["facets"] = [world.sealed_for_others[which]]

    return plant


def feed_back(number, **parts):
    return lambda world: world.named("FeedbackGiven", number).body["feedback"].update(parts)


def opened_elsewhere(world):
    place = {"topic": "referral.events", "partition": 0, "offset": 99}
    opened = world.named("IncidentOpened")
    opened.body = {**opened.body, "facets": [{**facet, "at": place} for facet in opened.body["facets"]]}


ELSEWHERE = {"topic": "routing.events", "partition": 0, "offset": 99}


def facet_elsewhere(world):
    added = world.named("FacetAdded")
    added.body = {**added.body, "facet": {**added.body["facet"], "at": ELSEWHERE}}


def added_crosses_on(transfer):
    """The case number, which the agency that opens has added itself."""

    def plant(world):
        disclosed = world.named("FacetsDisclosed")
        *others, number = disclosed.body["facets"]
        disclosed.body = {**disclosed.body, "facets": [*others, {**number, "transfer": transfer}]}

    return plant


def given_again(world):
    """The facet that the French authority was given early, erased since."""
    erased = world.named("FacetsErased").body["facets"][0]
    early = world.named("FacetsDisclosed", 1)
    number = world.drafts.index(world.named("FacetsErased"))
    world.drafts.remove(early)
    world.drafts.insert(number, early)
    assert early.body["facets"][0]["facet_id"] == erased


def disclosed_elsewhere(world):
    disclosed = world.named("FacetsDisclosed")
    facets = [{**facet, "at": ELSEWHERE} for facet in disclosed.body["facets"]]
    disclosed.body = {**disclosed.body, "facets": facets}


def read_by_a_stranger(world):
    said = next(d for d in world.drafts if d.name == "CommandRejected" and d.body["command"] == "ReadRouting")
    said.body = {**said.body, "code": "wrong-state"}


def more_countries(world):
    world.named("JurisdictionsFound").body["countries"].append({"country": "US", "grounds": []})


def fewer_countries(world):
    world.named("JurisdictionsFound").body["countries"].pop()


def answered_twice(world):
    """The command stands again, and is accepted again there."""
    again = copy.copy(world.named("AcceptAssignment"))
    world.drafts.append(again)
    body = {"assignment_id": again.body["assignment_id"]}
    world.event("routing", again.key, "AssignmentAccepted", body, again)


def answered_where_sent_again(world):
    accepted = world.named("AssignmentAccepted")
    accepted.cause = again = copy.copy(world.named("AcceptAssignment"))
    world.drafts.insert(world.drafts.index(accepted), again)


def went_back(world):
    """The acceptance stands before the clocks, and is answered after them."""
    accept, clock = world.named("AcceptAssignment"), world.named("ClockDue")
    world.drafts.remove(accept)
    world.drafts.insert(world.drafts.index(clock), accept)


def disclose_early(world):
    """The acceptance comes only after the disclosure; and nothing opens with the offer."""
    calm = {"facet_kinds": ["person", "narrative"], "opens_with_offer": False}
    for name, topic in (("AssignmentOffered", "routing"), ("ItemDelivered", "delivery")):
        draft = world.named(name, 0, topic)
        draft.body = {**draft.body, "entitlement": {**draft.body["entitlement"], **calm}}
    changed = next(d for d in world.drafts if d.name == "ItemChanged" and d.body["state"] == "accepted")
    notice = next(d for d in world.drafts if d.cause is changed)
    for draft in (changed, notice):
        world.drafts.remove(draft)
        world.drafts.append(draft)


def no_policy(world):
    """Routing did not know the directory yet, and said so to nobody who could hear it."""
    opening = [world.named("AssignmentOffered")]
    for name in ("OfferWithheld", "CoordinatorAlerted"):
        opening += [world.named(name, number) for number in (0, 1)]
    for draft in opening:
        world.without(draft)
    world.alert(world.danger, world.named("ReferralReceived"), "country-without-agency", None)


def wrong_answers(bench):
    """What senders were told, against what is there."""
    group = "wrong answers"

    def lines(what, change, kind):
        world = World()
        ledger = world.ledger
        changed = change(ledger)
        source = MemorySource(*bench.written(world))
        bench.found(group, what, bench.verify(source, changed), kind)

    def but(ledger, **parts):
        return [{**ledger[0], **parts}, *ledger[1:]]

    lines(
        "one that was never received",
        lambda own: own
        + [{**own[0], "reference": "R-9", "referral_id": an_id("R-9"), "incident_id": an_id("I-9")}],
        "lost",
    )
    lines("another incident", lambda own: but(own, incident_id=own[1]["incident_id"]), "lost")
    lines("another digest", lambda own: but(own, digest="00"), "lost")
    lines("another reporter", lambda own: but(own, reporter="us-provider", reference="R-8"), "leaked")
    lines(
        "two answers of one reference", lambda own: own + [{**own[0], "referral_id": an_id("R-7")}], "doubled"
    )
    lines("received and refused", lambda own: own + [{**own[0], "status": "refused"}], "lost")
    lines("refused and there", lambda own: but(own, status="refused"), "doubled")
    lines("one that nobody sent", lambda own: own[:1], "doubled")


def wrong_readers(bench):
    """Readers that do not see the same."""
    group = "wrong readers"

    def seen(what, plant):
        world = World()
        partitions, records = bench.written(world)
        source = MemorySource(partitions, records)
        plant(source.views)
        bench.found(group, what, bench.verify(source, world.ledger), "gaps")

    topic = "delivery.events"
    seen("one that the second does not see", lambda views: views[AGAIN][topic].pop(4))
    seen("another order for the second", lambda views: views[AGAIN][topic].reverse())
    seen(
        "an aborted one that the second sees",
        lambda views: [
            views[view][topic].append(views[view][topic][-1]._replace(offset=500))
            for view in (AGAIN, UNCOMMITTED)
        ],
    )
    seen("one that only committed readers see", lambda views: views[UNCOMMITTED][topic].pop(4))
    seen(
        "another value for the uncommitted",
        lambda views: put(
            views[UNCOMMITTED][topic], 4, views[UNCOMMITTED][topic][4]._replace(value=b"another")
        ),
    )
    keys = "sealed-keys"
    seen(
        "keys that change between two readings",
        lambda views: put(views[AGAIN][keys], 0, views[AGAIN][keys][0]._replace(value=b"another")),
    )
    seen(
        "keys that only the second sees",
        lambda views: views[AGAIN][keys].insert(0, views[AGAIN][keys][0]._replace(offset=-1)),
    )
    seen("no keys at all for the second", lambda views: views[AGAIN][keys].clear())
    world = World()
    cleaned = MemorySource(*bench.written(world))
    cleaned.views[AGAIN][keys].pop(0)
    bench.clean("keys cleaned between two readings", bench.verify(cleaned, world.ledger))
    world = World()
    source = MemorySource(*bench.written(world))
    source.spans["routing.events", 0] = Span(3, 1 << 40, 1 << 40)
    bench.found(group, "a topic cut at its beginning", bench.verify(source, world.ledger), "gaps")


def markers(bench):
    """A marker in every spelling and every part of a record, committed and aborted."""
    text = MARKER
    hidden = {
        "plain": text.encode(),
        "lower case": text.lower().encode(),
        "upper case": text.upper().encode(),
        "hex": text.encode().hex().encode(),
        "upper-case hex": text.encode().hex().upper().encode(),
        "UTF-16LE": text.encode("utf-16-le"),
        "UTF-16BE": text.encode("utf-16-be"),
    }
    for before in range(5):
        for after in range(3):
            wrapped = b"x" * before + text.encode() + b"y" * after
            hidden[f"base64, {before} before and {after} after"] = base64.b64encode(wrapped)
            hidden[f"base64url, {before} before and {after} after"] = base64.urlsafe_b64encode(wrapped)
    group = "markers"
    topics = ("sealed-keys", "delivery.commands", "jurisdiction.de", "routing.events")
    for number, (what, form) in enumerate(hidden.items()):
        topic = topics[number % len(topics)]
        for part in ("key", "value", "header"):
            bench.records(group, f"{what} in a {part}", lambda r: hide(r[topic], part, form), MARKED)
    world = World()
    source = MemorySource(*bench.written(world))
    hide(source.views[UNCOMMITTED][topics[3]], "aborted", text.encode())
    bench.found(group, "an aborted record", bench.verify(source, world.ledger), MARKED)
    alike = [f"{MARKER}, number {number}" for number in range(40)]
    bench.records(
        group, "one of many", lambda r: hide(r[topics[0]], "value", alike[33].encode()), MARKED, markers=alike
    )
    for marker in ("??>>~~??>>~~ \u00ff\u00fe", "\u0141\u00f3d\u017a \u4e2d\u6587 \U0001f6d1"):
        for what, form in (
            ("base64", base64.b64encode(b"12" + marker.encode())),
            ("base64url", base64.urlsafe_b64encode(b"1" + marker.encode())),
            ("UTF-16LE", marker.encode("utf-16-le")),
            ("UTF-16BE", marker.encode("utf-16-be")),
        ):
            bench.records(
                group,
                f"{what} of other letters",
                lambda r: hide(r[topics[0]], "value", form),
                MARKED,
                markers=["Another one that is not there", marker],
            )


def hide(records, part, form):
    record = records[0]
    if part == "key":
        records[0] = record._replace(key=record.key + form)
    elif part == "value":
        records[0] = record._replace(value=record.value + form)
    elif part == "header":
        records[0] = record._replace(headers=[*record.headers, ("note", b"<" + form + b">")])
    else:
        records.append(record._replace(offset=9_000, value=form))


if __name__ == "__main__":
    sys.exit("verify_self_test: run `verify.py --self-test`")
