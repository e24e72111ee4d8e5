//! Synthetic referrals, and the reporters that send them: light, since they share the machine with what is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::StreamExt;
use serde_json::{Value, json};

use super::say;

/// Who reports, each in turn.
pub const REPORTERS: [&str; 3] = ["nl-hotline", "us-provider", "de-police"];
/// Lines handed to the connection at once.
const LINES: usize = 64;
const PROGRESS: Duration = Duration::from_secs(10);

/// A referral such as a hotline sends: two people, a narrative, and now and then a file.
pub fn referral(number: usize, country: &str) -> Value {
    let mut referral = json!({
        "reference": format!("B-{number}"),
        "kind": "child-sexual-abuse",
        "urgency": if number.is_multiple_of(10) { "priority" } else { "routine" },
        "narrative": format!("A synthetic narrative of the synthetic referral {number}, as long as a short one is."),
        "local_case_number": format!("C-{number}"),
        "people": [
            { "category": "victim", "age_band": "0-12", "names": [format!("Synthetic Child {number}")],
                "residences": [country], "whereabouts": "Synthetic Street 1" },
            { "category": "suspect", "age_band": "adult", "nationalities": ["BR"],
                "accounts": [{ "service": "chat.example", "identifier": format!("synthetic-{number}") }] },
        ],
        "handling": { "transfers": "standing", "never_told": ["KE"] },
    });
    if number.is_multiple_of(3) {
        referral["items"] = json!([{ "media_kind": "image", "digests": [{ "algorithm": "sha-256",
            "value": hex::encode(schemas::digest::sha256(&[&number.to_be_bytes()])) }] }]);
    }
    referral
}

/// The victim's country, in turn.
pub fn country(number: usize) -> &'static str {
    ["DE", "FR", "NL", "US"][number % 4]
}

/// Files the referrals in streams side by side; counts what was filed anew.
pub async fn send_streams(url: &str, token: &str, count: usize, streams: usize) -> anyhow::Result<()> {
    let (filed, mut sending) = (Arc::new(AtomicUsize::new(0)), tokio::task::JoinSet::new());
    for stream in 0..streams {
        let (from, to) = (count * stream / streams, count * (stream + 1) / streams);
        sending.spawn(send_stream(url.to_owned(), token.to_owned(), from..to, Arc::clone(&filed)));
    }
    let begun = Instant::now();
    loop {
        tokio::select! {
            sent = sending.join_next() => match sent {
                Some(sent) => sent??,
                None => break,
            },
            () = tokio::time::sleep(PROGRESS) => {
                let (filed, seconds) = (filed.load(Ordering::Relaxed), begun.elapsed().as_secs());
                say!("intake: {filed} of {count} filed after {seconds} s");
            }
        }
    }
    let filed = filed.load(Ordering::Relaxed);
    ensure!(filed == count, "{filed} of {count} referrals were filed");
    Ok(())
}

async fn send_stream(
    url: String,
    token: String,
    numbers: std::ops::Range<usize>,
    filed: Arc<AtomicUsize>,
) -> anyhow::Result<()> {
    let starts = numbers.clone().step_by(LINES);
    let chunks = starts.map(move |start| {
        let lines = (start..(start + LINES).min(numbers.end))
            .map(|number| format!("{}\n", referral(number, country(number))));
        Ok::<_, std::convert::Infallible>(lines.collect::<String>())
    });
    let answer = reqwest::Client::new()
        .post(format!("{url}/v1/referrals:batch"))
        .bearer_auth(token)
        .header("content-type", "application/x-ndjson")
        .body(reqwest::Body::wrap_stream(futures::stream::iter(chunks)))
        .send()
        .await?
        .error_for_status()?;
    let (mut answers, mut rest) = (answer.bytes_stream(), Vec::new());
    while let Some(bytes) = answers.next().await {
        rest.extend_from_slice(&bytes?);
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { continue };
        for line in rest[..end].split(|byte| *byte == b'\n') {
            let line = std::str::from_utf8(line)?;
            ensure!(line.contains("\"status\":201"), "a line was not filed: {line}");
            filed.fetch_add(1, Ordering::Relaxed);
        }
        rest.drain(..=end);
    }
    Ok(())
}

/// Files one referral; the text of its receipt.
pub async fn send_one(
    http: &reqwest::Client,
    url: &str,
    token: &str,
    body: String,
) -> anyhow::Result<String> {
    let request = http.post(url).bearer_auth(token).header("content-type", "application/json").body(body);
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.as_u16() == 201, "a referral was answered with {status}: {text}");
    Ok(text)
}

/// The text of a JSON field, without parsing what stands around it.
pub fn field<'a>(text: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let begin = format!("\"{name}\":\"");
    let from = text.find(&begin).with_context(|| format!("there is no {name}"))? + begin.len();
    let length = text[from..].find('"').context("a text has no end")?;
    Ok(&text[from..from + length])
}
