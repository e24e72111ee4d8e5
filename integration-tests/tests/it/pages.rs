//! The dashboard's pages in a real browser, by people who signed in at a provider that nobody here wrote.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use causeway::example::World;
use fantoccini::{Client, Locator};
use integration_tests::{Deployment, calm_referral, free_address};
use serde_json::{Value, json};

use crate::browser::{Browser, finds_nothing, go_without_scripts, shows};
use crate::outside::{named, script};

/// Ends with the test. What it says has a reader until then.
struct Provider(Child, #[allow(dead_code, reason = "held open")] BufReader<ChildStdout>);

impl Drop for Provider {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// A deployment whose coordinator and German police sign in at a provider of their own.
async fn deployment(name: &str, token_seconds: u32) -> (Deployment, Provider, String) {
    let mut deployment = Deployment::prepare(name, None).await.unwrap();
    let listen = free_address().unwrap();
    let (provider, address) = provider(listen, token_seconds);
    let keys: Value = reqwest::get(format!("{address}/jwks")).await.unwrap().json().await.unwrap();
    trust(&mut deployment, &address, &keys);
    deployment.provider = Some(address);
    deployment.serve_all_at(listen).await.unwrap();
    (deployment, provider, format!("http://{listen}{}", dashboard::BASE))
}

fn provider(dashboard: SocketAddr, token_seconds: u32) -> (Provider, String) {
    let port = free_address().unwrap().port().to_string();
    let mut node = Command::new(named("CAUSEWAY_TEST_NODE"))
        .arg(script("provider.mjs"))
        .args([port, format!("http://{dashboard}{}/signed-in", dashboard::BASE)])
        .env("TOKEN_SECONDS", token_seconds.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = String::new();
    let mut said = BufReader::new(node.stdout.take().unwrap());
    said.read_line(&mut address).unwrap();
    (Provider(node, said), address.trim().to_owned())
}

/// The directory knows these agencies by the provider's tokens, and the services know its keys.
fn trust(deployment: &mut Deployment, provider: &str, keys: &Value) {
    let file = deployment.state().join("directory.json");
    let mut directory: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for entry in directory["entries"].as_array_mut().unwrap() {
        let agency = &mut entry["agency"];
        if ["un-coordinator", "de-police"].contains(&agency["id"].as_str().unwrap_or_default()) {
            agency["issuer"] = json!(provider);
        }
    }
    std::fs::write(&file, directory.to_string()).unwrap();
    deployment.world = World::open(deployment.state()).unwrap();
    let set = deployment.state().join(format!("issuer-{}.jwks.json", provider.rsplit('/').next().unwrap()));
    let mut known: Value = serde_json::from_str(&std::fs::read_to_string(&set).unwrap()).unwrap();
    known["keys"].as_array_mut().unwrap().extend(keys["keys"].as_array().unwrap().iter().cloned());
    std::fs::write(&set, known.to_string()).unwrap();
}

/// Where the provider asks who it is, and whether the dashboard may know.
async fn sign_in(browser: &Client, who: &str) {
    let name = browser.wait().for_element(Locator::Css("input[name=login]")).await.unwrap();
    name.send_keys(who).await.unwrap();
    browser.find(Locator::Css("input[name=password]")).await.unwrap().send_keys("any").await.unwrap();
    browser.find(Locator::Css("button[type=submit]")).await.unwrap().click().await.unwrap();
    let consent = browser.wait().for_element(Locator::Css("input[name=prompt][value=consent]")).await;
    if consent.is_err() {
        panic!("the provider does not ask for consent: {}", browser.source().await.unwrap());
    }
    browser.find(Locator::Css("button[type=submit]")).await.unwrap().click().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_looks_an_incident_up_and_its_browser_proves_the_trail() {
    let (mut deployment, _provider, pages) = deployment("incident", 3600).await;
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = serde_json::to_vec(&calm_referral("PAGES-2")).unwrap();
    let incident = hotline.refer(referral).await.unwrap().incident_id;
    let browser = Browser::start().await;
    let page = &browser.client;
    // Whoever asks for a page comes back to it after signing in.
    page.goto(&format!("{pages}/incidents")).await.unwrap();
    sign_in(page, "watch-1@un-coordinator").await;
    shows(page, "h1", "All incidents").await;
    shows(page, "#found", &incident.to_string()).await;
    finds_nothing(page, "all incidents").await;
    page.goto(&format!("{pages}/incidents?country=JP")).await.unwrap();
    shows(page, "#found", "Nothing here yet.").await;
    page.goto(&format!("{pages}/incidents?country=DE")).await.unwrap();
    page.find(Locator::Css("#found a")).await.unwrap().click().await.unwrap();
    shows(page, "#agencies", "de-police").await;
    shows(page, "#countries", "Lanzarote Convention Article 25(2)").await;
    shows(page, "#trail", "Proven: ").await;
    finds_nothing(page, "an incident").await;
    let text = page.source().await.unwrap();
    assert!(!text.contains("Synthetic"), "no name of a child: {text}");

    // What a coordinator does is a command of the service whose it is, and shown as it then stands.
    let form = "#agencies form[action$='/revoke']";
    let open = format!("document.querySelector(\"{form}\").parentElement.open = true");
    page.execute(&open, Vec::new()).await.unwrap();
    page.find(Locator::Css(&format!("{form} select")))
        .await
        .unwrap()
        .select_by_value("superseded")
        .await
        .unwrap();
    page.find(Locator::Css(&format!("{form} button"))).await.unwrap().click().await.unwrap();
    shows(page, ".done", "It is on record.").await;
    shows(page, "#agencies", "Revoked").await;
    shows(page, "#trail", "Proven: ").await;
    page.find(Locator::Css("#lead details summary")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("#lead form button")).await.unwrap().click().await.unwrap();
    shows(page, ".problem", "The command was rejected").await;
    page.goto(&format!("{pages}/incidents/{incident}")).await.unwrap();
    shows(page, "#trail", "Proven: ").await;

    // What differs from what was proven is found: here a row that somebody slipped in.
    let change = "document.querySelector('[data-event]').dataset.event = 'routing.events 99 0';";
    page.execute(change, Vec::new()).await.unwrap();
    let check = std::fs::read_to_string(asset("trail.js")).unwrap();
    page.execute(&check, Vec::new()).await.unwrap();
    shows(page, "#trail-status", "Not proven.").await;

    page.goto(&format!("{pages}/incidents/00000000-0000-8000-8000-000000000000")).await.unwrap();
    shows(page, ".problem", "There is no such thing for you").await;
    finds_nothing(page, "no such incident").await;
    // A slip of the hand is told on a page too.
    for slip in ["/incidents/nonsense", "/incidents?page=many", "/nowhere"] {
        page.goto(&format!("{pages}{slip}")).await.unwrap();
        shows(page, "h1", "This page cannot be shown").await;
    }
    page.goto(&format!("{pages}/incidents?page=many")).await.unwrap();
    shows(page, ".problem", "page: not a value of this parameter").await;
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_presses_tries_a_change_and_proposes_it() {
    let (mut deployment, _provider, pages) = deployment("work", 3600).await;
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = serde_json::to_vec(&calm_referral("PAGES-3")).unwrap();
    let incident = hotline.refer(referral).await.unwrap().incident_id;
    let browser = Browser::start().await;
    let page = &browser.client;
    page.goto(&pages).await.unwrap();
    sign_in(page, "watch-1@un-coordinator").await;
    shows(page, "#stages", "Offered, not accepted").await;

    // What each may open is said; and whoever has not answered is pressed to.
    page.goto(&format!("{pages}/incidents/{incident}")).await.unwrap();
    shows(page, "#agencies", "Narrative").await;
    page.find(Locator::Css("#agencies details summary")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("#agencies form[action$='/escalate'] button"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    shows(page, ".done", "It is on record.").await;
    shows(page, "#agencies", "Escalated (Needs coordination)").await;

    // A change is tried on what is watched, by routing's own rules; nothing is changed by it.
    page.goto(&format!("{pages}/directory")).await.unwrap();
    shows(page, "#rules", "Police unit").await;
    finds_nothing(page, "the directory").await;
    let shorten = "const text = document.querySelector('textarea'); const entry = JSON.parse(text.value);\
        entry.policy.version += 1;\
        entry.policy.rules.forEach((rule) => (rule.respond_within_minutes -= 1));\
        text.value = JSON.stringify(entry);";
    page.execute(shorten, Vec::new()).await.unwrap();
    page.find(Locator::Css("button[formaction]")).await.unwrap().click().await.unwrap();
    shows(page, "#preview", "would have gone otherwise").await;
    shows(page, "#preview", "Has to answer sooner").await;
    shows(page, "#preview", &incident.to_string()).await;
    finds_nothing(page, "a preview").await;
    // What was written is still there, and is proposed. What takes two, takes two.
    page.find(Locator::Css("#change button:not([formaction])")).await.unwrap().click().await.unwrap();
    shows(page, ".done", "It is on record.").await;
    shows(page, "#pending", "Waits for a second person").await;
    finds_nothing(page, "a change that waits").await;
    page.find(Locator::Css("form[action$='/confirm'] button")).await.unwrap().click().await.unwrap();
    shows(page, ".problem", "needs-second-person").await;
    page.goto(&format!("{pages}/directory")).await.unwrap();
    page.find(Locator::Css("form[action$='/withdraw'] button")).await.unwrap().click().await.unwrap();
    shows(page, ".done", "It is on record.").await;
    page.goto(&format!("{pages}/directory?entry=agency/de-police")).await.unwrap();
    shows(page, "h1", "agency/de-police").await;
    page.execute("document.querySelector('textarea').value = '{'", Vec::new()).await.unwrap();
    page.find(Locator::Css("button[formaction]")).await.unwrap().click().await.unwrap();
    shows(page, ".problem", "/entry: ").await;
    deployment.stop().await.unwrap();
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/dashboard/assets").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_coordinator_is_told_so_and_a_session_ends_with_its_token() {
    let (mut deployment, _provider, pages) = deployment("sessions", 12).await;
    let browser = Browser::start().await;
    let page = &browser.client;
    page.goto(&pages).await.unwrap();
    sign_in(page, "night-desk@de-police").await;
    shows(page, "h1", "These pages are for coordinators").await;
    finds_nothing(page, "not a coordinator").await;
    page.delete_all_cookies().await.unwrap();
    page.goto(&pages).await.unwrap();
    sign_in(page, "watch-1@un-coordinator").await;
    shows(page, "h1", "Overview").await;
    // Nothing more is shown, and the page says why.
    shows(page, "#live", "Your session has ended. Sign in again.").await;

    // A form from elsewhere is not taken, with a session or without.
    let client = reqwest::Client::new();
    let elsewhere = client.post(format!("{pages}/sign-out")).header("origin", "https://elsewhere.example");
    assert_eq!(elsewhere.send().await.unwrap().status(), 403);
    assert_eq!(client.post(format!("{pages}/sign-out")).send().await.unwrap().status(), 403);
    // Nobody is sent elsewhere after signing in.
    for next in ["//elsewhere.example", "https://elsewhere.example", "/dashboard\\@elsewhere.example"] {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let chosen =
            client.get(format!("{pages}/language/fr")).query(&[("next", next)]).send().await.unwrap();
        assert_eq!(chosen.headers()["location"], dashboard::BASE, "{next}");
    }
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_signs_in_and_watches_in_its_own_language() {
    let (mut deployment, _provider, pages) = deployment("pages", 3600).await;
    let browser = Browser::start().await;
    let page = &browser.client;
    page.goto(&pages).await.unwrap();
    sign_in(page, "watch-1@un-coordinator").await;
    shows(page, "h1", "Overview").await;
    shows(page, ".person", "watch-1").await;
    shows(page, "#needs", "Nothing needs a person now.").await;
    for cookie in page.get_all_cookies().await.unwrap() {
        if cookie.name().contains("causeway") {
            assert_eq!(cookie.http_only(), Some(true), "{cookie}");
            assert_eq!(cookie.secure(), Some(true), "{cookie}");
            assert!(!cookie.value().contains("eyJ"), "a token in clear: {cookie}");
        }
    }

    // What comes in is shown without anybody asking for it.
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = serde_json::to_vec(&calm_referral("PAGES-1")).unwrap();
    hotline.refer(referral).await.unwrap();
    shows(page, "#stages", "Offered, not accepted").await;
    shows(page, "#flows", "Germany").await;
    finds_nothing(page, "the overview").await;

    page.find(Locator::Css(".languages a[lang=ar]")).await.unwrap().click().await.unwrap();
    shows(page, "h1", "نظرة عامة").await;
    assert_eq!(
        page.find(Locator::Css("html")).await.unwrap().attr("dir").await.unwrap().as_deref(),
        Some("rtl")
    );
    shows(page, "#flows", "ألمانيا").await;
    finds_nothing(page, "the overview in Arabic").await;

    // Everything reads without a script.
    go_without_scripts(page, &pages).await;
    shows(page, "#flows", "ألمانيا").await;

    page.find(Locator::Css(".person button")).await.unwrap().click().await.unwrap();
    shows(page, "h1", "لقد سجّلت خروجك").await;
    deployment.stop().await.unwrap();
}
