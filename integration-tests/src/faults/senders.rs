//! Reporters that send on, whatever happens: each referral until it is answered, a fifth of them more than once.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use causeway::example::World;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::fleet::Fleet;

/// Who sends, each from several connections.
const REPORTERS: [&str; 3] = ["nl-hotline", "us-provider", "de-police"];
/// Sending side by side: half one by one, half in batches.
const SENDERS: usize = 6;
const BATCH_LINES: usize = 40;
/// How long one referral may be sent again before the run is given up.
const GIVE_UP: Duration = Duration::from_secs(180);
const AGAIN: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(20);
/// Longer than a batch takes: what was not answered is sent again.
const BATCH_ANSWER: Duration = Duration::from_secs(40);
/// The senders run ahead of the faults by so much of the whole, at most.
const AHEAD: f64 = 0.05;
/// Between referrals that are sent only because a failpoint waits for something to pass it.
const BEYOND: Duration = Duration::from_millis(500);
/// Progress is told this often.
const PROGRESS: usize = 2_000;

pub struct Senders {
    inner: Arc<Inner>,
    markers: PathBuf,
    ledger: PathBuf,
    answers: PathBuf,
}

struct Inner {
    http: Client,
    tokens: Vec<(&'static str, String)>,
    seed: u64,
    referrals: usize,
    /// How many were taken to be sent one by one, and in batches.
    taken: [AtomicUsize; 2],
    /// Those of the first time, once it is over.
    sent: [AtomicUsize; 2],
    answered: AtomicUsize,
    ledger: Mutex<File>,
    answers: Mutex<File>,
}

impl Senders {
    pub fn new(world: &World, state: &Path, seed: u64, referrals: usize) -> anyhow::Result<Self> {
        let (ledger, answers) = (state.join("ledger.ndjson"), state.join("answers"));
        let tokens = REPORTERS.iter().map(|reporter| Ok((*reporter, world.token(reporter, "sender")?)));
        let inner = Inner {
            http: Client::builder().timeout(BATCH_ANSWER).build()?,
            tokens: tokens.collect::<anyhow::Result<_>>()?,
            seed,
            referrals,
            taken: Default::default(),
            sent: Default::default(),
            answered: AtomicUsize::new(0),
            ledger: Mutex::new(File::create(&ledger)?),
            answers: Mutex::new(File::create(&answers)?),
        };
        let markers = state.join("markers");
        let inner = Arc::new(inner);
        std::fs::write(&markers, inner.markers().join("\n") + "\n")?;
        Ok(Self { inner, markers, ledger, answers })
    }

    /// What is sealed and must stand nowhere in clear, one marker a line.
    pub fn markers(&self) -> &Path {
        &self.markers
    }

    /// What the senders were told, one JSON object a line.
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// Every answer, refusals too.
    pub fn answers(&self) -> &Path {
        &self.answers
    }

    /// How many different referrals were sent.
    pub fn sent(&self) -> usize {
        self.inner.sent.iter().map(|sent| sent.load(Ordering::Relaxed)).sum()
    }

    /// Every referral until it is answered, as far as the faults have come; more while a failpoint waits to be passed.
    pub async fn send_all(&self, fleet: &Fleet) -> anyhow::Result<()> {
        self.run(fleet, true).await?;
        for (sent, taken) in self.inner.sent.iter().zip(&self.inner.taken) {
            sent.store(taken.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let [singly, batched] = self.inner.sent.each_ref().map(|sent| sent.load(Ordering::Relaxed));
        eprintln!("faults: {singly} referrals were sent one by one, {batched} in batches");
        // A failpoint that waits has a few more sent one by one.
        let half = self.inner.referrals / 2;
        ensure!(singly >= half && batched >= half, "half of the referrals must be sent each way");
        Ok(())
    }

    /// Everything once more: each gets the answer that it got before, which the verifier checks.
    pub async fn send_again(&self, fleet: &Fleet) -> anyhow::Result<()> {
        self.inner.taken.iter().for_each(|taken| taken.store(0, Ordering::Relaxed));
        self.inner.answered.store(0, Ordering::Relaxed);
        self.run(fleet, false).await
    }

    async fn run(&self, fleet: &Fleet, paced: bool) -> anyhow::Result<()> {
        let mut senders = tokio::task::JoinSet::new();
        for number in 0..SENDERS {
            let (inner, fleet) = (Arc::clone(&self.inner), fleet.clone());
            senders.spawn(async move {
                if number.is_multiple_of(2) {
                    inner.singles(&fleet, number, paced).await
                } else {
                    inner.batches(&fleet, number, paced).await
                }
            });
        }
        while let Some(sender) = senders.join_next().await {
            sender??;
        }
        Ok(())
    }
}

/// How a referral is sent.
#[derive(Clone, Copy)]
enum Way {
    Singly,
    Batched,
}

impl Way {
    /// The number of the n-th referral that is sent this way: blocks of a batch's length take turns.
    fn number(self, n: usize) -> usize {
        (n / BATCH_LINES * 2 + self as usize) * BATCH_LINES + n % BATCH_LINES
    }
}

impl Inner {
    fn markers(&self) -> Vec<String> {
        ["name", "place", "story", "handle", "case"].iter().map(|what| self.marker(what)).collect()
    }

    /// A text that nothing else contains.
    fn marker(&self, what: &str) -> String {
        format!("synthetic-marker-{what}-{}", self.seed)
    }

    fn referral(&self, number: usize) -> Value {
        let countries = ["DE", "FR", "NL", "US"];
        let child = countries[number % countries.len()];
        // To Kenya, which is never told, and to Brazil.
        let nationality = if number.is_multiple_of(4) { "KE" } else { "BR" };
        let handle = format!("{}-{number}", self.marker("handle"));
        let mut referral = json!({
            "reference": format!("F-{}-{number}", self.seed),
            "kind": "child-sexual-abuse",
            "urgency": if number.is_multiple_of(10) { "priority" } else { "routine" },
            "narrative": self.marker("story"),
            "local_case_number": self.marker("case"),
            "people": [
                { "category": "victim", "age_band": "0-12", "names": [self.marker("name")],
                    "residences": [child], "whereabouts": self.marker("place") },
                { "category": "suspect", "age_band": "adult", "nationalities": [nationality],
                    "accounts": [{ "service": "chat.example", "identifier": handle }] },
            ],
            "handling": { "transfers": "standing", "never_told": ["KE"] },
        });
        if number.is_multiple_of(3) {
            referral["items"] = json!([{ "media_kind": "image", "digests": [{ "algorithm": "sha-256",
                "value": hex::encode(schemas::digest::sha256(&[&number.to_be_bytes()])) }] }]);
        }
        referral
    }

    /// A referral's reporter is always the same.
    fn token(&self, number: usize) -> (&'static str, &str) {
        let (reporter, token) = &self.tokens[number % self.tokens.len()];
        (reporter, token)
    }

    /// Sends a referral more than once: how often at the same time.
    fn at_once(number: usize) -> usize {
        match number {
            number if number.is_multiple_of(35) => 3,
            number if number.is_multiple_of(5) => 2,
            _ => 1,
        }
    }

    /// The next numbers to send; none when all are taken.
    async fn take(&self, fleet: &Fleet, way: Way, paced: bool) -> anyhow::Result<Option<Range<usize>>> {
        let (taken, sent) = (&self.taken[way as usize], &self.sent[way as usize]);
        let count = match way {
            Way::Singly => 1,
            Way::Batched => BATCH_LINES,
        };
        if !paced {
            let from = taken.fetch_add(count, Ordering::Relaxed);
            let to = (from + count).min(sent.load(Ordering::Relaxed));
            return Ok((from < to).then(|| way.number(from)..way.number(to - 1) + 1));
        }
        loop {
            // Half of them each way.
            let taken = (taken.load(Ordering::Relaxed) as f64 / (self.referrals as f64 / 2.0)).min(1.0);
            let done = fleet.is_done()?;
            if done && taken >= 1.0 {
                return Ok(None);
            }
            let keeps_step = fleet.keeps_step(taken, AHEAD);
            if taken < 1.0 && (done || keeps_step) {
                break;
            }
            if fleet.awaits_hit() && matches!(way, Way::Singly) {
                tokio::time::sleep(BEYOND).await;
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        let from = taken.fetch_add(count, Ordering::Relaxed);
        Ok(Some(way.number(from)..way.number(from + count - 1) + 1))
    }

    async fn singles(&self, fleet: &Fleet, sender: usize, paced: bool) -> anyhow::Result<()> {
        while let Some(numbers) = self.take(fleet, Way::Singly, paced).await? {
            for number in numbers {
                let sends = (0..Self::at_once(number)).map(|copy| self.send(fleet, number, sender + copy));
                for sent in futures::future::join_all(sends).await {
                    sent?;
                }
            }
        }
        Ok(())
    }

    /// One referral until it is answered, at one instance after the other.
    async fn send(&self, fleet: &Fleet, number: usize, first: usize) -> anyhow::Result<()> {
        let (begun, addresses) = (Instant::now(), fleet.addresses("intake"));
        let (_, token) = self.token(number);
        for attempt in first.. {
            let request = self
                .http
                .post(format!("{}/v1/referrals", addresses[attempt % addresses.len()]))
                .bearer_auth(token)
                .timeout(ANSWER)
                .json(&self.referral(number));
            if let Ok(answer) = request.send().await {
                let status = answer.status();
                let body = answer.json::<Value>().await.unwrap_or_default();
                if self.note(number, status, &body)? {
                    return Ok(());
                }
            }
            if begun.elapsed() > GIVE_UP {
                bail!("referral {number} was not answered within {} s", GIVE_UP.as_secs());
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    /// Lines of one reporter at a time, some of them more than once in the same batch.
    async fn batches(&self, fleet: &Fleet, sender: usize, paced: bool) -> anyhow::Result<()> {
        while let Some(numbers) = self.take(fleet, Way::Batched, paced).await? {
            for reporter in 0..self.tokens.len() {
                let own = numbers.clone().filter(|number| number % self.tokens.len() == reporter);
                let lines =
                    own.flat_map(|number| std::iter::repeat_n(number, Self::at_once(number))).collect();
                self.send_batch(fleet, reporter, lines, sender).await?;
            }
        }
        Ok(())
    }

    async fn send_batch(
        &self,
        fleet: &Fleet,
        reporter: usize,
        mut lines: Vec<usize>,
        first: usize,
    ) -> anyhow::Result<()> {
        let (begun, addresses) = (Instant::now(), fleet.addresses("intake"));
        let mut attempt = first;
        while !lines.is_empty() {
            let body: String = lines.iter().map(|number| format!("{}\n", self.referral(*number))).collect();
            let request = self
                .http
                .post(format!("{}/v1/referrals:batch", addresses[attempt % addresses.len()]))
                .bearer_auth(&self.tokens[reporter].1)
                .header("content-type", "application/x-ndjson")
                .body(body);
            // A stream that breaks off has answered what came before.
            let answered = match request.send().await {
                Ok(answer) if answer.status().is_success() => read_lines(answer).await,
                _ => Vec::new(),
            };
            let mut left = lines.clone();
            for (number, answer) in lines.iter().zip(&answered) {
                let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                let status = status.and_then(|status| StatusCode::from_u16(status).ok());
                let status = status.context("a line's answer has no status")?;
                let body =
                    if answer["receipt"].is_object() { &answer["receipt"] } else { &answer["problem"] };
                if self.note(*number, status, body)? {
                    left.remove(left.iter().position(|one| one == number).context("it was sent")?);
                }
            }
            lines = left;
            if lines.is_empty() {
                return Ok(());
            }
            if begun.elapsed() > GIVE_UP {
                bail!("{} lines of a batch were not answered within {} s", lines.len(), GIVE_UP.as_secs());
            }
            attempt += 1;
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    /// Writes an answer down; whether it was one. What is unavailable or under way is asked again; nothing else that a
    /// server says of itself is.
    fn note(&self, number: usize, status: StatusCode, body: &Value) -> anyhow::Result<bool> {
        let mut answers = self.answers.lock().map_err(|_| anyhow::anyhow!("another sender failed"))?;
        writeln!(answers, "{status} {body}")?;
        drop(answers);
        match status {
            StatusCode::OK | StatusCode::CREATED => {}
            StatusCode::ACCEPTED | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                return Ok(false);
            }
            status => bail!("referral {number} was refused with {status}: {body}"),
        }
        let line = json!({
            "reference": format!("F-{}-{number}", self.seed),
            "reporter": self.token(number).0,
            "status": "received",
            "referral_id": body["referral_id"],
            "incident_id": body["incident_id"],
            "digest": body["digest"],
        });
        let mut ledger = self.ledger.lock().map_err(|_| anyhow::anyhow!("another sender failed"))?;
        writeln!(ledger, "{line}")?;
        let answered = self.answered.fetch_add(1, Ordering::Relaxed) + 1;
        if answered.is_multiple_of(PROGRESS) {
            eprintln!("faults: {answered} answers for {} referrals", self.referrals);
        }
        Ok(true)
    }
}

async fn read_lines(mut answer: reqwest::Response) -> Vec<Value> {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        text.extend_from_slice(&chunk);
    }
    let lines = text.split(|byte| *byte == b'\n');
    lines.map_while(|line| serde_json::from_slice(line).ok()).collect()
}
