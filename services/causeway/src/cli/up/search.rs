//! What the night leads to for the two children: each is looked for, one search is handed on, and a child identified.

use anyhow::Context as _;
use causeway::example::World;
use client::Client;
use delivery::inbox::Entry;
use schemas::codes::AgeBand;
use serde_json::{Value, json};
use victim_id::http::{ChildView, Children};

use super::{Named, Story, await_some, tell};

/// How long the offer of the custody stands.
const OFFER_MINUTES: i64 = 48 * 60;

pub async fn play(story: &Story, world: &World, danger: &Named) -> anyhow::Result<()> {
    println!("\n── two children ──");
    let units = Units {
        german: world.client(&story.http, "de-police", "officer-1")?,
        french: world.client(&story.http, "fr-victim-id", "officer-2")?,
        path: format!("/v1/incidents/{}/children", danger.id),
    };
    units.take_up(danger).await?;
    let known = || async {
        let all = units.french.get::<Children>(&units.path).await.ok()?;
        (all.children.len() == 2).then_some(all.children)
    };
    let children = await_some(known).await.context("the children were not registered")?;
    if children.iter().any(|child| child.custody.is_some()) {
        tell("somebody has looked for them since an earlier run; nothing is done twice");
        return Ok(());
    }
    let is_young = |child: &&ChildView| child.age_band == AgeBand::UnderThirteen;
    let young = children.iter().find(is_young).context("one child is under 13")?;
    let other = children.iter().find(|child| !is_young(child)).context("the other is not")?;
    units.look_for_both(young, other).await?;
    units.hand_on(other).await?;
    units.identify(world, danger, other).await
}

struct Units {
    german: Client,
    french: Client,
    path: String,
}

impl Units {
    async fn take_up(&self, danger: &Named) -> anyhow::Result<()> {
        let offered = || async {
            let entries = self.french.inbox("").await.ok()?.entries;
            entries.into_iter().find_map(|entry| match entry {
                Entry::Assignment(entry) if entry.incident_id == danger.id => Some(entry.assignment_id),
                _ => None,
            })
        };
        let offered = await_some(offered).await.context("the unit was not offered its part")?;
        // A second run finds it accepted.
        let accepted = self.french.answer(danger.id, offered, "accept", &()).await;
        if accepted.is_ok() {
            tell("fr-victim-id: takes up its part in the incident");
        }
        Ok(())
    }

    async fn look_for_both(&self, young: &ChildView, other: &ChildView) -> anyhow::Result<()> {
        for child in [young, other] {
            self.act(&self.german, child, "custody", json!({ "limit_days": 10 })).await?;
        }
        tell("de-police: looks for both children from now on, and says so at least every 10 days");
        let path = format!("{}/{}/custody", self.path, young.child_ref);
        let refused: Result<Value, _> =
            self.french.command(&path, "example-second-custody", &json!({ "limit_days": 10 })).await;
        let told = refused.err().context("two look for one child")?;
        tell(&format!(
            "fr-victim-id: is told that somebody looks for the younger one already ({})",
            told.code().unwrap_or("refused")
        ));
        Ok(())
    }

    async fn hand_on(&self, child: &ChildView) -> anyhow::Result<()> {
        let view: ChildView = self.german.get(&format!("{}/{}", self.path, child.child_ref)).await?;
        let until = view
            .custody
            .and_then(|custody| custody.since)
            .context("somebody looks for it")?
            .plus_minutes(OFFER_MINUTES);
        let offer = json!({ "to": "fr-victim-id", "until": until,
            "handover": "Synthetic: speaks French, does not want her school to hear of it." });
        let offered = self.act(&self.german, child, "offers", offer).await?;
        let offer = offered.offer.context("an offer stands")?.offer_id;
        tell(
            "de-police: offers the search for the older one to fr-victim-id; until it accepts, nothing changes",
        );
        let accept = format!("offers/{offer}/accept");
        self.act(&self.french, child, &accept, json!({ "limit_days": 30 })).await?;
        tell("fr-victim-id: accepts; from now on it is the custodian, and nobody else");
        Ok(())
    }

    async fn identify(&self, world: &World, danger: &Named, child: &ChildView) -> anyhow::Result<()> {
        let (key_id, keys) = world.keys("fr-victim-id")?;
        let opened = || async {
            let key = format!("example-open-{}", child.child_ref);
            self.french.open_handover(danger.id, child.child_ref, &key_id, &keys, &key).await.ok()
        };
        let opened = await_some(opened).await.context("what goes with the child does not open")?;
        let text = opened.first().and_then(|facet| facet.content["text"].as_str()).unwrap_or_default();
        tell(&format!("fr-victim-id: opened on its own machine: {text}"));
        let thought = json!({ "country": "FR", "confidence": "high",
            "reasons": ["spoken-language", "place-recognised"] });
        self.act(&self.french, child, "attribution", thought).await?;
        self.act(&self.french, child, "status", json!({ "status": "tentative" })).await?;
        let found = self.act(&self.french, child, "status", json!({ "status": "identified" })).await?;
        tell(&format!("fr-victim-id: the older one is {}, after a second look", found.status));
        let support =
            json!({ "service": "fr-support", "handover": "Synthetic: a counsellor who speaks French." });
        self.act(&self.french, child, "support", support).await?;
        tell("fr-victim-id: fr-support is asked to receive her, and sees what that needs alone");
        Ok(())
    }

    async fn act(
        &self,
        by: &Client,
        child: &ChildView,
        what: &str,
        body: Value,
    ) -> anyhow::Result<ChildView> {
        let path = format!("{}/{}/{what}", self.path, child.child_ref);
        let status = body["status"].as_str().unwrap_or_default();
        let key = format!("example-{}-{status}-{}", what.replace('/', "-"), child.child_ref);
        Ok(by.command(&path, &key, &body).await?)
    }
}
