//! A CyberTipline report: one `report` and any number of `fileDetails`, as a provider's system already sends it.

use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::signature_of;
use chassis::problem::Problem;
use schemas::codes::RefusalReason;

use crate::Intake;
use crate::cybertipline;
use crate::gate::{self, Fault};
use crate::http::receive::Desk;
use crate::http::{REPORTERS, Receipt, answered};

/// The reporter's own reference: NCMEC's format has none.
const REFERENCE: &str = "reporter-reference";
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
    State(desk): State<Desk>,
    headers: HeaderMap,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    let not_multipart = |_| desk.refuse(&caller, &[malformed("", "not multipart/form-data")]);
    let multipart = multipart.map_err(not_multipart)?;
    let reference = headers.get(REFERENCE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parts = Parts::read(multipart).await.map_err(|fault| desk.refuse(&caller, &[fault]))?;
    let submission = cybertipline::read(&parts.report, &parts.files, reference)
        .map_err(|refused| desk.refuse(&caller, &faults(refused)))?;
    gate::check(&submission).map_err(|faults| desk.refuse(&caller, &faults))?;
    let signature = signature_of(&headers)?;
    let (receipt, answer) = desk.receive(&caller, &submission, gate::verdict(Vec::new()), signature).await?;
    Ok(answered::<Intake>(&answer, StatusCode::CREATED, &receipt))
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

impl Parts {
    async fn read(mut multipart: Multipart) -> Result<Self, Fault> {
        let (mut report, mut files) = (None, Vec::new());
        loop {
            let field = multipart.next_field().await.map_err(|_| malformed("", "not multipart/form-data"))?;
            let Some(field) = field else { break };
            let name = field.name().unwrap_or_default().to_owned();
            let text = field.text().await.map_err(|_| malformed(&name, "not UTF-8, or broken off"))?;
            match name.as_str() {
                "report" if report.is_none() => report = Some(text),
                "report" => return Err(malformed("report", "more than one report")),
                "fileDetails" if files.len() < MAX_FILES => files.push(text),
                "fileDetails" => return Err(malformed("fileDetails", "more than 1000 files")),
                _ => {
                    let detail = "parts are report and fileDetails; content is never taken in";
                    return Err(Fault { reason: RefusalReason::Attachment, ..malformed("", detail) });
                }
            }
        }
        let report = report.ok_or_else(|| malformed("report", "missing"))?;
        Ok(Self { report, files })
    }
}

fn malformed(part: &str, detail: &str) -> Fault {
    Fault { pointer: part.to_owned(), reason: RefusalReason::Malformed, detail: detail.to_owned() }
}
