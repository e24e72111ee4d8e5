//! What a change of the directory would do: the rules themselves are asked, and nothing of the incident changes.

use chassis::decider::Context;
use routing::domain::effects;
use schemas::codes::*;
use schemas::directory::{Entry, EntryChanged};
use schemas::ids::{AgencyId, Country};
use schemas::{Actor, Timestamp};

use crate::world::*;

/// What the change would do to an incident with a suspect in Germany and in France.
fn of(change: Entry) -> Vec<(Country, AgencyId, PreviewEffect)> {
    let history = after(&[referred(referral(vec![suspect_in("DE"), suspect_in("FR")]))]);
    let now: Timestamp = monday();
    let mut changed = history.directory.clone();
    changed.evolve(&EntryChanged { entry: change, acts_from: now }.into(), now);
    let (watching, actor) =
        (agency("un-coordinator"), Actor { id: "watch".to_owned(), kind: ActorKind::Human });
    let context = Context {
        aggregate_id: "incident",
        cause: "preview",
        now,
        agency: &watching,
        actor: &actor,
        directory: &history.directory,
    };
    effects(&context, &changed, &history.state)
}

fn policy(change: impl FnOnce(&mut schemas::directory::Policy)) -> Entry {
    entry("policy/default", |entry| change(entry.policy.as_mut().unwrap()))
}

#[test]
fn it_says_who_would_be_asked_and_who_would_open_what() {
    use PreviewEffect::*;
    let of_police =
        |effect| [("DE", "de-police"), ("FR", "fr-police")].map(|(c, a)| (country(c), agency(a), effect));
    let police = |rule: &&mut schemas::directory::AssignmentRule| rule.agency_kind == AgencyKind::PoliceUnit;
    assert_eq!(of(policy(|_| {})), [], "the same again");
    let sooner = policy(|policy| policy.rules.iter_mut().for_each(|rule| rule.respond_within_minutes -= 1));
    assert_eq!(of(sooner), of_police(AnswersSooner));
    let less = policy(|policy| policy.rules.iter_mut().filter(police).for_each(|rule| rule.facets.clear()));
    assert_eq!(of(less), of_police(OpensLess));
    let nobody = policy(|policy| policy.rules.clear());
    assert_eq!(of(nobody), of_police(NotAsked));
    let other_kinds = entry("agency/de-police", |entry| {
        entry.agency.as_mut().unwrap().incident_kinds = vec![IncidentKind::OnlineSolicitation];
    });
    assert_eq!(of(other_kinds), [(country("DE"), agency("de-police"), NotAsked)]);
}
