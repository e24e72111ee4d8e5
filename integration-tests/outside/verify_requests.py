"""What was asked of whom: each request written once, each step taken once, and every side told of it.

The part of verify.py that knows requests for legal assistance.
"""

from verify_frame import as_bytes
from verify_reading import shown

# What stands in the place of an expectation that was met.
MET = ()


class Request:
    """One request: who takes part in it, as mla says so."""

    def __init__(self):
        # Where it was written: whoever writes it takes part in it just before.
        self.place = None
        # Each agency that takes part, and whether the text stays closed to it.
        self.readers = {}
        self.conditions = False
        self.steps = 0


class Requests:
    """All requests, followed from mla to delivery."""

    def __init__(self, key_sets, findings):
        self.key_sets, self.findings = key_sets, findings
        self.noted, self.requests = {}, {}
        # By the event that calls for it and the agency: what delivery must tell it.
        self.due = {}
        # By the event that calls for it: who comes to take part, and which texts there are.
        self.held = {}
        self.closed = {}
        self.opened = {}
        # Commands by which somebody came to take part, and those by which something was done.
        self.sharing, self.doing = {}, set()
        self.clocks = set()
        self.handlers = {
            ("routing.events", "IncidentOpened"): self.incident_opened,
            ("mla.events", "IncidentNoted"): self.incident_noted,
            ("mla.events", "RequestDrafted"): self.drafted,
            ("mla.events", "RequestAmended"): self.sealed,
            ("mla.events", "RequestShared"): self.shared,
            ("mla.events", "UnitInvolved"): self.involved,
            ("mla.events", "RequestUnshared"): self.unshared,
            ("mla.events", "StepTaken"): self.stepped,
            ("mla.events", "ClockStarted"): self.clock,
            ("mla.events", "ClockPaused"): self.clock,
            ("mla.events", "ClockMoved"): self.clock,
            ("mla.events", "ClockEnded"): self.clock,
            ("delivery.events", "RequestFacetAdded"): self.facet_added,
            ("delivery.events", "RequestReaderAdded"): self.reader_added,
            ("delivery.events", "RequestStepDelivered"): self.step_delivered,
        }

    def take_in(self, record, event, name, body):
        handler = self.handlers.get((record.topic, name))
        if handler is not None:
            handler(record.place, event, body)

    # --- mla.events -------------------------------------------------------------------------------------------

    def incident_opened(self, place, event, _):
        self.opened[event["aggregate_id"]] = place

    def incident_noted(self, place, event, body):
        incident = event["aggregate_id"]
        if incident not in self.opened:
            self.findings.add("leaked", "what is noted was opened", place)
        # Noted again when its referral was amended, and then it says something else.
        if self.noted.get(incident) == body:
            self.findings.add("doubled", "an incident is noted once", place)
        self.noted[incident] = body

    def drafted(self, place, event, body):
        request = self.requests.setdefault(body["request_id"], Request())
        if request.place is not None:
            self.findings.add("doubled", "a request is written once", place, shown(request.place))
            return
        request.place = place
        request.conditions = bool(body["draft"]["conditions"])
        self.doing.add(as_bytes(event["cause"]))
        self.sealed(place, event, body)

    def sealed(self, place, event, body):
        draft = body["draft"]
        self.facets(place, event, [draft["text"], draft["reasons"]])

    def facets(self, place, event, facets):
        for facet in filter(None, facets):
            self.held[as_bytes(event["event_id"]), facet["facet_id"]] = place
            if facet["key_set_id"] not in self.key_sets.there:
                self.findings.add("lost", "the keys of a request's text stand", place)

    def shared(self, place, event, body):
        request = self.requests.setdefault(body["request_id"], Request())
        before = request.readers.get(body["agency"])
        # Told again once a text that was closed is open.
        if before is not None and not (before and not body["withheld"]):
            self.findings.add("doubled", "an agency comes to take part once", place, body["agency"])
        if before is None and request.conditions and body["role"] == "requested" and not body["withheld"]:
            self.findings.add("leaked", "a text under conditions is closed at first", place, body["agency"])
        request.readers[body["agency"]] = body["withheld"]
        self.held[as_bytes(event["event_id"]), body["agency"]] = place
        self.closed[as_bytes(event["event_id"]), body["agency"]] = body["withheld"]
        self.sharing[as_bytes(event["cause"])] = place

    def involved(self, place, event, body):
        self.request(place, body)
        self.doing.add(as_bytes(event["cause"]))

    def unshared(self, place, event, body):
        self.request(place, body).readers.pop(body["agency"], None)

    def stepped(self, place, event, body):
        request = self.request(place, body)
        request.steps += 1
        self.doing.add(as_bytes(event["cause"]))
        if body["by"] not in request.readers:
            self.findings.add("leaked", "a step is taken by whoever takes part", place, body["by"])
        told = {"request_id": body["request_id"], "state": body["state"], "role": body["role"]}
        for agency in request.readers.keys() - {body["by"]}:
            self.due[as_bytes(event["event_id"]), agency] = (place, told)
        self.facets(place, event, [body["note"], body["reference"]])

    def clock(self, place, event, body):
        """One step says one thing of a period."""
        key = as_bytes(event["cause"]), body["request_id"], body["clock"]
        if key in self.clocks:
            self.findings.add("doubled", "a step moves a period once", place, body["clock"])
        self.clocks.add(key)

    def request(self, place, body):
        request = self.requests.setdefault(body["request_id"], Request())
        if request.place is None:
            self.findings.add("lost", "a step's request was written", place)
        return request

    # --- delivery.events --------------------------------------------------------------------------------------

    def facet_added(self, place, event, body):
        self.hold(place, event, body["facet"]["facet_id"], "a text")

    def reader_added(self, place, event, body):
        self.hold(place, event, body["agency"], "who takes part")
        if self.closed.get((as_bytes(event["cause"]), body["agency"]), body["withheld"]) != body["withheld"]:
            self.findings.add("leaked", "a text is as closed as mla says", place, body["agency"])

    def hold(self, place, event, what, words):
        key = as_bytes(event["cause"]), what
        if key not in self.held:
            self.findings.add("leaked", f"delivery holds {words} of a request as mla says", place)
        elif self.held[key] is MET:
            self.findings.add("doubled", f"delivery holds {words} of a request once", place)
        self.held[key] = MET

    def step_delivered(self, place, event, body):
        key = as_bytes(event["cause"]), body["agency"]
        due = self.due.get(key)
        if due is None:
            self.findings.add("leaked", "a step is told to whoever takes part", place, body["agency"])
        elif due is MET:
            self.findings.add("doubled", "a step is told once", place, body["agency"])
        elif due[1] != {name: body[name] for name in due[1]}:
            self.findings.add("leaked", "a step is told as it was taken", place, body["agency"])
        self.due[key] = MET

    # --- when all is read -------------------------------------------------------------------------------------

    def finish(self):
        for incident, place in self.opened.items():
            if incident not in self.noted:
                self.findings.add("lost", "an opened incident is noted", place)
        for cause, place in self.sharing.items():
            if cause not in self.doing:
                self.findings.add("lost", "nobody comes to take part by nothing", place)
        for due in self.due.values():
            if due is not MET:
                self.findings.add("lost", "a step is told to everybody who takes part", due[0])
        for place in self.held.values():
            if place is not MET:
                self.findings.add("lost", "delivery holds what mla says of a request", place)
