"""What was made of each referral: opened, offered, delivered, told, disclosed, and to nobody else.

The part of verify.py that knows incidents. It follows each incident through the topics in the order in which
the services do, and keeps of each only what a later record is held against.
"""

from collections import Counter

from verify_frame import as_bytes, is_named
from verify_reading import offset_of, pack, partition_number, shown, topic_of

IMMINENT_DANGER = "imminent-danger"
NOBODY_ANSWERED = "nobody-answered"
URGENCIES = ["routine", "priority", IMMINENT_DANGER]
# What stands in the place of an expectation that was met.
MET = ()
# How an assignment stands after an event of routing.
STATES = {
    "AssignmentAccepted": "accepted",
    "AssignmentDeclined": "declined",
    "AssignmentForwarded": "forwarded",
    "AssignmentRevoked": "revoked",
    "AssignmentClosed": "closed",
    "AssignmentOverdue": "overdue",
    "AssignmentEscalated": "escalated",
}
# An assignment awaits its agency's answer.
AWAITING = ("offered", "overdue", "escalated")
# Why a coordinator is asked to look where the clock says so; of every other reason a party does.
UNANSWERED = "unanswered"
ESCALATED = "escalated"
# One party's own number for its case: for every other to open.
CASE_NUMBER = "case-number"
# What moves the clocks of an assignment.
CALLED, EXHAUSTED, RESPOND_BY, OVERDUE, ANSWERED = "called", "exhausted", "respond by", "overdue", "answered"
# Grounds of an offender that speak for a lead; those of everybody else always do.
LEADING_BASES = {"territory", "offender-nationality", "offender-residence"}


def print_of(value):
    """Stands for a value in comparisons: a number is kept where a value would take much room."""
    return hash(repr(value))


def position_of(place):
    """An event's place as records name it."""
    return {"topic": topic_of(place), "partition": partition_number(place), "offset": offset_of(place)}


def refs_of(facets, place):
    """Sealed facets as routing and delivery know them: where they stand, never what they say."""
    at = position_of(place)
    names = ("facet_id", "kind", "person_ref", "key_set_id")
    return [{**{name: facet[name] for name in names}, "at": at} for facet in facets]


def sealed_in(body):
    """The sealed facet that stands in an event of routing: the free text of an answer, or a case number."""
    return body.get("note") or body.get("number")


def some_of(value, *names):
    return {name: value[name] for name in names}


# --- directory ----------------------------------------------------------------------------------------------


class Directory:
    """The agencies as of a position in directory.events and a moment."""

    def __init__(self):
        self.versions = {}
        self.has_policy = False

    def take_in(self, record, event, name, body):
        if name == "GenesisLoaded":
            for entry in body["entries"]:
                self.put(record.offset, event["time"], entry)
        elif name == "EntryChanged":
            self.put(record.offset, body["acts_from"], body["entry"])

    def put(self, offset, acts_from, entry):
        agency = entry["agency"]
        self.has_policy |= entry["policy"] is not None
        if agency:
            self.versions.setdefault(agency["id"], []).append((offset, acts_from, agency))

    def agency(self, name, event):
        """The agency as the event's decision knew it."""
        for offset, acts_from, agency in reversed(self.versions.get(name, ())):
            if offset <= event["directory_position"] and acts_from <= event["time"]:
                return agency
        return None

    def country(self, name, event):
        """Where the agency stands as the event's decision knew it."""
        agency = self.agency(name, event)
        return agency and agency["country"]

    def countries(self, name):
        """Where the agency has ever stood."""
        return {agency["country"] for _, _, agency in self.versions.get(name, ())}

    def kinds(self, name):
        return {agency["kind"] for _, _, agency in self.versions.get(name, ())}

    def always_coordinators_for(self, country):
        """Coordinators that have had the country in their scope in every version."""
        return {
            name
            for name, versions in self.versions.items()
            if all(coordinates(agency, country) for _, _, agency in versions)
        }


def coordinates(agency, country):
    return agency["kind"] == "coordinator" and (country is None or country in agency["scope"])


# --- incidents ----------------------------------------------------------------------------------------------


class Incident:
    """One referral and what was made of it."""

    __slots__ = (
        "referral_id",
        "place",
        "reporter",
        "country",
        "digest",
        "never_told",
        "barred",
        "changed",
        "transfers",
        "people",
        "tied",
        "facets",
        "authors",
        "as_opened",
        "spoken_for",
        "speaks",
        "opened",
        "urgency",
        "found",
        "led",
        "offers",
        "authorised",
        "forwarded",
        "withheld",
        "reached",
        "alerts",
        "called",
        "late",
        "escalated",
        "news",
        "withdrawn",
        "retracted",
        "announced",
        "registered",
        "kind",
        "items",
        "disclosures",
        "opened_early",
        "early_due",
        "erased",
        "erasures",
        "erasures_due",
        "keys_gone",
    )

    def __init__(self, place, event, referral):
        handling, signals = referral["handling"], referral["signals"]
        self.referral_id, self.place = referral["referral_id"], place
        self.reporter, self.country = referral["reporter"], referral["reporter_country"]
        self.digest = event["cause_digest"].hex()
        self.never_told, self.transfers = set(handling["never_told"]), handling["transfers"]
        # States that routing may not tell by now; whether the referral or an assessment has changed since.
        self.barred, self.changed = set(self.never_told), False
        self.people = {person["person_ref"]: person["category"] for person in referral["people"]}
        self.tied = tied_people(signals)
        refs = refs_of(referral["facets"], place)
        self.facets = {facet["facet_id"]: facet for facet in refs}
        self.as_opened = print_of(as_opened(referral, refs))
        self.spoken_for = {country for signal in signals for country in signal["countries"]}
        # Whether anything speaks for a lead of a country that may be told.
        self.speaks = any(
            (signal["role"] != "offender" or signal["basis"] in LEADING_BASES)
            and not self.never_told.issuperset(signal["countries"])
            for signal in signals
        )
        # Of routing.
        self.opened = self.found = None
        self.led = False
        self.urgency, self.kind = referral["urgency"], referral["kind"]
        self.offers, self.withheld, self.alerts, self.called = {}, set(), set(), set()
        self.authorised, self.forwarded = set(), set()
        # Countries that were offered something at the opening, or withheld; those where an answer is late.
        self.reached = set()
        # How often a party has asked for a coordinator, by country, less how often one was alerted.
        self.escalated = Counter()
        # What routing has to take up, by the event of the referral: where it stands, and why it is withdrawn.
        self.news, self.withdrawn = {}, False
        # Assessments taken back that somebody could read, and those announced; None is the referral.
        self.retracted, self.announced = {}, {}
        # Of delivery.
        self.registered = None
        self.items, self.disclosures = {}, {}
        # Who added what the reporter did not; what was opened with its offer, and of what the originator must hear.
        self.authors, self.opened_early, self.early_due = {}, set(), set()
        # Facets that nobody may be given any more, and sets of keys that are to be gone.
        self.erased, self.keys_gone = set(), set()
        # Each erasure as it was said, and who must still hear of it.
        self.erasures, self.erasures_due = set(), set()

    def key_sets(self):
        return {facet["key_set_id"] for facet in self.facets.values()} - self.keys_gone


class Offer:
    """An assignment as it was offered, and what it entitles to now."""

    __slots__ = (
        "place",
        "agency",
        "country",
        "entitlement",
        "danger",
        "raised",
        "state",
        "overdue",
        "unanswered",
        "history",
    )

    def __init__(self, place, offer, danger):
        self.place, self.agency, self.country = place, offer["agency"], offer["country"]
        self.entitlement, self.danger, self.raised = offer["entitlement"], danger, False
        self.state = "offered"
        # Nobody answered in time; and a coordinator was asked to look because of it.
        self.overdue = self.unanswered = False
        # What moves its clocks, each with the command's offset: -1 where it was a referral.
        self.history = []

    def note(self, event, what, moment=None):
        source = event["input"]
        given = source["offset"] if source["topic"] == "routing.commands" else -1
        self.history.append((given, what, moment))

    def runs(self, due, offset):
        """Whether a clock of that moment was running when the command at the offset came."""
        before = {}
        for given, what, moment in self.history:
            if given < offset:
                before[what] = moment
        if ANSWERED in before:
            return False
        calls = CALLED in before and EXHAUSTED not in before and before[CALLED] == due
        return calls or before.get(RESPOND_BY) == due and OVERDUE not in before


class Item:
    """An inbox item as it stands before its agency."""

    __slots__ = ("agency", "country", "state", "entitlement", "transfer", "bases", "respond_by")

    def __init__(self, item):
        self.agency, self.country, self.state = item["agency"], item["country"], "offered"
        self.entitlement, self.transfer = item["entitlement"], print_of(item["transfer"])
        self.bases, self.respond_by = sorted(set(item["bases"])), item["respond_by"]


def tied_people(signals):
    """The countries that a person's own signals name, for each person of whom there are any."""
    tied = {}
    for signal in signals:
        if signal["person_ref"]:
            tied.setdefault(signal["person_ref"], set()).update(signal["countries"])
    return tied


def as_opened(of, facets):
    """What routing copies of a referral."""
    copied = some_of(
        of,
        "referral_id",
        "reporter",
        "reporter_country",
        "kind",
        "urgency",
        "danger_reason",
        "week",
        "annotations",
        "people",
        "signals",
        "handling",
    )
    return [copied, facets]


class Incidents:
    """All incidents, followed from topic to topic."""

    def __init__(self, directory, key_sets, dead_letters, findings):
        self.directory, self.key_sets = directory, key_sets
        self.dead_letters, self.findings = dead_letters, findings
        self.incidents, self.referrals = {}, {}
        self.keys_missing = []
        self.offers = {}
        # By the event that calls for it: what must follow in delivery.events, where, and for which incident.
        self.due = {}
        self.alerts_due = {}
        # Feedback as it was given, by the event that it follows from, until that event is read.
        self.feedback = {}
        # Notices that must stand in a country's topic, by the event of delivery that they follow from.
        self.notices_due = {}
        self.last_notice = {}
        self.reports = 0
        self.handlers = {
            ("referral.events", "ReferralReceived"): self.received,
            ("referral.events", "ReferralAmended"): self.amended,
            ("referral.events", "ReferralWithdrawn"): self.withdrawn,
            ("referral.events", "FeedbackGiven"): self.given,
            ("referral.events", "FeedbackDeferred"): self.given,
            ("routing.events", "IncidentOpened"): self.incident_opened,
            ("routing.events", "IncidentAmended"): self.incident_amended,
            ("routing.events", "IncidentWithdrawn"): self.incident_withdrawn,
            ("routing.events", "JurisdictionsFound"): self.jurisdictions_found,
            ("routing.events", "AssignmentOffered"): self.offered,
            ("routing.events", "OfferWithheld"): self.offer_withheld,
            ("routing.events", "CoordinatorAlerted"): self.alerted,
            ("routing.events", "DutyContactCalled"): self.contact_called,
            ("routing.events", "AssignmentRaised"): self.raised,
            ("routing.events", "AssessmentAdded"): self.assessed,
            ("routing.events", "AssessmentRetracted"): self.assessment_retracted,
            ("routing.events", "CaseNumberAdded"): self.facet_sealed,
            ("routing.events", "FeedbackHeld"): self.feedback_held,
            ("routing.events", "RetractionIssued"): self.retraction_issued,
            ("routing.events", "TransfersAuthorised"): self.transfers_authorised,
            ("routing.events", "LeadProposed"): self.lead_proposed,
            **{("routing.events", name): self.answered for name in STATES},
            ("delivery.events", "IncidentRegistered"): self.incident_registered,
            ("delivery.events", "IncidentUpdated"): self.incident_updated,
            ("delivery.events", "FacetAdded"): self.facet_added,
            ("delivery.events", "RetractionDelivered"): self.retraction_delivered,
            ("delivery.events", "ItemDelivered"): self.item_delivered,
            ("delivery.events", "ItemChanged"): self.item_changed,
            ("delivery.events", "ItemRaised"): self.item_raised,
            ("delivery.events", "CallDelivered"): self.call_delivered,
            ("delivery.events", "AlertDelivered"): self.alert_delivered,
            ("delivery.events", "FacetsDisclosed"): self.disclosed,
            ("delivery.events", "FacetsErased"): self.facets_erased,
            ("delivery.events", "ErasureRestricted"): self.erasure_restricted,
            ("delivery.events", "ErasureDelivered"): self.erasure_delivered,
            ("delivery.events", "EarlyOpeningDelivered"): self.early_opening_delivered,
            ("delivery.events", "AccessReported"): self.access_reported,
        }

    def take_in(self, record, event, name, body):
        handler = self.handlers.get((record.topic, name))
        if handler is None:
            return
        place = record.place
        if name == "ReferralReceived":
            handler(place, event, body)
            return
        incident = self.incidents.get(event["aggregate_id"])
        if incident is None:
            self.findings.add("lost", "an event's incident has a referral", place, name)
            return
        handler(place, event, body, incident)

    # --- referral.events ------------------------------------------------------------------------------------

    def received(self, place, event, body):
        referral = body["referral"]
        referral_id, incident_id = referral["referral_id"], event["aggregate_id"]
        if referral_id in self.referrals:
            earlier = self.incidents[self.referrals[referral_id]]
            self.findings.add("doubled", "a referral is received once", place, shown(earlier.place))
            return
        if incident_id in self.incidents:
            earlier = self.incidents[incident_id]
            self.findings.add("doubled", "an incident has one referral", place, shown(earlier.place))
            return
        self.referrals[referral_id] = incident_id
        incident = self.incidents[incident_id] = Incident(place, event, referral)
        if event["agency"] != referral["reporter"]:
            self.findings.add("gaps", "a referral is its reporter's", place)
        self.keys_must_stand(place, incident.key_sets())

    def keys_must_stand(self, place, key_sets):
        """Where not even a tombstone is left, an erasure that comes later has to say why."""
        missing = key_sets - self.key_sets.erased - self.key_sets.there
        self.keys_missing.extend((place, key_set) for key_set in sorted(missing))

    def amended(self, place, event, body, incident):
        if event["agency"] != incident.reporter:
            self.findings.add("leaked", "a referral is its reporter's", place)
        refs = refs_of(body["referral"]["facets"], place)
        incident.facets.update((facet["facet_id"], facet) for facet in refs)
        incident.changed = True
        self.keys_must_stand(place, {facet["key_set_id"] for facet in refs})
        incident.news[as_bytes(event["event_id"])] = (place, None)

    def withdrawn(self, place, event, body, incident):
        if event["agency"] != incident.reporter:
            self.findings.add("leaked", "a referral is its reporter's", place)
        incident.news[as_bytes(event["event_id"])] = (place, body["reason"])

    def given(self, place, event, body, incident):
        cause = as_bytes(event["cause"])
        if cause in self.feedback:
            self.findings.add("doubled", "feedback is given once", place, shown(self.feedback[cause][0]))
        else:
            self.feedback[cause] = (place, print_of(body))

    # --- routing.events -------------------------------------------------------------------------------------

    def incident_opened(self, place, event, body, incident):
        if incident.opened is not None:
            self.findings.add("doubled", "an incident is opened once", place, shown(incident.opened))
            return
        incident.opened = place
        at = position_of(incident.place)
        if at != event["input"] or any(facet["at"] != at for facet in body["facets"]):
            self.findings.add("gaps", "an incident names where its referral stands", place)
        if print_of(as_opened(body, body["facets"])) != incident.as_opened:
            self.findings.add("leaked", "an incident is opened as it was referred", place)
        registered = some_of(
            body,
            "referral_id",
            "reporter",
            "kind",
            "urgency",
            "danger_reason",
            "week",
            "people",
            "facets",
        )
        registered |= some_of(body["handling"], "retain_until", "never_told")
        self.call_for(event, place, "IncidentRegistered", registered)

    def incident_amended(self, place, event, body, incident):
        incident.changed = True
        incident.barred |= set(body["handling"]["never_told"])
        incident.urgency = more_urgent(incident.urgency, body["urgency"])
        incident.people.update((person["person_ref"], person["category"]) for person in body["people"])
        updated = some_of(
            body, "amendment", "kind", "urgency", "danger_reason", "week", "people", "facets"
        )
        updated |= some_of(body["handling"], "retain_until", "never_told")
        self.call_for(event, place, "IncidentUpdated", updated)
        self.take_up(place, event, incident, None)

    def incident_withdrawn(self, place, event, body, incident):
        incident.changed = incident.withdrawn = True
        self.take_up(place, event, incident, body["reason"])
        if incident.offers:
            incident.retracted[None] = place

    def take_up(self, place, event, incident, reason):
        news = incident.news.pop(as_bytes(event["cause"]), None)
        if news is None:
            self.findings.add("doubled", "what changes a referral is taken up once", place)
        elif news[1] != reason:
            self.findings.add("gaps", "an incident is withdrawn as its referral", place, shown(news[0]))

    def assessment_retracted(self, place, event, body, incident):
        """It no longer counts: what follows is not held against what was known before."""
        incident.changed = True
        if self.readers(incident) - {event["agency"]}:
            incident.retracted[body["assessment_id"]] = place

    def readers(self, incident):
        """Who may have acted on an assessment: everybody offered a part, and the reporter."""
        reporter = set() if "provider" in self.directory.kinds(incident.reporter) else {incident.reporter}
        return {offer.agency for offer in incident.offers.values()} | reporter

    def facet_sealed(self, place, event, body, incident):
        """What a party added is passed on to the others: where it stands, never what it says."""
        sealed = sealed_in(body)
        if sealed is None:
            return
        [ref] = refs_of([sealed], place)
        incident.authors[ref["facet_id"]] = event["agency"]
        if ref["facet_id"] in incident.facets:
            self.findings.add("doubled", "a facet is sealed once", place, ref["facet_id"])
        incident.facets[ref["facet_id"]] = ref
        self.keys_must_stand(place, {ref["key_set_id"]})
        self.call_for(event, place, "FacetAdded", {"by": event["agency"], "facet": ref}, "FacetAdded")

    def feedback_held(self, place, event, body, incident):
        given = self.feedback.pop(as_bytes(event["event_id"]), None)
        if given is None:
            if not self.dead_letters.has(place, "intake"):
                self.findings.add("lost", "feedback that is held is deferred", place)
        elif given[1] != print_of(body):
            self.findings.add("leaked", "feedback is deferred as it is held", given[0])

    def retraction_issued(self, place, event, body, incident):
        retracted = body["assessment_id"]
        if retracted in incident.announced:
            self.findings.add("doubled", "what is taken back is announced once", place)
        incident.announced[retracted] = place
        if not self.readers(incident).issuperset(body["recipients"]):
            self.findings.add("leaked", "a retraction is for those who may have acted on it", place)
        for agency in body["recipients"]:
            said = {"agency": agency, **some_of(body, "retraction_id", "reason")}
            self.call_for(event, place, "RetractionDelivered", said, agency)

    def jurisdictions_found(self, place, event, body, incident):
        if event["input"]["topic"] != "referral.events" or incident.found is not None and incident.changed:
            return
        if incident.found is not None:
            self.findings.add("doubled", "jurisdictions are found once at the opening", place)
            return
        incident.found = found = {country["country"] for country in body["countries"]}
        if incident.spoken_for - found:
            missing = sorted(incident.spoken_for - found)
            self.findings.add("lost", "every country that a signal names is found", place, str(missing))
        # Where no signal names a country, a provider's own may stand in.
        more = found - incident.spoken_for - (set() if incident.spoken_for else {incident.country})
        if more:
            self.findings.add("leaked", "no country is found that no signal names", place, str(sorted(more)))

    def offered(self, place, event, body, incident):
        assignment, agency, country = body["assignment_id"], body["agency"], body["country"]
        danger = incident.urgency == IMMINENT_DANGER
        if assignment in incident.offers:
            self.findings.add("doubled", "an assignment is offered once", place)
            return
        earlier = [offer for offer in incident.offers.values() if offer.agency == agency]
        if earlier and body["forwarded_from"] is None:
            self.findings.add(
                "doubled", "an agency is offered an incident once", place, shown(earlier[0].place)
            )
        self.may_be_offered(place, event, incident, agency, country)
        self.must_be_authorised(place, body, incident, danger)
        self.must_be_entitled(place, event, body, incident)
        offer = incident.offers[assignment] = self.offers[assignment] = Offer(place, body, danger)
        offer.note(event, RESPOND_BY, body["respond_by"])
        self.reach(event, incident, country)
        item = {
            "assignment_id": assignment,
            "agency": agency,
            "country": country,
            "bases": [ground["basis"] for ground in body["grounds"]],
            **some_of(body, "entitlement", "transfer", "respond_by"),
        }
        self.call_for(event, place, "ItemDelivered", item)
        self.must_be_fed_back(place, event, incident, "AssignmentOffered", body)

    def may_be_told(self, place, never_told, agency, country, stands):
        """Neither the country that the record names nor one where the agency stands is one never told."""
        if (stands | {country}) & never_told:
            self.findings.add("leaked", "a State never told is told nothing", place, f"{agency} of {country}")
        if country not in stands:
            detail = f"{agency}: {sorted(stands)}"
            self.findings.add("leaked", "an agency stands in the country it acts for", place, detail)

    def may_be_offered(self, place, event, incident, agency, country):
        """As the decision knew the directory."""
        stands = self.directory.country(agency, event)
        self.may_be_told(place, incident.barred, agency, country, {stands} - {None})

    def may_be_given(self, place, incident, agency, country):
        """Delivery passes on what was decided; it may know an older or newer directory than routing did."""
        self.may_be_told(place, incident.never_told, agency, country, self.directory.countries(agency))

    def must_be_authorised(self, place, body, incident, danger):
        transfer, country = body["transfer"], body["country"]
        domestic = country == incident.country
        if domestic != (transfer["basis"] == "domestic"):
            self.findings.add("leaked", "a transfer is domestic within one country only", place)
        allowed = domestic or incident.transfers == "standing" or country in incident.authorised or danger
        allowed = allowed or incident.changed
        if not allowed:
            self.findings.add(
                "leaked", "no offer crosses a border without the originator's word", place, country
            )
        if body["entitlement"]["opens_with_offer"] and not danger:
            if not body["forwarded_from"]:
                self.findings.add("leaked", "only imminent danger opens with the offer", place)

    def must_be_entitled(self, place, event, body, incident):
        """Persons tied to the country or to none; of a forwarded assignment no more than the first had."""
        entitlement, source = body["entitlement"], body["forwarded_from"]
        if source is not None:
            earlier = incident.offers.get(source)
            if earlier is None or (source, body["agency"]) not in incident.forwarded:
                self.findings.add("leaked", "an assignment is forwarded from another", place)
            elif not within(entitlement, earlier.entitlement):
                self.findings.add("leaked", "a forwarded assignment gives no more than the first", place)
            return
        if incident.changed:
            return
        for person in entitlement["persons"]:
            tied = incident.tied.get(person)
            if person not in incident.people or tied and body["country"] not in tied:
                self.findings.add(
                    "leaked", "an offer names persons of its country only", place, body["country"]
                )

    def offer_withheld(self, place, event, body, incident):
        withheld = body["country"], body["agency"], body["reason"]
        if withheld in incident.withheld and not incident.changed:
            self.findings.add("doubled", "an offer is withheld once", place, str(withheld))
        incident.withheld.add(withheld)
        self.reach(event, incident, body["country"])

    @staticmethod
    def reach(event, incident, country):
        if event["input"]["topic"] == "referral.events":
            incident.reached.add(country)

    def alerted(self, place, event, body, incident):
        alert = body["reason"], body["country"], body["assignment_id"]
        # A party may ask more than once.
        if body["reason"] == ESCALATED:
            incident.escalated[body["country"]] -= 1
        elif alert in incident.alerts:
            self.findings.add("doubled", "a coordinator is alerted once", place, str(alert))
        incident.alerts.add(alert)
        if body["reason"] == NOBODY_ANSWERED:
            incident.called.add(body["assignment_id"])
            offer = self.offer_of(place, incident, body["assignment_id"])
            if offer:
                offer.note(event, EXHAUSTED)
        told = place, (body["country"], body["reason"], body["assignment_id"]), set()
        self.alerts_due[as_bytes(event["event_id"])] = told

    def contact_called(self, place, event, body, incident):
        assignment = body["assignment_id"]
        offer = self.offer_of(place, incident, assignment)
        for call in ((assignment, body["attempt"]), (assignment, body["agency"], body["contact"])):
            if call in incident.called:
                self.findings.add("doubled", "a duty contact is called once", place, body["contact"])
            incident.called.add(call)
        incident.called.add(assignment)
        if body["attempt"] > 1 and (assignment, body["attempt"] - 1) not in incident.called:
            self.findings.add("lost", "a contact is called after the one before", place, str(body["attempt"]))
        if offer:
            offer.note(event, CALLED, body["acknowledge_by"])
            self.may_be_offered(place, event, incident, body["agency"], offer.country)
        self.call_for(event, place, "CallDelivered", body)

    def raised(self, place, event, body, incident):
        offer = self.offer_of(place, incident, body["assignment_id"])
        if offer is None:
            return
        # Of a referral that was amended an assignment may open more, and again.
        changed = incident.changed
        if offer.raised and not changed:
            self.findings.add("doubled", "an assignment is raised once", place)
        if not within(body["entitlement"], offer.entitlement) and not changed:
            self.findings.add("leaked", "a raised assignment opens earlier, and no more", place)
        if incident.urgency != IMMINENT_DANGER and not changed:
            self.findings.add("leaked", "only imminent danger raises an assignment", place)
        offer.raised = offer.danger = True
        offer.note(event, RESPOND_BY, body["respond_by"])
        offer.entitlement = body["entitlement"]
        item = {
            "assignment_id": body["assignment_id"],
            "agency": offer.agency,
            **some_of(body, "urgency", "entitlement", "respond_by"),
        }
        self.call_for(event, place, "ItemRaised", item)

    def assessed(self, place, event, body, incident):
        assessment = body["assessment"]
        if assessment["kind"] == "urgency" and assessment["value"] in URGENCIES:
            incident.urgency = more_urgent(incident.urgency, assessment["value"])
        if body["by"] != event["agency"]:
            self.findings.add("leaked", "an assessment is whoever's it says", place, body["by"])
        self.facet_sealed(place, event, body, incident)

    def transfers_authorised(self, place, event, body, incident):
        if event["agency"] != incident.reporter:
            self.findings.add("leaked", "the originator alone allows transfers", place, event["agency"])
        incident.authorised.update(body["countries"])

    def lead_proposed(self, place, event, body, incident):
        taken_up = any(offer.state == "accepted" for offer in incident.offers.values())
        if incident.led == print_of(body) or incident.led and not (incident.changed or taken_up):
            self.findings.add("doubled", "a lead is proposed once", place)
        incident.led = print_of(body)
        named = {body["country"], *(factor["country"] for factor in body["factors"])}
        if named & incident.barred:
            self.findings.add("leaked", "a lead is one of those that may be told", place, body["country"])

    def answered(self, place, event, body, incident):
        name = event["body"][0].rpartition(".")[2]
        assignment = body["assignment_id"]
        offer = self.offer_of(place, incident, assignment)
        if offer is None:
            return
        self.facet_sealed(place, event, body, incident)
        state = STATES[name]
        if name == "AssignmentForwarded":
            incident.forwarded.add((assignment, body["to"]))
        if name == "AssignmentOverdue":
            offer.overdue = True
        if name == "AssignmentEscalated":
            self.escalated(place, body, incident, offer)
            if offer.state == "accepted":
                # Whoever works on it goes on.
                return
        else:
            if state == offer.state:
                self.findings.add("doubled", "an assignment is answered once", place, state)
            offer.note(event, OVERDUE if name == "AssignmentOverdue" else ANSWERED)
        offer.state = state
        item = {"assignment_id": assignment, "agency": offer.agency, "state": state}
        self.call_for(event, place, "ItemChanged", item)
        self.must_be_fed_back(place, event, incident, name, body)

    def escalated(self, place, body, incident, offer):
        incident.escalated[offer.country] += 1
        if body["reason"] != UNANSWERED:
            return
        if offer.unanswered:
            self.findings.add("doubled", "an assignment that nobody answered is escalated once", place)
        offer.unanswered = True

    def offer_of(self, place, incident, assignment):
        offer = incident.offers.get(assignment)
        if offer is None:
            self.findings.add("lost", "an assignment was offered before", place, assignment)
        return offer

    def call_for(self, event, place, name, body, which=""):
        """`which` tells apart what one event calls for besides the one thing that most do."""
        self.due[as_bytes(event["event_id"]) + which.encode()] = (place, name, print_of(body))

    def must_be_fed_back(self, place, event, incident, name, body):
        """Held against what stands in referral.events: hotlines hear where it went, providers do not."""
        kinds = self.directory.kinds(incident.reporter)
        if "provider" in kinds and len(kinds) > 1:
            return
        country = incident.offers[body["assignment_id"]].country
        meant = (
            told_to_provider(name, body) if kinds == {"provider"} else told_to_hotline(name, body, country)
        )
        given = self.feedback.pop(as_bytes(event["event_id"]), None)
        if meant is None:
            if given:
                self.findings.add("leaked", "a reporter is told what it may know", given[0], name)
            return
        if given is None:
            if not self.dead_letters.has(place, "intake"):
                self.findings.add("lost", "a reporter is given feedback", place, name)
        elif given[1] != print_of({"assignment_id": body["assignment_id"], "feedback": meant}):
            self.findings.add("leaked", "a reporter is told what it may know", given[0], name)

    # --- delivery.events ------------------------------------------------------------------------------------

    def follows(self, place, event, name, body, which=""):
        """Whether an event of routing called for just this, and only once."""
        cause = as_bytes(event["cause"]) + which.encode()
        due = self.due.get(cause)
        if due is None or due and due[1] != name:
            self.findings.add("leaked", "delivery does what routing calls for", place, name)
        elif due is MET:
            self.findings.add("doubled", "delivery does a thing once", place, name)
        else:
            self.due[cause] = MET
            if due[2] == print_of(body):
                return True
            self.findings.add(
                "leaked", "delivery says what routing decided", place, f"{name}, {shown(due[0])}"
            )
        return False

    def incident_registered(self, place, event, body, incident):
        self.follows(place, event, "IncidentRegistered", body)
        if incident.registered is not None:
            self.findings.add("doubled", "an incident is registered once", place, shown(incident.registered))
            return
        incident.registered = place
        # From here on the urgency that agencies are told of.
        incident.urgency = body["urgency"]

    def incident_updated(self, place, event, body, incident):
        self.follows(place, event, "IncidentUpdated", body)
        incident.kind = body["kind"]
        incident.urgency = more_urgent(incident.urgency, body["urgency"])

    def facet_added(self, place, event, body, incident):
        self.follows(place, event, "FacetAdded", body, "FacetAdded")

    def retraction_delivered(self, place, event, body, incident):
        self.follows(place, event, "RetractionDelivered", body, body["agency"])

    def item_delivered(self, place, event, body, incident):
        self.follows(place, event, "ItemDelivered", body)
        assignment = body["assignment_id"]
        offer = incident.offers.get(assignment)
        if offer and (offer.agency, offer.country) != (body["agency"], body["country"]):
            detail = f"{body['agency']} of {body['country']}, offered to {offer.agency} of {offer.country}"
            self.findings.add("leaked", "an item is its offer's agency's", place, detail)
        self.may_be_given(place, incident, body["agency"], body["country"])
        if assignment in incident.items:
            self.findings.add("doubled", "an item is delivered once", place)
            return
        item = incident.items[assignment] = Item(body)
        self.call_for_notice(place, event, incident, assignment, item, "offered")

    def item_changed(self, place, event, body, incident):
        self.follows(place, event, "ItemChanged", body)
        item = self.item_of(place, incident, body)
        if item:
            item.state = body["state"]
            self.call_for_notice(place, event, incident, body["assignment_id"], item, item.state)

    def item_raised(self, place, event, body, incident):
        self.follows(place, event, "ItemRaised", body)
        item = self.item_of(place, incident, body)
        if item:
            item.entitlement, item.respond_by = body["entitlement"], body["respond_by"]
            incident.urgency = more_urgent(incident.urgency, body["urgency"])
            self.call_for_notice(place, event, incident, body["assignment_id"], item, item.state)

    def call_delivered(self, place, event, body, incident):
        self.follows(place, event, "CallDelivered", body)
        item = incident.items.get(body["assignment_id"])
        if item:
            self.may_be_given(place, incident, body["agency"], item.country)

    def alert_delivered(self, place, event, body, incident):
        if event["input"]["topic"] == "mla.events":
            return
        due = self.alerts_due.get(as_bytes(event["cause"]))
        if due is None or due[1] != (body["country"], body["reason"], body["assignment_id"]):
            self.findings.add(
                "leaked", "a coordinator hears what routing alerts it of", place, body["agency"]
            )
            return
        if body["agency"] in due[2]:
            self.findings.add("doubled", "a coordinator hears an alert once", place, body["agency"])
        due[2].add(body["agency"])
        agency = self.directory.agency(body["agency"], event)
        if agency is None or not coordinates(agency, body["country"]):
            self.findings.add("leaked", "an alert is for a coordinator of the country", place, body["agency"])

    def disclosed(self, place, event, body, incident):
        item = self.item_of(place, incident, body)
        incident.disclosures[body["disclosure_id"]] = (
            body["agency"],
            {facet["facet_id"] for facet in body["facets"]},
        )
        if item is None:
            return
        add = self.findings.add
        if body["agency"] != event["agency"]:
            add("leaked", "facets are disclosed to whoever asks as its own agency", place, event["agency"])
        waits = item.state in AWAITING
        if not (item.state == "accepted" or waits and item.entitlement["opens_with_offer"]):
            add("leaked", "facets are disclosed once the assignment is accepted", place, item.state)
        if body["with_offer"] != waits:
            add("gaps", "a disclosure says whether it came with the offer", place)
        if print_of(body["transfer"]) != item.transfer:
            add("leaked", "a disclosure rests on the offer's transfer", place)
        agency = self.directory.agency(body["agency"], event)
        if agency is None or body["recipient_key_id"] not in {key["key_id"] for key in agency["keys"]}:
            add("leaked", "keys are wrapped to a key of the agency", place, body["recipient_key_id"])
        self.may_be_given(place, incident, body["agency"], item.country)
        for facet in body["facets"]:
            people = None if incident.changed else incident.people
            if not covers(item.entitlement, incident.facets.get(facet["facet_id"]), facet, people):
                add("leaked", "a facet is disclosed to whoever is entitled to it", place, facet["facet_id"])
            self.may_cross(place, event, incident, item, facet)
            if facet["facet_id"] in incident.erased:
                add("leaked", "what is erased is given to nobody", place, facet["facet_id"])
        if body["with_offer"] and body["assignment_id"] not in incident.opened_early:
            incident.opened_early.add(body["assignment_id"])
            incident.early_due.add(body["disclosure_id"])

    def facets_erased(self, place, event, body, incident):
        """Whoever brought facets in has them erased; whole sets of keys are gone with them."""
        for facet in body["facets"]:
            author = incident.authors.get(facet, incident.reporter)
            if author != body["by"]:
                self.findings.add("lost", "only its author has a facet erased", place, facet)
        self.tell_of_erasure(place, body, incident, False)
        incident.erased.update(body["facets"])
        incident.keys_gone.update(key_set["key_set_id"] for key_set in body["key_sets"] if key_set["whole"])

    def erasure_restricted(self, place, event, body, incident):
        self.tell_of_erasure(place, body, incident, True)

    def tell_of_erasure(self, place, body, incident, restricted):
        """Whoever was given any of it must hear of it, once."""
        if (body["erasure_id"], restricted) in incident.erasures:
            self.findings.add("doubled", "an erasure happens once", place, body["erasure_id"])
        incident.erasures.add((body["erasure_id"], restricted))
        for agency, facets in incident.disclosures.values():
            if facets.intersection(body["facets"]):
                incident.erasures_due.add((body["erasure_id"], restricted, agency))

    def erasure_delivered(self, place, event, body, incident):
        due = body["erasure_id"], body["restricted"], body["agency"]
        if due not in incident.erasures_due:
            known = due[:2] in incident.erasures
            self.findings.add("doubled" if known else "leaked", "an erasure is told once", place, body["agency"])
        incident.erasures_due.discard(due)

    def may_cross(self, place, event, incident, item, facet):
        """What another party than the reporter added crosses on a basis of its own."""
        author, transfer = incident.authors.get(facet["facet_id"]), facet["transfer"]
        if author is None:
            if transfer is not None:
                self.findings.add("gaps", "what was reported crosses as its offer did", place, facet["facet_id"])
            return
        agency = self.directory.agency(author, event)
        domestic = agency is not None and agency["country"] == item.country
        if agency is None or transfer is None or (transfer["basis"] == "domestic") != domestic:
            self.findings.add("leaked", "what a party adds crosses on a basis", place, facet["facet_id"])

    def early_opening_delivered(self, place, event, body, incident):
        """The originator hears of each assignment that is opened with the offer, once."""
        disclosure = incident.disclosures.get(body["disclosure_id"])
        if disclosure is None or body["agency"] != incident.reporter:
            self.findings.add("leaked", "the originator is told of an early opening", place, body["agency"])
            return
        agency = self.directory.agency(incident.reporter, event)
        told = (body["opened_by"], body["country"])
        provider = agency is None or agency["kind"] == "provider"
        if provider != (told == (None, None)) or not provider and told[0] != disclosure[0]:
            self.findings.add("leaked", "a provider is not told who opened", place, told)
        if body["disclosure_id"] not in incident.early_due:
            self.findings.add("doubled", "an early opening is told once", place, body["disclosure_id"])
        incident.early_due.discard(body["disclosure_id"])

    def access_reported(self, place, event, body, incident):
        agency, facets = incident.disclosures.get(body["disclosure_id"], (None, set()))
        if not agency == body["agency"] == event["agency"] or not facets.issuperset(body["facets"]):
            self.findings.add("leaked", "access is reported to what was disclosed", place, body["agency"])
        self.reports += 1

    def item_of(self, place, incident, body):
        item = incident.items.get(body["assignment_id"])
        if item is None:
            self.findings.add("lost", "an item was delivered before", place, body["assignment_id"])
        elif item.agency != body["agency"]:
            detail = f"{body['agency']}, delivered to {item.agency}"
            self.findings.add("leaked", "an item stays its agency's", place, detail)
        return item

    # --- jurisdiction.<cc> ----------------------------------------------------------------------------------

    def call_for_notice(self, place, event, incident, assignment, item, state):
        notice = {
            "event_id": event["event_id"],
            "incident_id": event["aggregate_id"],
            "assignment_id": assignment,
            "country": item.country,
            "agency": item.agency,
            "state": state,
            "kind": incident.kind,
            "urgency": incident.urgency,
            "bases": item.bases,
            "respond_by": item.respond_by,
            "time": event["time"],
        }
        self.notices_due[as_bytes(event["event_id"])] = (place, print_of(notice))

    def take_notice(self, record, notice):
        place, country = record.place, notice["country"]
        if record.topic != f"jurisdiction.{country.lower()}":
            self.findings.add("leaked", "a notice stands in its country's topic", place, country)
        if record.key != notice["incident_id"].encode():
            self.findings.add("gaps", "a notice's key is its incident", place)
        if not is_named(
            record, notice["event_id"], "org.causeway.jurisdiction.Notice", notice["incident_id"]
        ):
            self.findings.add("gaps", "a notice's headers name it", place, repr(record.headers))
        incident = self.incidents.get(notice["incident_id"])
        if incident and {country, record.topic[-2:].upper()} & incident.never_told:
            self.findings.add("leaked", "a State never told is told nothing", place, country)
        cause = as_bytes(notice["event_id"])
        due = self.notices_due.get(cause)
        if due is None:
            self.findings.add("leaked", "a notice follows from an event of delivery", place)
            return
        if due is MET:
            self.findings.add("doubled", "a notice is given once", place)
            return
        self.notices_due[cause] = MET
        said = {**notice, "bases": sorted(set(notice["bases"]))}
        if print_of(said) != due[1]:
            self.findings.add("leaked", "a notice says what its event says", place, shown(due[0]))
        # One partition on either side, so offsets order the events too.
        last = self.last_notice.get(notice["assignment_id"], -1)
        if due[0] < last:
            self.findings.add("gaps", "notices of an assignment are in order", place)
        self.last_notice[notice["assignment_id"]] = max(last, due[0])

    # --- when all is read -----------------------------------------------------------------------------------

    def finish(self, silent_clocks):
        gone = set().union(*(incident.keys_gone for incident in self.incidents.values()))
        for place, key_set in self.keys_missing:
            if key_set not in gone:
                self.findings.add("lost", "a facet's keys stand in sealed-keys", place, key_set)
        for incident in self.incidents.values():
            self.finish_incident(incident)
        for place, assignment, due in silent_clocks:
            offer = self.offers.get(assignment)
            if offer and offer.runs(due, offset_of(place)):
                self.findings.add("lost", "a clock that runs out has an outcome", place, assignment)
        for due in self.due.values():
            if due is not MET and not self.dead_letters.has(due[0], "delivery"):
                self.findings.add("lost", "what routing calls for is delivered", due[0], due[1])
        for place, (country, _, _), told in self.alerts_due.values():
            untold = self.directory.always_coordinators_for(country) - told
            if untold and not self.dead_letters.has(place, "delivery"):
                self.findings.add(
                    "lost", "every coordinator of the country is alerted", place, str(sorted(untold))
                )
        for due in self.notices_due.values():
            if due is not MET:
                self.findings.add("lost", "a notice stands in its country's topic", due[0])
        for place, _ in self.feedback.values():
            self.findings.add("gaps", "feedback follows from an event of routing", place)

    def finish_incident(self, incident):
        add, place = self.findings.add, incident.place
        if incident.opened is None:
            if not self.dead_letters.has(place, "routing"):
                add("lost", "a received referral opens its incident", place, incident.referral_id)
            return
        if incident.found is None:
            add("lost", "jurisdictions are found at the opening", incident.opened)
            return
        no_policy = ("country-without-agency", None, None) in incident.alerts
        if no_policy and self.directory.has_policy:
            add("lost", "offers are decided with the directory at hand", incident.opened)
        missing = sorted(incident.found - incident.reached)
        if missing and not no_policy:
            add("lost", "every country found is offered or withheld", incident.opened, str(missing))
        if not incident.offers and not incident.alerts:
            add("lost", "an incident that reaches nobody alerts the coordinator", incident.opened)
        for _, _, agency in incident.erasures_due:
            add("lost", "whoever was given it is told of an erasure", incident.opened, agency)
        for disclosure in incident.early_due:
            add("lost", "the originator is told of an early opening", incident.opened, disclosure)
        alerted = {country for _, country, _ in incident.alerts}
        self.finish_changes(incident)
        for country, more in incident.escalated.items():
            if more:
                kind = "lost" if more > 0 else "doubled"
                add(kind, "what is escalated is alerted once", incident.opened, country)
        for country in {country for country, _, _ in incident.withheld} - alerted:
            add("lost", "what is withheld is alerted", incident.opened, country)
        if len(incident.found - incident.never_told) > 1 and incident.speaks and not incident.led:
            add("lost", "a lead is proposed among several countries", incident.opened)
        for assignment, offer in incident.offers.items():
            if offer.overdue != offer.unanswered:
                add("lost", "an assignment that nobody answered is escalated", offer.place, assignment)
            if offer.danger and not incident.changed and assignment not in incident.called:
                add("lost", "in imminent danger somebody is called or alerted", offer.place)


    def finish_changes(self, incident):
        add = self.findings.add
        for place, _ in incident.news.values():
            if not self.dead_letters.has(place, "routing"):
                add("lost", "what changes a referral is taken up", place)
        for retracted in incident.retracted.keys() ^ incident.announced.keys():
            place = incident.retracted.get(retracted) or incident.announced[retracted]
            add("lost", "what is taken back is announced", place)
        if incident.withdrawn:
            for assignment, offer in incident.offers.items():
                if offer.state in (*AWAITING, "accepted"):
                    add("lost", "what is withdrawn is revoked", offer.place, assignment)


def within(entitlement, other):
    return set(entitlement["facet_kinds"]) <= set(other["facet_kinds"]) and set(
        entitlement["persons"]
    ) <= set(other["persons"])


def more_urgent(one, other):
    return max(one, other, key=lambda urgency: URGENCIES.index(urgency) if urgency in URGENCIES else -1)


def covers(entitlement, known, said, people):
    """Whether the entitlement covers a sealed facet: a person by name, all else by its kind.

    A case number is for every party. Without `people` their categories are anybody's.
    """
    if known is None:
        return False
    person = known["person_ref"]
    if (
        said["kind"] != known["kind"]
        or said["person_ref"] != person
        or said["key_set_id"] != known["key_set_id"]
        or said["at"] != known["at"]
    ):
        return False
    if people is not None and said["person_category"] != people.get(person):
        return False
    if known["kind"] == CASE_NUMBER:
        return True
    if person is None:
        return known["kind"] in entitlement["facet_kinds"]
    return "person" in entitlement["facet_kinds"] and person in entitlement["persons"]


def feedback(stage, country=None, decline_reason=None, outcome=None):
    return {"stage": stage, "country": country, "decline_reason": decline_reason, "outcome": outcome}


def told_to_hotline(name, body, country):
    return {
        "AssignmentOffered": lambda: feedback("routed", country),
        "AssignmentAccepted": lambda: feedback("accepted", country),
        "AssignmentDeclined": lambda: feedback("not-actionable", country, body["reason"]),
        "AssignmentClosed": lambda: feedback("closed", country, None, body["outcome"]),
    }.get(name, lambda: None)()


def told_to_provider(name, body):
    if name == "AssignmentAccepted":
        return feedback("actionable")
    if name == "AssignmentDeclined":
        return feedback("not-actionable", None, body["reason"])
    if name == "AssignmentClosed" and body["outcome"] != "transferred":
        return feedback("closed")
    return None
