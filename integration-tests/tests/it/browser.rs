//! A real browser, as people have one.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use integration_tests::await_some;
use reqwest::{Method, Url};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::outside::named;

/// What a page may take to show something, many times over.
const SHOWN: Duration = Duration::from_secs(30);

/// Chromium with its driver; it ends with the test.
pub struct Browser {
    driver: Child,
    pub client: Client,
}

impl Browser {
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        // Without a sandbox of its own: tests may run as root.
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"] });
        let capabilities = json!({ "goog:chromeOptions": options }).as_object().unwrap().clone();
        let address = format!("http://127.0.0.1:{port}");
        let connect = || async {
            let mut builder = ClientBuilder::native();
            builder.capabilities(capabilities.clone()).connect(&address).await.ok()
        };
        let client = await_some("the browser", connect).await.unwrap();
        Self { driver, client }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser too, which would outlive its driver. One that has ended already is what is wanted.
        let group = i32::try_from(self.driver.id()).ok().and_then(Pid::from_raw);
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        let _ = self.driver.wait();
    }
}

pub async fn text(browser: &Client, css: &str) -> Option<String> {
    browser.find(Locator::Css(css)).await.ok()?.text().await.ok()
}

/// Waits until the page shows the text there.
pub async fn shows(browser: &Client, css: &str, expected: &str) {
    let seen =
        await_some(expected, || async { text(browser, css).await.filter(|text| text.contains(expected)) });
    if tokio::time::timeout(SHOWN, seen).await.is_err() {
        let page = (browser.current_url().await, text(browser, "body").await);
        panic!("{css} does not show {expected:?}: {page:?}");
    }
}

/// What an accessibility checker (axe-core) finds wrong with the page, by the rules of WCAG 2.2 AA and its own; and
/// whether it fits into a narrow window.
pub async fn finds_nothing(browser: &Client, page: &str) {
    let modules = PathBuf::from(named("CAUSEWAY_TEST_NODE_MODULES"));
    let axe = std::fs::read_to_string(modules.join("axe-core/axe.min.js")).unwrap();
    browser.execute(&axe, Vec::new()).await.unwrap();
    let run = "const done = arguments[0]; axe.run().then((found) => done(found.violations));";
    let found = browser.execute_async(run, Vec::new()).await.unwrap();
    assert_eq!(found, json!([]), "{page}");
    let narrow = json!({ "width": NARROW, "height": 800, "deviceScaleFactor": 1, "mobile": false });
    tell(browser, "Emulation.setDeviceMetricsOverride", narrow).await;
    let width = browser.execute("return document.documentElement.scrollWidth", Vec::new()).await.unwrap();
    assert!(width.as_u64().unwrap() <= NARROW, "{page} is {width} wide");
    tell(browser, "Emulation.clearDeviceMetricsOverride", json!({})).await;
}

/// CSS pixels: what WCAG 2.2 asks of a page that is enlarged to four times its size (1.4.10).
const NARROW: u64 = 320;

/// Loads the page as a browser does that runs no scripts.
pub async fn go_without_scripts(browser: &Client, address: &str) {
    tell(browser, "Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.goto(address).await.unwrap();
    tell(browser, "Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
}

/// Tells the browser something that WebDriver has no word for (Chrome DevTools Protocol).
pub async fn tell(browser: &Client, command: &str, parameters: Value) {
    let told = Told(json!({ "cmd": command, "params": parameters }));
    browser.issue_cmd(told).await.unwrap();
}

#[derive(Debug)]
struct Told(Value);

impl WebDriverCompatibleCommand for Told {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}
