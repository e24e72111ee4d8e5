//! Units that look for children while everything fails: each search is taken up and handed on, and every step is sent
//! again until it is answered.

use anyhow::{Context, ensure};
use causeway::example::World;
use intake::http::Receipt;
use schemas::ids::ChildRef;
use serde_json::json;
use victim_id::http::{ChildView, Children};

use super::desk::Desk;
use super::fleet::Fleet;
use crate::calm_referral;

const UNITS: [&str; 2] = ["de-police", "fr-victim-id"];
/// How often each search is handed on, to and fro.
const HANDED_ON: usize = 4;
/// Children of each incident.
const CHILDREN: usize = 2;
/// Longer than any run.
const OFFER_MINUTES: i64 = 24 * 60;

/// Incidents whose children are looked for.
pub const INCIDENTS: usize = 6;
/// How often custody must have been accepted: taken up once, and handed on.
pub const MOVES: usize = INCIDENTS * CHILDREN * (1 + HANDED_ON);

/// Every search, one incident after the other.
///
/// # Errors
/// When a step is refused, or nobody answers for too long.
pub async fn work(world: &World, fleet: &Fleet) -> anyhow::Result<()> {
    for number in 0..INCIDENTS {
        let desk = Desk { world, fleet, who: "officer", number };
        search(&desk).await.with_context(|| format!("the children of incident {number}"))?;
    }
    Ok(())
}

async fn search(desk: &Desk<'_>) -> anyhow::Result<()> {
    let referral = calm_referral(&format!("OFFICER-{}", desk.number));
    let receipt: Receipt = desk.post("intake", "nl-hotline", "/v1/referrals", "refer", &referral).await?;
    let incident = receipt.incident_id;
    let path = format!("/v1/incidents/{incident}/children");
    let mut children = Vec::new();
    for unit in UNITS {
        desk.take_up(unit, incident).await?;
        let known = desk.await_some("the children", || async {
            let all: Option<Children> = desk.get("victim-id", unit, &path).await;
            all.filter(|all| all.children.len() == CHILDREN)
        });
        children = known.await?.children;
    }
    for child in children {
        hand_to_and_fro(desk, &path, child.child_ref).await?;
    }
    Ok(())
}

async fn hand_to_and_fro(desk: &Desk<'_>, path: &str, child: ChildRef) -> anyhow::Result<()> {
    let path = format!("{path}/{child}");
    let limit = json!({ "limit_days": 30 });
    let mut view: ChildView =
        desk.post("victim-id", UNITS[0], &format!("{path}/custody"), "take", &limit).await?;
    for turn in 0..HANDED_ON {
        let (from, to) = (UNITS[turn % 2], UNITS[(turn + 1) % 2]);
        let since =
            view.custody.as_ref().and_then(|custody| custody.since).context("somebody looks for it")?;
        let until = since.plus_minutes(OFFER_MINUTES);
        let offer = json!({ "to": to, "until": until, "handover": "Synthetic." });
        let what = format!("offer-{turn}");
        let offered: ChildView =
            desk.post("victim-id", from, &format!("{path}/offers"), &what, &offer).await?;
        let offer = offered.offer.context("an offer stands")?.offer_id;
        let accept = format!("{path}/offers/{offer}/accept");
        view = desk.post("victim-id", to, &accept, "accept", &limit).await?;
        let custodian = &view.custody.as_ref().context("somebody looks for it")?.custodian;
        ensure!(custodian.as_str() == to, "{to} has accepted, and {custodian} is custodian");
    }
    Ok(())
}
