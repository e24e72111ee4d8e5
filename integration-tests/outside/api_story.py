"""The story that gives every operation its success: fresh referrals, filed and worked on by hand.

Commands fit only one state (a close follows an accept), which no generator guesses. Each step is an ordinary
checked request; what its answer teaches (ids, proposals) goes into the steps that follow. Agencies are found
by what the directory says of them, so any world will do that has a hotline, a coordinator, an agency beside
the hotline in its own country, and police in at least three others that its transfers may reach.
"""

import time
import uuid

from api_children import Children
from api_requests import Requests

# How long something may take that another service does: an offer, an item in an inbox.
AWAIT_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 0.1

ASSIGNMENT = "/v1/incidents/{incident}/assignments/{assignment}"
ENTRY = "/v1/directory/{kind}/{name}"
# Not for generated requests: whatever else the check does would happen in another year.
MOVES_TIME = "PUT /development/clock"

REPORT = """<report>
  <incidentSummary>
    <incidentType>Online Enticement of Children for Sexual Acts</incidentType>
    <incidentDateTime>2026-11-19T14:05:00Z</incidentDateTime>
  </incidentSummary>
  <reporter>
    <reportingPerson><firstName>Synthetic</firstName><lastName>Reporter</lastName></reportingPerson>
  </reporter>
</report>"""


class Broken(Exception):
    """A step of the story did not succeed, so what follows cannot be told."""


class Story:
    """Tells the story, and keeps for each operation who may call it and with what in its path."""

    def __init__(self, service, tokens):
        self.service = service
        self.tokens = tokens
        # Operation to (agency, path parameters): where generated requests find real things.
        self.known = {}

    def act(self, name, agency, path=None, body=None, headers=None, query=None, media_type=None):
        """One step: must succeed. A command gets a key of its own."""
        path, headers = path or {}, dict(headers or {})
        if self.takes_key(name):
            headers["Idempotency-Key"] = str(uuid.uuid4())
        parts = {"path_parameters": path, "headers": headers, "query": query or {}}
        if body is not None:
            parts |= {"body": body, "media_type": media_type or "application/json"}
        case = self.service.case(name, **parts)
        response = self.service.send(name, case, self.tokens[agency])
        if response is None or not 200 <= response.status_code < 300:
            told = "no answer" if response is None else f"{response.status_code} {response.text[:400]}"
            raise Broken(f"{name} by {agency}: {told}")
        self.known[name] = (agency, path)
        if self.takes_key(name):
            self.repeat(name, case, agency)
        self.refuse_strangers(name, case)
        return response

    def described(self, name):
        method, path = name.split()
        return self.service.document["paths"][path][method.lower()]

    def is_open(self, name):
        """Whether the page needs no token: nothing is asked for, or nothing is one of what may be brought."""
        return self.described(name).get("security") in ([], [{}])

    def takes_key(self, name):
        operation = self.described(name)
        return any(found["name"] == "Idempotency-Key" for found in operation.get("parameters", []))

    def repeat(self, name, case, agency):
        """The same again under the same key is the same, done once."""
        response = self.service.send(name, case, self.tokens[agency])
        if response is not None and response.status_code != 200:
            told = f"{response.status_code} {response.text[:400]}"
            self.service.note(name, "Sent again, and not 200", told)

    def refuse_strangers(self, name, case):
        """Without a token there is nothing, whatever the request."""
        if self.is_open(name):
            return
        response = self.service.send(name, case, None)
        if response is not None and response.status_code != 401:
            self.service.note(name, "No token, and not 401", f"the answer was {response.status_code}")

    def ask(self, path, agency):
        """A look that is no step: unchecked and uncounted. None when there is no such thing yet."""
        headers = {"Authorization": f"Bearer {self.tokens[agency]}"}
        address = self.service.address + path
        response = self.service.session.get(address, headers=headers, timeout=AWAIT_SECONDS)
        return response.json() if response.status_code == 200 else None

    def wait_for(self, what, look):
        deadline = time.monotonic() + AWAIT_SECONDS
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(LOOK_AGAIN_SECONDS)
        raise Broken(f"{what} did not come within {AWAIT_SECONDS:g} s")

    def tell(self):
        self.read_directory()
        self.file_referrals()
        self.read_routing()
        self.read_inbox()
        self.open_and_report()
        self.accept_and_lead()
        self.answer_otherwise()
        Requests(self).tell()
        Children(self).tell()
        self.watch()
        self.change_directory()
        self.ask_for_commands()
        self.look_around()

    def read_directory(self):
        listing = self.act("GET /v1/directory", next(iter(self.tokens))).json()
        agencies = [listed["entry"].get("agency") for listed in listing["entries"]]
        self.agencies = {found["id"]: found for found in agencies if found and found["id"] in self.tokens}
        self.hotline = self.first(lambda agency: agency["kind"] == "hotline")
        self.coordinator = self.first(lambda agency: agency["kind"] == "coordinator")

    def first(self, fits):
        found = next((name for name, agency in self.agencies.items() if fits(agency)), None)
        if found is None:
            raise Broken("the directory has no agency for a part of the story")
        return found

    def file_referrals(self):
        danger = self.referral(urgency="imminent-danger", danger_reason="ongoing-abuse")
        receipt = self.act("POST /v1/referrals", self.hotline, body=danger).json()
        self.incident, self.referral_id = receipt["incident_id"], receipt["referral_id"]
        again = self.act("POST /v1/referrals", self.hotline, body=danger)
        if again.status_code != 200 or again.json() != receipt:
            self.service.note("POST /v1/referrals", "Sent again, another answer", again.text[:400])
        line = self.referral()
        self.act("POST /v1/referrals:batch", self.hotline, body=line, media_type="application/x-ndjson")
        self.act(
            "POST /v1/cybertipline",
            self.hotline,
            body={"report": REPORT},
            headers={"Reporter-Reference": f"check-{uuid.uuid4()}"},
            media_type="multipart/form-data",
        )
        self.act("GET /v1/referrals/{referral}", self.hotline, {"referral": self.referral_id})
        more = danger | {"narrative": "Synthetic, and more of it."}
        self.act("POST /v1/referrals/{referral}/amend", self.hotline, {"referral": self.referral_id}, more)
        mistaken = self.act("POST /v1/referrals", self.hotline, body=self.referral()).json()
        self.act(
            "POST /v1/referrals/{referral}/withdraw",
            self.hotline,
            {"referral": mistaken["referral_id"]},
            {"reason": "sent-in-error"},
        )

    def referral(self, **more):
        """Two children in two countries: more than one agency has a part in it."""
        child = {"category": "victim", "age_band": "0-12"}
        countries = sorted({
            agency["country"]
            for agency in self.agencies.values()
            if agency["kind"] == "police-unit" and agency["country"] != self.agencies[self.hotline]["country"]
        })
        return {
            "reference": f"check-{uuid.uuid4()}",
            "kind": "child-sexual-abuse",
            "occurred": {"from": "2026-11-20T21:30:00Z"},
            "narrative": "Synthetic.",
            "people": [{**child, "residences": [country]} for country in countries],
            "handling": {"transfers": "standing"},
        } | more

    def read_routing(self):
        def offered():
            view = self.ask(f"/v1/incidents/{self.incident}/routing", self.hotline)
            return view if view and len(view["assignments"]) > 2 else None

        self.view = self.wait_for("the offers", offered)
        self.act("GET /v1/incidents/{incident}/routing", self.hotline, {"incident": self.incident})
        path = {"incident": self.incident}
        self.parts = [
            (found["agency"], {**path, "assignment": found["assignment_id"]})
            for found in self.view["assignments"]
            if found["agency"] in self.tokens
        ]
        # Some steps are for police alone.
        self.parts.sort(key=lambda part: self.agencies[part[0]]["kind"] != "police-unit")
        if len(self.parts) < 3:
            raise Broken("the story needs assignments of three agencies with tokens")

    def read_inbox(self):
        agency, part = self.parts[0]

        def delivered():
            inbox = self.ask("/v1/inbox?limit=500", agency)
            entries = inbox["entries"] if inbox else []
            return any(entry.get("assignment_id") == part["assignment"] for entry in entries)

        self.wait_for("the assignment in the inbox", delivered)
        self.act("GET /v1/inbox", agency, query={"limit": 5})
        # To the document the stream is a text; that it speaks at all is looked at here.
        if b"data:" not in self.act("GET /v1/inbox/stream", agency).content:
            self.service.note("GET /v1/inbox/stream", "The stream is silent", f"{agency} has assignments")

    def open_and_report(self):
        agency, part = self.parts[0]
        key = self.agencies[agency]["keys"][0]["key_id"]
        opened = self.act(f"POST {ASSIGNMENT}/open", agency, part, {"recipient_key_id": key}).json()
        path = {"incident": self.incident, "disclosure": opened["disclosure_id"]}
        body = {"facets": [facet["facet_id"] for facet in opened["facets"]]}
        self.act("POST /v1/incidents/{incident}/disclosures/{disclosure}/access", agency, path, body)

    def accept_and_lead(self):
        (agency, part), incident = self.parts[0], {"incident": self.incident}
        self.act(f"POST {ASSIGNMENT}/accept", agency, part)
        # That it was taken up there is one more reason for a lead.
        self.view = self.act("GET /v1/incidents/{incident}/routing", agency, incident).json()
        self.keep_and_erase(agency)
        reason = self.codes("AssessmentReason")[0]
        assessment = {"kind": "urgency", "value": "imminent-danger", "reason": reason}
        assessed = self.act("POST /v1/incidents/{incident}/assessments", agency, incident, assessment).json()
        self.take_back(agency, assessed["assessments"][-1]["assessment_id"])
        self.act(f"POST {ASSIGNMENT}/escalate", agency, part, {"reason": "no-capacity", "note": "Synthetic."})
        self.act(f"POST {ASSIGNMENT}/hold-feedback", agency, part, {"until": "2026-01-01T00:00:00Z"})
        self.act("POST /v1/incidents/{incident}/case-numbers", agency, incident, {"number": "SYNTHETIC-1"})
        proposed = self.view["lead_proposed"]["country"]
        other = next(found["country"] for found in self.view["countries"] if found["country"] != proposed)
        lead = "POST /v1/incidents/{incident}/lead"
        self.act(f"{lead}/accept", agency, incident, {"country": proposed})
        self.act(f"{lead}/record", self.coordinator, incident, {"country": proposed})
        self.act(f"{lead}/dispute", agency, incident, {"country": proposed, "proposes": other})
        self.act(f"POST {ASSIGNMENT}/close", agency, part, {"outcome": self.codes("CloseOutcome")[0]})

    def keep_and_erase(self, agency):
        """What is held is restricted, and erased when it is let go."""
        incident = {"incident": self.incident}

        def accepted():
            inbox = self.ask("/v1/inbox?limit=500", agency)
            entries = inbox["entries"] if inbox else []
            own = [entry for entry in entries if entry.get("incident_id") == self.incident]
            return any(entry["type"] == "changed" and entry["state"] == "accepted" for entry in own)

        self.wait_for("the acceptance in the inbox", accepted)
        held = self.act("POST /v1/incidents/{incident}/holds", agency, incident, {"reason": "evidence"}).json()
        erase = {"reason": "legal-obligation"}
        erased = self.act("POST /v1/incidents/{incident}/erase", self.hotline, incident, erase).json()
        if not erased["restricted"]:
            self.service.note("POST /v1/incidents/{incident}/erase", "A hold restricts", f"{erased}")
        path = {**incident, "hold": held["hold_id"]}
        self.act("POST /v1/incidents/{incident}/holds/{hold}/release", agency, path)

    def take_back(self, agency, assessment):
        """What one agency takes back another one acknowledges."""
        path = {"incident": self.incident, "assessment": assessment}
        retract = "POST /v1/incidents/{incident}/assessments/{assessment}/retract"
        view = self.act(retract, agency, path, {"reason": "assessed-anew"}).json()
        retraction = view["retractions"][-1]
        other = next(found for found in retraction["recipients"] if found in self.tokens)
        path = {"incident": self.incident, "retraction": retraction["retraction_id"]}
        self.act("POST /v1/incidents/{incident}/retractions/{retraction}/acknowledge", other, path)

    def answer_otherwise(self):
        (second, its_part), (third, third_part) = self.parts[1:3]
        reason = self.codes("DeclineReason")[0]
        self.act(f"POST {ASSIGNMENT}/decline", second, its_part, {"reason": reason})
        assigned = {found["agency"] for found in self.view["assignments"]}
        country = self.agencies[self.hotline]["country"]
        to = self.first(
            lambda agency: agency["country"] == country
            and agency["id"] not in assigned | {self.hotline}
            and agency["kind"] != "coordinator"
        )
        view = self.act(f"POST {ASSIGNMENT}/forward", third, third_part, {"to": to}).json()
        new = next(found for found in view["assignments"] if found["agency"] == to)
        taken_back = {"incident": self.incident, "assignment": new["assignment_id"]}
        reason = self.codes("RevokeReason")[0]
        self.act(f"POST {ASSIGNMENT}/revoke", self.hotline, taken_back, {"reason": reason})
        path, body = {"incident": self.incident}, {"countries": [self.agencies[third]["country"]]}
        self.act("POST /v1/incidents/{incident}/transfers", self.hotline, path, body)

    def watch(self):
        """A coordinator sees that there is something."""
        overview = self.act("GET /v1/overview", self.coordinator).json()
        if not overview["incidents"]:
            self.service.note("GET /v1/overview", "Nothing is shown", "referrals were filed")
        if b"data:" not in self.act("GET /v1/overview/stream", self.coordinator).content:
            self.service.note("GET /v1/overview/stream", "The stream is silent", "referrals were filed")
        policy = self.ask("/v1/directory/policy/default", self.coordinator)["acts"]
        for rule in policy["policy"]["rules"]:
            rule["respond_within_minutes"] += 1
        tried = {"entry": policy, "incidents": [self.incident]}
        preview = self.act("POST /v1/routing/preview", self.coordinator, body=tried).json()
        if (preview["tried"], preview["changed"]) != (1, 1):
            self.service.note("POST /v1/routing/preview", "Nothing would change", f"{preview}")

    def change_directory(self):
        """A new key waits for a second person, of another issuer and of the State concerned."""
        issuer = self.agencies[self.coordinator]["issuer"]
        # The agency itself is that person: the coordinator proposes, and its tokens come from elsewhere. One
        # for which no other change waits, as only one may.
        name = self.first(
            lambda agency: agency["kind"] == "police-unit"
            and agency["issuer"] != issuer
            and not self.ask(f"/v1/directory/agency/{agency['id']}", self.coordinator).get("pending")
        )
        agency = self.agencies[name]
        place = {"kind": "agency", "name": name}
        shown = self.act(f"GET {ENTRY}", self.coordinator, place).json()
        entry = shown["acts"]
        key = dict(agency["keys"][0], key_id=f"check-{uuid.uuid4().hex[:8]}")
        entry["agency"]["keys"].append(key)
        for verb, by in [("withdraw", self.coordinator), ("confirm", name)]:
            changed = self.act("POST /v1/directory/changes", self.coordinator, body=entry).json()
            change = {**place, "proposal": changed["pending"]["proposal_id"]}
            self.act(f"POST {ENTRY}/changes/{{proposal}}/{verb}", by, change)

    def ask_for_commands(self):
        """Where the document has them: a command that nobody gave is pending, not unknown."""
        for name in self.service.operations:
            if name.endswith("/commands/{command}"):
                self.act(name, self.hotline, {"command": str(uuid.uuid4())})

    def look_around(self):
        """What operators and developers read, and the clock set to what it shows."""
        for name in self.service.operations:
            if self.is_open(name):
                self.act(name, self.hotline)
        if "GET /development/clock" in self.service.operations:
            moment = self.act("GET /development/clock", self.hotline).json()
            self.act(MOVES_TIME, self.hotline, body=moment)

    def codes(self, schema):
        """The codes of a list, as the document gives them."""
        listed = self.service.document["components"]["schemas"][schema]
        return listed.get("enum") or [one["const"] for one in listed["oneOf"]]
