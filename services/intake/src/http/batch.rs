//! A stream of referrals, a line each, of any length: a result per line, in order, in constant memory.
//!
//! A client must read while it writes: once [`IN_FLIGHT`] lines wait for their answers, no more are read.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chassis::auth::Caller;
use chassis::front::Answer;
use chassis::limits::BodyTime;
use chassis::problem::Problem;
use chassis::receipts::Promised;
use chassis::signature::{SIGNATURE, Signature};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use schemas::codes::RefusalReason;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, FramedRead};
use tokio_util::io::StreamReader;
use utoipa::ToSchema;

use crate::Intake;
use crate::domain::REPORTERS;
use crate::gate::Fault;
use crate::http::Receipt;
use crate::http::receive::{Desk, MAX_REFERRAL_BYTES};
use crate::submission::Submission;

/// Most lines of one stream that wait for their answers at once.
const IN_FLIGHT: usize = 256;

/// What came of one line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LineResult {
    /// 1 for the first line.
    pub line: u64,
    /// As the status of the single request: 201, 200 when filed before, 202 when durable and under way, 4xx, 5xx.
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// The promise that its event will stand in the audit log, as the header Causeway-Receipt has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_receipt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Files a stream of referrals: a JSON object per line in, a result per line out, in the same order.
#[utoipa::path(post, path = "/v1/referrals:batch", tag = "intake",
    request_body(content = Submission, content_type = "application/x-ndjson"),
    responses((status = 200, body = LineResult, content_type = "application/x-ndjson")))]
pub async fn file_batch(
    caller: Caller,
    Signature(signature): Signature,
    State(desk): State<Desk>,
    time: BodyTime,
    body: Body,
) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    if signature.is_some() {
        let detail = "a stream is not signed as a whole: file what is signed one by one";
        return Err(Problem::invalid().field(SIGNATURE.as_str(), detail));
    }
    let results =
        results(caller, desk, time, body).map(|result| Ok::<_, std::convert::Infallible>(line_of(&result)));
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(results)).into_response())
}

fn results(caller: Caller, desk: Desk, time: BodyTime, body: Body) -> impl Stream<Item = LineResult> {
    let bytes = body.into_data_stream().map_err(std::io::Error::other);
    lines(StreamReader::new(bytes), time)
        .map(move |(number, line)| {
            let (caller, desk) = (caller.clone(), desk.clone());
            async move { result(&caller, &desk, number, line).await }
        })
        .buffered(IN_FLIGHT)
}

/// Why a stream ends before its sender ended it: where a next line would begin is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    TooLong,
    Ended,
    TooSlow(Problem),
}

/// The lines that are not blank, with their numbers from 1 on; the last of them may say why it is the last.
pub fn lines(reader: impl AsyncRead, time: BodyTime) -> impl Stream<Item = (u64, Result<Bytes, Broken>)> {
    let codec = AnyDelimiterCodec::new_with_max_length(b"\n".to_vec(), b"\n".to_vec(), MAX_REFERRAL_BYTES);
    let framed = Some(Box::pin(FramedRead::new(reader, codec)));
    let lines = stream::unfold(framed, move |framed| async move {
        let mut framed = framed?;
        let line = match time.within(framed.next()).await {
            Ok(line) => line?.map_err(|error| match error {
                AnyDelimiterCodecError::MaxChunkLengthExceeded => Broken::TooLong,
                AnyDelimiterCodecError::Io(_) => Broken::Ended,
            }),
            Err(problem) => Err(Broken::TooSlow(problem)),
        };
        let rest = line.is_ok().then_some(framed);
        Some((line, rest))
    });
    let numbered = lines.enumerate().map(|(index, line)| (index as u64 + 1, line));
    numbered.filter(|(_, line)| {
        let is_blank = matches!(line, Ok(text) if text.trim_ascii().is_empty());
        std::future::ready(!is_blank)
    })
}

async fn result(caller: &Caller, desk: &Desk, line: u64, text: Result<Bytes, Broken>) -> LineResult {
    let received = match text {
        Ok(text) => desk.receive_json(caller, &text, None).await,
        Err(broken) => Err(refused(caller, desk, broken)),
    };
    match received {
        Ok((receipt, answer)) => LineResult {
            line,
            status: status(&answer),
            receipt: Some(receipt),
            log_receipt: Promised::by::<Intake>(&answer).and_then(|promised| desk.receipts.of(promised)),
            problem: None,
        },
        Err(problem) => LineResult {
            line,
            status: problem.status,
            receipt: None,
            log_receipt: None,
            problem: Some(problem),
        },
    }
}

fn refused(caller: &Caller, desk: &Desk, broken: Broken) -> Problem {
    let (reason, detail) = match broken {
        Broken::TooLong => (
            RefusalReason::TooLarge,
            format!("a line may have {MAX_REFERRAL_BYTES} bytes; nothing behind it was read"),
        ),
        Broken::Ended => (RefusalReason::Malformed, "the stream broke off".to_owned()),
        Broken::TooSlow(problem) => return problem,
    };
    desk.refuse(caller, &[Fault { pointer: String::new(), reason, detail }])
}

fn status(answer: &Answer) -> u16 {
    match answer {
        Answer::Done { again: false, .. } => 201,
        Answer::Done { again: true, .. } => 200,
        Answer::Pending(_) => 202,
    }
}

fn line_of(result: &LineResult) -> Bytes {
    let mut line = serde_json::to_vec(result).expect("a result is plain data");
    line.push(b'\n');
    Bytes::from(line)
}
