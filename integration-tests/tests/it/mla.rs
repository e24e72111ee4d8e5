//! Legal assistance from end to end: a preservation and the request behind it, each side over HTTP.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use client::Client;
use integration_tests::{Deployment, await_some, calm_referral, program};
use mla::http::{Due, LegalBases, RequestView, Requests};
use schemas::codes::{ClockEnd, ContentElement, DueReason, PreservationAdvice, RequestState, RequestStep};
use schemas::digest;
use schemas::ids::{IncidentId, RequestId};
use serde_json::{Value, json};

use delivery::inbox::Entry;

/// A made-up world in which one State has taken an incident up.
struct Case {
    deployment: Deployment,
    incident: IncidentId,
    keys: std::cell::Cell<u32>,
}

impl Case {
    async fn start(name: &str) -> Self {
        let deployment = Deployment::start(name).await.unwrap();
        let hotline = deployment.client("intake", "nl-hotline").unwrap();
        let receipt = hotline.refer(serde_json::to_vec(&calm_referral("MLA-1")).unwrap()).await.unwrap();
        let incident = receipt.incident_id;
        let german = deployment.client("delivery", "de-police").unwrap();
        let offered = || async {
            let entries = german.inbox("").await.unwrap().entries;
            entries.into_iter().find_map(|entry| match entry {
                Entry::Assignment(entry) if entry.incident_id == incident => Some(entry.assignment_id),
                _ => None,
            })
        };
        let offered = await_some("the offer", offered).await.unwrap();
        german.answer(incident, offered, "accept", &()).await.unwrap();
        let case = Self { deployment, incident, keys: std::cell::Cell::new(0) };
        let central = case.client("de-central");
        let knows = || async { central.get::<Requests>(&case.path("")).await.ok() };
        await_some("the incident at mla", knows).await.unwrap();
        case
    }

    fn client(&self, agency: &str) -> Client {
        self.deployment.client("mla", agency).unwrap()
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/incidents/{}/requests{rest}", self.incident)
    }

    fn key(&self) -> String {
        self.keys.set(self.keys.get() + 1);
        format!("mla-{}", self.keys.get())
    }

    async fn draft(&self, agency: &str, asked: &Value) -> RequestView {
        self.client(agency).command(&self.path(""), &self.key(), asked).await.unwrap()
    }

    async fn step(&self, agency: &str, request: RequestId, step: &str, body: Value) -> RequestView {
        self.try_step(agency, request, step, body).await.unwrap_or_else(|code| panic!("{step}: {code}"))
    }

    async fn try_step(
        &self,
        agency: &str,
        request: RequestId,
        step: &str,
        body: Value,
    ) -> Result<RequestView, String> {
        let path = self.path(&format!("/{request}/{step}"));
        let done = self.client(agency).command(&path, &self.key(), &json!({ "step": body })).await;
        done.map_err(|error| error.to_string())
    }

    async fn show(&self, agency: &str, request: RequestId) -> RequestView {
        self.client(agency).get(&self.path(&format!("/{request}"))).await.unwrap()
    }

    async fn move_clock(&self, to: &str) {
        let client = self.client("de-central");
        let _: Value = client.put("/development/clock", &json!({ "now": to })).await.unwrap();
    }
}

const PRESERVATION_ELEMENTS: [&str; 7] =
    ["authority", "proceedings", "facts", "data-and-link", "addressee", "necessity", "intent-to-request"];

fn texts(elements: &[&str]) -> Value {
    elements
        .iter()
        .map(|element| (element.to_string(), format!("synthetic text: {element}").into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn preservation(elements: &[&str]) -> Value {
    json!({ "kind": "assistance", "requested": "US", "authority": "us-central", "measures": ["preservation"],
        "basis": "budapest", "translation": "not-needed", "languages": ["en"], "elements": texts(elements) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preservation_guards_the_request_behind_it() {
    let mut case = Case::start("mla-preservation").await;
    let bases: LegalBases = case
        .client("de-central")
        .get("/v1/legal-bases?requesting=DE&requested=US&measure=preservation&kind=csam")
        .await
        .unwrap();
    let candidates: BTreeSet<&str> = bases.candidates.iter().map(|one| one.instrument.as_str()).collect();
    assert_eq!(candidates, BTreeSet::from(["budapest"]));
    assert_eq!(bases.candidates.len() + bases.excluded.len(), 19);

    // A draft is its own side's; what it lacks is told by name and article.
    let draft = case.draft("de-central", &preservation(&["authority", "proceedings"])).await;
    let id = draft.request_id;
    let stranger: Result<RequestView, _> = case.client("us-central").get(&case.path(&format!("/{id}"))).await;
    assert_eq!(stranger.unwrap_err().code(), Some("not-found"));
    assert_eq!(draft.missing.len(), 5);
    let told = case.try_step("de-central", id, "validation", json!({ "by": "public-prosecutor" })).await;
    let told = told.unwrap_err();
    assert!(told.contains("/elements/intent-to-request: missing: Article 29(2)(f)"), "{told}");
    let whole = preservation(&PRESERVATION_ELEMENTS);
    let _: RequestView = case
        .client("de-central")
        .command(&case.path(&format!("/{id}/amend")), &case.key(), &whole)
        .await
        .unwrap();
    case.step("de-central", id, "validation", json!({ "by": "public-prosecutor" })).await;
    case.step("de-central", id, "transmission", json!({ "channel": "contact-point", "oral": true })).await;

    // Both sides open its text with their own keys; nobody else does.
    let german = case.deployment.client("delivery", "de-police").unwrap();
    for (agency, reads) in [("us-central", true), ("de-central", true), ("fr-central", false)] {
        let (key_id, keys) = case.deployment.world.keys(agency).unwrap();
        let client = case.deployment.client("delivery", agency).unwrap();
        let opened =
            || async { client.open_request(case.incident, id, &key_id, &keys, &case.key()).await.ok() };
        if !reads {
            assert!(opened().await.is_none(), "{agency}");
            continue;
        }
        let opened = await_some("the text", opened).await.unwrap();
        // Of a draft that was amended the last text alone.
        assert_eq!(opened.len(), 1, "{agency}: {opened:?}");
        let facts: Vec<&str> =
            opened.iter().filter_map(|one| one.content["elements"]["facts"].as_str()).collect();
        assert_eq!(facts, ["synthetic text: facts"], "{agency}");
    }
    let (key_id, keys) = case.deployment.world.keys("de-police").unwrap();
    assert!(german.open_request(case.incident, id, &key_id, &keys, "no part in it").await.is_err());
    let told = || async {
        let inbox = case.deployment.client("delivery", "us-central").unwrap().inbox("").await.unwrap();
        inbox.entries.into_iter().find_map(|entry| match entry {
            Entry::Request { request_id, step: RequestStep::Transmission, .. } => Some(request_id),
            _ => None,
        })
    };
    assert_eq!(await_some("the request in the inbox", told).await.unwrap(), id);

    // The other side receives, preserves, and says until when the data holder keeps the data.
    case.step("us-central", id, "receipt", json!({})).await;
    let now = case.show("us-central", id).await.history.last().unwrap().at;
    let ends = now.plus_minutes(40 * 24 * 60);
    let view = case.step("us-central", id, "preserved", json!({ "holder_end": ends })).await;
    assert_eq!(view.state, RequestState::Executed);
    let clocks: BTreeSet<&str> = view.periods.iter().map(|period| period.clock.as_str()).collect();
    assert_eq!(clocks, BTreeSet::from(["BUD-29", "holder-end"]));
    let ours = case.show("de-central", id).await;
    let advice: Vec<PreservationAdvice> = ours.advice.iter().map(|advice| advice.advice).collect();
    assert_eq!(advice, [PreservationAdvice::MakeRequest]);
    assert!(ours.awaits_written_confirmation);

    // It warns before the end; the list of the day has it first.
    case.move_clock(&now.plus_minutes(35 * 24 * 60).to_string()).await;
    let due = || async {
        let due: Due = case.client("de-central").get("/v1/mla/due").await.unwrap();
        due.items.first().filter(|item| item.reason == DueReason::Preservation).cloned()
    };
    let first = await_some("what is due", due).await.unwrap();
    assert_eq!((first.clock.as_deref(), first.due, first.owed_by_us), (Some("holder-end"), Some(ends), true));

    // Once the request behind it is received, it guards the data itself.
    let behind = json!({ "kind": "assistance", "requested": "US", "authority": "us-central",
        "measures": ["content-data"], "basis": "budapest", "translation": "not-needed", "parent": id,
        "elements": texts(&["authority", "assistance"]) });
    let behind = case.draft("de-central", &behind).await.request_id;
    case.step("de-central", behind, "validation", json!({ "by": "judge" })).await;
    case.step("de-central", behind, "transmission", json!({ "channel": "central-authorities" })).await;
    case.step("us-central", behind, "receipt", json!({})).await;
    let guarded = case.show("de-central", id).await;
    assert!(guarded.periods.iter().all(|period| period.end == Some(ClockEnd::Superseded)), "{guarded:?}");
    assert!(guarded.advice.is_empty());
    case.deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn information_given_under_conditions_is_opened_once_they_are_agreed_to() {
    let mut case = Case::start("mla-unasked").await;
    let given = json!({ "kind": "assistance", "requested": "US", "authority": "us-central", "basis": "budapest",
        "measures": ["spontaneous-information"], "translation": "not-needed",
        "conditions": ["confidentiality", "use-limitation"],
        "elements": texts(&["authority", "facts", "purpose", "assistance"]) });
    let id = case.draft("de-central", &given).await.request_id;
    case.step("de-central", id, "validation", json!({ "by": "public-prosecutor" })).await;
    case.step("de-central", id, "transmission", json!({ "channel": "central-authorities" })).await;
    let told = case.step("us-central", id, "receipt", json!({})).await;
    assert!(!told.conditions.is_empty() && !told.conditions_agreed);
    let (key_id, keys) = case.deployment.world.keys("us-central").unwrap();
    let client = case.deployment.client("delivery", "us-central").unwrap();
    // Delivery has heard of it once it says no rather than that it knows nothing.
    let refused = || async {
        let opened = client.open_request(case.incident, id, &key_id, &keys, &case.key()).await;
        opened.err().map(|error| error.to_string()).filter(|error| error.contains("conditions-not-agreed"))
    };
    await_some("a refusal", refused).await.unwrap();
    case.step("us-central", id, "conditions-agreement", json!({})).await;
    let opened = || async { client.open_request(case.incident, id, &key_id, &keys, &case.key()).await.ok() };
    let opened = await_some("the text", opened).await.unwrap();
    assert_eq!(opened[0].content["elements"]["facts"], "synthetic text: facts");
    case.step("de-central", id, "closure", json!({})).await;
    case.deployment.stop().await.unwrap();
}

/// What the clerk's command line prints, with the agency's token.
fn causeway(case: &Case, agency: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program().unwrap())
        .args(["--url", &case.deployment.url("mla"), "--json"])
        .env("CAUSEWAY_TOKEN", case.deployment.world.token(agency, "clerk").unwrap())
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{arguments:?}: {said}");
    String::from_utf8(ran.stdout).unwrap()
}

fn text_of(pdf: &Path) -> String {
    let python = std::env::var_os("CAUSEWAY_TEST_PYTHON").expect("cargo xtask test names it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/read_pdf.py");
    let read = Command::new(python).arg(script).arg(pdf).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    String::from_utf8(read.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_paper_says_what_the_request_says() {
    let mut case = Case::start("mla-paper").await;
    let all: Vec<&str> = ContentElement::ALL.iter().map(|element| element.code()).collect();
    let reasons = ["necessity", "facts"];
    let eio = json!({ "kind": "assistance", "requested": "FR", "authority": "fr-central", "basis": "eio",
        "measures": ["content-data"], "translation": "not-needed", "elements": texts(&all) });
    let order = json!({ "kind": "production-order", "requested": "IE", "authority": "ie-central",
        "addressee": "ie-provider", "basis": "e-evidence", "measures": ["content-data"],
        "translation": "not-needed", "elements": texts(&all) });
    let forms = [
        ("budapest-29", preservation(&all), "authority"),
        ("eio-annex-a", eio, "authority"),
        ("epoc-annex-i", order.clone(), "authority"),
        ("epoc-annex-i", order, "addressee"),
    ];
    let (key_id, _) = case.deployment.world.keys("de-central").unwrap();
    let key = case.deployment.world.key_file("de-central");
    for (form, asked, copy) in forms {
        let id = case.draft("de-central", &asked).await.request_id;
        for (language, heading) in [("english", "Section A"), ("french", "Section A :")] {
            let name = format!("{form}-{copy}-{language}.pdf");
            let out = case.deployment.state().join(name);
            let (incident, request) = (case.incident.to_string(), id.to_string());
            let (key_path, out_path) = (key.to_str().unwrap(), out.to_str().unwrap());
            let arguments = [
                "mla",
                "paper",
                &incident,
                &request,
                "--form",
                form,
                "--language",
                language,
                "--copy",
                copy,
                "--out",
                out_path,
                "--key",
                key_path,
                "--key-id",
                key_id.as_str(),
            ];
            let text = || async {
                let opened = case.client("de-central");
                let (key_id, keys) = case.deployment.world.keys("de-central").unwrap();
                opened.open_request(case.incident, id, &key_id, &keys, &case.key()).await.ok()
            };
            await_some("the text", text).await.unwrap();
            let view: RequestView = serde_json::from_str(&causeway(&case, "de-central", &arguments)).unwrap();
            let pdf = std::fs::read(&out).unwrap();
            assert_eq!(
                view.papers.last().unwrap().digest,
                digest::of_file(&pdf),
                "{form}: its digest is on record"
            );
            let text = text_of(&out);
            for element in &all {
                let told = copy == "authority" || !reasons.contains(element);
                let expected = format!("synthetic text: {element}");
                assert_eq!(
                    text.contains(&expected),
                    told,
                    "{form} for the {copy} in {language}: {element}\n{text}"
                );
            }
            let tag = if language == "english" { "en" } else { "fr" };
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let measure = view.measures[0].label(tag);
            assert!(
                form == "budapest-29" || words.contains(&measure),
                "{form} in {language}: {measure}\n{text}"
            );
            let authority = format!("({})", view.requested.authority);
            let says = [request.as_str(), "DE", &authority].iter().all(|part| text.contains(part));
            assert!(
                says && (form == "budapest-29" || text.contains(heading)),
                "{form} in {language}:\n{text}"
            );
        }
    }
    case.deployment.stop().await.unwrap();
}
