//! What a change of the directory would do, before anybody proposes it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chassis::auth::Caller;
use chassis::decider::Context;
use chassis::http::Body;
use chassis::problem::Problem;
use schemas::codes::{AgencyKind, PreviewEffect};
use schemas::directory::view::Directory;
use schemas::directory::{Entry, EntryChanged};
use schemas::ids::{AgencyId, Country, IncidentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Pages;
use super::view::watches;
use crate::domain::effects;

/// Most incidents of one preview, and most that are named for one effect.
const MAX_INCIDENTS: usize = 500;
const MAX_EXAMPLES: usize = 5;

/// A change, and the incidents that it is tried on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PreviewAsked)]
pub struct Tried {
    /// The whole entry as it would stand: an agency or a policy.
    pub entry: Entry,
    /// 1 to 500; those that the caller does not watch are passed over.
    pub incidents: Vec<IncidentId>,
}

/// What the change would have done, had it acted when the incidents came in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// On how many incidents it was tried.
    pub tried: usize,
    /// For how many of them something would be otherwise.
    pub changed: usize,
    pub effects: Vec<Effect>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PreviewedEffect)]
pub struct Effect {
    pub country: Country,
    pub agency: AgencyId,
    pub effect: PreviewEffect,
    /// For how many incidents.
    pub incidents: usize,
    /// Some of them.
    pub examples: Vec<IncidentId>,
}

/// Tries a change of the directory on incidents that were routed already, by routing's own rules. Nothing is changed.
#[utoipa::path(post, path = "/v1/routing/preview", tag = "routing", request_body = Tried,
    responses((status = 200, body = Preview), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn preview(
    caller: Caller,
    State(pages): State<Pages>,
    Body(tried): Body<Tried>,
) -> Result<Json<Preview>, Problem> {
    caller.must_be(&[AgencyKind::Coordinator])?;
    if tried.incidents.is_empty() || tried.incidents.len() > MAX_INCIDENTS {
        return Err(Problem::invalid().field("/incidents", format!("expected 1 to {MAX_INCIDENTS}")));
    }
    let id = tried.entry.id().map_err(|error| Problem::invalid().field("/entry", error))?;
    if !["agency", "policy"].contains(&id.kind()) {
        return Err(Problem::invalid().field("/entry", "expected an agency or a policy"));
    }
    let found = tokio::task::spawn_blocking(move || of(&pages, &caller, tried)).await;
    found.map_err(|_| Problem::internal())?.map(Json)
}

fn of(pages: &Pages, caller: &Caller, tried: Tried) -> Result<Preview, Problem> {
    let (now, directory) = (pages.front.clock().now(), pages.reference.snapshot().directory);
    let mut changed = Directory::clone(&directory);
    changed.evolve(&EntryChanged { entry: tried.entry, acts_from: now }.into(), now);
    let mut preview = Preview { tried: 0, changed: 0, effects: Vec::new() };
    let mut by_effect: BTreeMap<(Country, AgencyId, &str), (PreviewEffect, Vec<IncidentId>)> =
        BTreeMap::new();
    for incident in tried.incidents {
        let aggregate_id = incident.to_string();
        let state = pages.front.state(&aggregate_id)?;
        if !watches(&state.state, &caller.agency) {
            continue;
        }
        preview.tried += 1;
        let context = Context {
            aggregate_id: &aggregate_id,
            cause: "preview",
            now,
            agency: &caller.agency.id,
            actor: &caller.actor,
            directory: &directory,
        };
        // As everywhere, of other countries a coordinator is told nothing.
        let mut found = effects(&context, &changed, &state.state);
        found.retain(|(country, _, _)| caller.agency.scope.contains(country));
        preview.changed += usize::from(!found.is_empty());
        for (country, agency, effect) in found {
            by_effect
                .entry((country, agency, effect.code()))
                .or_insert((effect, Vec::new()))
                .1
                .push(incident);
        }
    }
    preview.effects = by_effect
        .into_iter()
        .map(|((country, agency, _), (effect, found))| Effect {
            country,
            agency,
            effect,
            incidents: found.len(),
            examples: found.into_iter().take(MAX_EXAMPLES).collect(),
        })
        .collect();
    Ok(preview)
}
