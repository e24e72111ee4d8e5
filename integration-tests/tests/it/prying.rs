//! A coordinator of one country who tries to learn who a child is, or what goes on elsewhere: from pages, files, ids,
//! counts and the time that answers take. What came of it stands in docs/what-a-coordinator-cannot-learn.md.

use std::time::{Duration, Instant};

use axum::response::IntoResponse as _;
use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::{Cookie, Key};
use causeway::example::{self, World};
use client::Client;
use delivery::inbox::Entry;
use integration_tests::{Deployment, await_some, calm_referral, free_address};
use schemas::ids::IncidentId;
use serde_json::{Value, json};

/// Looks that are timed together.
const TIMED: usize = 8;

/// Looks at a page from a session.
struct Pryer {
    http: reqwest::Client,
    pages: String,
    cookie: String,
}

impl Pryer {
    fn new(deployment: &Deployment, pages: String) -> Self {
        let secret = std::fs::read_to_string(deployment.state().join("session.secret")).unwrap();
        let jar = PrivateCookieJar::new(Key::derive_from(&hex::decode(secret.trim()).unwrap()));
        let token = deployment.world.token("un-coordinator", "watch-1").unwrap();
        let told = jar.add(Cookie::new("__Secure-causeway", token)).into_response();
        let cookie = told.headers()["set-cookie"].to_str().unwrap().to_owned();
        Self { http: reqwest::Client::new(), pages, cookie }
    }

    async fn look(&self, path: &str) -> (u16, String) {
        let page = self.http.get(format!("{}{path}", self.pages)).header("cookie", &self.cookie);
        let answer = page.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// One that watches Brazil alone.
fn narrow(deployment: &mut Deployment) {
    let file = deployment.state().join("directory.json");
    let mut directory: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let entries = directory["entries"].as_array_mut().unwrap();
    let coordinator = entries.iter_mut().find(|entry| entry["agency"]["id"] == "un-coordinator").unwrap();
    coordinator["agency"]["scope"] = json!(["BR"]);
    std::fs::write(&file, directory.to_string()).unwrap();
    deployment.world = World::open(deployment.state()).unwrap();
}

/// What a change of the directory would have done to the incident.
async fn tried(coordinator: &Client, entry: &Value, incident: IncidentId) -> Value {
    let asked = json!({ "entry": entry, "incidents": [incident] });
    coordinator.command("/v1/routing/preview", "unused", &asked).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_who_pries_learns_no_more_than_is_for_it() {
    let mut deployment = Deployment::prepare("prying", None).await.unwrap();
    narrow(&mut deployment);
    let listen = free_address().unwrap();
    deployment.provider = Some("http://127.0.0.1:9".to_owned());
    deployment.serve_all_at(listen).await.unwrap();
    let pryer = Pryer::new(&deployment, format!("http://{listen}{}", dashboard::BASE));

    // One incident leads to Brazil, with children in Germany and France; the other is between two States elsewhere.
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = serde_json::to_vec(&calm_referral("PRYING-1")).unwrap();
    let shown = hotline.refer(referral).await.unwrap().incident_id;
    let provider = deployment.client("intake", "us-provider").unwrap();
    let files = vec![example::FILE_DETAILS.to_owned()];
    let report = provider.refer_report("PRYING-2", example::REPORT.to_owned(), files).await.unwrap();
    let hidden = report.incident_id;
    for (agency, incident) in [("de-police", shown), ("us-police", hidden)] {
        let client = deployment.client("delivery", agency).unwrap();
        let offer = || async {
            client.inbox("?limit=500").await.ok()?.entries.into_iter().find_map(|entry| match entry {
                Entry::Assignment(entry) if entry.incident_id == incident => Some(entry.assignment_id),
                _ => None,
            })
        };
        let offer = await_some("the offer", offer).await.unwrap();
        client.answer(incident, offer, "accept", &()).await.unwrap();
    }
    let is_there = || async { pryer.look("/incidents").await.1.contains(&shown.to_string()).then_some(()) };
    await_some("the incident", is_there).await.unwrap();

    // Names, other States' agencies, and where the children are: on no page, in no file, whatever is asked for.
    let trail = format!("/incidents/{shown}/trail");
    for path in ["", "/incidents", &format!("/incidents/{shown}"), &trail] {
        let (status, text) = pryer.look(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        for kept in ["Synthetic", "de-police", "fr-police", &hidden.to_string()] {
            assert!(!text.contains(kept), "{path} tells {kept}: {text}");
        }
    }
    // What can be chosen is what is watched; another country can be asked for, and has nothing.
    let (_, all) = pryer.look("/incidents").await;
    assert!(all.contains("1 of 1") || all.contains("\u{2068}1\u{2069} of \u{2068}1\u{2069}"), "{all}");
    for asked in ["country=DE", "country=FR", "country=NL", "country=US", "country=PH", "stage=at-work"] {
        let (_, page) = pryer.look(&format!("/incidents?{asked}")).await;
        assert!(page.contains("Nothing here yet."), "{asked}: {page}");
    }
    // No count moves with what goes on elsewhere.
    let coordinator = deployment.client("dashboard", "un-coordinator").unwrap();
    let overview: Value = coordinator.get("/v1/overview").await.unwrap();
    assert_eq!(overview["incidents"], 1, "{overview}");
    assert_eq!(overview["stages"], json!({ "offered": 1 }), "that the Germans are at work: {overview}");
    assert_eq!((&overview["children"], &overview["flows"]), (&json!(0), &json!([])), "{overview}");

    // An incident elsewhere is as one that there is not: the same words, in the same time.
    let unknown = IncidentId::from_bytes([7; 16]);
    for part in ["", "/trail"] {
        let mut times = Vec::new();
        let mut answers = Vec::new();
        for incident in [hidden, unknown] {
            let begun = Instant::now();
            for _ in 0..TIMED {
                let (status, text) = pryer.look(&format!("/incidents/{incident}{part}")).await;
                answers.push((status, text.replace(&incident.to_string(), "-")));
            }
            times.push(begun.elapsed());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0].0, 404);
        eprintln!("{TIMED} looks at {part:?}: hidden {:?}, unknown {:?}", times[0], times[1]);
    }
    for part in ["routing", "children", "requests", "trail", "readers"] {
        for incident in [hidden, unknown] {
            let asked = coordinator.get::<Value>(&format!("/v1/incidents/{incident}/{part}")).await;
            let told = asked.map(|value| value.to_string());
            let nothing = told.as_ref().map_or_else(
                |problem| problem.code() == Some("not-found"),
                |text| !text.contains("police") && !text.contains("\"US\""),
            );
            assert!(nothing, "{part} of {incident}: {told:?}");
        }
    }

    // A preview tells of watched countries alone: also where an agency elsewhere is said to be here.
    let listing: Value = coordinator.get("/v1/directory?kind=agency").await.unwrap();
    let entries = listing["entries"].as_array().unwrap();
    let agency = |id: &str| {
        entries.iter().map(|one| &one["entry"]).find(|entry| entry["agency"]["id"] == id).unwrap().clone()
    };
    for id in ["de-police", "ke-police"] {
        let mut moved = agency(id);
        moved["agency"]["country"] = "BR".into();
        let preview = tried(&coordinator, &moved, shown).await;
        assert_eq!(preview["effects"][0]["effect"], "asked", "whether it is asked already: {preview}");
        let mut other = agency(id);
        other["agency"]["incident_kinds"] = json!(["other"]);
        assert_eq!(tried(&coordinator, &other, shown).await["effects"], json!([]), "{id}");
    }
    for incident in [hidden, unknown] {
        let preview = tried(&coordinator, &agency("us-police"), incident).await;
        assert_eq!((&preview["tried"], &preview["effects"]), (&json!(0), &json!([])), "{preview}");
    }

    // Nor does anything happen by a command.
    let elsewhere = pryer
        .http
        .post(format!("{}/incidents/{hidden}/lead", pryer.pages))
        .header("cookie", &pryer.cookie)
        .header("origin", format!("http://{listen}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("key=00000000-0000-4000-8000-000000000001&country=US");
    let answer = elsewhere.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404, "{}", answer.text().await.unwrap());
    tokio::time::timeout(Duration::from_secs(60), deployment.stop()).await.unwrap().unwrap();
}
