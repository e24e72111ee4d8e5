//! (c) Intake alone over HTTP: gated, sealed, keys durable, event committed and folded before each answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::ground::{Ground, Process};
use super::referrals::{REPORTERS, country, referral, send_one, send_streams};
use super::say;

/// Connections of single requests, each with one request at a time.
const CONNECTIONS: usize = 64;
/// Streams of lines side by side.
const STREAMS: usize = 4;
/// Not counted: clients connect, the broker and the allocator get warm.
const WARM_UP: Duration = Duration::from_secs(2);

/// Referrals a second, one request each, over 64 connections that wait for every answer.
pub async fn single(ground: &Ground, duration: Duration) -> anyhow::Result<f64> {
    let process = ground.start("intake").await?;
    process.await_owned().await?;
    let (next, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let url = format!("{}/v1/referrals", process.url());
    let mut senders = tokio::task::JoinSet::new();
    let until = Instant::now() + WARM_UP + duration;
    for connection in 0..CONNECTIONS {
        // Several, since one agency may not send more than so many requests a second.
        let token = ground.world.token(REPORTERS[connection % REPORTERS.len()], "sender")?;
        let (http, url) = (reqwest::Client::new(), url.clone());
        let (next, answered) = (Arc::clone(&next), Arc::clone(&answered));
        senders.spawn(async move {
            while Instant::now() < until {
                let number = next.fetch_add(1, Ordering::Relaxed);
                send_one(&http, &url, &token, referral(number, country(number)).to_string()).await?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let (before, begun) = (answered.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(duration).await;
    let (after, took) = (answered.load(Ordering::Relaxed), begun.elapsed());
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    process.stop()?;
    let per_second = (after - before) as f64 / took.as_secs_f64();
    say!("(c) intake: {per_second:.0} single referrals a second on {CONNECTIONS} connections");
    Ok(per_second)
}

/// Referrals a second in streams of lines, from the first byte sent to the last answer read.
pub async fn batch(ground: &Ground, process: &Process, count: usize) -> anyhow::Result<f64> {
    process.await_owned().await?;
    let token = ground.world.token(REPORTERS[0], "sender")?;
    let begun = Instant::now();
    send_streams(&process.url(), &token, count, STREAMS).await?;
    let per_second = count as f64 / begun.elapsed().as_secs_f64();
    say!("(c) intake: {per_second:.0} referrals a second in {STREAMS} streams");
    Ok(per_second)
}
