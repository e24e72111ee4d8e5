//! What the night leads to: data are preserved abroad, and guarded until the request for them is received.

use anyhow::Context as _;
use causeway::example::World;
use client::Client;
use mla::http::{Due, LegalBases, RequestView, Requests};
use schemas::codes::{ClockEnd, DueReason};
use schemas::ids::RequestId;
use serde_json::{Value, json};

use super::{Named, Story, await_some, tell};

/// How long the data holder says that it keeps the data.
const KEPT_MINUTES: i64 = 45 * 24 * 60;
/// What Article 29(2) demands, but for its last point.
const DEMANDED: [&str; 6] = ["authority", "proceedings", "facts", "data-and-link", "addressee", "necessity"];

pub async fn play(story: &Story, world: &World, danger: &Named) -> anyhow::Result<()> {
    println!("\n── a request ──");
    let authorities = Authorities {
        german: world.client(&story.http, "de-central", "clerk-1")?,
        american: world.client(&story.http, "us-central", "clerk-2")?,
        path: format!("/v1/incidents/{}/requests", danger.id),
    };
    let known = || async { authorities.german.get::<Requests>(&authorities.path).await.ok() };
    let known = await_some(known).await.context("the incident did not reach the authority")?;
    if !known.requests.is_empty() {
        tell("this request was made in an earlier run; nothing is asked twice");
        return Ok(());
    }
    authorities.find_the_basis().await?;
    let preservation = authorities.preserve().await?;
    authorities.see_what_is_due(preservation).await?;
    authorities.ask_for_the_data(preservation).await
}

struct Authorities {
    german: Client,
    american: Client,
    path: String,
}

impl Authorities {
    async fn find_the_basis(&self) -> anyhow::Result<()> {
        let question = "requesting=DE&requested=US&measure=preservation&kind=child-sexual-abuse";
        let bases: LegalBases = self.german.get(&format!("/v1/legal-bases?{question}")).await?;
        let one = bases.candidates.first().context("no instrument carries a preservation")?;
        tell(&format!(
            "de-central: to have data preserved in the United States there is {} ({}), {}; {} others do not apply",
            one.instrument,
            one.mark,
            one.articles.join(" and "),
            bases.excluded.len(),
        ));
        Ok(())
    }

    async fn preserve(&self) -> anyhow::Result<RequestId> {
        let mut body = asks("preservation", &DEMANDED);
        let draft: RequestView = self.german.command(&self.path, "example-preservation", &body).await?;
        let id = draft.request_id;
        let missing = draft.missing.first().context("nothing is missing")?;
        tell(&format!("de-central: the draft lacks {} ({}); it is added", missing.element, missing.article));
        body["elements"]["intent-to-request"] = "Synthetic: a request for disclosure will follow.".into();
        let amend = format!("{}/{id}/amend", self.path);
        let _: RequestView = self.german.command(&amend, "example-amended", &body).await?;
        self.step(&self.german, id, "validation", json!({ "by": "public-prosecutor" })).await?;
        self.step(&self.german, id, "transmission", json!({ "channel": "contact-point" })).await?;
        let received = self.step(&self.american, id, "receipt", json!({})).await?;
        let ends = received.history.last().context("it was received")?.at.plus_minutes(KEPT_MINUTES);
        let preserved = self.step(&self.american, id, "preserved", json!({ "holder_end": ends })).await?;
        tell("us-central: the data are preserved at their holder, which keeps them for 45 days");
        for period in &preserved.periods {
            tell(&format!("  {} ({}): {} {}", period.clock, period.article, period.kind, period.due));
        }
        Ok(id)
    }

    async fn see_what_is_due(&self, preservation: RequestId) -> anyhow::Result<()> {
        let due: Due = self.german.get("/v1/mla/due").await?;
        let first = due.items.iter().find(|item| item.request_id == preservation);
        let first = first.context("nothing is due")?;
        anyhow::ensure!(
            first.reason == DueReason::Preservation && first.owed_by_us,
            "something else is due: {first:?}"
        );
        let until = first.due.context("the data holder's end is a day")?;
        tell(&format!("de-central: first on the list of the day: {} before {until}", first.reason));
        Ok(())
    }

    async fn ask_for_the_data(&self, preservation: RequestId) -> anyhow::Result<()> {
        let mut body = asks("content-data", &["authority", "assistance"]);
        body["parent"] = preservation.to_string().into();
        let request: RequestView = self.german.command(&self.path, "example-request", &body).await?;
        let id = request.request_id;
        self.step(&self.german, id, "validation", json!({ "by": "judge" })).await?;
        self.step(&self.german, id, "transmission", json!({ "channel": "central-authorities" })).await?;
        self.step(&self.american, id, "receipt", json!({})).await?;
        let path = format!("{}/{preservation}", self.path);
        let guarded: RequestView = self.german.get(&path).await?;
        let superseded = guarded.periods.iter().all(|period| period.end == Some(ClockEnd::Superseded));
        anyhow::ensure!(superseded, "a period of the preservation still runs");
        tell("us-central: the request for the data is received; from now on it guards them itself");
        Ok(())
    }

    async fn step(
        &self,
        by: &Client,
        request: RequestId,
        step: &str,
        says: Value,
    ) -> anyhow::Result<RequestView> {
        let path = format!("{}/{request}/{step}", self.path);
        Ok(by.command(&path, &format!("example-{step}-{request}"), &json!({ "step": says })).await?)
    }
}

fn asks(measure: &str, elements: &[&str]) -> Value {
    let texts =
        elements.iter().map(|element| ((*element).to_owned(), format!("Synthetic: {element}.").into()));
    let texts: serde_json::Map<String, Value> = texts.collect();
    json!({ "kind": "assistance", "requested": "US", "authority": "us-central", "measures": [measure],
        "basis": "budapest", "translation": "not-needed", "languages": ["en", "de"], "elements": texts })
}
