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
use chassis::problem::Problem;
use futures::{Stream, StreamExt, TryStreamExt};
use schemas::codes::RefusalReason;
use serde::{Deserialize, Serialize};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;
use utoipa::ToSchema;

use crate::gate::Fault;
use crate::http::receive::{Desk, MAX_REFERRAL_BYTES};
use crate::http::{REPORTERS, Receipt};
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Files a stream of referrals: a JSON object per line in, a result per line out, in the same order.
#[utoipa::path(post, path = "/v1/referrals:batch", tag = "intake",
    request_body(content = Submission, content_type = "application/x-ndjson"),
    responses((status = 200, body = LineResult, content_type = "application/x-ndjson")))]
pub async fn file_batch(caller: Caller, State(desk): State<Desk>, body: Body) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    let results =
        results(caller, desk, body).map(|result| Ok::<_, std::convert::Infallible>(line_of(&result)));
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(results)).into_response())
}

fn results(caller: Caller, desk: Desk, body: Body) -> impl Stream<Item = LineResult> {
    let bytes = body.into_data_stream().map_err(std::io::Error::other);
    let lines =
        FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(MAX_REFERRAL_BYTES));
    // A line that cannot be read ends the stream after its result: where the next begins is unknown.
    let mut broken = false;
    let lines = lines.take_while(move |line| {
        let go_on = !broken;
        broken |= line.is_err();
        std::future::ready(go_on)
    });
    let numbered = lines.enumerate().filter(|(_, line)| {
        let blank = matches!(line, Ok(text) if text.trim().is_empty());
        std::future::ready(!blank)
    });
    numbered
        .map(move |(index, line)| {
            let (caller, desk) = (caller.clone(), desk.clone());
            async move { result(&caller, &desk, index as u64 + 1, line).await }
        })
        .buffered(IN_FLIGHT)
}

async fn result(
    caller: &Caller,
    desk: &Desk,
    line: u64,
    text: Result<String, LinesCodecError>,
) -> LineResult {
    let received = match text {
        Ok(text) => desk.receive_json(caller, text.as_bytes(), None).await,
        Err(error) => Err(desk.refuse(caller, &[fault(&error)])),
    };
    match received {
        Ok((receipt, answer)) => {
            LineResult { line, status: status(&answer), receipt: Some(receipt), problem: None }
        }
        Err(problem) => LineResult { line, status: problem.status, receipt: None, problem: Some(problem) },
    }
}

fn fault(error: &LinesCodecError) -> Fault {
    match error {
        LinesCodecError::MaxLineLengthExceeded => Fault {
            pointer: String::new(),
            reason: RefusalReason::TooLarge,
            detail: format!("a line may have {MAX_REFERRAL_BYTES} bytes"),
        },
        LinesCodecError::Io(_) => Fault {
            pointer: String::new(),
            reason: RefusalReason::Malformed,
            detail: "the stream broke off, or is not UTF-8".to_owned(),
        },
    }
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
