//! A real browser, as people have one.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder};
use integration_tests::await_some;
use serde_json::json;

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
        // One that has ended already is what is wanted.
        let _ = self.driver.kill().and_then(|()| self.driver.wait());
    }
}
