//! Victim identification from end to end: custody of the search for two children, each side over HTTP.

use client::Client;
use delivery::inbox::Entry;
use integration_tests::{Deployment, await_some, calm_referral};
use schemas::codes::{AlertReason, ChildNews, ChildStatus, PriorityFactor};
use schemas::ids::{ChildRef, IncidentId};
use serde_json::{Value, json};
use victim_id::http::{
    AllSeries, ChildView, Children, People, PersonView, Queue, Recorded, SeriesView, WatchedChild,
};

const DE: &str = "de-police";
const FR: &str = "fr-victim-id";

/// A made-up world in which units of two States have taken incidents up.
struct Case {
    deployment: Deployment,
    keys: std::cell::Cell<u32>,
}

impl Case {
    async fn start(name: &str) -> Self {
        Self { deployment: Deployment::start(name).await.unwrap(), keys: std::cell::Cell::new(0) }
    }

    fn client(&self, agency: &str) -> Client {
        self.deployment.client("victim-id", agency).unwrap()
    }

    fn key(&self) -> String {
        self.keys.set(self.keys.get() + 1);
        format!("victim-{}", self.keys.get())
    }

    /// Both units accept what they are offered of a referral with a child in each of their States.
    async fn incident(&self, reference: &str) -> IncidentId {
        let hotline = self.deployment.client("intake", "nl-hotline").unwrap();
        let receipt = hotline.refer(serde_json::to_vec(&calm_referral(reference)).unwrap()).await.unwrap();
        let incident = receipt.incident_id;
        for agency in [DE, FR] {
            let unit = self.deployment.client("delivery", agency).unwrap();
            let offered = || async {
                let entries = unit.inbox("").await.unwrap().entries;
                entries.into_iter().find_map(|entry| match entry {
                    Entry::Assignment(entry) if entry.incident_id == incident => Some(entry.assignment_id),
                    _ => None,
                })
            };
            let offered = await_some("the offer", offered).await.unwrap();
            unit.answer(incident, offered, "accept", &()).await.unwrap();
            let knows = || async { self.children(agency, incident).await.filter(|all| all.len() == 2) };
            await_some("the children", knows).await.unwrap();
        }
        incident
    }

    async fn children(&self, agency: &str, incident: IncidentId) -> Option<Vec<ChildView>> {
        let path = format!("/v1/incidents/{incident}/children");
        self.client(agency).get::<Children>(&path).await.ok().map(|all| all.children)
    }

    async fn act(
        &self,
        agency: &str,
        (incident, child): (IncidentId, ChildRef),
        verb: &str,
        body: Value,
    ) -> Result<ChildView, String> {
        let path = format!("/v1/incidents/{incident}/children/{child}/{verb}");
        let done = self.client(agency).command(&path, &self.key(), &body).await;
        done.map_err(|error| error.to_string())
    }

    async fn invite(
        &self,
        by: &str,
        (incident, child): (IncidentId, ChildRef),
        takers: &Value,
    ) -> Result<WatchedChild, String> {
        let path = format!("/v1/incidents/{incident}/children/{child}/invitations");
        let done = self.client(by).command(&path, &self.key(), takers).await;
        done.map_err(|error| error.to_string())
    }

    async fn told(&self, agency: &str, child: ChildRef, news: ChildNews) {
        let told = || async {
            let inbox = self.deployment.client("delivery", agency).unwrap().inbox("").await.unwrap();
            inbox.entries.into_iter().find(|entry| {
                matches!(entry, Entry::Child { child_ref, news: told, .. }
                    if *child_ref == child && *told == news)
            })
        };
        await_some(&format!("{news} before {agency}"), told).await.unwrap();
    }

    /// Who had to view the child's material: told to each person, and by person only to whoever looks after them.
    async fn exposure_to(&self, (incident, child): (IncidentId, ChildRef)) {
        let page = format!("/v1/incidents/{incident}/children/{child}/exposures");
        let person = |name: &str| self.deployment.world.client(&self.deployment.url("victim-id"), FR, name);
        let viewed = |name: &'static str, items: i32| {
            let (client, key, page) = (person(name).unwrap(), self.key(), &page);
            async move {
                client
                    .command::<Recorded>(page, &key, &json!({ "items": items }))
                    .await
                    .unwrap()
                    .person
                    .unwrap()
            }
        };
        assert!(!viewed("analyst", 50).await.over);
        let over = viewed("analyst", 1).await;
        assert!(over.over && over.within == Some(51), "{over:?}");
        assert!(!viewed("colleague", 2).await.over);
        let lead = person("wellbeing").unwrap();
        let people: People = lead.get("/v1/exposures").await.unwrap();
        let counts: Vec<_> = people.people.iter().map(|person| (person.items, person.over)).collect();
        assert_eq!(counts, [(51, true), (2, false)]);
        let one: People = lead.get("/v1/exposures?person=colleague").await.unwrap();
        assert_eq!(one.people[0].viewer, people.people[1].viewer);
        // Nobody else reads it by person: no colleague, and no other agency.
        assert!(person("analyst").unwrap().get::<People>("/v1/exposures").await.is_err());
        assert!(self.client(DE).get::<People>("/v1/exposures").await.is_err());
        let own: PersonView = person("colleague").unwrap().get("/v1/exposures/own").await.unwrap();
        assert_eq!(own.items, 2);
        // Everybody at work on the child sees what it has cost already.
        let counted = || async {
            let all = self.children(DE, incident).await?;
            let view = all.into_iter().find(|view| view.child_ref == child)?;
            view.viewed.into_iter().find(|viewed| viewed.items == 53)
        };
        assert_eq!(await_some("what was viewed", counted).await.unwrap().persons, 2);
    }

    /// A unit elsewhere finds a series going on that shows a child who was found.
    async fn new_material_of(&self, found: (IncidentId, ChildRef)) {
        let opened: SeriesView =
            self.client(FR).command("/v1/series", &self.key(), &json!({})).await.unwrap();
        let series = opened.series_id;
        let join = json!({ "series_id": series });
        self.act(FR, found, "series", join.clone()).await.unwrap();
        let elsewhere = self.incident("VICTIM-SERIES").await;
        let child = (elsewhere, self.children(DE, elsewhere).await.unwrap()[0].child_ref);
        let page = format!("/v1/series/{series}");
        assert!(self.client(DE).get::<SeriesView>(&page).await.is_err());
        self.act(DE, child, "custody", json!({ "limit_days": 30 })).await.unwrap();
        self.act(DE, child, "series", join).await.unwrap();
        self.told(FR, found.1, ChildNews::NewMaterial).await;
        let queue: Queue = self.client(FR).get("/v1/children").await.unwrap();
        let first = &queue.items[0];
        assert_eq!(
            (first.child.child_ref, &first.factors[..]),
            (found.1, &[PriorityFactor::NewMaterial][..])
        );
        // Each unit sees with whom to speak; a coordinator sees States; nobody else that there is a series.
        let seen: SeriesView = self.client(DE).get(&page).await.unwrap();
        let custodians: Vec<_> = seen.members.iter().flat_map(|member| &member.custodian).collect();
        assert!(seen.identified && custodians.len() == 2, "{seen:?}");
        let all: AllSeries = self.client("un-coordinator").get("/v1/series").await.unwrap();
        assert!(all.series[0].members.is_empty() && !all.series[0].watched.is_empty(), "{all:?}");
        assert!(self.client("br-police").get::<SeriesView>(&page).await.is_err());
        let left = self.act(DE, child, &format!("series/{series}/leave"), json!({})).await.unwrap();
        assert!(left.series.is_empty());
    }

    /// What an agency opens of what goes with a child.
    async fn opens(&self, agency: &str, incident: IncidentId, child: ChildRef) -> Option<Vec<String>> {
        let (key_id, keys) = self.deployment.world.keys(agency).unwrap();
        let client = self.deployment.client("delivery", agency).unwrap();
        let opened = client.open_handover(incident, child, &key_id, &keys, &self.key()).await.ok()?;
        Some(opened.iter().map(|one| one.content["text"].as_str().unwrap().to_owned()).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_children_are_looked_for_handed_on_found_and_looked_after() {
    let mut case = Case::start("victim-id").await;
    let incident = case.incident("VICTIM-1").await;
    let children = case.children(DE, incident).await.unwrap();
    let (first, second) = ((incident, children[0].child_ref), (incident, children[1].child_ref));
    assert_eq!(children[0].status, ChildStatus::Unidentified);
    // Who has no part in it does not hear that there is a child.
    assert!(case.children("br-police", incident).await.is_none());

    // Whoever comes first has the search; the other child is nobody's yet.
    let held = case.act(DE, first, "custody", json!({ "limit_days": 10 })).await.unwrap();
    assert!(held.held_by_us);
    let refused = case.act(FR, first, "custody", json!({ "limit_days": 10 })).await.unwrap_err();
    assert!(refused.contains("custody-held"), "{refused}");
    let queue: Queue = case.client(FR).get("/v1/children").await.unwrap();
    let next: Vec<ChildRef> = queue.items.iter().map(|item| item.child.child_ref).collect();
    assert_eq!(next, [second.1]);
    assert!(queue.items[0].factors.contains(&PriorityFactor::NobodyLooks));

    // Handed on: until it is accepted it stays where it is.
    let until = held.custody.unwrap().since.unwrap().plus_minutes(24 * 60);
    let offer =
        json!({ "to": FR, "until": until, "handover": "Synthetic: speaks French, asks for her sister." });
    let offered = case.act(DE, first, "offers", offer).await.unwrap();
    let offer_id = offered.offer.unwrap().offer_id;
    case.told(FR, first.1, ChildNews::CustodyOffered).await;
    let accept = format!("offers/{offer_id}/accept");
    let foreign = case.act(DE, first, &accept, json!({ "limit_days": 20 })).await.unwrap_err();
    assert!(foreign.contains("unknown-offer"), "{foreign}");
    let held = case.act(FR, first, &accept, json!({ "limit_days": 20 })).await.unwrap();
    assert!(held.held_by_us && held.offer.is_none());
    case.told(DE, first.1, ChildNews::CustodyPassed).await;
    let again = case.act(DE, first, "attribution", attribution()).await.unwrap_err();
    assert!(again.contains("forbidden"), "{again}");
    let opened = case.opens(FR, incident, first.1).await;
    assert_eq!(opened, Some(vec!["Synthetic: speaks French, asks for her sister.".to_owned()]));

    // Found, in two steps; then looked after.
    let attributed = case.act(FR, first, "attribution", attribution()).await.unwrap();
    assert_eq!(attributed.status, ChildStatus::Attributed);
    let at_once = case.act(FR, first, "status", json!({ "status": "identified" })).await.unwrap_err();
    assert!(at_once.contains("/status"), "{at_once}");
    for status in ["tentative", "identified", "safeguarded"] {
        case.act(FR, first, "status", json!({ "status": status })).await.unwrap();
    }
    let support =
        json!({ "service": "fr-support", "handover": "Synthetic: needs a counsellor who speaks French." });
    case.act(FR, first, "support", support).await.unwrap();
    case.told("fr-support", first.1, ChildNews::SupportReferred).await;
    let seen = case.act("fr-support", first, "support/acknowledge", json!({})).await.unwrap();
    assert!(seen.person_ref.is_none() && seen.attribution.is_none() && seen.history.is_empty());
    // A service opens what was meant for it, and nothing else.
    let opened = case.opens("fr-support", incident, first.1).await;
    assert_eq!(opened, Some(vec!["Synthetic: needs a counsellor who speaks French.".to_owned()]));
    // Until it is not there for the child any more.
    case.act(FR, first, "support/fr-support/end", json!({})).await.unwrap();
    case.told("fr-support", first.1, ChildNews::SupportEnded).await;
    assert_eq!(case.opens("fr-support", incident, first.1).await, None);
    case.act(FR, first, "remedies", json!({ "remedies": ["compensation", "counselling"] })).await.unwrap();
    let of_conflict = json!({ "preference": "through-representative", "without_conflict": false });
    assert!(case.act(FR, first, "notification", of_conflict).await.is_err());
    let wish = json!({ "preference": "no-contact", "majority": "2031-05" });
    let cared = case.act(FR, first, "notification", wish).await.unwrap();
    assert_eq!(cared.notification.unwrap().majority.as_deref(), Some("2031-05"));
    // The other child is as it was.
    let children = case.children(DE, incident).await.unwrap();
    let other = children.iter().find(|child| child.child_ref == second.1).unwrap();
    assert!(other.custody.is_none() && other.status == ChildStatus::Unidentified);
    case.exposure_to(first).await;
    case.new_material_of(first).await;
    case.deployment.stop().await.unwrap();
}

fn attribution() -> Value {
    json!({ "country": "FR", "confidence": "high", "reasons": ["spoken-language", "place-recognised"] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_custodian_is_followed_and_two_that_look_for_one_child_settle_it() {
    let mut case = Case::start("victim-id-settle").await;
    let incident = case.incident("VICTIM-2").await;
    let children = case.children(DE, incident).await.unwrap();
    let child = (incident, children[0].child_ref);
    let held = case.act(DE, child, "custody", json!({ "limit_days": 5 })).await.unwrap();
    let limit = held.custody.unwrap().limit.unwrap();
    let coordinator = "un-coordinator";
    let takers = json!({ "agencies": [FR] });
    let early = case.invite(coordinator, child, &takers).await.unwrap_err();
    assert!(early.contains("not-silent"), "{early}");
    let clock = json!({ "now": limit.plus_minutes(1).to_string() });
    let _: Value = case.client(DE).put("/development/clock", &clock).await.unwrap();
    case.told(DE, child.1, ChildNews::CustodianSilent).await;
    let alerted = || async {
        let inbox = case.deployment.client("delivery", coordinator).unwrap().inbox("").await.unwrap();
        let silent =
            |entry: &Entry| matches!(entry, Entry::Alert { reason: AlertReason::CustodianSilent, .. });
        inbox.entries.into_iter().find(silent)
    };
    await_some("the coordinator's alert", alerted).await.unwrap();
    let watched = case.invite(coordinator, child, &takers).await.unwrap();
    assert_eq!(watched.custodian.unwrap().to_string(), "DE");
    case.told(FR, child.1, ChildNews::TakersInvited).await;
    let taken = case.act(FR, child, "custody", json!({ "limit_days": 30 })).await.unwrap();
    assert!(taken.held_by_us);
    case.told(DE, child.1, ChildNews::CustodyPassed).await;

    // The same child, as it turns out, in another incident, held by the other unit.
    let elsewhere = case.incident("VICTIM-3").await;
    let same = (elsewhere, case.children(DE, elsewhere).await.unwrap()[0].child_ref);
    case.act(DE, same, "custody", json!({ "limit_days": 30 })).await.unwrap();
    let other = json!({ "incident_id": same.0, "child_ref": same.1 });
    case.act(FR, child, "links", json!({ "other": other, "stays": "here" })).await.unwrap();
    case.told(DE, same.1, ChildNews::LinkAsked).await;
    let asked = case.children(DE, elsewhere).await.unwrap();
    let asked = asked.iter().find(|one| one.child_ref == same.1).unwrap();
    let link = asked.links[0].link_id;
    case.act(DE, same, &format!("links/{link}/agree"), json!({})).await.unwrap();
    case.told(DE, same.1, ChildNews::LinkMade).await;
    let ceded = case.children(DE, elsewhere).await.unwrap();
    let ceded = ceded.iter().find(|one| one.child_ref == same.1).unwrap();
    assert!(ceded.custody.is_none() && ceded.status == ChildStatus::DuplicateWork);
    assert_eq!(ceded.ceded_to.unwrap().child_ref, child.1);
    let kept = case.children(FR, incident).await.unwrap();
    let kept = kept.iter().find(|one| one.child_ref == child.1).unwrap();
    assert!(kept.held_by_us && kept.linked[0].child_ref == same.1);
    let taken = case.act(DE, same, "custody", json!({ "limit_days": 30 })).await.unwrap_err();
    assert!(taken.contains("linked"), "{taken}");
    case.deployment.stop().await.unwrap();
}
