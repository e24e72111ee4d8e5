"""Who looks for which child: one custodian at a time, each by its own word, and whom it concerns told of it.

The part of verify.py that knows victim identification.
"""

from verify_frame import as_bytes
from verify_reading import shown

# What stands in the place of an expectation that was met.
MET = ()
MINORS = {"0-12", "13-17"}
# News of custody: what stands before it in the same answer.
CUSTODY = {"custody-offered", "custody-passed"}


class Child:
    """One child, as its events say."""

    def __init__(self):
        self.custodian = None
        # The open offer: its id and whom it is made to.
        self.offer = None
        self.invited = set()
        self.made = False
        self.ceded = False


class Children:
    """All children, followed from victim-id to delivery."""

    def __init__(self, key_sets, findings):
        self.key_sets, self.findings = key_sets, findings
        self.opened, self.noted, self.children = {}, {}, {}
        # People of opened incidents for whom somebody has to look, and those that are registered.
        self.people, self.registered_people = {}, set()
        # By the event that calls for it: what delivery holds or tells.
        self.held, self.due = {}, {}
        # By the command: whom it concerns, and how.
        self.concerns = {}
        self.moves = 0
        self.handlers = {
            ("routing.events", "IncidentOpened"): self.incident_opened,
            ("victim-id.events", "CaseNoted"): self.case_noted,
            ("victim-id.events", "ChildRegistered"): self.registered,
            ("victim-id.events", "CustodyAccepted"): self.accepted,
            ("victim-id.events", "CustodyOffered"): self.offered,
            ("victim-id.events", "OfferEnded"): self.offer_ended,
            ("victim-id.events", "TakersInvited"): self.takers_invited,
            ("victim-id.events", "InvitationEnded"): self.invitation_ended,
            ("victim-id.events", "LinkMade"): self.link_made,
            ("victim-id.events", "CustodyCeded"): self.ceded,
            ("victim-id.events", "StatusRecorded"): self.recorded,
            ("victim-id.events", "SupportReferred"): self.referred,
            ("victim-id.events", "AgencyNoticed"): self.noticed,
            ("delivery.events", "CustodianNoted"): self.custodian_noted,
            ("delivery.events", "HandoverAdded"): self.handover_added,
            ("delivery.events", "ChildNewsDelivered"): self.news_delivered,
        }

    def take_in(self, record, event, name, body):
        handler = self.handlers.get((record.topic, name))
        if handler is not None:
            handler(record.place, event, body)

    # --- victim-id.events ---------------------------------------------------------------------------------------

    def incident_opened(self, place, event, body):
        self.opened[event["aggregate_id"]] = place
        for person in body["people"]:
            victim = person["category"] == "victim" and person["age_band"] != "adult"
            minor = person["category"] == "undetermined" and person["age_band"] in MINORS
            if victim or minor:
                self.people[event["aggregate_id"], person["person_ref"]] = place

    def case_noted(self, place, event, body):
        incident = event["aggregate_id"]
        if incident not in self.opened:
            self.findings.add("leaked", "what victim identification notes was opened", place)
        if self.noted.get(incident) == body:
            self.findings.add("doubled", "victim identification notes an incident once", place)
        self.noted[incident] = body

    def registered(self, place, event, body):
        key = event["aggregate_id"], body["child_ref"]
        if key in self.children:
            self.findings.add("doubled", "a child is registered once", place)
            return
        self.children[key] = Child()
        if body["person_ref"] is not None:
            self.registered_people.add((event["aggregate_id"], body["person_ref"]))

    def child(self, place, event, body):
        child = self.children.get((event["aggregate_id"], body["child_ref"]))
        if child is None:
            self.findings.add("lost", "a child was registered", place)
            child = self.children[event["aggregate_id"], body["child_ref"]] = Child()
        return child

    def accepted(self, place, event, body):
        child, by = self.child(place, event, body), body["by"]
        if body["from"] != child.custodian:
            self.findings.add("doubled", "a child has one custodian", place, f"{by} beside {child.custodian}")
        if by != event["agency"]:
            self.findings.add("leaked", "whoever is custodian has accepted it", place, by)
        if body["from"] is not None:
            self.concerns[as_bytes(event["cause"]), body["from"], "custody-passed"] = place
        lawful = {
            "first": child.custodian is None,
            "handed-on": child.offer is not None and child.offer[1] == by,
            "taken-over": by in child.invited,
        }
        if not lawful.get(body["route"]) or child.ceded:
            self.findings.add("leaked", "custody passes as both have said", place, body["route"])
        child.custodian, child.offer, child.invited = by, None, set()
        self.moves += 1
        self.held[as_bytes(event["event_id"]), by] = place

    def offered(self, place, event, body):
        child = self.child(place, event, body)
        if child.offer is not None:
            self.findings.add("doubled", "one offer of a child stands", place)
        if body["by"] != child.custodian:
            self.findings.add("leaked", "whoever offers custody has it", place, body["by"])
        child.offer = body["offer_id"], body["to"]
        self.concerns[as_bytes(event["cause"]), body["to"], "custody-offered"] = place
        self.facet(place, event, body["handover"])

    def offer_ended(self, place, event, body):
        child = self.child(place, event, body)
        if child.offer is None or child.offer[0] != body["offer_id"]:
            self.findings.add("doubled", "an offer ends once", place)
        child.offer = None

    def takers_invited(self, place, event, body):
        self.child(place, event, body).invited.update(body["agencies"])

    def invitation_ended(self, place, event, body):
        self.child(place, event, body).invited.clear()

    def link_made(self, place, event, body):
        self.child(place, event, body).made = True

    def ceded(self, place, event, body):
        child = self.child(place, event, body)
        if not child.made or child.custodian != body["custodian"]:
            self.findings.add("lost", "custody is ceded by a link that was made", place)
        child.custodian, child.ceded = None, True
        self.held[as_bytes(event["event_id"]), None] = place

    def recorded(self, place, event, body):
        self.facet(place, event, body["reference"])

    def referred(self, place, event, body):
        self.facet(place, event, body["handover"])

    def facet(self, place, event, facet):
        if facet is None:
            return
        self.held[as_bytes(event["event_id"]), facet["facet_id"]] = place
        if facet["key_set_id"] not in self.key_sets.there:
            self.findings.add("lost", "the keys of what goes with a child stand", place)

    def noticed(self, place, event, body):
        self.due[as_bytes(event["event_id"])] = (place, body)
        key = as_bytes(event["cause"]), body["agency"], body["news"]
        known = self.concerns.get(key)
        if known is MET:
            self.findings.add("doubled", "whom it concerns is noticed once", place, body["agency"])
        elif known is None and body["news"] in CUSTODY:
            self.findings.add("lost", "what an agency is noticed of has happened", place, body["news"])
        self.concerns[key] = MET

    # --- delivery.events ----------------------------------------------------------------------------------------

    def custodian_noted(self, place, event, body):
        self.hold(place, event, body["agency"], "the custodian of a child")

    def handover_added(self, place, event, body):
        self.hold(place, event, body["facet"]["facet_id"], "what goes with a child")

    def hold(self, place, event, what, words):
        key = as_bytes(event["cause"]), what
        if key not in self.held:
            self.findings.add("leaked", f"delivery holds {words} as victim-id says", place)
        elif self.held[key] is MET:
            self.findings.add("doubled", f"delivery holds {words} once", place)
        self.held[key] = MET

    def news_delivered(self, place, event, body):
        key = as_bytes(event["cause"])
        due = self.due.get(key)
        if due is None:
            self.findings.add("leaked", "news of a child is told as victim-id says", place, body["agency"])
        elif due is MET:
            self.findings.add("doubled", "news of a child is told once", place, shown(place))
        elif due[1] != body:
            self.findings.add("leaked", "news of a child is told to whom it concerns", place, body["agency"])
        self.due[key] = MET

    # --- when all is read ---------------------------------------------------------------------------------------

    def finish(self):
        for incident, place in self.opened.items():
            if incident not in self.noted:
                self.findings.add("lost", "victim identification knows an opened incident", place)
        for person, place in self.people.items():
            if person not in self.registered_people:
                self.findings.add("lost", "every child is registered", place)
        for place in self.concerns.values():
            if place is not MET:
                self.findings.add("lost", "whom custody concerns is noticed", place)
        for due in self.due.values():
            if due is not MET:
                self.findings.add("lost", "whom it concerns is told of a child", due[0])
        for place in self.held.values():
            if place is not MET:
                self.findings.add("lost", "delivery holds what victim-id says of a child", place)
