//! The pages of digest sets: entries published, taken back and voted on, and a question by a digest.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, AtPosition, Front, IdempotencyKey};
use chassis::http::{Body, Path, Query, answered};
use chassis::known::{self, KnownMaterial};
use chassis::problem::Problem;
use known_material::Digest;
use schemas::codes::{DigestAlgorithm, EntryVote};
use schemas::digest_sets::{
    DigestSetsCommand, KnownMatch, PublishEntry, SetDigest, SetEntry, VoteOnEntry, WithdrawEntry,
};
use schemas::ids::{AgencyId, SetEntryId, SetName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::DigestSets;
use crate::domain::KINDS;

#[derive(Clone)]
pub struct Pages {
    pub front: Front<DigestSets>,
    pub known: KnownMaterial,
}

pub fn pages(pages: Pages) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(publish))
        .routes(routes!(show_entry))
        .routes(routes!(withdraw_entry))
        .routes(routes!(vote))
        .routes(routes!(find))
        .with_state(pages)
}

/// An entry of a set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DigestSetEntry)]
pub struct Publication {
    /// As the set names it: the same name again replaces the entry.
    pub entry: String,
    /// Who has entered it where the set comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// As the set's scheme has it, such as `A1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<String>,
    /// MD5, SHA-1, SHA-256 and PDQ; 1 to 20.
    pub digests: Vec<SetDigest>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DigestSetVote)]
struct Vote {
    vote: EntryVote,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DigestSetWithdrawal)]
struct Withdrawal {
    /// As the set names it.
    entry: String,
}

/// An entry as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DigestSetEntryView)]
pub struct EntryView {
    pub entry_id: SetEntryId,
    pub set: SetName,
    pub entry: String,
    pub by: AgencyId,
    pub member: Option<String>,
    pub classification: Option<String>,
    pub digests: Vec<SetDigest>,
    pub withdrawn: bool,
    pub agreed: Vec<AgencyId>,
    pub disputed: Vec<AgencyId>,
    /// Whether the same file closes an item: agencies of two States have seen the material, and nobody disputes it.
    pub closes: bool,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    algorithm: DigestAlgorithm,
    /// Hexadecimal.
    value: String,
}

/// What is known of a file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KnownMatches)]
pub struct Matches {
    pub matches: Vec<KnownMatch>,
}

/// Publishes an entry of one of the caller's own sets, or replaces it.
#[utoipa::path(post, path = "/v1/digest-sets/{set}/entries", tag = "digest-sets",
    params(("set" = SetName, Path), ("Idempotency-Key" = String, Header)), request_body = Publication,
    responses((status = 201, body = EntryView), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn publish(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(set): Path<SetName>,
    Body(asked): Body<Publication>,
) -> Result<Response, Problem> {
    let id = SetEntryId::of_entry(&caller.agency.id, &set, &asked.entry);
    let Publication { entry, member, classification, digests } = asked;
    pages.submit(&caller, &key, id, PublishEntry { set, entry, member, classification, digests }).await
}

/// Takes an entry of one of the caller's own sets back: it matches nothing any more.
#[utoipa::path(post, path = "/v1/digest-sets/{set}/withdrawals", tag = "digest-sets",
    params(("set" = SetName, Path), ("Idempotency-Key" = String, Header)), request_body = Withdrawal,
    responses((status = 201, body = EntryView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn withdraw_entry(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(set): Path<SetName>,
    Body(Withdrawal { entry }): Body<Withdrawal>,
) -> Result<Response, Problem> {
    let id = SetEntryId::of_entry(&caller.agency.id, &set, &entry);
    pages.submit(&caller, &key, id, WithdrawEntry {}).await
}

/// Says whether another agency's entry is right, after having seen the material. One dispute, and it closes no item.
#[utoipa::path(post, path = "/v1/digest-set-entries/{entry}/vote", tag = "digest-sets",
    params(("entry" = SetEntryId, Path), ("Idempotency-Key" = String, Header)), request_body = Vote,
    responses((status = 201, body = EntryView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn vote(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(entry): Path<SetEntryId>,
    Body(Vote { vote }): Body<Vote>,
) -> Result<Response, Problem> {
    pages.submit(&caller, &key, entry, VoteOnEntry { vote }).await
}

/// One entry.
#[utoipa::path(get, path = "/v1/digest-set-entries/{entry}", tag = "digest-sets",
    params(("entry" = SetEntryId, Path)),
    responses((status = 200, body = EntryView), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn show_entry(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path(entry): Path<SetEntryId>,
) -> Result<Json<EntryView>, Problem> {
    caller.must_be(&KINDS)?;
    pages.front.await_position(at.0.as_ref()).await?;
    let state = pages.front.state(&entry.to_string())?;
    view(entry, &state.state).map(Json).ok_or_else(Problem::not_found)
}

/// The entries in which a file stands, by one of its digests (MD5, SHA-1, SHA-256).
#[utoipa::path(get, path = "/v1/known-material", tag = "digest-sets", params(Asked),
    responses((status = 200, body = Matches), (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn find(
    caller: Caller,
    State(pages): State<Pages>,
    Query(Asked { algorithm, value }): Query<Asked>,
) -> Result<Json<Matches>, Problem> {
    caller.must_be(&KINDS)?;
    let unusable = || Problem::malformed().field("algorithm", "files are found by md5, sha-1 and sha-256");
    let of_files = known::finds_files(algorithm).ok_or_else(unusable)?;
    Digest::parse(of_files, &value)
        .map_err(|error| Problem::malformed().field("value", error.to_string()))?;
    Ok(Json(Matches { matches: pages.known.of_file(&[(algorithm, &value)]) }))
}

impl Pages {
    async fn submit(
        &self,
        caller: &Caller,
        key: &IdempotencyKey,
        entry: SetEntryId,
        command: impl Into<DigestSetsCommand>,
    ) -> Result<Response, Problem> {
        caller.must_be(&KINDS)?;
        let answer = self.front.submit(key.request::<DigestSets>(caller, entry, command)).await?;
        let view = match &answer {
            Answer::Done { .. } => view(entry, &self.front.state(&entry.to_string())?.state),
            Answer::Pending(_) => None,
        };
        Ok(answered::<DigestSets>(&answer, StatusCode::CREATED, &view))
    }
}

fn view(entry_id: SetEntryId, entry: &SetEntry) -> Option<EntryView> {
    let published = entry.published.clone()?;
    let said = |wanted: EntryVote| {
        let votes = entry.votes.iter().filter(move |(_, (_, vote))| *vote == wanted);
        votes.map(|(agency, _)| agency.clone()).collect()
    };
    Some(EntryView {
        entry_id,
        set: published.set,
        entry: published.entry,
        by: published.by,
        member: published.member,
        classification: published.classification,
        digests: published.digests,
        withdrawn: entry.withdrawn,
        agreed: said(EntryVote::Agreed),
        disputed: said(EntryVote::Disputed),
        closes: entry.closes(),
    })
}
