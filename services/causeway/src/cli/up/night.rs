//! One night: an imminent danger on a Saturday at 02:00, told as it happens.

use anyhow::Context as _;
use causeway::development::Moment;
use causeway::example::World;
use client::ClientError;
use delivery::inbox::Entry;
use directory::http::Shown;
use routing::http::{AssignmentView, RoutingView};
use schemas::Timestamp;
use schemas::codes::{AssignmentState, FacetKind, WithheldReason};
use schemas::directory::AgencyKey;
use schemas::ids::{AssignmentId, KeyId};

use super::{Named, Story, await_some, tell};

/// The duty contact has a quarter of an hour; a minute later it is too late.
const TOO_LATE_MINUTES: i64 = 16;

/// Saturday 02:00 in Berlin, the next one to come: commands are given at that time from now on.
pub async fn set_the_clock(story: &Story) -> anyhow::Result<()> {
    let Moment { now } = story.hotline.get("/development/clock").await?;
    let local = now.to_jiff().in_tz("Europe/Berlin")?;
    let saturday = local.date().nth_weekday(1, jiff::civil::Weekday::Saturday)?;
    let night = saturday.at(2, 0, 0, 0).in_tz("Europe/Berlin")?;
    tell(&format!("the development clock is set to {}", night.strftime("%A, %d %B %Y, %H:%M in Berlin")));
    set(story, night.timestamp().into()).await
}

async fn set(story: &Story, now: Timestamp) -> anyhow::Result<()> {
    let Moment { .. } = story.hotline.put("/development/clock", &Moment { now }).await?;
    Ok(())
}

pub async fn play(story: &Story, world: &World, danger: &Named) -> anyhow::Result<()> {
    println!("── the night ──");
    let view = story.coordinator.routing(danger.id).await?;
    let germany = assignment_of(&view, "de-police")?;
    if germany.state == AssignmentState::Accepted {
        tell("this night was played in an earlier run; nothing is filed or done twice");
        return Ok(());
    }
    first_contact_is_silent(story, danger, germany).await?;
    second_contact_accepts_and_opens(story, world, danger, germany.assignment_id).await?;
    a_state_is_not_told(story, world, danger, &view).await?;
    the_coordinator_is_refused(story, world, danger, germany.assignment_id).await?;
    the_hotline_hears(story, danger).await
}

fn assignment_of<'a>(view: &'a RoutingView, agency: &str) -> anyhow::Result<&'a AssignmentView> {
    let found = view.assignments.iter().find(|assignment| assignment.agency.as_str() == agency);
    found.with_context(|| format!("{agency} has no assignment"))
}

async fn first_contact_is_silent(
    story: &Story,
    danger: &Named,
    germany: &AssignmentView,
) -> anyhow::Result<()> {
    let first = germany.calls.first().context("nobody was called")?;
    tell(&format!("02:00 de-police: the {} is called, and stays silent", first.contact));
    set(story, first.acknowledge_by.plus_minutes(TOO_LATE_MINUTES - 15)).await?;
    let second = await_some(|| async {
        let view = story.coordinator.routing(danger.id).await.ok()?;
        assignment_of(&view, "de-police").ok()?.calls.get(1).cloned()
    })
    .await
    .context("the second duty contact was not called")?;
    tell(&format!("02:16 de-police: nobody acknowledged, so the {} is called", second.contact));
    Ok(())
}

async fn second_contact_accepts_and_opens(
    story: &Story,
    world: &World,
    danger: &Named,
    assignment: AssignmentId,
) -> anyhow::Result<()> {
    let officer = world.client(&story.http, "de-police", "duty-officer")?;
    officer.answer(danger.id, assignment, "accept", &()).await?;
    tell("02:17 de-police: the duty officer accepts");
    await_some(|| async { accepted_in_inbox(&officer.inbox("?limit=500").await.ok()?.entries, assignment) })
        .await
        .context("the acceptance did not reach the inbox")?;
    let (key_id, keys) = world.keys("de-police")?;
    let opened = officer.open(danger.id, assignment, &key_id, &keys, &format!("night-{assignment}")).await?;
    let people: Vec<_> = opened.iter().filter(|facet| facet.kind == FacetKind::Person).collect();
    anyhow::ensure!(people.len() == 1, "de-police opened {} people, not its one child", people.len());
    let person = &people[0].content["person"];
    tell(&format!(
        "02:17 de-police: opened on its own machine: {}, {}; the child in France stays sealed for it",
        person["names"][0].as_str().unwrap_or_default(),
        person["whereabouts"].as_str().unwrap_or_default(),
    ));
    Ok(())
}

fn accepted_in_inbox(entries: &[Entry], assignment: AssignmentId) -> Option<()> {
    let accepted = |entry: &Entry| {
        matches!(entry, Entry::Changed { assignment_id, state: AssignmentState::Accepted, .. }
            if *assignment_id == assignment)
    };
    entries.iter().any(accepted).then_some(())
}

async fn a_state_is_not_told(
    story: &Story,
    world: &World,
    danger: &Named,
    view: &RoutingView,
) -> anyhow::Result<()> {
    let kenya = world.client(&story.http, "ke-police", "desk-1")?;
    let inbox = kenya.inbox("?limit=500").await?;
    anyhow::ensure!(inbox.entries.is_empty(), "ke-police has something in its inbox");
    let seen = kenya.routing(danger.id).await;
    anyhow::ensure!(
        matches!(&seen, Err(error) if error.code() == Some("not-found")),
        "ke-police sees the incident"
    );
    let withheld = view.withheld.iter().find(|withheld| withheld.country.as_str() == "KE");
    let withheld = withheld.context("the coordinator does not see what was withheld")?;
    anyhow::ensure!(withheld.reason == WithheldReason::NeverTold, "withheld for another reason");
    tell(&format!("ke-police has nothing in its inbox; the coordinator sees why: {}", withheld.reason));
    Ok(())
}

async fn the_coordinator_is_refused(
    story: &Story,
    world: &World,
    danger: &Named,
    assignment: AssignmentId,
) -> anyhow::Result<()> {
    let (key_id, keys) = world.keys("un-coordinator")?;
    let opened =
        story.coordinator.open(danger.id, assignment, &key_id, &keys, "night-coordinator-opens").await;
    let refused = opened.err().context("the coordinator opened a child")?;
    on_record(story, "delivery", "night-coordinator-opens", &refused).await?;

    let shown: Shown = story.coordinator.get("/v1/directory/agency/de-police").await?;
    let mut entry = shown.acts.context("de-police is not in the directory")?;
    let own_key = shown_key(story).await?;
    entry.agency.as_mut().context("de-police is an agency")?.keys.push(own_key);
    let proposed: Shown =
        story.coordinator.command("/v1/directory/changes", "night-coordinator-key", &entry).await?;
    let proposal = proposed.pending.context("a new key must wait for a second person")?.proposal_id;
    let path = format!("/v1/directory/agency/de-police/changes/{proposal}/confirm");
    let confirmed = story.coordinator.command::<Shown>(&path, "night-coordinator-confirms", &()).await;
    let refused = confirmed.err().context("the coordinator added a key alone")?;
    on_record(story, "directory", "night-coordinator-confirms", &refused.into()).await
}

async fn shown_key(story: &Story) -> anyhow::Result<AgencyKey> {
    let shown: Shown = story.coordinator.get("/v1/directory/agency/un-coordinator").await?;
    let agency =
        shown.acts.and_then(|entry| entry.agency).context("the coordinator is not in the directory")?;
    let key = agency.keys.first().context("the coordinator has no key")?;
    Ok(AgencyKey { key_id: KeyId::try_new("un-coordinator-1")?, public_key: key.public_key.clone() })
}

/// The refusal is an event: the command's status says where it stands.
async fn on_record(story: &Story, service: &str, key: &str, refused: &anyhow::Error) -> anyhow::Result<()> {
    let refused = refused.downcast_ref::<ClientError>().and_then(ClientError::code).unwrap_or_default();
    let agency = schemas::ids::AgencyId::try_new("un-coordinator")?;
    let command = schemas::ids::CommandId::of_key(service, &agency, key);
    let path = format!("/v1/{service}/commands/{command}");
    let status: chassis::http::CommandStatus = story.coordinator.get(&path).await?;
    anyhow::ensure!(status.verdict == "rejected", "the refusal is not on record");
    tell(&format!(
        "un-coordinator is refused ({refused}), and that is on record: {} at {}",
        status.reason.map_or("-", schemas::codes::RejectionCode::code),
        status.position.unwrap_or_default(),
    ));
    Ok(())
}

async fn the_hotline_hears(story: &Story, danger: &Named) -> anyhow::Result<()> {
    let heard = await_some(|| async {
        let status = story.hotline.referral(danger.referral_id).await.ok()?;
        status
            .feedback
            .into_iter()
            .map(|view| view.feedback)
            .find(|feedback| feedback.stage == schemas::codes::FeedbackStage::Accepted)
    })
    .await
    .context("the hotline did not hear of it")?;
    let country = heard.country.map_or("-".to_owned(), |country| country.to_string());
    tell(&format!("nl-hotline hears: {} in {country}", heard.stage));
    Ok(())
}
