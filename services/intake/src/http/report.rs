//! A CyberTipline report: one `report` and any number of `fileDetails`, as a provider's system already sends it.

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::auth::Caller;
use chassis::http::Form;
use chassis::limits::BodyTime;
use chassis::problem::Problem;
use chassis::signature::Signature;
use schemas::codes::RefusalReason;

use crate::Intake;
use crate::cybertipline::{self, MAX_TOTAL_BYTES};
use crate::domain::REPORTERS;
use crate::gate::{self, Fault, MAX_REFERENCE_BYTES};
use crate::http::aside::judged;
use crate::http::receive::Desk;
use crate::http::{Receipt, answered};
use crate::submission::Submission;

/// The reporter's own reference: NCMEC's format has none.
const REFERENCE: &str = "reporter-reference";
/// Longest name of an unknown part that is told.
const MAX_NAME_CHARS: usize = 64;
/// Most files described in one report.
const MAX_FILES: usize = 1_000;

/// Files a CyberTipline report (NCMEC's reporting API). Elements must stand in the order of its schema.
#[utoipa::path(post, path = "/v1/cybertipline", tag = "intake",
    params(("Reporter-Reference" = String, Header, description = "the reporter's own reference, 1 to 128 bytes")),
    request_body(content = ReportForm, content_type = "multipart/form-data",
        description = "a part `report` and any number of parts `fileDetails`, each an XML document"),
    responses((status = 201, body = Receipt), (status = 200, body = Receipt, description = "filed before"),
        (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn file_report(
    caller: Caller,
    Signature(signature): Signature,
    State(desk): State<Desk>,
    headers: HeaderMap,
    time: BodyTime,
    Form(multipart): Form,
) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    let not_multipart = |_| desk.refuse(&caller, &[malformed("", "not multipart/form-data")]);
    let multipart = multipart.map_err(not_multipart)?;
    let reference = reference(&headers).map_err(|fault| desk.refuse(&caller, &[fault]))?.to_owned();
    let parts = time.within(Parts::read(multipart)).await?.map_err(|refused| match refused {
        Unread::Fault(fault) => desk.refuse(&caller, &[fault]),
        Unread::TooLarge => Problem::too_large()
            .detail(format!("a report with its documents may have {MAX_TOTAL_BYTES} bytes")),
    })?;
    let read = judged(parts.bytes(), move || parts.submission(&reference)).await?;
    let submission = read.map_err(|faults| desk.refuse(&caller, &faults))?;
    let (receipt, answer) = desk.receive(&caller, &submission, gate::verdict(Vec::new()), signature).await?;
    Ok(answered::<Intake>(&answer, StatusCode::CREATED, &receipt))
}

/// The header, since the report itself has no place for it.
fn reference(headers: &HeaderMap) -> Result<&str, Fault> {
    let text = headers.get(REFERENCE).map(|value| value.to_str().unwrap_or_default());
    text.filter(|text| (1..=MAX_REFERENCE_BYTES).contains(&text.len())).ok_or_else(|| Fault {
        reason: RefusalReason::InvalidValue,
        ..malformed(REFERENCE, &format!("expected 1 to {MAX_REFERENCE_BYTES} printable ASCII characters"))
    })
}

fn faults(refused: cybertipline::Refused) -> Vec<Fault> {
    let fault = |violation: cybertipline::Violation| Fault {
        reason: if violation.is_unknown() {
            RefusalReason::UnknownField
        } else {
            RefusalReason::InvalidValue
        },
        pointer: violation.path,
        detail: violation.detail,
    };
    refused.violations.into_iter().map(fault).collect()
}

/// The parts of the form, as the OpenAPI document shows them.
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "the form is read part by part; this only describes it")]
struct ReportForm {
    /// The report, as XML.
    report: String,
    /// The documents on its files, as XML.
    #[schema(rename = "fileDetails")]
    file_details: Option<Vec<String>>,
}

struct Parts {
    report: String,
    files: Vec<String>,
}

/// Why there are no parts.
enum Unread {
    Fault(Fault),
    TooLarge,
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Unread {
    fn broken(error: &MultipartError, part: &str) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => malformed(part, "not multipart/form-data, or broken off").into(),
        }
    }
}

impl Parts {
    async fn read(mut multipart: Multipart) -> Result<Self, Unread> {
        let (mut report, mut files) = (None, Vec::new());
        while let Some(field) = multipart.next_field().await.map_err(|error| Unread::broken(&error, ""))? {
            match field.name().unwrap_or_default() {
                "report" if report.is_none() => report = Some(text(field, "report").await?),
                "report" => return Err(malformed("report", "more than one report").into()),
                "fileDetails" if files.len() < MAX_FILES => files.push(text(field, "fileDetails").await?),
                "fileDetails" => return Err(malformed("fileDetails", "more than 1000 files").into()),
                other => {
                    let detail = "parts are report and fileDetails; content is never taken in";
                    let name: String = other.chars().take(MAX_NAME_CHARS).collect();
                    return Err(
                        Fault { reason: RefusalReason::Attachment, ..malformed(&name, detail) }.into()
                    );
                }
            }
        }
        let report = report.ok_or_else(|| malformed("report", "missing"))?;
        Ok(Self { report, files })
    }

    fn bytes(&self) -> usize {
        self.report.len() + self.files.iter().map(String::len).sum::<usize>()
    }

    /// What the documents say, past the gate.
    fn submission(&self, reference: &str) -> Result<Submission, Vec<Fault>> {
        let submission = cybertipline::read(&self.report, &self.files, reference).map_err(faults)?;
        gate::check(&submission, &self.report, &self.files)?;
        Ok(submission)
    }
}

/// What a part says, as it was sent: nothing is replaced by what can be shown.
async fn text(field: Field<'_>, part: &str) -> Result<String, Unread> {
    let bytes = field.bytes().await.map_err(|error| Unread::broken(&error, part))?;
    String::from_utf8(bytes.into()).map_err(|_| malformed(part, "not UTF-8").into())
}

fn malformed(part: &str, detail: &str) -> Fault {
    Fault { pointer: part.to_owned(), reason: RefusalReason::Malformed, detail: detail.to_owned() }
}
