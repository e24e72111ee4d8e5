//! The table of bad input against a whole deployment: each refusal is exactly the one expected, what must not be
//! refused is not, and nothing of what was refused is in any event.

mod records;
mod tokens;
mod wire;

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use chassis::limits::BodyTime;
use client::Client;
use delivery::inbox::{AssignmentEntry, Entry};
use futures::future::join_all;
use intake::http::{Receipt, Withdraw};
use integration_tests::bad_input::{Accepted, Answer, Case, Line, Names, Problems, SECRET, cases, filled};
use integration_tests::{Deployment, await_some};
use rdkafka::message::Message;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use schemas::Event;
use schemas::codec::Codec;
use schemas::codes::{AssignmentState, RetractionReason};
use schemas::ids::IncidentId;
use schemas::referral::ReferralEvent;
use serde_json::{Value, json};

use crate::corrections::reader;
use tokens::Tokens;

/// What the product promises to hold, and this test holds it to.
const FEWEST_REFUSALS: usize = 80;
/// Short, so that slow bodies are found soon; long enough for the largest good one on a busy machine.
const BODY_SECONDS: NonZeroU64 = NonZeroU64::MIN.saturating_add(4);
/// Few, so that one case can pass them.
const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// What came back.
struct Answered {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    challenge: Option<String>,
    body: Vec<u8>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_the_table_is_exactly_the_one_expected() {
    let mut deployment = Deployment::prepare("bad-input", None).await.unwrap();
    deployment.adjust = |settings| {
        settings.host.body_time = BodyTime::seconds(BODY_SECONDS);
        settings.host.requests_per_second = REQUESTS_PER_SECOND;
    };
    deployment.serve_all().await.unwrap();
    let (names, mut filed) = prepare(&deployment).await;
    let (tokens, problems) = (Tokens::new(&deployment), Problems::read().unwrap());
    let table = Table { client: reqwest::Client::new(), tokens, problems, names, deployment };
    let cases = cases().unwrap();
    assert_names_are_unique(&cases);

    // The slow ones wait side by side: each of them costs time and nothing else.
    let (slow, quick): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.pace.is_some());
    let slow = join_all(slow.iter().map(|case| table.run(case)));
    let quick = async {
        let mut ran = Vec::new();
        for case in &quick {
            ran.push(table.run(case).await);
        }
        ran
    };
    let (slow, quick) = tokio::join!(slow, quick);
    let mut failures: Vec<String> = Vec::new();
    for ran in slow.into_iter().chain(quick) {
        match ran {
            Ok(receipts) => filed.extend(receipts.iter().map(|receipt| receipt.incident_id)),
            Err(failure) => failures.push(failure),
        }
    }
    let records = integration_tests::bad_input::records().unwrap();
    failures.extend(records::run(&table.deployment, &records).await);
    assert!(failures.is_empty(), "{} cases fail:\n\n{}", failures.len(), failures.join("\n\n"));
    let refusals = cases.iter().map(Case::refusals).sum::<usize>() + records.len();
    assert!(refusals >= FEWEST_REFUSALS, "only {refusals} refusals are in the table");

    let Table { mut deployment, .. } = table;
    filed.insert(file(&deployment, "bad-input/after").await.incident_id);
    assert_events_hold_only(&deployment, &filed).await;
    deployment.stop().await.unwrap();
}

fn assert_names_are_unique(cases: &[Case]) {
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "a name stands twice in the table");
}

async fn file(deployment: &Deployment, reference: &str) -> Receipt {
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let german = json!({ "category": "victim", "residences": ["DE"] });
    let referral = json!({ "reference": reference, "kind": "csam", "people": [german] });
    hotline.refer(serde_json::to_vec(&referral).unwrap()).await.unwrap()
}

async fn assignment(client: &Client, incident: IncidentId, state: AssignmentState) -> AssignmentEntry {
    let entry = || async {
        let inbox = client.inbox("?limit=500").await.ok()?;
        inbox.entries.into_iter().find_map(|entry| match entry {
            Entry::Assignment(entry) if entry.incident_id == incident && entry.state == state => Some(*entry),
            _ => None,
        })
    };
    await_some("the assignment in the inbox", entry).await.unwrap()
}

/// What cases refer to: an incident of the German unit, and one that was withdrawn.
async fn prepare(deployment: &Deployment) -> (Names, BTreeSet<IncidentId>) {
    let german = deployment.client("delivery", "de-police").unwrap();
    let [open, withdrawn] =
        [file(deployment, "bad-input/open").await, file(deployment, "bad-input/withdrawn").await];
    let offered = assignment(&german, open.incident_id, AssignmentState::Offered).await;
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let path = format!("/v1/referrals/{}/withdraw", withdrawn.referral_id);
    let reason = Withdraw { reason: RetractionReason::FalsePositive };
    hotline.command::<Withdraw>(&path, "withdraw", &reason).await.unwrap();
    let revoked = assignment(&german, withdrawn.incident_id, AssignmentState::Revoked).await;
    let inbox = || async { german.inbox("").await.ok() };
    let cursor = await_some("the inbox, beside the requests before it", inbox).await.unwrap().cursor;
    let names = Names::from([
        ("incident", open.incident_id.to_string()),
        ("referral", open.referral_id.to_string()),
        ("assignment", offered.assignment_id.to_string()),
        ("withdrawn-incident", withdrawn.incident_id.to_string()),
        ("withdrawn-referral", withdrawn.referral_id.to_string()),
        ("revoked-assignment", revoked.assignment_id.to_string()),
        ("cursor-of-germany", cursor),
        ("secret", SECRET.to_owned()),
    ]);
    (names, BTreeSet::from([open.incident_id, withdrawn.incident_id]))
}

struct Table {
    client: reqwest::Client,
    deployment: Deployment,
    problems: Problems,
    tokens: Tokens,
    names: Names,
}

impl Table {
    /// The receipts of what was filed; or what was expected and what came.
    async fn run(&self, case: &Case) -> Result<Vec<Receipt>, String> {
        let wanted = match &case.answer {
            Answer::Problem(expected) => self.problems.document(expected),
            other => json!(format!("{other:?}")),
        };
        let answered = match (case.pace, case.times) {
            (Some(pace), _) => wire::send(self, case, pace).await,
            (None, None) => self.send_calmly(case).await,
            (None, Some(times)) => self.send_at_once(case, times, wanted["status"].as_u64()).await,
        };
        let answered = answered.map_err(|error| format!("{}: {error:#}", case.name))?;
        let judged = self.judge(case, &wanted, &answered);
        judged.map_err(|what| {
            let body = String::from_utf8_lossy(&answered.body);
            let body =
                serde_json::from_str::<Value>(&body).map_or(body.into_owned(), |body| format!("{body:#}"));
            format!(
                "{}: {what}\nexpected {wanted:#}\nanswered {} {} {body}",
                case.name, answered.status, answered.content_type
            )
        })
    }

    fn judge(&self, case: &Case, wanted: &Value, answered: &Answered) -> Result<Vec<Receipt>, String> {
        if String::from_utf8_lossy(&answered.body).contains(SECRET) {
            return Err("the answer repeats what was sent".to_owned());
        }
        match &case.answer {
            Answer::Problem(_) => judge_problem(wanted, answered).map(|()| Vec::new()),
            Answer::Lines(lines) => self.judge_lines(lines, answered),
            Answer::Accepted(accepted) => judge_accepted(accepted, answered),
        }
    }

    fn judge_lines(&self, lines: &[Line], answered: &Answered) -> Result<Vec<Receipt>, String> {
        let results = answered.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let results: Vec<Value> =
            results.map(|line| serde_json::from_slice(line).unwrap_or(Value::Null)).collect();
        let wanted: Vec<Value> = lines.iter().map(|line| self.wanted_of(line)).collect();
        let mut seen = results.clone();
        // Signed anew each time.
        for line in seen.iter_mut().filter_map(Value::as_object_mut) {
            line.shift_remove("log_receipt");
        }
        let receipts = seen.iter_mut().filter_map(|line| line.as_object_mut()?.shift_remove("receipt"));
        let receipts = receipts.map(serde_json::from_value).collect::<Result<Vec<Receipt>, _>>();
        if answered.status != 200 || seen != wanted {
            return Err(format!("the lines are not {:#}", json!(wanted)));
        }
        receipts.map_err(|error| error.to_string())
    }

    fn wanted_of(&self, line: &Line) -> Value {
        match line.problem.as_ref().map(|expected| self.problems.document(expected)) {
            Some(problem) => json!({ "line": line.line, "status": problem["status"], "problem": problem }),
            None => json!({ "line": line.line, "status": 201 }),
        }
    }

    /// Other cases use up the agency's share of a second: whoever is told to wait, waits.
    async fn send_calmly(&self, case: &Case) -> anyhow::Result<Answered> {
        loop {
            let answered = self.send(case).await?;
            if answered.status != 429 {
                return Ok(answered);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// One of the answers expected, or else any of them.
    async fn send_at_once(&self, case: &Case, times: usize, wanted: Option<u64>) -> anyhow::Result<Answered> {
        let all = join_all((0..times).map(|_| self.send(case))).await;
        let mut all: Vec<Answered> = all.into_iter().collect::<anyhow::Result<_>>()?;
        let place = all.iter().position(|answered| Some(u64::from(answered.status)) == wanted);
        Ok(all.swap_remove(place.unwrap_or_default()))
    }

    async fn send(&self, case: &Case) -> anyhow::Result<Answered> {
        let (method, path) = self.line_of(case);
        let url = format!("{}{path}", self.deployment.url("intake"));
        let mut request = self.client.request(Method::from_bytes(method.as_bytes())?, url);
        for (name, value) in self.headers_of(case)? {
            request = request.header(name, value);
        }
        if let Some(body) = &case.body {
            request = request.body(body.bytes(&case.name, &self.names)?);
        }
        let response = request.send().await?;
        let header =
            |name| response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        Ok(Answered {
            status: response.status().as_u16(),
            content_type: header(CONTENT_TYPE).unwrap_or_default(),
            retry_after: header(RETRY_AFTER),
            challenge: header(WWW_AUTHENTICATE),
            body: response.bytes().await?.to_vec(),
        })
    }

    /// Method and address.
    fn line_of(&self, case: &Case) -> (String, String) {
        let line = filled(case.request.as_deref().unwrap_or("POST /v1/referrals"), &self.names);
        line.split_once(' ').map(|(method, path)| (method.to_owned(), path.to_owned())).unwrap_or_default()
    }

    fn headers_of(&self, case: &Case) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let agency = case.agency.as_deref().unwrap_or("nl-hotline");
        let mut headers = Vec::new();
        if let Some(authorization) = self.tokens.header(agency, case.token.as_deref())? {
            headers.push(("authorization".to_owned(), authorization.into_bytes()));
        }
        if let Some(integration_tests::bad_input::Body::Form(_)) = case.body {
            let boundary = integration_tests::bad_input::BOUNDARY;
            let form = format!("multipart/form-data; boundary={boundary}");
            headers.push(("content-type".to_owned(), form.into_bytes()));
            if !case.headers.contains_key("reporter-reference") {
                let reference = format!("bad-input/{}", case.name);
                headers.push(("reporter-reference".to_owned(), reference.into_bytes()));
            }
        }
        for (name, value) in &case.headers {
            headers.push((name.clone(), integration_tests::bad_input::value(value, &self.names)?));
        }
        Ok(headers)
    }
}

fn judge_problem(wanted: &Value, answered: &Answered) -> Result<(), String> {
    let body = serde_json::from_slice::<Value>(&answered.body).unwrap_or_default();
    let retry_after = wanted["retry_after_seconds"].as_u64().map(|seconds| seconds.to_string());
    let challenge = (answered.status == 401).then(|| "Bearer".to_owned());
    if body != *wanted || wanted["status"] != answered.status {
        return Err("another answer".to_owned());
    }
    if answered.content_type != "application/problem+json"
        || answered.retry_after != retry_after
        || answered.challenge != challenge
    {
        return Err("other headers".to_owned());
    }
    Ok(())
}

fn judge_accepted(accepted: &Accepted, answered: &Answered) -> Result<Vec<Receipt>, String> {
    if answered.status != accepted.status {
        return Err(format!("it is refused, or not answered by {}", accepted.status));
    }
    let Ok(receipt) = serde_json::from_slice::<Receipt>(&answered.body) else { return Ok(Vec::new()) };
    let withheld = receipt.gate.withheld.iter();
    let withheld: BTreeSet<_> =
        withheld.map(|field| (field.pointer.clone(), field.reason.to_string())).collect();
    if withheld != accepted.withheld.iter().cloned().collect() {
        return Err("other fields are withheld".to_owned());
    }
    Ok(vec![receipt])
}

/// Everything up to the last referral filed is read: each referral there is one that was taken in, and no record
/// holds what was refused.
async fn assert_events_hold_only(deployment: &Deployment, filed: &BTreeSet<IncidentId>) {
    let events = reader(deployment, "referral.events");
    let codec = Codec::with_table();
    let seen = std::cell::RefCell::new((BTreeSet::new(), 0));
    let all = || async {
        while let Some(Ok(message)) = events.poll(Duration::from_millis(50)) {
            let value = message.payload().unwrap();
            let holds_secret = value.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!holds_secret, "an event holds what was refused");
            let event: Event<ReferralEvent> = codec.decode::<ReferralEvent, _>(value).unwrap();
            let mut seen = seen.borrow_mut();
            match event.body {
                ReferralEvent::ReferralReceived(received) => {
                    let incident: IncidentId = event.aggregate_id.parse().unwrap();
                    assert!(
                        filed.contains(&incident),
                        "refused and filed: {}",
                        received.referral.referral_id
                    );
                    seen.0.insert(incident);
                }
                ReferralEvent::SubmissionsRefused(refused) => {
                    seen.1 += refused.refusals.iter().map(|refusal| refusal.count).sum::<i64>();
                }
                _ => {}
            }
        }
        let (incidents, refused) = &*seen.borrow();
        (incidents == filed && *refused > 0).then_some(())
    };
    await_some("every referral that was taken in, and the counts of what was refused", all).await.unwrap();
}
