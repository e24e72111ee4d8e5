//! The directory's pages: what stands in it, and how a change is proposed, confirmed and withdrawn.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, AtPosition, Front, IdempotencyKey};
use chassis::http::{Body, Path, Query, answered};
use chassis::problem::Problem;
use chassis::reference::Reference;
use chassis::signature::SIGNATURE;
use schemas::directory::{
    ChangeProposed, ConfirmChange, DirectoryCommand, Entry, ProposeChange, WithdrawChange,
};
use schemas::ids::{EntryId, ProposalId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Directory;
use crate::domain::is_declared;

#[derive(Clone)]
struct Pages {
    front: Front<Directory>,
    reference: Reference,
}

pub fn pages(front: Front<Directory>, reference: Reference) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(propose))
        .routes(routes!(confirm))
        .routes(routes!(withdraw))
        .with_state(Pages { front, reference })
}

/// Entries as they act now.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Listing {
    pub entries: Vec<Listed>,
    /// The offset in directory.events that the listing is as of.
    pub position: i64,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Listed {
    pub id: EntryId,
    pub entry: Entry,
}

/// One entry: as it acts, as it will, and what waits for a second person.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Shown {
    pub id: EntryId,
    pub acts: Option<Entry>,
    /// As it was last written, when that acts later.
    pub newest: Option<Entry>,
    pub pending: Option<PendingChange>,
}

/// A change that waits for a second person, of another issuer and of the State concerned.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PendingChange {
    pub proposal_id: ProposalId,
    pub entry: Entry,
    /// What of it widens reading; empty where a policy gives less.
    pub widens: Vec<String>,
    pub state_concerned: Option<schemas::ids::Country>,
}

impl From<&ChangeProposed> for PendingChange {
    fn from(proposal: &ChangeProposed) -> Self {
        Self {
            proposal_id: proposal.proposal_id,
            entry: proposal.entry.clone(),
            widens: proposal.widens.clone(),
            state_concerned: proposal.state_concerned.clone(),
        }
    }
}

/// What of the directory is listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// One kind of entry: `agency`, `policy`, `instrument` or `calendar`. Agencies and policies when it is not told.
    kind: Option<String>,
}

/// Agencies and policies as they act now; legal data where they are asked for by their kind.
#[utoipa::path(get, path = "/v1/directory", tag = "directory", params(Which),
    responses((status = 200, body = Listing), (status = 400, body = Problem)))]
async fn list(_: Caller, State(pages): State<Pages>, Query(which): Query<Which>) -> Json<Listing> {
    let snapshot = pages.reference.snapshot();
    let now = pages.front.clock().now();
    let wanted = |id: &EntryId| match &which.kind {
        Some(kind) => id.kind() == kind,
        None => ["agency", "policy"].contains(&id.kind()),
    };
    let entries = snapshot.directory.entries(now).filter(|(id, _)| wanted(id));
    let entries = entries.map(|(id, entry)| Listed { id: id.clone(), entry: entry.clone() }).collect();
    Json(Listing { entries, position: snapshot.position })
}

/// One entry, with a change that waits.
#[utoipa::path(get, path = "/v1/directory/{kind}/{name}", tag = "directory",
    params(("kind" = String, Path, example = "agency"), ("name" = String, Path, example = "de-bka")),
    responses((status = 200, body = Shown), (status = 404, body = Problem)))]
async fn show(
    _: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<Shown>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let id = entry_id(&kind, &name)?;
    let now = pages.front.clock().now();
    let directory = pages.reference.snapshot().directory;
    let state = pages.front.state(id.as_str())?;
    let pending = state.state.pending.as_ref().map(|pending| (&pending.proposal).into());
    let acts = directory.entry(&id, now).cloned();
    let newest = directory.newest(&id).cloned().filter(|newest| acts.as_ref() != Some(newest));
    if acts.is_none() && newest.is_none() && pending.is_none() {
        return Err(Problem::not_found());
    }
    Ok(Json(Shown { id, acts, newest, pending }))
}

/// Proposes a change. What widens reading waits for a second person, and so do a policy and legal data; everything else
/// acts at once, also what a State's central authority declares of its own treaties, and signs.
#[utoipa::path(post, path = "/v1/directory/changes", tag = "directory", request_body = Entry,
    params(("Idempotency-Key" = String, Header),
        ("Causeway-Signature" = Option<String>, Header,
            description = "a signed note, base64; needed where a State declares a treaty")),
    responses((status = 201, body = Shown), (status = 422, body = Problem)))]
async fn propose(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Body(entry): Body<Entry>,
) -> Result<Response, Problem> {
    let id = entry.id().map_err(|detail| Problem::invalid().field("", detail))?;
    // A State's own word on its treaties is kept with its signature.
    if entry.instrument.as_ref().is_some_and(is_declared) && key.signature().is_none() {
        let detail = "what a State declares of itself is signed by its central authority";
        return Err(Problem::invalid().field(SIGNATURE.as_str(), detail));
    }
    let answer = pages.front.submit(key.request::<Directory>(&caller, &id, ProposeChange { entry })).await?;
    changed(&pages, &id, answer)
}

/// The second person's confirmation; the change acts a day later.
#[utoipa::path(post, path = "/v1/directory/{kind}/{name}/changes/{proposal}/confirm", tag = "directory",
    params(("kind" = String, Path), ("name" = String, Path), ("proposal" = ProposalId, Path),
        ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Shown), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn confirm(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((kind, name, proposal_id)): Path<(String, String, ProposalId)>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, &kind, &name, ConfirmChange { proposal_id }).await
}

/// Takes a change back that waits: its proposer, or the State concerned; of a policy, whoever may confirm it.
#[utoipa::path(post, path = "/v1/directory/{kind}/{name}/changes/{proposal}/withdraw", tag = "directory",
    params(("kind" = String, Path), ("name" = String, Path), ("proposal" = ProposalId, Path),
        ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Shown), (status = 404, body = Problem)))]
async fn withdraw(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((kind, name, proposal_id)): Path<(String, String, ProposalId)>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, &kind, &name, WithdrawChange { proposal_id }).await
}

async fn decide(
    pages: &Pages,
    caller: &Caller,
    key: &IdempotencyKey,
    kind: &str,
    name: &str,
    command: impl Into<DirectoryCommand>,
) -> Result<Response, Problem> {
    let id = entry_id(kind, name)?;
    let answer = pages.front.submit(key.request::<Directory>(caller, &id, command)).await?;
    changed(pages, &id, answer)
}

fn changed(pages: &Pages, id: &EntryId, answer: Answer) -> Result<Response, Problem> {
    let state = pages.front.state(id.as_str())?;
    let pending = state.state.pending.as_ref().map(|pending| (&pending.proposal).into());
    let shown = Shown { id: id.clone(), acts: None, newest: state.state.current.clone(), pending };
    Ok(answered::<Directory>(&answer, StatusCode::CREATED, &shown))
}

fn entry_id(kind: &str, name: &str) -> Result<EntryId, Problem> {
    EntryId::try_new(&format!("{kind}/{name}")).map_err(|_| Problem::not_found())
}
