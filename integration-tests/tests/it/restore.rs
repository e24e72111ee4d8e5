//! A Kafka that is restored from a backup has lost what came after it: the audit log notices, and goes on under a new
//! name that owns up to the old one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use audit::fsck::Found;
use audit::http::LogHead;
use audit::succession::commitment;
use audit_log::LogKey;
use audit_log::verify::{Against, verify};
use client::Client;
use integration_tests::{Deployment, SERVICES, await_some, calm_referral, program};
use schemas::ids::IncidentId;

use crate::audit::{alarmed, files_of};

/// The log's name after the restore.
const NEW_NAME: &str = "audit.causeway.example/restored";

/// A Kafka of the test's own, on its data.
pub struct OwnKafka {
    process: Child,
    /// Kept open: it goes on talking.
    _said: BufReader<ChildStdout>,
    pub brokers: String,
}

impl OwnKafka {
    pub fn start(data: &Path) -> Self {
        let xtask = program().unwrap().with_file_name("xtask");
        let mut command = Command::new(xtask);
        command.args(["kafka", "--data"]).arg(data).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let brokers = loop {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended before it was ready");
            if let Some(listens) = line.strip_prefix("kafka listens on ") {
                break listens.split(';').next().unwrap().to_owned();
            }
        };
        Self { process, _said: said, brokers }
    }

    pub fn stop(mut self) {
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

async fn serve(deployment: &mut Deployment) {
    for service in SERVICES {
        deployment.serve_apart(service, "0").await.unwrap();
    }
}

/// Files a referral and waits until a signed head covers its trail.
async fn file(deployment: &Deployment, reference: &str) -> (IncidentId, String) {
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = serde_json::to_vec(&calm_referral(reference)).unwrap();
    let incident = hotline.refer(referral).await.unwrap().incident_id;
    let reader = deployment.client("audit", "nl-hotline").unwrap();
    let trail = || async { reader.text(&format!("/v1/incidents/{incident}/trail")).await.ok() };
    (incident, await_some("the trail", trail).await.unwrap())
}

/// Until both instances of audit keep the last head, whichever of them has signed it.
async fn kept_by_both(deployment: &Deployment) {
    let size = |instance| {
        let note = std::fs::read_to_string(deployment.state().join(format!("audit.{instance}.head"))).ok()?;
        note.lines().nth(1)?.parse::<u64>().ok()
    };
    let same = || async { size(0).filter(|size_of_0| Some(*size_of_0) == size(1)) };
    await_some("the head kept by both", same).await.unwrap();
}

async fn head(client: &Client) -> LogHead {
    client.get("/v1/log").await.unwrap()
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// The leaf at a place of a log of fewer than 256.
async fn entry(deployment: &Deployment, size: u64, place: u64) -> Vec<u8> {
    let page = format!("{}/log/tile/entries/000.p/{size}", deployment.url("audit"));
    let bundle = reqwest::get(page).await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
    // Each of 32 bytes behind its length of two.
    bundle.chunks(34).nth(usize::try_from(place).unwrap()).unwrap()[2..].to_vec()
}

fn fsck(deployment: &Deployment, files: &Path) -> (bool, Found) {
    let mut fsck = Command::new(program().unwrap());
    let config = deployment.config("fsck").unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + &deployment.settings).unwrap();
    fsck.args(["--json", "audit", "fsck", "--config"]).arg(config);
    fsck.arg("--kafka-files").arg(files).envs(deployment.environment.iter().cloned());
    let said = fsck.output().unwrap();
    (said.status.success(), serde_json::from_slice(&said.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_restored_is_not_signed_until_it_owns_up_to_what_it_lost() {
    let place = tempfile::tempdir().unwrap();
    let (data, backup) = (place.path().join("data"), place.path().join("backup"));
    let kafka = OwnKafka::start(&data);
    let mut deployment = Deployment::prepare_on(kafka.brokers.clone(), "restore", None, None).await.unwrap();
    deployment.logs = Some(deployment.state().join("logs"));
    serve(&mut deployment).await;
    let (kept, before) = file(&deployment, "RESTORE-KEPT").await;
    deployment.stop().await.unwrap();
    kafka.stop();
    copy(&data, &backup);

    let kafka = OwnKafka::start(&data);
    serve(&mut deployment).await;
    deployment.serve_apart("audit", "1").await.unwrap();
    let (lost, _) = file(&deployment, "RESTORE-LOST").await;
    kept_by_both(&deployment).await;
    deployment.stop().await.unwrap();
    kafka.stop();

    // The disk is gone; what is put in its place is older.
    std::fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    let kafka = OwnKafka::start(&data);
    for service in SERVICES.into_iter().filter(|service| *service != "audit") {
        deployment.serve_apart(service, "0").await.unwrap();
    }
    // Whichever of the two takes over knows it, the one that has signed and the one that stood by.
    for instance in ["1", "0"] {
        deployment.begin_apart("audit", instance).unwrap();
        alarmed(&deployment, instance).await;
        let anybody = deployment.client("audit", "nl-hotline").unwrap();
        assert!(anybody.text(&format!("/v1/incidents/{lost}/trail")).await.is_err(), "it is lost");
        deployment.kill_apart("audit").unwrap();
    }

    // A person has looked: under a new name the log says what it goes on from.
    let old_key = deployment.log_key().unwrap();
    let old_head = deployment.state().join("audit.0.head");
    let setting = |name: &str, value: &str| (format!("CAUSEWAY_AUDIT_{name}"), value.to_owned());
    deployment.environment = vec![
        setting("ORIGIN", NEW_NAME),
        setting("HEAD_FILE", deployment.state().join("new.head").to_str().unwrap()),
    ];
    deployment.settings =
        format!("[[audit.succeeds]]\nkey = \"{old_key}\"\nhead_file = \"{}\"\n", old_head.display());
    deployment.serve_apart("audit", "0").await.unwrap();
    let anybody = deployment.client("audit", "nl-hotline").unwrap();
    let signed = || async {
        let head = head(&anybody).await;
        let owned = head.succeeds.first()?.leaf;
        (head.size > owned).then_some(head)
    };
    let now = await_some("a head under the new name", signed).await.unwrap();
    let owned = &now.succeeds[0];
    assert_eq!(owned.checkpoint, std::fs::read_to_string(&old_head).unwrap());
    assert_eq!(entry(&deployment, now.size, owned.leaf).await, commitment(&owned.checkpoint));

    // What was restored is proven as before, by the new key alone.
    let new_key = LogKey::parse(&now.key).unwrap();
    assert_eq!(new_key.name(), NEW_NAME);
    let trail = anybody.text(&format!("/v1/incidents/{kept}/trail")).await.unwrap();
    verify(&trail, &Against::log(&new_key)).unwrap();
    assert!(verify(&trail, &Against::log(&LogKey::parse(&old_key).unwrap())).is_err());
    verify(&before, &Against::log(&LogKey::parse(&old_key).unwrap())).unwrap();
    // What was lost is filed again, and is the same incident.
    assert_eq!(file(&deployment, "RESTORE-LOST").await.0, lost);

    let files = files_of(data.clone(), &format!("{}audit.log", deployment.prefix));
    let (is_sound, found) = fsck(&deployment, &files);
    assert!(is_sound, "{found:?}");
    let [gap] = &found.lost[..] else { panic!("one restore: {found:?}") };
    assert!(gap.restored == owned.leaf && gap.signed > gap.restored, "{gap:?}");
    // Whoever does not say what the log goes on from is told.
    deployment.settings.clear();
    let (is_sound, found) = fsck(&deployment, &files);
    assert!(!is_sound && !found.faults.is_empty(), "{found:?}");
    deployment.stop().await.unwrap();
    kafka.stop();
}
