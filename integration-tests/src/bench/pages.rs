//! (k) The dashboard: everything that has happened through its fold, how soon its pages are there, and how many can
//! look at once.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::http::header;
use axum::response::IntoResponse;
use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::{Cookie, Key};
use schemas::delivery::DeliveryEvent;
use schemas::envelope::Body;
use schemas::mla::MlaEvent;
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;
use tokio::task::JoinSet;

use super::ground::{Ground, Process};
use super::report::Latency;
use super::say;
use super::topic::Reader;

/// Who look at the overview at the same time.
const LOOKERS: usize = 1_000;
/// Views of each page that are timed, one after the other.
const VIEWS: usize = 100;
/// Within which everybody has to be shown something new: it is worked out anew each minute.
const SHOWN: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug, Default)]
pub struct Pages {
    pub events: usize,
    /// Through the fold a second, from the start of the process until it is ready.
    pub folded_per_s: f64,
    pub resident_mib: f64,
    /// The overview by the first who looks, worked out for that one.
    pub first_view_ms: f64,
    pub overview: Latency,
    /// The list of all incidents: worked out each time.
    pub list: Latency,
    pub page_bytes: usize,
    /// With all lookers connected.
    pub lookers_mib: f64,
    /// Between the first and the last of them who is shown the same new look.
    pub fan_out_ms: f64,
}

/// # Errors
/// When it does not start, or shows nothing.
pub async fn measure(ground: &Ground) -> anyhow::Result<Pages> {
    let events = count::<RoutingEvent>(ground)?
        + count::<MlaEvent>(ground)?
        + count::<VictimIdEvent>(ground)?
        + count::<DeliveryEvent>(ground)?;
    let begun = Instant::now();
    let process = ground.start_afresh("dashboard").await?;
    let folded_per_s = events as f64 / begun.elapsed().as_secs_f64();
    let resident_mib = process.memory_at_rest().await?.resident_mib;
    let visitor = Visitor::new(ground, &process)?;
    let (first_view_ms, page_bytes) = visitor.view("").await?;
    let overview = visitor.views("").await?;
    let list = visitor.views("/incidents").await?;
    say!("(k) {events} events folded, {folded_per_s:.0} a second; first view {first_view_ms:.1} ms");
    let (fan_out_ms, lookers_mib) = visitor.look_together(&process).await?;
    process.stop()?;
    Ok(Pages {
        events,
        folded_per_s,
        resident_mib,
        first_view_ms,
        overview,
        list,
        page_bytes,
        lookers_mib,
        fan_out_ms,
    })
}

fn count<B: Body>(ground: &Ground) -> anyhow::Result<usize> {
    let (mut reader, mut count) = (Reader::open(&ground.kafka, B::TOPIC)?, 0);
    while reader.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// A coordinator who has signed in.
struct Visitor {
    http: reqwest::Client,
    pages: String,
    cookie: String,
}

impl Visitor {
    fn new(ground: &Ground, process: &Process) -> anyhow::Result<Self> {
        let token = ground.world.token("un-coordinator", "watch-1")?;
        let jar = PrivateCookieJar::new(Key::derive_from(&ground.session_key()?));
        let told = jar.add(Cookie::new("__Secure-causeway", token)).into_response();
        let cookie = told.headers().get(header::SET_COOKIE).context("a cookie was set")?.to_str()?.to_owned();
        let pages = format!("{}{}", process.url(), dashboard::BASE);
        Ok(Self { http: reqwest::Client::new(), pages, cookie })
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.pages)).header(header::COOKIE, &self.cookie)
    }

    /// How long a page takes, in milliseconds, and its size.
    async fn view(&self, path: &str) -> anyhow::Result<(f64, usize)> {
        let begun = Instant::now();
        let page = self.get(path).send().await?.error_for_status()?.text().await?;
        ensure!(page.contains("<main"), "{path} is no page: {page}");
        Ok((begun.elapsed().as_secs_f64() * 1e3, page.len()))
    }

    async fn views(&self, path: &str) -> anyhow::Result<Latency> {
        let mut times = Vec::new();
        for _ in 0..VIEWS {
            times.push(self.view(path).await?.0);
        }
        Ok(Latency::of(times))
    }

    /// Everybody looks at once, until each was shown something twice: how far apart the second time was, and what was
    /// resident between.
    async fn look_together(&self, process: &Process) -> anyhow::Result<(f64, f64)> {
        let mut lookers = JoinSet::new();
        for _ in 0..LOOKERS {
            let look = self.get("/overview/stream");
            lookers.spawn(async move {
                let mut shown = look.send().await?.error_for_status()?;
                let mut times = 0;
                while let Some(part) = shown.chunk().await? {
                    let part = String::from_utf8_lossy(&part);
                    times += part.matches("event: content").count();
                    if times >= 2 {
                        return Ok(Instant::now());
                    }
                }
                anyhow::bail!("a stream has ended")
            });
        }
        let lookers_mib = process.memory_at_rest().await?.resident_mib;
        let mut moments = Vec::new();
        let all = async {
            while let Some(looker) = lookers.join_next().await {
                moments.push(looker??);
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(SHOWN, all).await.context("not everybody was shown something")??;
        let (first, last) = (moments.iter().min(), moments.iter().max());
        let (first, last) = (first.context("somebody looked")?, last.context("somebody looked")?);
        Ok((last.duration_since(*first).as_secs_f64() * 1e3, lookers_mib))
    }
}
