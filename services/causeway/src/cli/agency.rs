//! An agency's work: its inbox, its answers, what it opens.

use std::path::Path;

use anyhow::Context as _;
use chassis::seal::KeyPair;
use client::{Client, OpenedFacet};
use delivery::http::{Inbox, MatchView, Matches};
use delivery::inbox::{Delivered, Entry};
use futures::StreamExt;
use routing::http::RoutingView;
use schemas::codes::MatchVerdict;
use schemas::ids::{HoldId, IncidentId, KeyId, PictureMatchId, RetractionId};
use serde::Serialize;
use serde_json::json;

use super::table::table;
use super::{Assignment, Output};

pub async fn list(client: &Client, output: &Output) -> anyhow::Result<()> {
    let mut query = "?limit=500".to_owned();
    loop {
        let inbox: Inbox<Delivered> = client.get(&format!("/v1/inbox{query}")).await?;
        for delivered in &inbox.entries {
            output.print(delivered, || line(&delivered.entry))?;
        }
        if !inbox.more {
            return Ok(());
        }
        query = format!("?limit=500&cursor={}", inbox.cursor);
    }
}

/// Follows live; a connection that breaks is taken up again behind the last event.
pub async fn follow(client: &Client, output: &Output, after: Option<&str>) -> anyhow::Result<()> {
    let mut last = after.map(str::to_owned);
    loop {
        let mut entries = std::pin::pin!(client.follow::<Delivered>(last.as_deref()).await?);
        while let Some(Ok((id, delivered))) = entries.next().await {
            output.print(&delivered, || line(&delivered.entry))?;
            last = Some(id);
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Pause before a stream that broke off is followed again.
const RECONNECT: std::time::Duration = std::time::Duration::from_secs(1);

fn line(entry: &Entry) -> String {
    match entry {
        Entry::Assignment(one) => format!(
            "{}  assignment {}  {} {} {}  {}  respond by {}  incident {}",
            one.at,
            one.assignment_id,
            one.country,
            one.urgency,
            one.kind,
            one.state,
            one.respond_by,
            one.incident_id
        ),
        Entry::Changed { assignment_id, state, at, .. } => {
            format!("{at}  assignment {assignment_id}  now {state}")
        }
        Entry::Call { contact, attempt, acknowledge_by, at, assignment_id, .. } => {
            format!("{at}  call {attempt}: {contact}, until {acknowledge_by}  assignment {assignment_id}")
        }
        Entry::Alert { country, reason, assignment_id, at, incident_id } => {
            let country = country.as_ref().map_or("-", |country| country.as_str());
            let about = assignment_id.map_or(String::new(), |id| format!("  assignment {id}"));
            format!("{at}  alert {reason}  {country}{about}  incident {incident_id}")
        }
        Entry::OpenedEarly { opened_by, country, at, incident_id, .. } => {
            let by = opened_by.as_ref().map_or("-", |agency| agency.as_str());
            let country = country.as_ref().map_or("-", |country| country.as_str());
            format!(
                "{at}  opened with the offer, in imminent danger: {by}  {country}  incident {incident_id}"
            )
        }
        Entry::Erased { reason, restricted, facets, at, incident_id, .. } => {
            let (what, copies) = if *restricted {
                ("restricted", "restrict your copies")
            } else {
                ("erased", "erase your copies")
            };
            format!("{at}  {what}: {reason}  {} facets, {copies}  incident {incident_id}", facets.len())
        }
        Entry::KeysErased { facets, at, incident_id } => {
            format!("{at}  keys gone from every replica: {} facets  incident {incident_id}", facets.len())
        }
        Entry::Request { request_id, step, state, role, at, incident_id } => {
            format!(
                "{at}  request {request_id}  {step} by the {role} side, now {state}  incident {incident_id}"
            )
        }
        Entry::Period { request_id, clock, due, ran_out, at, incident_id } => {
            let what = if *ran_out { "ran out" } else { "ends" };
            format!("{at}  request {request_id}  {clock} {what} at {due}  incident {incident_id}")
        }
        Entry::Child { child_ref, news, at, incident_id } => {
            format!("{at}  child {child_ref}  {news}  incident {incident_id}")
        }
        Entry::Retraction { retraction_id, reason, at, incident_id } => {
            format!("{at}  taken back: {reason}  acknowledge {retraction_id}  incident {incident_id}")
        }
    }
}

pub async fn answer(
    client: &Client,
    output: &Output,
    at: Assignment,
    verb: &str,
    body: &impl Serialize,
) -> anyhow::Result<()> {
    let view = client.answer(at.incident, at.assignment, verb, body).await?;
    output.print(&view, || routing_text(&view))
}

pub async fn acknowledge(
    client: &Client,
    output: &Output,
    incident: IncidentId,
    retraction: RetractionId,
) -> anyhow::Result<()> {
    let path = format!("/v1/incidents/{incident}/retractions/{retraction}/acknowledge");
    let view: RoutingView = client.command(&path, &format!("acknowledge-{retraction}"), &()).await?;
    output.print(&view, || routing_text(&view))
}

/// A key of its own for each time: what was amended since is to be erased as well, and what was let go held again.
pub fn anew(verb: &str) -> String {
    format!("{verb}-{:032x}", rand::random::<u128>())
}

pub async fn erase(
    client: &Client,
    output: &Output,
    incident: IncidentId,
    erase: delivery::http::Erase,
) -> anyhow::Result<()> {
    let path = format!("/v1/incidents/{incident}/erase");
    let done: delivery::http::Erasure = client.command(&path, &anew("erase"), &erase).await?;
    output.print(&done, || {
        let (what, when) = if done.restricted {
            ("restricted", "once nothing holds them".to_owned())
        } else {
            ("closed", format!("within {} s", done.within_seconds))
        };
        format!("{} facets {what}; their keys are gone {when}  erasure {}", done.facets, done.erasure_id)
    })
}

pub async fn hold(
    client: &Client,
    output: &Output,
    incident: IncidentId,
    hold: delivery::http::Hold,
) -> anyhow::Result<()> {
    let until = hold.until.map_or_else(|| "it is released".to_owned(), |until| until.to_string());
    let path = format!("/v1/incidents/{incident}/holds");
    let placed: delivery::http::HoldView = client.command(&path, &anew("hold"), &hold).await?;
    output.print(&placed, || format!("held until {until}  hold {}", placed.hold_id))
}

pub async fn release(
    client: &Client,
    output: &Output,
    incident: IncidentId,
    hold: HoldId,
) -> anyhow::Result<()> {
    let path = format!("/v1/incidents/{incident}/holds/{hold}/release");
    let released: delivery::http::HoldView = client.command(&path, &format!("release-{hold}"), &()).await?;
    output.print(&released, || format!("released  hold {}", released.hold_id))
}

pub async fn incident(client: &Client, output: &Output, incident: IncidentId) -> anyhow::Result<()> {
    let view = client.routing(incident).await?;
    output.print(&view, || routing_text(&view))
}

/// The whole routing with its reasons.
pub fn routing_text(view: &RoutingView) -> String {
    let code = |code: Option<&str>| code.unwrap_or("-").to_owned();
    let kind = code(view.kind.map(schemas::codes::IncidentKind::code));
    let urgency = code(view.urgency.map(schemas::codes::Urgency::code));
    let mut text =
        format!("incident {}  {kind}  {urgency}  rules v{}\n\n", view.incident_id, view.rules_version);
    let rows: Vec<Vec<String>> = view
        .assignments
        .iter()
        .map(|one| {
            let ground = one.grounds.first();
            vec![
                one.country.to_string(),
                one.agency.to_string(),
                one.state.to_string(),
                ground.map_or(String::new(), |ground| {
                    format!("{} {} by {}", ground.role, ground.basis, ground.source)
                }),
                ground.and_then(|ground| ground.articles.first().cloned()).unwrap_or_default(),
                format!("{} ({})", one.transfer.basis, one.transfer.authorisation),
                format!("{} v{}", one.rule, one.policy_version),
            ]
        })
        .collect();
    text.push_str(&table(&["country", "agency", "state", "because", "article", "transfer", "rule"], &rows));
    if !view.withheld.is_empty() {
        let row = |withheld: &schemas::routing::OfferWithheld| {
            let agency = withheld.agency.as_ref().map_or("-".to_owned(), ToString::to_string);
            vec![withheld.country.to_string(), agency, withheld.reason.to_string()]
        };
        let rows: Vec<_> = view.withheld.iter().map(row).collect();
        text.push_str(&format!("\nnot offered\n{}", table(&["country", "agency", "because"], &rows)));
    }
    if !view.items.is_empty() {
        let rows = view.items.iter().map(|item| {
            let known: Vec<String> =
                item.known.iter().map(|known| format!("{} of {}", known.set, known.by)).collect();
            let stands = if item.closed { "closed: known" } else { "to be looked at" };
            vec![item.media_kind.to_string(), stands.to_owned(), known.join(", ")]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        text.push_str(&format!("\nitems\n{}", table(&["kind", "", "known by"], &rows)));
    }
    if let Some(lead) = &view.lead_proposed {
        let factors: Vec<String> = lead
            .factors
            .iter()
            .filter(|factor| factor.country == lead.country)
            .map(|factor| format!("{} ({})", factor.factor, factor.signals))
            .collect();
        text.push_str(&format!("\nproposed lead: {}, for {}\n", lead.country, factors.join(", ")));
    }
    text
}

pub async fn open(
    client: &Client,
    output: &Output,
    at: Assignment,
    key: &Path,
    key_id: &KeyId,
    emit_xml: Option<&Path>,
) -> anyhow::Result<()> {
    let keys = read_key(key)?;
    let once = format!("open-{}-{}", at.assignment, hex::encode(rand::random::<[u8; 8]>()));
    let opened = client.open(at.incident, at.assignment, key_id, &keys, &once).await?;
    if let Some(directory) = emit_xml {
        emit(&opened, directory)?;
    }
    for facet in &opened {
        output.print(facet, || {
            let content = serde_json::to_string_pretty(&facet.content).unwrap_or_default();
            format!("{} {}\n{content}\n", facet.kind, facet.facet_id)
        })?;
    }
    Ok(())
}

pub fn read_key(file: &Path) -> anyhow::Result<KeyPair> {
    let text = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    let bytes = hex::decode(text.trim()).with_context(|| format!("{} holds no hex", file.display()))?;
    Ok(KeyPair::from_private(&bytes)?)
}

/// From the opened facets back to the documents that the provider sent.
fn emit(opened: &[OpenedFacet], directory: &Path) -> anyhow::Result<()> {
    let remainder = client::remainder(opened)?;
    let (report, files) = intake::cybertipline::emit(&remainder)?;
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("report.xml"), report)?;
    for (number, file) in files.iter().enumerate() {
        std::fs::write(directory.join(format!("file-details-{}.xml", number + 1)), file)?;
    }
    Ok(())
}

/// The pictures of an incident that look like known ones; or, by a person who has seen both, whether one does.
pub async fn matches(
    client: &Client,
    output: &Output,
    incident: IncidentId,
    judged: Option<(PictureMatchId, MatchVerdict)>,
) -> anyhow::Result<()> {
    let page = format!("/v1/incidents/{incident}/matches");
    if let Some((found, verdict)) = judged {
        let body = json!({ "verdict": verdict });
        let view: MatchView =
            client.command(&format!("{page}/{found}/verdict"), &anew("verdict"), &body).await?;
        return output.print(&view, || matches_text(std::slice::from_ref(&view)));
    }
    let seen: Matches = client.get(&page).await?;
    output.print(&seen, || {
        let waits = if seen.compared { "" } else { "not compared yet: ask again in a moment\n" };
        format!("{}{waits}", matches_text(&seen.matches))
    })
}

fn matches_text(matches: &[MatchView]) -> String {
    let rows = matches.iter().map(|one| {
        vec![
            one.found.match_id.to_string(),
            one.found.distance.to_string(),
            format!("{} of {}", one.found.set, one.found.by),
            one.found.classification.clone().unwrap_or_default(),
            if one.closed { "closed" } else { "to be looked at" }.to_owned(),
        ]
    });
    table(&["match", "bits apart", "known by", "classified", ""], &rows.collect::<Vec<_>>())
}
