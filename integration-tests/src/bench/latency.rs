//! (d) From the moment a request is due to the moment the entry stands on the inbox stream, all services running.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;

use super::ground::{Ground, Process};
use super::referrals::{REPORTERS, field, referral, send_one};
use super::report::{Latency, Report, percentile};
use super::{Measure, Options, hops, inbox, log, say};

/// Referrals a second: the mean of the world's largest reporting system with a hundred times its load, and a burst.
const RATES: [u64; 2] = [115, 1_000];
/// Whose inbox is watched: the child lives there, so each referral is offered to it.
const AGENCY: &str = "de-police";
const COUNTRY: &str = "DE";
/// Requests under way at once; one that is due waits for its turn, and the wait is counted.
const CONNECTIONS: usize = 256;
/// Not counted: clients connect, transactions find their rhythm.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long the last entries may take.
const LAST: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// After the last entry, the head that covers it has been published.
const LAST_HEAD: Duration = Duration::from_secs(3);

/// One referral on its way; times in milliseconds since 1970.
#[derive(Clone, Debug)]
pub struct Sent {
    pub incident: String,
    /// When the request was due, whether or not it could be sent then.
    pub due_ms: f64,
    pub answered_ms: f64,
    pub arrived_ms: f64,
}

/// Both rates, one after the other, on a deployment of their own.
pub async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let ground = Ground::prepare(options, "latency").await?;
    let processes = ground.start_all().await?;
    let arrivals = Arrivals::watch(&ground, address(&processes, "delivery")?).await?;
    let url = format!("{}/v1/referrals", address(&processes, "intake")?);
    for rate in RATES {
        let sent = send(&ground, &url, rate, options.duration, &arrivals).await?;
        let latencies = sent.iter().map(|sent| sent.arrived_ms - sent.due_ms).collect();
        let answers = sent.iter().map(|sent| sent.answered_ms - sent.due_ms).collect();
        let latency = Latency::of(latencies);
        say!("(d) {rate}/s: {latency:.1?}; answered {:.1?}", Latency::of(answers));
        report.latency_ms.insert(rate, latency);
        if options.wants(Measure::Log) {
            tokio::time::sleep(LAST_HEAD).await;
            let since = sent.iter().map(|sent| sent.due_ms).fold(f64::INFINITY, f64::min);
            let until = sent.iter().map(|sent| sent.arrived_ms).fold(0.0, f64::max);
            let heads = log::heads(&ground, since, until)?;
            say!("(j) {rate}/s: from an event to a head that covers it: {heads:.1?}");
            report.heads_ms.insert(rate, heads);
        }
        if options.wants(Measure::Hops) {
            report.hops_ms.insert(rate, hops::measure(&ground, &sent)?);
        }
    }
    processes.into_iter().rev().try_for_each(Process::stop)
}

pub fn address(processes: &[Process], service: &str) -> anyhow::Result<String> {
    let process = processes.iter().find(|process| process.service == service);
    Ok(process.context("every service runs")?.url())
}

/// Sends at fixed times, whether or not earlier requests were answered, and waits for every entry.
async fn send(
    ground: &Ground,
    url: &str,
    rate: u64,
    duration: Duration,
    arrivals: &Arrivals,
) -> anyhow::Result<Vec<Sent>> {
    let count = rate * (WARM_UP + duration).as_secs();
    let warm = usize::try_from(rate * WARM_UP.as_secs())?;
    let http = reqwest::Client::new();
    // The watched agency reports nothing itself.
    let tokens = REPORTERS[..2].iter().map(|reporter| ground.world.token(reporter, "sender"));
    let tokens = tokens.collect::<anyhow::Result<Vec<_>>>()?;
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / rate as f64));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut sending, begun) = (tokio::task::JoinSet::new(), (Instant::now(), now_ms()));
    for number in 0..usize::try_from(count)? {
        let due = tick.tick().await;
        let due_ms = begun.1 + due.into_std().saturating_duration_since(begun.0).as_secs_f64() * 1_000.0;
        let (http, url, token) = (http.clone(), url.to_owned(), tokens[number % tokens.len()].clone());
        // References of the two rates differ.
        let body = referral(usize::try_from(rate)? * 10_000_000 + number, COUNTRY).to_string();
        let connections = Arc::clone(&connections);
        sending.spawn(async move {
            let _connection = connections.acquire().await?;
            let receipt = send_one(&http, &url, &token, body).await?;
            let incident = field(&receipt, "incident_id")?.to_owned();
            anyhow::Ok((number, Sent { incident, due_ms, answered_ms: now_ms(), arrived_ms: f64::NAN }))
        });
    }
    let mut sent = Vec::new();
    while let Some(one) = sending.join_next().await {
        let (number, one) = one??;
        if number >= warm {
            sent.push(one);
        }
    }
    arrivals.complete(&mut sent).await?;
    Ok(sent)
}

/// When the first entry of each incident came.
struct Arrivals(Arc<Mutex<HashMap<String, f64>>>);

impl Arrivals {
    async fn watch(ground: &Ground, url: String) -> anyhow::Result<Self> {
        let arrivals = Arc::new(Mutex::new(HashMap::new()));
        let noted = Arc::clone(&arrivals);
        let note = move |line: &str| {
            let mut noted = noted.lock().expect("no holder of this lock panics");
            if let Ok(incident) = field(line, "incident_id") {
                noted.entry(incident.to_owned()).or_insert_with(now_ms);
            }
        };
        inbox::watch(ground, &url, AGENCY, note).await?;
        Ok(Self(arrivals))
    }

    /// Fills in when each has arrived.
    async fn complete(&self, sent: &mut [Sent]) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let missing = {
                let arrivals = self.0.lock().expect("no holder of this lock panics");
                for one in sent.iter_mut() {
                    one.arrived_ms = arrivals.get(&one.incident).copied().unwrap_or(f64::NAN);
                }
                sent.iter().filter(|one| one.arrived_ms.is_nan()).count()
            };
            if missing == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < LAST, "{missing} of {} referrals reached no inbox", sent.len());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn now_ms() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64() * 1_000.0
}

impl Latency {
    pub fn of(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        let at = |share| percentile(&milliseconds, share);
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }
}
