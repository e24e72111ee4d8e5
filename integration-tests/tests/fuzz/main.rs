//! Whatever is sent, the readers of JSON, XML, lines, Avro and tokens do not panic, and what they take of memory stays
//! within a stated multiple of what was sent.
//!
//! Inputs are good examples and the table of bad input, changed at random for some seconds per reader;
//! `cargo xtask fuzz --seconds 600` takes longer. What is found is shrunk and shown: it belongs into the table.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod input;
mod seeds;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chassis::auth::{Authenticator, DevelopmentIssuer, KeysAt, TrustedIssuer};
use chassis::clock::Clock;
use chassis::limits::{BodyTime, Limits};
use chassis::reference::Reference;
use futures::StreamExt;
use intake::{cybertipline, gate};
use integration_tests::bad_input::SECRET;
use peak_alloc::PeakAlloc;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use schemas::codec::Codec;
use schemas::envelope::Body;
use schemas::{Command, Event};
use serde::de::DeserializeOwned;

use input::{Input, inputs};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How long each reader is tried, unless `CAUSEWAY_TEST_FUZZ_SECONDS` says otherwise.
const SECONDS: u64 = 8;
/// Inputs between two looks at the clock.
const ROUND: u32 = 64;

/// What a reader may take of memory at once.
struct Bound {
    per_byte: usize,
    /// Whatever the input: messages, tables, and what a length may claim.
    constant: usize,
}

/// One reader at a time: memory is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

#[track_caller]
fn fuzz(corpus: fn() -> seeds::Corpus, bound: &Bound, read: impl Fn(&[u8])) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let corpus = corpus();
    let seconds = std::env::var("CAUSEWAY_TEST_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let (begun, time) = (Instant::now(), Duration::from_secs(seconds.unwrap_or(SECONDS)));
    for seed in &corpus.seeds {
        within(bound, seed, &read).unwrap();
    }
    let strategy = inputs(corpus);
    let config = Config { cases: ROUND, failure_persistence: None, ..Config::default() };
    let mut tried = 0;
    while begun.elapsed() < time {
        let mut runner = TestRunner::new(config.clone());
        match runner.run(&strategy, |Input(bytes)| within(bound, &bytes, &read)) {
            Ok(()) => tried += ROUND,
            Err(TestError::Fail(reason, input)) => panic!("{reason}\n{input:?}"),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(tried > 0, "nothing was tried");
    eprintln!("{tried} inputs");
}

fn within(bound: &Bound, bytes: &[u8], read: &impl Fn(&[u8])) -> Result<(), TestCaseError> {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    read(bytes);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let most = bound.per_byte * bytes.len() + bound.constant;
    if taken <= most {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "{taken} bytes of memory for {} that were sent, over {most}",
        bytes.len()
    )))
}

#[test]
fn json() {
    let bound = Bound { per_byte: 64, constant: 512 * 1024 };
    fuzz(seeds::json, &bound, |bytes| {
        match gate::admit(bytes) {
            Ok((_, verdict)) => {
                let mut withheld = verdict.withheld.iter();
                assert!(
                    withheld.all(|field| !field.pointer.contains(SECRET)),
                    "an event repeats what was sent"
                );
            }
            Err(faults) => {
                assert!(!faults.is_empty(), "refused for nothing");
                let mut told = gate::problem(&faults).errors.into_iter();
                assert!(told.all(|error| !error.detail.contains(SECRET)), "a problem repeats what was sent");
            }
        }
        let _ = chassis::http::parse::<schemas::directory::Entry>(bytes);
    });
}

#[test]
fn xml() {
    let bound = Bound { per_byte: 128, constant: 512 * 1024 };
    fuzz(seeds::xml, &bound, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let file = text.to_owned();
        match cybertipline::read(text, &[], "fuzz") {
            Ok(submission) => {
                let _ = gate::check(&submission, text, &[]);
                let remainder = submission.cybertipline.unwrap();
                cybertipline::emit(&remainder).unwrap();
            }
            Err(refused) => assert!(!refused.violations.is_empty(), "refused for nothing"),
        }
        let files = std::slice::from_ref(&file);
        if let Ok(submission) = cybertipline::read(causeway::example::REPORT, files, "fuzz") {
            let _ = gate::check(&submission, causeway::example::REPORT, files);
        }
    });
}

#[test]
fn lines() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let bound = Bound { per_byte: 8, constant: 64 * 1024 };
    fuzz(seeds::lines, &bound, |bytes| {
        let lines = intake::http::lines(bytes, BodyTime::DEFAULT);
        let (kept, _) = runtime.block_on(lines.fold((0, 0), async |(kept, before), (number, line)| {
            assert!(number > before, "lines out of order");
            (kept + line.map_or(0, |line| line.len()), number)
        }));
        assert!(kept <= bytes.len(), "more than was sent");
    });
}

#[test]
fn avro() {
    let codec = Codec::with_table();
    // A length in a record may claim so much before it is read: twice the largest record.
    let bound = Bound { per_byte: 64, constant: 9 * 1024 * 1024 };
    fuzz(seeds::avro, &bound, |bytes| {
        use schemas::{dead_letter, delivery, directory, referral, routing, sealed_keys};
        let results = [
            decoded::<directory::DirectoryCommand, Command<directory::DirectoryCommand>>(&codec, bytes),
            decoded::<directory::DirectoryEvent, Event<directory::DirectoryEvent>>(&codec, bytes),
            decoded::<referral::ReferralCommand, Command<referral::ReferralCommand>>(&codec, bytes),
            decoded::<referral::ReferralEvent, Event<referral::ReferralEvent>>(&codec, bytes),
            decoded::<routing::RoutingCommand, Command<routing::RoutingCommand>>(&codec, bytes),
            decoded::<routing::RoutingEvent, Event<routing::RoutingEvent>>(&codec, bytes),
            decoded::<delivery::DeliveryCommand, Command<delivery::DeliveryCommand>>(&codec, bytes),
            decoded::<delivery::DeliveryEvent, Event<delivery::DeliveryEvent>>(&codec, bytes),
            decoded::<sealed_keys::KeySet, sealed_keys::KeySet>(&codec, bytes),
            decoded::<dead_letter::DeadLetter, dead_letter::DeadLetter>(&codec, bytes),
        ];
        let good = results.into_iter().filter(|decoded| *decoded).count();
        assert!(good <= 1, "one record is of {good} topics");
    });
}

fn decoded<B: Body, T: DeserializeOwned>(codec: &Codec, bytes: &[u8]) -> bool {
    codec.decode::<B, T>(bytes).is_ok()
}

#[test]
fn tokens() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let state = tempfile::tempdir().unwrap();
    let key = causeway::development::issuer_key();
    let issuer = DevelopmentIssuer::new(&key, "key", seeds::ISSUER, "causeway");
    let path: PathBuf = state.path().join("keys.json");
    std::fs::write(&path, issuer.key_set().unwrap().to_string()).unwrap();
    let trusted = TrustedIssuer {
        issuer: seeds::ISSUER.to_owned(),
        audience: "causeway".to_owned(),
        keys: KeysAt::File(path),
    };
    let limits = Limits::new(std::num::NonZeroU32::MIN);
    let authenticator =
        runtime.block_on(Authenticator::start(vec![trusted], Reference::default(), Clock::system(), limits));
    let authenticator = authenticator.unwrap();
    let bound = Bound { per_byte: 32, constant: 128 * 1024 };
    fuzz(seeds::tokens, &bound, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        // As it is, as the parts of a token, and as claims that the issuer itself has signed.
        let signed = serde_json::from_str(&text).ok().and_then(|claims| issuer.sign(&claims).ok());
        for token in
            [Some(text.clone().into_owned()), Some(seeds::token_of(&text)), signed].into_iter().flatten()
        {
            let refused = runtime.block_on(authenticator.authenticate(&token)).unwrap_err();
            assert!(matches!(refused.status, 401 | 503), "{refused:?}");
        }
    });
}
