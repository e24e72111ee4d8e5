//! The OpenAPI document: generated from the pages' own code, and served with them.
//!
//! What every page has in common is said once, here: problem documents, the answers of commands, the token.

use axum::routing::get;
use axum::{Json, Router};
use chassis::auth::Caller;
use chassis::clock::Clock;
use chassis::http::{CommandStatus, Path, Pending};
use chassis::problem::Problem;
use schemas::codes::{Entry, LISTS, List};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

use crate::asyncapi;
use crate::serve::ServiceName;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Causeway",
        description = "The backbone on which hotlines, police, central authorities and coordinators work one \
            cross-border child-protection incident together. Metadata, digests and identifiers; never content.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(CommandStatus, Entry, Pending, Problem))
)]
struct Document;

/// What every document says, whichever services it describes.
pub fn head() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]);
    document
}

/// `/openapi.json`, open to everyone: it says what there is, nothing of what is in it.
pub fn pages(document: &utoipa::openapi::OpenApi, services: &[ServiceName], clock: &Clock) -> Router {
    let document = complete(document, services, clock.is_development());
    Router::new()
        .route("/openapi.json", get(move || std::future::ready(Json(document.clone()))))
        .route("/asyncapi.json", get(|| std::future::ready(Json(asyncapi::document()))))
        .route("/v1/code-lists/{list}", get(code_list))
}

/// The generated document with what all pages have in common.
fn complete(document: &utoipa::openapi::OpenApi, services: &[ServiceName], development: bool) -> Value {
    let mut document = serde_json::to_value(document).expect("a document is plain data");
    if let Some(paths) = document["paths"].as_object_mut() {
        for service in services.iter().filter(|service| service.takes_commands()) {
            let name = service.name();
            paths.insert(format!("/v1/{name}/commands/{{command}}"), json!({ "get": status_page(name) }));
        }
        paths.insert("/v1/code-lists/{list}".to_owned(), json!({ "get": code_list_page() }));
        if development {
            paths.insert("/development/clock".to_owned(), clock_page());
        }
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            complete_operation(operation);
        }
        // Open to everyone, and so with none of what pages behind a token have in common.
        for (path, page) in open_pages() {
            paths.insert(path.to_owned(), json!({ "get": page }));
        }
    }
    document
}

/// What operators and their machines read without a token.
fn open_pages() -> [(&'static str, Value); 5] {
    let page = |id: &str, summary: &str, media_type: &str, schema: Value| {
        json!({ "tags": ["operations"], "operationId": id, "summary": summary, "security": [],
            "responses": { "200": { "description": "", "content": { media_type: { "schema": schema } } } } })
    };
    let (text, object) = (json!({ "type": "string" }), json!({ "type": "object" }));
    let readiness = json!({ "type": "object", "required": ["ready", "waiting_for"], "properties": {
        "ready": { "type": "boolean" }, "waiting_for": { "type": "array", "items": { "type": "string" } } } });
    let mut ready = page("ready", "Whether it may be sent requests.", "application/json", readiness.clone());
    ready["responses"]["503"] = json!({ "description": "not yet, and what it waits for",
        "content": { "application/json": { "schema": readiness } } });
    [
        ("/health/live", page("live", "Whether the process answers.", "text/plain", text.clone())),
        ("/health/ready", ready),
        ("/metrics", page("metrics", "Metrics, for Prometheus.", "text/plain", text)),
        ("/openapi.json", page("openapi", "This document.", "application/json", object.clone())),
        ("/asyncapi.json", page("asyncapi", "The topics, as AsyncAPI 3.", "application/json", object)),
    ]
}

fn clock_page() -> Value {
    let moment = json!({ "application/json": { "schema": { "type": "object", "required": ["now"],
        "additionalProperties": false,
        "properties": { "now": { "type": "string", "format": "date-time" } } } } });
    let operation = |id: &str, summary: &str| {
        json!({ "tags": ["development"], "operationId": id, "summary": summary,
            "responses": { "200": { "description": "", "content": moment } } })
    };
    let mut set = operation("set_clock", "Moves the moment at which commands are given.");
    set["requestBody"] = json!({ "required": true, "content": moment });
    json!({ "get": operation("clock", "The moment at which commands are given."), "put": set })
}

/// One code list with labels, definitions and sources.
async fn code_list(_: Caller, Path(name): Path<String>) -> Result<Json<Vec<Entry>>, Problem> {
    List::named(&name).map(|list| Json(list.entries())).ok_or_else(Problem::not_found)
}

fn code_list_page() -> Value {
    let names: Vec<&str> = LISTS.iter().map(|list| list.name).collect();
    let entries = json!({ "type": "array", "items": { "$ref": "#/components/schemas/CodeListEntry" } });
    json!({
        "tags": ["contract"],
        "operationId": "code_list",
        "summary": "The codes of a list, with labels, definitions and sources.",
        "parameters": [{ "name": "list", "in": "path", "required": true,
            "schema": { "type": "string", "enum": names } }],
        "responses": { "200": { "description": "", "content": { "application/json": { "schema": entries } } } },
    })
}

fn status_page(service: &str) -> Value {
    json!({
        "tags": [service],
        "operationId": "command_status",
        "summary": "How a command of the caller's own agency stands.",
        "parameters": [{ "name": "command", "in": "path", "required": true, "schema": { "type": "string" } }],
        "responses": { "200": { "description": "", "content": {
            "application/json": { "schema": { "$ref": "#/components/schemas/CommandStatus" } } } } },
    })
}

/// Answers of every page; a command's besides.
const EVERY: [(&str, &str); 5] = [
    ("400", "the request cannot be read"),
    ("401", "no valid token"),
    ("404", "there is no such thing for the caller"),
    ("500", "something broke"),
    ("503", "not reachable for now"),
];
const COMMANDS: [(&str, &str); 5] = [
    ("403", "not for this agency's role, or not for a machine"),
    ("409", "the command was rejected"),
    ("413", "the request is too large"),
    ("422", "a field is not valid, or the key asked for something else before"),
    ("429", "too many requests at once"),
];

fn complete_operation(operation: &mut Value) {
    let tag = operation["tags"][0].as_str().unwrap_or("causeway").to_owned();
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    // Services name their pages alike; the document must not.
    operation["operationId"] = format!("{tag}_{id}").into();
    let command = operation.get("requestBody").is_some() || has_key(operation);
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (code, description) in EVERY.iter().chain(COMMANDS.iter().filter(|_| command)) {
        responses.entry(*code).or_insert_with(|| json!({ "description": description }));
    }
    if let Some(done) = responses.get("201").cloned() {
        responses.entry("200").or_insert(done);
        let pending = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Pending" } } });
        let description = "durable, and answered at the address in Location";
        responses.entry("202").or_insert_with(|| json!({ "description": description, "content": pending }));
    }
    let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
    for (code, response) in responses {
        if code.starts_with('4') || code.starts_with('5') {
            response["content"] = json!({ "application/problem+json": problem });
        }
    }
}

fn has_key(operation: &Value) -> bool {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.into_iter().any(|parameter| parameter["name"] == "Idempotency-Key")
}
