//! The desk, as the program that an agency starts: in a real browser, by keyboard, and closed to everybody else.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use causeway::example::IMMINENT_DANGER;
use delivery::inbox::Entry;
use desk::forms::{Choices, Forms};
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use intake::http::Receipt;
use integration_tests::{Deployment, free_address, program};
use pages::words::Words;
use reqwest::header::{COOKIE, HOST, ORIGIN};
use schemas::ids::IncidentId;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::browser::{Browser, finds_nothing, go_without_scripts, shows, tell, text};

/// Ends with the test. What it says has a reader until then.
struct Desk {
    program: Child,
    _said: BufReader<ChildStdout>,
    /// With its secret.
    entrance: String,
}

impl Drop for Desk {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.program.kill().and_then(|()| self.program.wait());
    }
}

impl Desk {
    fn of(deployment: &Deployment, agency: &str) -> Self {
        Self::at(&deployment.url("delivery"), deployment, agency)
    }

    fn at(address: &str, deployment: &Deployment, agency: &str) -> Self {
        let token = deployment.state().join(format!("{agency}.token"));
        std::fs::write(&token, deployment.world.token(agency, "night-desk").unwrap()).unwrap();
        let mut program = Command::new(program().unwrap())
            .args(["--url", address, "desk", "--listen"])
            .arg(free_address().unwrap().to_string())
            .arg("--key")
            .arg(deployment.world.key_file(agency))
            .arg("--token-file")
            .arg(token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(program.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("/enter?") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "the desk says where it is");
        }
        Self { program, _said: said, entrance: line.trim().to_owned() }
    }

    fn origin(&self) -> &str {
        self.entrance.split("/enter").next().unwrap()
    }

    fn secret(&self) -> &str {
        self.entrance.split('=').nth(1).unwrap()
    }
}

async fn refer(deployment: &Deployment, reference: &str) -> Receipt {
    let mut referral: Value = serde_json::from_str(IMMINENT_DANGER).unwrap();
    referral["reference"] = reference.into();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    hotline.refer(serde_json::to_vec(&referral).unwrap()).await.unwrap()
}

/// With that the State takes part, and its authority may ask for assistance.
async fn accept(deployment: &Deployment, agency: &str, incident: IncidentId) {
    let police = deployment.client("delivery", agency).unwrap();
    let offered = || async {
        let entries = police.inbox("").await.unwrap().entries;
        entries.into_iter().find_map(|entry| match entry {
            Entry::Assignment(entry) if entry.incident_id == incident => Some(entry.assignment_id),
            _ => None,
        })
    };
    let assignment = integration_tests::await_some("the offer", offered).await.unwrap();
    police.answer(incident, assignment, "accept", &()).await.unwrap();
}

/// Presses keys, whatever has the focus.
async fn press(page: &Client, keys: &[Key]) {
    use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
    let mut actions = KeyActions::new("keyboard".to_owned());
    for key in keys {
        let value = char::from(*key);
        actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
    }
    page.perform_actions(actions).await.unwrap();
}

/// Goes on with the tab key until what the script names has the focus.
async fn tab_to(page: &Client, css: &str) {
    let has_it = format!("return document.activeElement === document.querySelector({css:?})");
    for _ in 0..200 {
        if page.execute(&has_it, Vec::new()).await.unwrap() == json!(true) {
            return;
        }
        press(page, &[Key::Tab]).await;
    }
    panic!("the tab key does not reach {css}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_takes_a_referral_up_by_keyboard_and_opens_it_here() {
    let mut deployment = Deployment::start("desk").await.unwrap();
    let (address, line) = line_to(&deployment).await;
    let desk = Desk::at(&address, &deployment, "de-police");
    let browser = Browser::start().await;
    let page = &browser.client;
    page.goto(&desk.entrance).await.unwrap();
    assert!(!page.current_url().await.unwrap().as_str().contains("secret"), "the secret leaves the address");
    shows(page, "h1", "Inbox").await;
    shows(page, ".person", "night-desk").await;
    shows(page, ".person", "de-police").await;
    finds_nothing(page, "an empty inbox").await;
    let may = json!({ "origin": desk.origin(), "permissions": ["notifications"] });
    tell(page, "Browser.grantPermissions", may).await;
    page.goto(desk.origin()).await.unwrap();
    shows(page, "#as-of", "As of").await;
    page.execute("tell.addEventListener('told', (event) => (document.title = event.detail))", Vec::new())
        .await
        .unwrap();

    // What comes is shown by itself, and told on the desktop.
    let receipt = refer(&deployment, "DESK-1").await;
    shows(page, "#to-answer", "Imminent danger: Ongoing abuse").await;
    finds_nothing(page, "the inbox").await;
    let assignment = page.find(Locator::Css("[data-danger]")).await.unwrap();
    let assignment = assignment.attr("data-danger").await.unwrap().unwrap();
    let told = integration_tests::await_some("the notification", || async {
        page.title().await.ok().filter(|title| *title == assignment)
    });
    told.await.unwrap();

    // By keyboard alone: from the inbox to the incident, accept, and open.
    tab_to(page, "#to-answer tbody a").await;
    press(page, &[Key::Enter]).await;
    shows(page, "h1", &receipt.incident_id.to_string()).await;
    finds_nothing(page, "an incident").await;
    tab_to(page, ".assignment details.act summary").await;
    press(page, &[Key::Enter]).await;
    tab_to(page, ".assignment details[open] button").await;
    press(page, &[Key::Enter]).await;
    shows(page, ".done", "It is on record.").await;
    shows(page, ".assignment h2", "Accepted").await;
    tab_to(page, "form.open button").await;
    press(page, &[Key::Enter]).await;
    shows(page, "h1", "Opened").await;
    shows(page, "main", "Synthetic Child One").await;
    finds_nothing(page, "what was opened").await;

    // The same in Arabic: a child of the incident is taken up.
    page.find(Locator::Css(".languages a[lang=ar]")).await.unwrap().click().await.unwrap();
    shows(page, "#children", "مجهول الهوية").await;
    page.find(Locator::Css("#children tbody a")).await.unwrap().click().await.unwrap();
    shows(page, "h1", "الطفل").await;
    finds_nothing(page, "a child in Arabic").await;
    page.find(Locator::Css("#work details.act summary")).await.unwrap().click().await.unwrap();
    shows(page, "#work details[open]", "أيام الصمت").await;
    page.find(Locator::Css("#work details[open] button")).await.unwrap().click().await.unwrap();
    shows(page, "#history", "تُولِّي البحث").await;
    shows(page, ".facts", "de-police").await;
    page.goto(&format!("{}/children", desk.origin())).await.unwrap();
    shows(page, "#queue", "خطر وشيك").await;
    finds_nothing(page, "the queue of children").await;
    assert_eq!(page.execute("return document.documentElement.dir", Vec::new()).await.unwrap(), json!("rtl"));

    // Everything reads without a script.
    go_without_scripts(page, desk.origin()).await;
    shows(page, "#at-work", "خطر وشيك").await;

    // What is refused is told with its field, and what to do.
    page.goto(&format!("{}/incidents/{}", desk.origin(), receipt.incident_id)).await.unwrap();
    let forward = page.find(Locator::Css("form[action$='/escalate'] select")).await.unwrap();
    page.execute("document.querySelectorAll('details').forEach((one) => (one.open = true))", Vec::new())
        .await
        .unwrap();
    forward.select_by_value("unanswered").await.unwrap();
    page.find(Locator::Css("form[action$='/escalate'] button")).await.unwrap().click().await.unwrap();
    shows(page, ".problem", "/reason: invalid").await;
    finds_nothing(page, "a refusal").await;

    // When nothing comes any more, the page says from when it is.
    page.goto(desk.origin()).await.unwrap();
    line.abort();
    shows(page, "#as-of", "انقطع الاتصال").await;
    deployment.stop().await.unwrap();
}

/// A line to the deployment that can be cut.
async fn line_to(deployment: &Deployment) -> (String, JoinHandle<()>) {
    let there: SocketAddr = deployment.url("delivery").trim_start_matches("http://").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}", listener.local_addr().unwrap());
    let line = tokio::spawn(async move {
        let mut calls = JoinSet::new();
        loop {
            let (mut call, _) = listener.accept().await.unwrap();
            calls.spawn(async move {
                let mut answer = TcpStream::connect(there).await.unwrap();
                tokio::io::copy_bidirectional(&mut call, &mut answer).await
            });
        }
    });
    (here, line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clerk_writes_a_request_and_sends_it() {
    let mut deployment = Deployment::start("desk-clerk").await.unwrap();
    let incident = refer(&deployment, "DESK-2").await.incident_id;
    accept(&deployment, "de-police", incident).await;
    let desk = Desk::of(&deployment, "de-central");
    let browser = Browser::start().await;
    let page = &browser.client;
    page.goto(&desk.entrance).await.unwrap();
    shows(page, "h1", "Inbox").await;
    let clerk = deployment.client("mla", "de-central").unwrap();
    let known = || async { clerk.get::<Value>(&format!("/v1/incidents/{incident}/requests")).await.ok() };
    integration_tests::await_some("the incident at the authority", known).await.unwrap();

    let wanted = "kind=assistance&requested=US&measure=preservation";
    page.goto(&format!("{}/incidents/{incident}/draft?{wanted}", desk.origin())).await.unwrap();
    shows(page, "#bases", "Convention on Cybercrime").await;
    shows(page, "#bases", "Intent to request").await;
    page.find(Locator::Css("#draft summary")).await.unwrap().click().await.unwrap();
    finds_nothing(page, "a draft").await;
    let select = |name: &'static str, value: &'static str| async move {
        let css = format!("#draft select[name='{name}']");
        page.find(Locator::Css(&css)).await.unwrap().select_by_value(value).await.unwrap();
    };
    select("/authority", "us-central").await;
    select("/translation", "not-needed").await;
    for element in ["authority", "proceedings", "facts", "data-and-link", "addressee", "necessity"] {
        let css = format!("#draft textarea[name='/elements/{element}']");
        page.find(Locator::Css(&css)).await.unwrap().send_keys("Synthetic.").await.unwrap();
    }
    page.find(Locator::Css("#draft button")).await.unwrap().click().await.unwrap();
    shows(page, "#requests", "Draft").await;
    page.find(Locator::Css("#requests tbody a")).await.unwrap().click().await.unwrap();
    shows(page, "#missing", "Intent to request").await;
    finds_nothing(page, "a request").await;
    // What is not complete is not signed; and why is told.
    page.find(Locator::Css("form[action$='/validation']")).await.unwrap();
    page.execute(
        "document.querySelector(\"form[action$='/validation']\").parentElement.open = true",
        Vec::new(),
    )
    .await
    .unwrap();
    let by = page.find(Locator::Css("form[action$='/validation'] select")).await.unwrap();
    by.select_by_value("public-prosecutor").await.unwrap();
    page.find(Locator::Css("form[action$='/validation'] button")).await.unwrap().click().await.unwrap();
    shows(page, ".problem", "Article 29(2)(f) demands it").await;
    // What was filled in is there still.
    shows(page, "#again option:checked", "Public prosecutor").await;
    finds_nothing(page, "a form that was refused").await;

    // It is opened, written anew with what it lacked, signed, and sent.
    page.find(Locator::Css("main > p a")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("form.open button")).await.unwrap().click().await.unwrap();
    shows(page, "main", "Synthetic.").await;
    page.find(Locator::Css("#work summary")).await.unwrap().click().await.unwrap();
    finds_nothing(page, "a draft that is written anew").await;
    let lacked = "#work textarea[name='/elements/intent-to-request']";
    page.find(Locator::Css(lacked)).await.unwrap().send_keys("Synthetic too.").await.unwrap();
    page.find(Locator::Css("#work form button")).await.unwrap().click().await.unwrap();
    shows(page, ".done", "It is on record.").await;
    assert!(text(page, "#missing").await.is_none_or(|missing| !missing.contains("Intent to request")));
    for (step, choice) in [("validation", "public-prosecutor"), ("transmission", "contact-point")] {
        let form = format!("form[action$='/{step}']");
        let open = format!("document.querySelector(\"{form}\").parentElement.open = true");
        page.execute(&open, Vec::new()).await.unwrap();
        let said = page.find(Locator::Css(&format!("{form} select"))).await.unwrap();
        said.select_by_value(choice).await.unwrap();
        page.find(Locator::Css(&format!("{form} button"))).await.unwrap().click().await.unwrap();
        shows(page, ".done", "It is on record.").await;
    }
    shows(page, ".facts", "Transmitted").await;
    page.goto(&format!("{}/requests", desk.origin())).await.unwrap();
    shows(page, "#due", "Receipt").await;
    finds_nothing(page, "what is due").await;
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_comes_in() {
    let mut deployment = Deployment::start("desk-door").await.unwrap();
    let desk = Desk::of(&deployment, "de-police");
    let name = desk.origin().trim_start_matches("http://");
    let local = format!("http://127.0.0.1:{}", name.split(':').nth(1).unwrap());
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let cookie = format!("__Host-causeway-desk={}", desk.secret());
    let status =
        |request: reqwest::RequestBuilder| async move { request.send().await.unwrap().status().as_u16() };
    let get = |path: &str| client.get(format!("{local}{path}"));

    assert_eq!(status(get("/").header(HOST, name).header(COOKIE, &cookie)).await, 200);
    // A program of this machine that does not know the secret.
    assert_eq!(status(get("/").header(HOST, name)).await, 401);
    assert_eq!(status(get("/assets/style.css").header(HOST, name)).await, 401);
    assert_eq!(status(get("/enter?secret=guess").header(HOST, name)).await, 401);
    // A page elsewhere whose name was made to mean this machine; and one that has the browser ask.
    assert_eq!(status(get("/").header(COOKIE, &cookie)).await, 403);
    assert_eq!(status(get("/").header(HOST, "elsewhere.example").header(COOKIE, &cookie)).await, 403);
    for site in ["cross-site", "same-site"] {
        let asked = get("/").header(HOST, name).header(COOKIE, &cookie).header("sec-fetch-site", site);
        assert_eq!(status(asked).await, 403, "{site}");
    }
    let post = client.post(format!("{local}/incidents/x/assignments/y/accept")).header(HOST, name);
    let form = |request: reqwest::RequestBuilder| {
        request
            .header(COOKIE, &cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("key=x")
    };
    assert_eq!(status(form(post.try_clone().unwrap())).await, 403);
    assert_eq!(
        status(form(post.try_clone().unwrap()).header(ORIGIN, "https://elsewhere.example")).await,
        403
    );
    assert_eq!(status(form(post.try_clone().unwrap()).header(ORIGIN, desk.origin())).await, 404, "let in");

    // A page of the deployment, in a browser that has been at the desk.
    let browser = Browser::start().await;
    let page = &browser.client;
    page.goto(&desk.entrance).await.unwrap();
    shows(page, "h1", "Inbox").await;
    page.goto(&format!("{}/health/ready", deployment.url("delivery"))).await.unwrap();
    let ask = format!(
        "const done = arguments[0]; fetch('{}/', {{ credentials: 'include' }})\
         .then(() => done('read'), () => done('refused'));",
        desk.origin()
    );
    assert_eq!(page.execute_async(&ask, Vec::new()).await.unwrap(), json!("refused"));
    let frame = format!(
        "const frame = document.createElement('iframe'); frame.src = '{}/'; document.body.append(frame);\
         const done = arguments[0]; frame.onload = () => done(frame.contentDocument === null);",
        desk.origin()
    );
    assert_eq!(page.execute_async(&frame, Vec::new()).await.unwrap(), json!(true));
    let send = format!(
        "const form = document.createElement('form'); form.method = 'post';\
         form.action = '{}/incidents/x/assignments/y/accept'; document.body.append(form); form.submit();",
        desk.origin()
    );
    page.execute(&send, Vec::new()).await.unwrap();
    shows(page, "body", "asked for from another site").await;
    assert!(text(page, "h1").await.is_none());

    // And it is of this machine alone.
    let mut elsewhere = Command::new(program().unwrap());
    let token = deployment.world.token("de-police", "night-desk").unwrap();
    elsewhere.args([
        "--url",
        &deployment.url("delivery"),
        "--token",
        &token,
        "desk",
        "--listen",
        "0.0.0.0:0",
    ]);
    let refused = elsewhere.output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("take 127.0.0.1"));
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_says_in_words_what_it_asks() {
    let mut deployment = Deployment::start("desk-words").await.unwrap();
    let client = deployment.client("delivery", "de-police").unwrap();
    let document: Value = client.get("/openapi.json").await.unwrap();
    let paths: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let forms = Forms::new(document);
    // Not for agencies, or not by forms: a coordinator's own, and what opens.
    let others = ["open", "revoke", "record", "invitations", "access", "transfers", "answer"];
    let of_forms = paths.iter().filter(|path| {
        let last = path.rsplit('/').next().unwrap();
        path.starts_with("/v1/incidents/") && !others.contains(&last)
    });
    let mut asked = 0;
    for path in of_forms {
        let filled = path.replace(['{', '}'], "");
        if forms.command(&filled).is_none() {
            continue;
        }
        for language in ["en", "fr", "ar"] {
            let words = Words::named(language).unwrap();
            let form = forms.form(words, "title".to_owned(), &filled, &Choices::default());
            let form = form.unwrap_or_else(|| panic!("no form says {path}"));
            for field in &form.fields {
                let name = field.pointer.rsplit('/').next().unwrap();
                assert_ne!(field.label, name, "{language}: {path} {}", field.pointer);
                asked += 1;
            }
        }
    }
    assert!(asked > 300, "{asked}");
    deployment.stop().await.unwrap();
}
