"""The part of the story that authorities play: requests for legal assistance, and orders to a provider.

Every step of a request is a page of its own, so there is a request for each way that one can go.
"""

REQUESTS = "POST /v1/incidents/{incident}/requests"
ONE = f"{REQUESTS}/{{request}}"
DIGEST = "ab" * 32


class Requests:
    """Plays it in a story that has read the directory."""

    def __init__(self, story):
        self.story = story
        agencies = story.agencies.values()
        authorities = [one for one in agencies if one["kind"] == "central-authority"]
        police = {one["country"]: one["id"] for one in agencies if one["kind"] == "police-unit"}
        self.provider = story.first(
            lambda one: one["kind"] == "provider" and self.authority_of(authorities, one["country"])
            and self.bound(police, authorities, one["country"])
        )
        self.enforcing = self.authority_of(authorities, story.agencies[self.provider]["country"])
        self.own = self.bound(police, authorities, story.agencies[self.provider]["country"])
        self.police = police[self.country(self.own)]
        # One State that is bound to the own one, with two authorities: one can forward to the other.
        others = [one for one in authorities if one["country"] not in (self.country(self.own), self.country(self.enforcing))]
        self.asked, self.second = next(
            (one["id"], two["id"]) for one in others for two in others
            if one["id"] != two["id"] and one["country"] == two["country"]
        )

    @staticmethod
    def authority_of(authorities, country):
        return next((one["id"] for one in authorities if one["country"] == country), None)

    def bound(self, police, authorities, country):
        """An authority with police in its State, which may order something of a provider in the country."""
        for one in authorities:
            query = f"requesting={one['country']}&requested={country}&measure=content-data&request=production-order"
            bases = self.story.ask(f"/v1/legal-bases?{query}", one["id"])
            if one["country"] in police and bases and bases["candidates"]:
                return one["id"]
        return None

    def country(self, agency):
        return self.story.agencies[agency]["country"]

    def tell(self):
        self.open_incident()
        self.assistance()
        self.other_ways()
        self.preservation()
        self.production_order()
        self.preservation_order()
        self.story.act("GET /v1/mla/due", self.own)
        self.story.act("GET /v1/mla/statistics", self.own, query={"year": 2026})

    def open_incident(self):
        """An incident that the own State's police have taken up."""
        story = self.story
        child = {"category": "victim", "age_band": "0-12", "residences": [self.country(self.own)]}
        self.incident = story.act("POST /v1/referrals", story.hotline, body=story.referral(people=[child])).json()[
            "incident_id"
        ]

        def offered():
            view = story.ask(f"/v1/incidents/{self.incident}/routing", self.police)
            return view and next((one for one in view["assignments"] if one["agency"] == self.police), None)

        part = story.wait_for("the offer to police", offered)
        place = {"incident": self.incident, "assignment": part["assignment_id"]}
        story.act("POST /v1/incidents/{incident}/assignments/{assignment}/accept", self.police, place)
        story.wait_for(
            "the incident at legal assistance",
            lambda: story.ask(f"/v1/incidents/{self.incident}/requests", self.own) is not None,
        )
        story.act("GET /v1/incidents/{incident}/requests", self.own, {"incident": self.incident})

    def basis(self, requested, measure, kind):
        """The first candidate, and everything that it demands."""
        query = {
            "requesting": self.country(self.own), "requested": self.country(requested), "measure": measure,
            "request": kind, "kind": "child-sexual-abuse",
        }
        candidates = self.story.act("GET /v1/legal-bases", self.own, query=query).json()["candidates"]
        candidates.sort(key=lambda one: (one["kind"] != "union-law", one["instrument"]))
        found = candidates[0]
        return found["instrument"], sorted({row["element"] for row in found["contents"]})

    def asks(self, requested, measure, kind="assistance", **more):
        instrument, elements = self.basis(requested, measure, kind)
        return {
            "kind": kind, "requested": self.country(requested), "authority": requested, "measures": [measure],
            "basis": instrument, "translation": "not-needed",
            "elements": {element: "Synthetic." for element in elements},
        } | more

    def draft(self, body):
        made = self.story.act(REQUESTS, self.own, {"incident": self.incident}, body).json()
        return {"incident": self.incident, "request": made["request_id"]}

    def step(self, place, agency, name, says=None, **texts):
        return self.story.act(f"{ONE}/{name}", agency, place, {"step": says or {}} | texts).json()

    def sent(self, body, channel="central-authorities", oral=False):
        place = self.draft(body)
        self.step(place, self.own, "validation", {"by": "public-prosecutor"})
        self.step(place, self.own, "transmission", {"channel": channel, "oral": oral})
        return place

    def assistance(self):
        body = self.asks(self.asked, "content-data")
        place = self.draft(body)
        self.story.act(f"{ONE}/amend", self.own, place, body | {"confidential": True})
        self.story.act(f"{ONE}/units", self.own, place, {"agency": self.police})
        self.step(place, self.own, "document", {"form": "eio-annex-a", "language": "en", "digest": DIGEST})
        self.story.act("GET /v1/incidents/{incident}/requests/{request}", self.own, place)
        self.step(place, self.own, "validation", {"by": "judge"})
        self.step(place, self.own, "transmission", {"channel": "judicial-authorities", "oral": True})
        self.step(place, self.own, "written-confirmation")
        self.step(place, self.asked, "receipt")
        self.step(place, self.asked, "acknowledgement", reference="SYNTHETIC-2")
        self.step(place, self.own, "related-case", {"proceedings": "extradition"}, reference="SYNTHETIC-3")
        self.open(place, self.asked)
        self.step(place, self.asked, "information-request", {"elements": ["facts"]}, note="Synthetic.")
        self.step(place, self.own, "information", {"elements": ["facts"]}, note="Synthetic.")
        self.step(place, self.asked, "postponement", {"ground": "own-proceedings", "consultation_not_appropriate": True})
        self.step(place, self.asked, "resumption")
        self.step(place, self.asked, "acceptance", {"conditions": ["use-limitation"]})
        self.step(place, self.own, "conditions-agreement")
        self.step(place, self.asked, "execution")
        self.step(place, self.asked, "substitution", {"measure": "traffic-data"})
        self.step(place, self.asked, "delay", {"reason": "complexity"})
        self.step(place, self.asked, "outcome", {"partial": True})
        self.step(place, self.asked, "transfer-suspension")
        self.step(place, self.asked, "transfer-resumption")
        self.evidence(place, self.asked)
        self.step(place, self.asked, "costs", {"amount": 1200, "currency": "EUR"})
        self.step(place, self.own, "closure")

    def open(self, place, agency):
        key = self.story.agencies[agency]["keys"][0]["key_id"]
        told = {"recipient_key_id": key}
        path = f"/v1/inbox?limit=500"

        def delivered():
            inbox = self.story.ask(path, agency)
            return any(entry.get("request_id") == place["request"] for entry in (inbox or {"entries": []})["entries"])

        self.story.wait_for("the request in the inbox", delivered)
        self.story.act(f"{ONE}/open", agency, place, told)

    def evidence(self, place, by):
        says = {"digest": DIGEST, "data_holder": self.provider, "channel": "central-authorities"}
        self.step(place, by, "evidence-transmission", says)
        self.step(place, self.own, "evidence-receipt", {"digest": DIGEST, "check": "matches"})

    def other_ways(self):
        body = self.asks(self.asked, "content-data")
        returned = self.sent(body)
        self.step(returned, self.asked, "receipt")
        self.step(returned, self.asked, "return-deficient", {"missing": ["facts"]})
        self.step(returned, self.own, "withdrawal", {"reason": "no-longer-required"})
        passed_on = self.sent(body)
        self.step(passed_on, self.asked, "receipt")
        self.step(passed_on, self.asked, "forwarding", {"to": self.second})
        self.step(passed_on, self.second, "receipt")
        self.step(passed_on, self.second, "consultation", {"subject": "refusal"})
        self.step(passed_on, self.own, "consultation-conclusion")
        self.step(passed_on, self.second, "refusal", {"ground": "fundamental-rights"}, note="Synthetic.")

    def preservation(self):
        place = self.sent(self.asks(self.asked, "preservation"), "contact-point")
        self.step(place, self.asked, "receipt")
        self.step(place, self.asked, "preserved")
        self.step(place, self.asked, "holder-end", {"ends": "2090-01-31T00:00:00Z"})

    def order(self, measure, kind, **more):
        return self.asks(self.enforcing, measure, kind, addressee=self.provider, **more)

    def production_order(self):
        place = self.sent(self.order("content-data", "production-order", notified=True), "provider-direct")
        self.step(place, self.own, "notification")
        self.step(place, self.enforcing, "notification-receipt")
        self.step(place, self.provider, "receipt")
        self.step(place, self.provider, "clarification-request", note="Synthetic.")
        self.step(place, self.own, "clarification", note="Synthetic.")
        self.step(place, self.provider, "objection", note="Synthetic.")
        self.step(place, self.own, "objection-review", {"upheld": True})
        self.step(place, self.enforcing, "no-ground-confirmation")
        self.evidence(place, self.provider)
        refused = self.sent(self.order("content-data", "production-order"), "provider-direct")
        self.step(refused, self.provider, "receipt")
        self.step(refused, self.provider, "non-execution", {"reason": "impossible"})
        self.step(refused, self.own, "enforcement-request")
        self.step(refused, self.enforcing, "recognition", {"recognised": True})
        body = self.order("content-data", "production-order", notified=True, emergency="threat-to-life")
        at_once = self.sent(body, "provider-direct")
        self.step(at_once, self.own, "notification")
        self.step(at_once, self.enforcing, "notification-receipt")
        received = self.step(at_once, self.provider, "receipt")
        self.answer_period(at_once, received)
        self.evidence(at_once, self.provider)
        self.step(at_once, self.enforcing, "conditions-on-use", {"conditions": ["use-limitation"]})
        self.step(at_once, self.own, "legal-remedy", {"by": "other-person"})
        self.step(at_once, self.own, "withdrawal", {"reason": "no-longer-required"})
        self.step(at_once, self.own, "deletion", {"restricted": True})
        body = self.order("subscriber-data", "production-order", emergency="threat-to-life")
        urgent = self.draft(body)
        self.step(urgent, self.own, "transmission", {"channel": "provider-direct"})
        self.step(urgent, self.own, "ex-post-validation", {"granted": True, "by": "court"})

    def answer_period(self, place, view):
        """A coordinator says what is done about the legal period that ends first: in an emergency it presses."""
        open_ones = [period for period in view["periods"] if period["ended"] is None]
        clock = min(open_ones, key=lambda period: period["due"])["clock"]
        place = {**place, "clock": clock}
        says = {"answer": "sides-reminded"}
        self.story.act(f"{ONE}/periods/{{clock}}/answer", self.story.coordinator, place, says)

    def preservation_order(self):
        place = self.sent(self.order("preservation", "preservation-order"), "provider-direct")
        self.step(place, self.provider, "receipt")
        self.step(place, self.provider, "preserved")
        self.step(place, self.own, "extension")
        self.step(place, self.own, "production-confirmation")
