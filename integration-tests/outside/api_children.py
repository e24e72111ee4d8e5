"""The part of the story that is about children: who looks for them, and what they are owed once they are found."""

from datetime import datetime, timedelta

CHILDREN = "/v1/incidents/{incident}/children"
ONE = f"{CHILDREN}/{{child}}"


class Children:
    """Plays it in a story that has read the directory."""

    def __init__(self, story):
        self.story = story
        agencies = story.agencies.values()
        services = {one["country"]: one["id"] for one in agencies if one["kind"] == "support-service"}
        self.unit = story.first(lambda one: one["kind"] == "victim-identification-unit" and one["country"] in services)
        self.country = story.agencies[self.unit]["country"]
        self.service = services[self.country]
        policies = [one["entry"].get("policy") for one in story.ask("/v1/directory", self.unit)["entries"]]
        rules = [rule for policy in policies if policy for rule in policy["transfers"]]
        # What is written at a handover crosses from there.
        near = {country for rule in rules if self.country in rule["to"] for country in rule["from"]}
        self.other = next(
            one["id"] for one in agencies
            if one["kind"] == "police-unit"
            and one["country"] in near - {self.country, story.agencies[story.hotline]["country"]}
        )

    def tell(self):
        first, second = self.incident(), self.incident()
        self.handed_on(first)
        self.found(first)
        self.viewed(first)
        self.known()
        self.logged(first)
        self.series(first, second)
        self.one_child(first, second)
        self.story.act("GET /v1/children", self.unit)

    def incident(self, **more):
        """An incident that both units are at work on, and its children."""
        story = self.story
        countries = [story.agencies[agency]["country"] for agency in (self.unit, self.other)]
        child = {"category": "victim", "age_band": "0-12"}
        people = [{**child, "residences": [country]} for country in countries]
        incident = story.act("POST /v1/referrals", story.hotline, body=story.referral(people=people, **more)).json()[
            "incident_id"
        ]
        for agency in (self.unit, self.other):

            def offered():
                view = story.ask(f"/v1/incidents/{incident}/routing", agency)
                return view and next((one for one in view["assignments"] if one["agency"] == agency), None)

            part = story.wait_for(f"the offer to {agency}", offered)
            place = {"incident": incident, "assignment": part["assignment_id"]}
            story.act("POST /v1/incidents/{incident}/assignments/{assignment}/accept", agency, place)

            def known():
                all = story.ask(f"/v1/incidents/{incident}/children", agency)
                return all and all["children"]

            children = story.wait_for("the children", known)
        return {"incident": incident, "child": children[0]["child_ref"]}

    def act(self, agency, place, what, body=None, **more):
        return self.story.act(f"POST {ONE}/{what}", agency, place | more, body or {}).json()

    def offer(self, by, to, place):
        body = {"to": to, "until": self.a_day_later(place), "handover": "Synthetic."}
        return self.act(by, place, "offers", body)["offer"]["offer_id"]

    def a_day_later(self, place):
        """Than the custody began: whatever the clock of the service says."""
        shown = self.story.ask(f"/v1/incidents/{place['incident']}/children/{place['child']}", self.other)
        since = datetime.fromisoformat(shown["custody"]["since"].replace("Z", "+00:00"))
        return (since + timedelta(days=1)).isoformat().replace("+00:00", "Z")

    def handed_on(self, place):
        incident = {"incident": place["incident"]}
        self.story.act(f"GET {CHILDREN}", self.unit, incident)
        self.story.act(f"GET {ONE}", self.unit, place)
        self.story.act(f"POST {CHILDREN}", self.unit, incident, {"age_band": "13-17"})
        self.act(self.story.coordinator, place, "invitations", {"agencies": [self.other]})
        self.act(self.other, place, "custody", {"limit_days": 30})
        self.act(self.other, place, "confirm")
        offer = self.offer(self.other, self.unit, place)
        self.act(self.other, place, "offers/{offer}/withdraw", offer=offer)
        offer = self.offer(self.other, self.unit, place)
        self.act(self.unit, place, "offers/{offer}/decline", {"reason": "no-capacity"}, offer=offer)
        offer = self.offer(self.other, self.unit, place)
        self.act(self.unit, place, "offers/{offer}/accept", {"limit_days": 30}, offer=offer)
        self.open(place, self.unit)

    def open(self, place, agency):
        key = self.story.agencies[agency]["keys"][0]["key_id"]

        def delivered():
            inbox = self.story.ask("/v1/inbox?limit=500", agency) or {"entries": []}
            return any(entry.get("child_ref") == place["child"] for entry in inbox["entries"])

        self.story.wait_for("news of the child", delivered)
        self.act(agency, place, "open", {"recipient_key_id": key})

    def found(self, place):
        reasons = {"country": self.country, "confidence": "high", "reasons": ["spoken-language"]}
        self.act(self.unit, place, "attribution", reasons)
        for status in ("tentative", "identified", "safeguarded"):
            self.act(self.unit, place, "status", {"status": status})
        self.act(self.unit, place, "support", {"service": self.service, "handover": "Synthetic."})
        self.act(self.service, place, "support/acknowledge")
        self.act(self.unit, place, "support/{service}/end", service=self.service)
        self.act(self.unit, place, "remedies", {"remedies": ["counselling"]})
        self.act(self.unit, place, "notification", {"preference": "no-contact"})

    def viewed(self, place):
        """Recorded by whoever has viewed it, and read by whoever looks after them."""
        self.act(self.unit, place, "exposures", {"items": 3})
        self.story.act("GET /v1/exposures/own", self.unit)
        self.story.act("GET /v1/exposures", self.unit, query={"person": "somebody"})

    def logged(self, place):
        """What happened stands in the audit log, and its parties read it."""
        incident = {"incident": place["incident"]}
        headers = {"Authorization": f"Bearer {self.story.tokens[self.unit]}"}
        address = f"{self.story.service.address}/v1/incidents/{incident['incident']}/trail"
        self.story.wait_for("the trail", lambda: self.story.service.session.get(address, headers=headers).ok)
        self.story.act("GET /v1/incidents/{incident}/trail", self.unit, incident)
        self.story.act("GET /v1/incidents/{incident}/readers", self.unit, incident)
        ever = {"from": "2020-01-01T00:00:00Z", "to": "2120-01-01T00:00:00Z"}
        self.story.act("GET /v1/acts", self.unit, query=ever)

    def known(self):
        """An entry of a digest set: published, agreed with, and taken back."""
        digest = {"algorithm": "sha-256", "value": "5e" * 32}
        body = {"entry": "story", "classification": "A1", "digests": [digest]}
        place = {"set": "story"}
        entry = self.story.act("POST /v1/digest-sets/{set}/entries", self.unit, place, body).json()["entry_id"]
        one = "/v1/digest-set-entries/{entry}"
        self.story.act(f"POST {one}/vote", self.other, {"entry": entry}, {"vote": "agreed"})
        self.story.act(f"GET {one}", self.unit, {"entry": entry})
        self.story.act("GET /v1/known-material", self.unit, query=digest)
        self.story.act("POST /v1/digest-sets/{set}/withdrawals", self.unit, place, {"entry": "story"})
        self.looks_alike()

    def looks_alike(self):
        """A picture that looks like a known one, which a person confirms."""
        digest = {"algorithm": "pdq", "value": "5e" * 32}
        self.story.act(
            "POST /v1/digest-sets/{set}/entries", self.other, {"set": "story"}, {"entry": "2", "digests": [digest]}
        )
        incident = self.incident(items=[{"media_kind": "image", "digests": [digest]}])["incident"]
        page = "/v1/incidents/{incident}/matches"

        def matched():
            seen = self.story.ask(f"/v1/incidents/{incident}/matches", self.unit)
            return seen and next((one["match_id"] for one in seen["matches"]), None)

        match = self.story.wait_for("the match", matched)
        self.story.act(f"GET {page}", self.unit, {"incident": incident})
        place = {"incident": incident, "match": match}
        self.story.act(f"POST {page}/{{match}}/verdict", self.unit, place, {"verdict": "confirmed"})

    def series(self, *places):
        """Two children of one series; one of them leaves it."""
        self.act(self.other, places[1], "custody", {"limit_days": 30})
        series = self.story.act("POST /v1/series", self.unit, body={}).json()["series_id"]
        for agency, place in zip((self.unit, self.other), places):
            self.act(agency, place, "series", {"series_id": series})
        self.story.act("GET /v1/series", self.unit)
        self.story.act("GET /v1/series/{series}", self.unit, {"series": series})
        self.act(self.other, places[1], "series/{series}/leave", series=series)

    def one_child(self, first, second):
        """The same child twice: proposed and taken back, then proposed and agreed to."""
        body = {"other": {"incident_id": second["incident"], "child_ref": second["child"]}, "stays": "here"}
        link = self.act(self.unit, first, "links", body)["links"][0]["link_id"]
        self.act(self.unit, first, "links/{link}/end", link=link)
        self.act(self.unit, first, "links", body)

        def asked():
            shown = self.story.ask(f"/v1/incidents/{second['incident']}/children/{second['child']}", self.other)
            open = [one["link_id"] for one in shown["links"] if one["link_id"] != link]
            return next(iter(open), None)

        again = self.story.wait_for("the question", asked)
        self.act(self.other, second, "links/{link}/agree", link=again)
