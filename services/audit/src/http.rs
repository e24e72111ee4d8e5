//! The pages of the audit log: the log itself, which everybody may read, and the trail of an incident, which its
//! parties may.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_log::bundle::Bytes32;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chassis::auth::Caller;
use chassis::http::{Path, Query};
use chassis::problem::{Problem, chain};
use chassis::publish::Publisher;
use chassis::reference::Reference;
use parking_lot::Mutex;
use schemas::delivery::{DeliveryCommand, ReadTrail};
use schemas::ids::{AgencyId, CommandId, IncidentId};
use schemas::{Command, Timestamp};
use serde::{Deserialize, Serialize};
use tlog_tiles::Tile;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::readers::Readers;
use crate::log::{Entry, LogError};
use crate::signing::Signed;
use crate::succession::Predecessor;
use crate::trail::{Asked, TrailError, Trails};
use crate::witnesses::Witness;

/// Most entries of one answer.
const MAX_ENTRIES: usize = 1_000;
/// Most entries that are looked at for one answer.
const MAX_LOOKED_AT: usize = 100_000;
/// Attempts of an agency on the same incident that is not for it are one record in so long.
const ATTEMPTS_ARE_ONE_MILLIS: i64 = 60 * MINUTE_MILLIS;
/// How long a tile may be kept, and the last head.
const FULL: &str = "public, max-age=31536000, immutable";
const CHANGES: &str = "no-cache";
/// Hashes of a tile: 256, as C2SP `tlog-tiles` has them.
pub const TILE_HEIGHT: u8 = 8;
/// More levels of tiles than any tree has.
const MAX_LEVELS: u8 = 8;
const MINUTE_MILLIS: i64 = 60_000;
/// What a caller that cannot be served now is told to wait.
const RETRY_SECONDS: u32 = 2;
/// So long after it was asked for, what is not there is said not to be: longer than most trails take to be read.
const NOT_THERE_AFTER: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub struct Pages {
    pub trails: Arc<Trails>,
    pub witnesses: Arc<[Witness]>,
    pub receipt_key: Option<String>,
    pub predecessors: Arc<[Predecessor]>,
    /// Agencies for whom an incident is being read: one at a time, so that nobody crowds the others out.
    pub reading: Arc<Mutex<HashSet<AgencyId>>>,
    pub publisher: Arc<Publisher>,
    pub reference: Reference,
}

pub fn pages(pages: Pages) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(log_head))
        .routes(routes!(consistency))
        .routes(routes!(incident_trail))
        .routes(routes!(own_readers))
        .routes(routes!(own_acts))
        .with_state(pages)
}

/// The log as static resources, as C2SP `tlog-tiles` lays them out under `/log`.
pub fn log_pages(pages: Pages) -> Router {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/tile/{*path}", get(tile))
        .with_state(pages)
}

/// The log, and its last head.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditLogHead)]
pub struct LogHead {
    pub origin: String,
    /// The public key that heads and trails are checked with.
    pub key: String,
    /// The public key that receipts are checked with, where this process knows it.
    pub receipt_key: Option<String>,
    /// A signed note (C2SP tlog-checkpoint); none before the first.
    pub checkpoint: Option<String>,
    /// How many leaves it covers.
    pub size: u64,
    /// Other parties that hold the operator to it.
    pub witnesses: Vec<WitnessView>,
    /// The logs that this one goes on from after restores.
    pub succeeds: Vec<Succeeded>,
}

/// A log before, of which not everything was restored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditLogSucceeded)]
pub struct Succeeded {
    /// Its last head: a signed note.
    pub checkpoint: String,
    /// The leaf that commits to that head (docs/audit-log.md). Those before it were restored; those of the old log from
    /// there on, up to the size of its head, are lost.
    pub leaf: u64,
}

/// A witness of the log.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditLogWitness)]
pub struct WitnessView {
    /// Its public key.
    pub key: String,
    /// When it has cosigned the last head, in seconds since 1970-01-01T00:00:00Z; none where it has not.
    pub cosigned: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Sizes {
    /// Leaves of one head; 0 when it is not told.
    #[serde(default)]
    from: u64,
    /// Leaves of the other; those of the last when it is not told.
    to: Option<u64>,
}

/// That the log of one head begins with that of an earlier one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditLogConsistency)]
pub struct Consistency {
    /// RFC 6962, section 2.1.2; base64.
    #[schema(value_type = Vec<String>)]
    pub proof: Vec<Bytes32>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Acts {
    /// The first moment.
    from: Timestamp,
    /// The first moment after the last.
    to: Timestamp,
    /// The actor of one person's tokens.
    actor: Option<String>,
}

/// What somebody of the agency did.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditedAct)]
pub struct Act {
    pub time: Timestamp,
    pub actor: String,
    pub topic: String,
    /// What it was done to: an incident, in most topics.
    pub aggregate: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditedActs)]
pub struct AllActs {
    pub acts: Vec<Act>,
    /// Whether there are more than the limit of 1,000, or more than 100,000 had to be looked at: ask for a shorter
    /// time.
    pub more: bool,
}

/// The log's name, its key and its last head. For everybody.
#[utoipa::path(get, path = "/v1/log", tag = "audit", security(()), responses((status = 200, body = LogHead)))]
async fn log_head(State(pages): State<Pages>) -> Result<Json<LogHead>, Problem> {
    let key = pages.trails.key.public();
    let signed = pages.signed();
    let log = &pages.trails.log;
    let succeeded = |predecessor: &Predecessor| {
        let leaf = predecessor.restored(log).map_err(|error| pages.damaged(&error))?;
        Ok(leaf.map(|leaf| Succeeded { checkpoint: predecessor.note.clone(), leaf }))
    };
    let succeeds = pages.predecessors.iter().filter_map(|one| succeeded(one).transpose());
    let succeeds = succeeds.collect::<Result<Vec<_>, Problem>>()?;
    let witness = |witness: &Witness| WitnessView {
        key: witness.key.to_string(),
        cosigned: signed.as_ref().and_then(|signed| witness.key.cosigned(&signed.note)),
    };
    Ok(Json(LogHead {
        succeeds,
        witnesses: pages.witnesses.iter().map(witness).collect(),
        origin: key.name().to_owned(),
        key: key.to_string(),
        receipt_key: pages.receipt_key.clone(),
        size: signed.as_ref().map_or(0, |signed| signed.root.size),
        checkpoint: signed.map(|signed| signed.note),
    }))
}

/// Proves that the log only grew from one head to a later one, whichever is named first. For everybody.
#[utoipa::path(get, path = "/v1/log/consistency", tag = "audit", security(()), params(Sizes),
    responses((status = 200, body = Consistency), (status = 400, body = Problem), (status = 404, body = Problem)))]
async fn consistency(
    State(pages): State<Pages>,
    Query(Sizes { from, to }): Query<Sizes>,
) -> Result<Json<Consistency>, Problem> {
    let size = pages.signed().map_or(0, |signed| signed.root.size);
    let to = to.unwrap_or(size);
    let (from, to) = (from.min(to), from.max(to));
    if to > size {
        return Err(Problem::not_found().detail(format!("the last head has {size} leaves")));
    }
    let tree = Arc::clone(&pages.trails.log);
    let proof = tokio::task::spawn_blocking(move || tree.tree().prove_extends(from, to)).await;
    let proof = proof.map_err(|_| Problem::internal())?.map_err(|error| pages.damaged(&error))?;
    Ok(Json(Consistency { proof: proof.into_iter().map(|hash| Bytes32(hash.0)).collect() }))
}

/// The trail of an incident as far as the caller may see it: lines of JSON, sealed, each event with the proof that it
/// stands in the log. `causeway verify` checks it offline.
#[utoipa::path(get, path = "/v1/incidents/{incident}/trail", tag = "audit",
    params(("incident" = IncidentId, Path)),
    responses((status = 200, body = String, content_type = "application/jsonl"), (status = 404, body = Problem)))]
async fn incident_trail(
    caller: Caller,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
) -> Result<Response, Problem> {
    let (begun, _place) = (Instant::now(), pages.place_of(&caller)?);
    let (trails, agency) = (Arc::clone(&pages.trails), caller.agency.clone());
    let made = tokio::task::spawn_blocking(move || trails.of(incident, &agency)).await;
    let file = pages.shown(caller, incident, begun, made.map_err(|_| Problem::internal())?).await?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], file).into_response())
}

/// Who of the caller's agency could see what of the incident, and when, and who has looked: by what it was told of it,
/// until when it could open what, under which keys and tokens. That it was asked is on record.
#[utoipa::path(get, path = "/v1/incidents/{incident}/readers", tag = "audit",
    params(("incident" = IncidentId, Path)),
    responses((status = 200, body = Readers), (status = 404, body = Problem)))]
async fn own_readers(
    caller: Caller,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
) -> Result<Json<Readers>, Problem> {
    let (begun, _place) = (Instant::now(), pages.place_of(&caller)?);
    let (trails, agency) = (Arc::clone(&pages.trails), caller.agency.id.clone());
    let directory = pages.reference.snapshot().directory;
    let read = tokio::task::spawn_blocking(move || trails.readers(incident, &agency, &directory)).await;
    pages.shown(caller, incident, begun, read.map_err(|_| Problem::internal())?).await.map(Json)
}

/// The answer does not tell by its time whether somebody else's incident was read for it, or there is none.
async fn not_there(begun: Instant) -> Problem {
    tokio::time::sleep_until((begun + NOT_THERE_AFTER).into()).await;
    Problem::not_found()
}

/// What people and machines of the caller's agency did, from the log; what was refused is not among it.
#[utoipa::path(get, path = "/v1/acts", tag = "audit", params(Acts),
    responses((status = 200, body = AllActs), (status = 400, body = Problem)))]
async fn own_acts(
    caller: Caller,
    State(pages): State<Pages>,
    Query(Acts { from, to, actor }): Query<Acts>,
) -> Result<Json<AllActs>, Problem> {
    let log = Arc::clone(&pages.trails.log);
    let read = tokio::task::spawn_blocking(move || {
        let (mut wanted, mut looked_at) = (Vec::new(), 0);
        for entry in log.of_agency(&caller.agency.id, from, to) {
            let entry = entry?;
            looked_at += 1;
            if wanted.len() == MAX_ENTRIES || looked_at > MAX_LOOKED_AT {
                return Ok((wanted, true));
            }
            if actor.as_ref().is_none_or(|actor| entry.actor == *actor) {
                wanted.push(entry);
            }
        }
        Ok((wanted, false))
    });
    let read: Result<(Vec<Entry>, bool), LogError> = read.await.map_err(|_| Problem::internal())?;
    let (entries, more) = read.map_err(|error| pages.damaged(&error))?;
    Ok(Json(AllActs { acts: entries.into_iter().map(act).collect(), more }))
}

fn act(entry: Entry) -> Act {
    Act { time: entry.time, actor: entry.actor, topic: entry.topic, aggregate: entry.aggregate_id }
}

async fn checkpoint(State(pages): State<Pages>) -> Result<Response, Problem> {
    let signed = pages.signed().ok_or_else(Problem::not_found)?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, CHANGES)];
    Ok((headers, signed.note).into_response())
}

async fn tile(State(pages): State<Pages>, Path(path): Path<String>) -> Result<Response, Problem> {
    let size = pages.signed().map_or(0, |signed| signed.root.size);
    let tile = named(&path).filter(|tile| reaches(tile, size)).ok_or_else(Problem::not_found)?;
    let trails = Arc::clone(&pages.trails);
    let read = tokio::task::spawn_blocking(move || read(&trails, &tile)).await;
    let bytes = read.map_err(|_| Problem::internal())?.map_err(|error| pages.damaged(&*error))?;
    // A tile of this width never changes: once there is more, it is another one.
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, FULL)];
    Ok((headers, Bytes::from(bytes)).into_response())
}

/// C2SP leaves the height out, which is always the same, and calls the leaves' own tiles entries.
fn named(path: &str) -> Option<Tile> {
    // What the library would stop at is no tile.
    let (level, width) = (path.split('/').next()?, path.rsplit_once(".p/").map_or("1", |(_, width)| width));
    let is_level = level == "entries" || level.parse::<u8>().is_ok_and(|level| level < MAX_LEVELS);
    if !is_level || width.parse::<u32>().ok()? == 0 {
        return None;
    }
    let path = match path.strip_prefix("entries/") {
        Some(rest) => format!("data/{rest}"),
        None if path.starts_with("data/") => return None,
        None => path.to_owned(),
    };
    Tile::from_path(&format!("tile/{TILE_HEIGHT}/{path}")).ok()
}

/// Whether the log has every hash of the tile.
fn reaches(tile: &Tile, size: u64) -> bool {
    let levels = u32::from(tile.level()) * u32::from(TILE_HEIGHT);
    let first = tile.level_index().checked_mul(1 << TILE_HEIGHT);
    let end = first.and_then(|first| first.checked_add(u64::from(tile.width())));
    tile.width() > 0 && end.is_some_and(|end| end <= size.checked_shr(levels).unwrap_or(0))
}

fn read(trails: &Trails, tile: &Tile) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let tree = trails.log.tree();
    if !tile.is_data() {
        return Ok(tile.read_data(tree)?);
    }
    let first = tile.level_index() << TILE_HEIGHT;
    let leaves = tree.leaves(first, usize::try_from(tile.width())?)?;
    // Each after its length (two bytes, big endian).
    Ok(leaves.iter().flat_map(|leaf| [&[0, 32], leaf.as_slice()].concat()).collect())
}

impl Pages {
    /// Who asked for a trail is on record, once a minute for each person; that an agency tried, once an hour.
    async fn record(&self, caller: &Caller, incident: IncidentId, size: Option<u64>) -> Result<(), Problem> {
        let now = self.trails.clock.now();
        let (agency, actor) = (caller.agency.id.clone(), caller.actor.clone());
        let (who, window) = match size {
            Some(_) => (actor.id.as_bytes(), MINUTE_MILLIS),
            // Whoever has many names among its tokens does not fill somebody else's incident with them.
            None => (&[][..], ATTEMPTS_ARE_ONE_MILLIS),
        };
        let window = (now.as_millis() / window).to_be_bytes();
        let parts: [&[u8]; 5] =
            [b"read trail", agency.as_str().as_bytes(), who, incident.as_uuid().as_bytes(), &window];
        let size = size.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        let command = Command::<DeliveryCommand> {
            command_id: CommandId::derive(&parts),
            aggregate_id: incident.to_string(),
            // The same asked twice within the minute is the same, whatever the log has grown to.
            digest: Vec::new(),
            time: now,
            agency,
            actor,
            signature: None,
            body: ReadTrail { size }.into(),
        };
        let sent = self.publisher.command(&self.trails.codec, &command).await;
        sent.map_err(|error| {
            tracing::warn!(error = %chain(&error), "a reading of a trail was not put on record");
            Problem::unavailable()
                .detail("Kafka does not take the record that the trail was read")
                .retry_after(RETRY_SECONDS)
        })
    }

    /// A place among those for whom something is read.
    fn place_of(&self, caller: &Caller) -> Result<PlaceOf, Problem> {
        let agency = caller.agency.id.clone();
        if !self.reading.lock().insert(agency.clone()) {
            let detail = "another incident is being read for your agency";
            return Err(Problem::too_many().detail(detail).retry_after(RETRY_SECONDS));
        }
        Ok(PlaceOf { reading: Arc::clone(&self.reading), agency })
    }

    /// What was asked for, once it is on record that it was; the attempt is on record too.
    async fn shown<T>(
        &self,
        caller: Caller,
        incident: IncidentId,
        begun: Instant,
        asked: Result<Asked<T>, TrailError>,
    ) -> Result<T, Problem> {
        match asked {
            Ok(Asked::Shown { what, size }) => {
                self.record(&caller, incident, Some(size)).await?;
                Ok(what)
            }
            Ok(Asked::Hidden) => {
                let pages = self.clone();
                tokio::spawn(async move { pages.record(&caller, incident, None).await });
                Err(not_there(begun).await)
            }
            Ok(Asked::Unknown) => Err(not_there(begun).await),
            Err(error) => Err(self.unread(&error)),
        }
    }

    fn unread(&self, error: &TrailError) -> Problem {
        match error {
            TrailError::Read(error) => {
                tracing::warn!(error = %chain(error), "a trail was not read");
                let detail = "Kafka does not give the events in time";
                Problem::unavailable().detail(detail).retry_after(RETRY_SECONDS)
            }
            TrailError::Behind => behind(),
            TrailError::TooLong => Problem::too_large().detail("the trail is longer than one file holds"),
            error if error.is_of_the_files() => self.damaged(error),
            error => broken(error),
        }
    }

    /// The log's files do not give what was written: they are made anew, if that is not under way already.
    fn damaged(&self, error: &(dyn std::error::Error + 'static)) -> Problem {
        let size = self.signed().map_or(0, |signed| signed.root.size);
        if self.trails.log.reaches(size).unwrap_or(true) {
            self.trails.log.suspect();
            return broken(error);
        }
        behind()
    }

    fn signed(&self) -> Option<Signed> {
        self.trails.latest.borrow().clone()
    }
}

/// Free again once it is dropped.
struct PlaceOf {
    reading: Arc<Mutex<HashSet<AgencyId>>>,
    agency: AgencyId,
}

impl Drop for PlaceOf {
    fn drop(&mut self) {
        self.reading.lock().remove(&self.agency);
    }
}

fn behind() -> Problem {
    Problem::unavailable().detail("the log is made of its topic anew").retry_after(RETRY_SECONDS)
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = %chain(error), "a page of the audit log failed");
    Problem::internal()
}
