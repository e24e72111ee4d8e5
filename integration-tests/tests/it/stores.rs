//! A store that is damaged, cannot be written or is gone costs a rebuild: the service says so, and ends with the same
//! state as an instance that was never touched.
//!
//! Read-only is real: the store's files and directory lose their write bits, and the service runs without the power
//! to pass over them. A full disk is real to the process: the limit on the size of its files makes each write beyond it
//! fail (`EFBIG` where a disk says `ENOSPC`), without mounting anything.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use delivery::inbox::Entry;
use futures::StreamExt;
use integration_tests::{Deployment, SERVICES, await_some, program};
use serde_json::json;

/// The service whose store is lost while it runs.
const SERVICE: &str = "routing";
/// Every store there is, with the service that keeps it.
const STORES: [(&str, &str); 9] = [
    ("directory", "directory"),
    ("intake", "intake"),
    ("routing", "routing"),
    ("mla", "mla"),
    ("victim-id", "victim-id"),
    ("digest-sets", "digest-sets"),
    ("delivery", "delivery"),
    ("delivery", "sealed-keys"),
    ("audit", "audit"),
];
/// The instance whose store is damaged, and one that nobody touches.
const DAMAGED: &str = "0";
const UNTOUCHED: &str = "untouched";

/// Referrals to two countries: enough for several of the store's pages.
const REFERRALS: usize = 60;
/// Many times what fills a segment; and no more than one page of an inbox shows.
const MOST_REFERRALS: usize = 400;
/// Twice the time after which sled writes what it holds.
const WRITTEN_BEHIND: Duration = Duration::from_secs(1);

async fn file(deployment: &Deployment, name: &str, count: usize) {
    let people = json!([
        { "category": "victim", "residences": ["DE"] },
        { "category": "suspect", "residences": ["BR"] },
    ]);
    let line = |number: usize| {
        let reference = format!("{name}-{number}");
        json!({ "reference": reference, "kind": "csam", "people": people })
    };
    let lines: String = (0..count).map(|number| format!("{}\n", line(number))).collect();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let results: Vec<_> = hotline.refer_batch(lines.into()).await.unwrap().collect().await;
    assert!(results.into_iter().all(|result| result.unwrap().receipt.is_some()));
}

/// Until an agency has been offered so many: then routing has nothing left to do.
async fn offered(deployment: &Deployment, count: usize) {
    let all = || async { (offers(deployment).await? >= count).then_some(()) };
    await_some("the offers", all).await.unwrap();
}

/// As [`offered`], or until the log says so. The store writes behind: what was taken in reaches the disk later.
async fn offered_unless_said(deployment: &Deployment, count: usize, log: &Log, what: &str) {
    let either = || async {
        let offered = offers(deployment).await.is_some_and(|offers| offers >= count);
        (offered || log.said().contains(what)).then_some(())
    };
    await_some("the offers, or what the log says", either).await.unwrap();
    tokio::time::sleep(WRITTEN_BEHIND).await;
}

async fn offers(deployment: &Deployment) -> Option<usize> {
    let police = deployment.client("delivery", "de-police").unwrap();
    let entries = police.inbox("?limit=500").await.ok()?.entries;
    Some(entries.iter().filter(|entry| matches!(entry, Entry::Assignment(_))).count())
}

/// What a stopped instance's store says.
fn digest(deployment: &Deployment, store: &str, instance: &str) -> String {
    let store = deployment.stores().join(format!("{store}.{instance}"));
    let output = said_by(&store);
    assert!(output.status.success(), "{instance}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn said_by(store: &Path) -> Output {
    Command::new(program().unwrap()).args(["--json", "store", "digest"]).arg(store).output().unwrap()
}

/// What the damaged instance has logged since a mark.
struct Log {
    path: PathBuf,
    mark: usize,
}

impl Log {
    fn now(deployment: &Deployment, service: &str) -> Self {
        let path = deployment.logs.clone().unwrap().join(format!("{service}.{DAMAGED}.log"));
        let mark = fs::read(&path).map_or(0, |text| text.len());
        Self { path, mark }
    }

    fn said(&self) -> String {
        let text = fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&text[self.mark.min(text.len())..]).into_owned()
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn flip(bytes: &mut [u8], from: usize, each: usize) {
    bytes.iter_mut().skip(from).step_by(each).for_each(|byte| *byte ^= 0x5a);
}

/// How far a log is written: the rest of its last segment is empty.
fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap()
}

fn snapshots(store: &Path) -> Vec<PathBuf> {
    let is_snapshot = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("snap.");
    files(store).into_iter().filter(is_snapshot).collect()
}

/// What is done to a store while its service is stopped.
struct Damage {
    what: &'static str,
    apply: fn(&Path),
    /// Whether it can be told from a new store.
    is_told: bool,
}

const DAMAGES: [Damage; 8] = [
    Damage { what: "deleted", apply: |store| fs::remove_dir_all(store).unwrap(), is_told: false },
    Damage {
        what: "the log cut in half",
        apply: |store| change(&store.join("db"), |bytes| bytes.truncate(written(bytes) / 2)),
        is_told: true,
    },
    Damage { what: "the log emptied", apply: |store| change(&store.join("db"), Vec::clear), is_told: true },
    Damage {
        what: "the log's bytes flipped here and there",
        apply: |store| change(&store.join("db"), |bytes| flip(bytes, 100, 311)),
        is_told: true,
    },
    Damage {
        what: "one byte of the log flipped",
        apply: |store| {
            change(&store.join("db"), |bytes| {
                let middle = written(bytes) / 2;
                bytes[middle] ^= 0x01;
            });
        },
        is_told: true,
    },
    Damage {
        what: "the settings cut",
        apply: |store| change(&store.join("conf"), |bytes| bytes.truncate(3)),
        // Nothing of the state stands in them: they are written anew, and the store goes on.
        is_told: false,
    },
    Damage {
        what: "the snapshot flipped",
        apply: |store| {
            for snapshot in snapshots(store) {
                change(&snapshot, |bytes| flip(bytes, 9, 17));
            }
        },
        is_told: true,
    },
    Damage {
        what: "the snapshot cut",
        apply: |store| {
            for snapshot in snapshots(store) {
                change(&snapshot, |bytes| bytes.truncate(bytes.len() / 3));
            }
        },
        is_told: true,
    },
];

async fn start() -> Deployment {
    let mut deployment = Deployment::prepare("stores", None).await.unwrap();
    deployment.logs = Some(deployment.state().join("logs"));
    deployment.environment = vec![("CAUSEWAY_LOG_FILTER".to_owned(), "info".to_owned())];
    for service in SERVICES {
        deployment.serve_apart(service, DAMAGED).await.unwrap();
    }
    deployment
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_told_of_and_rebuilt() {
    let mut deployment = start().await;
    file(&deployment, "STORES", REFERRALS).await;
    offered(&deployment, REFERRALS).await;
    for (service, name) in STORES {
        let store = deployment.stores().join(format!("{name}.{DAMAGED}"));
        deployment.stop_apart(service).unwrap();
        restart(&mut deployment, service, UNTOUCHED).await;
        let expected = digest(&deployment, name, UNTOUCHED);
        for Damage { what, apply, is_told } in DAMAGES {
            apply(&store);
            let is_told = is_told && !is_unharmed(&deployment, &store, &expected);
            let log = Log::now(&deployment, service);
            restart(&mut deployment, service, DAMAGED).await;
            let said = log.said();
            assert_eq!(digest(&deployment, name, DAMAGED), expected, "{name}, {what}: {said}");
            assert!(!is_told || said.contains("store set aside"), "{name}, {what}: {said}");
            let is_new = what == "deleted" && service == name;
            assert!(!is_new || said.contains("the store is empty"), "{name}, {what}: {said}");
        }
        deployment.serve_apart(service, DAMAGED).await.unwrap();
    }
    deployment.stop().await.unwrap();
}

/// Whether a store says what it should in spite of its damage: a byte may fall where nothing stands any more. Asked of
/// a copy, since opening a store may mend it.
fn is_unharmed(deployment: &Deployment, store: &Path, expected: &str) -> bool {
    let copy = deployment.state().join("copy");
    fs::create_dir(&copy).unwrap();
    if store.exists() {
        for file in files(store) {
            fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
        }
    }
    let output = said_by(&copy);
    fs::remove_dir_all(&copy).unwrap();
    output.status.success() && String::from_utf8_lossy(&output.stdout) == expected
}

/// Starts a stopped service and stops it again, once it has all that its topics hold.
async fn restart(deployment: &mut Deployment, service: &'static str, instance: &str) {
    deployment.serve_apart(service, instance).await.unwrap();
    deployment.stop_apart(service).unwrap();
}

/// Starts a service so that writing beyond a file's limit fails, where it would otherwise end the process.
fn with_failing_writes() -> Vec<String> {
    ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"].map(str::to_owned).to_vec()
}

/// As [`with_failing_writes`], and as a user for whom write bits count.
fn without_power() -> Vec<String> {
    let power = [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-dac_override,-dac_read_search",
    ];
    if rustix::process::geteuid().is_root() { power.map(str::to_owned).to_vec() } else { Vec::new() }
}

/// Limits the files of the damaged instance's process to so many bytes.
fn limit_files(deployment: &mut Deployment, bytes: &str) {
    let process = deployment.process(SERVICE).unwrap().id();
    let limited = Command::new("prlimit")
        .args(["--pid", &process.to_string(), &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(limited.unwrap().success());
}

async fn until_said(log: &Log, what: &str) {
    let said = || async { log.said().contains(what).then_some(()) };
    await_some(what, said).await.unwrap_or_else(|error| panic!("{error}: {}", log.said()));
}

/// Until the process has ended, which it does by itself; whether it did so well.
async fn ended(deployment: &mut Deployment) -> bool {
    let process = std::sync::Mutex::new(deployment.process(SERVICE).unwrap());
    let status = || async { process.lock().unwrap().try_wait().unwrap() };
    await_some("the process to end", status).await.unwrap().success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_a_running_service_loses_or_cannot_write_is_rebuilt() {
    let mut deployment = start().await;
    file(&deployment, "STORES", REFERRALS).await;
    offered(&deployment, REFERRALS).await;
    let store = deployment.stores().join(format!("{SERVICE}.{DAMAGED}"));
    deployment.stop_apart(SERVICE).unwrap();
    deployment.through = with_failing_writes();
    deployment.serve_apart(SERVICE, DAMAGED).await.unwrap();

    // The disk is full, and more comes in than it takes.
    let log = Log::now(&deployment, SERVICE);
    limit_files(&mut deployment, &fs::metadata(store.join("db")).unwrap().len().to_string());
    let mut filed = REFERRALS;
    while !log.said().contains("failed to write to the store") {
        assert!(filed < MOST_REFERRALS, "the store takes everything: {}", log.said());
        file(&deployment, &format!("FULL-{filed}"), REFERRALS).await;
        filed += REFERRALS;
        offered_unless_said(&deployment, filed, &log, "failed to write to the store").await;
    }
    limit_files(&mut deployment, "unlimited");
    offered(&deployment, filed).await;
    until_said(&log, "store set aside").await;

    // Deleted under the running service: what it goes on with is lost when it ends.
    fs::remove_dir_all(&store).unwrap();
    file(&deployment, "DELETED", REFERRALS).await;
    offered(&deployment, filed + REFERRALS).await;
    deployment.stop_apart(SERVICE).unwrap();
    deployment.through = Vec::new();
    for instance in [UNTOUCHED, DAMAGED] {
        deployment.serve_apart(SERVICE, instance).await.unwrap();
        deployment.stop_apart(SERVICE).unwrap();
    }
    assert_eq!(digest(&deployment, SERVICE, DAMAGED), digest(&deployment, SERVICE, UNTOUCHED));
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_read_only_is_set_aside_and_a_directory_that_is_ends_the_service_with_its_reason() {
    let mut deployment = start().await;
    file(&deployment, "STORES", REFERRALS).await;
    offered(&deployment, REFERRALS).await;
    let stores = deployment.stores();
    deployment.stop_apart(SERVICE).unwrap();
    let expected = digest(&deployment, SERVICE, DAMAGED);
    deployment.through = without_power();

    let log = Log::now(&deployment, SERVICE);
    make_read_only(&stores.join(format!("{SERVICE}.{DAMAGED}")));
    deployment.serve_apart(SERVICE, DAMAGED).await.unwrap();
    deployment.stop_apart(SERVICE).unwrap();
    assert!(
        log.said().contains("Permission denied") && log.said().contains("store set aside"),
        "{}",
        log.said()
    );
    assert_eq!(digest(&deployment, SERVICE, DAMAGED), expected);

    // Nor can anything be put beside it: there is no way on, and the operator is told why.
    let log = Log::now(&deployment, SERVICE);
    make_read_only(&stores.join(format!("{SERVICE}.{DAMAGED}")));
    fs::set_permissions(&stores, fs::Permissions::from_mode(0o555)).unwrap();
    deployment.begin_apart(SERVICE, DAMAGED).unwrap();
    assert!(!ended(&mut deployment).await);
    assert!(log.said().contains("failed to prepare the store directory"), "{}", log.said());
    fs::set_permissions(&stores, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = deployment.stop_apart(SERVICE);
    deployment.serve_apart(SERVICE, DAMAGED).await.unwrap();
    deployment.stop_apart(SERVICE).unwrap();
    assert_eq!(digest(&deployment, SERVICE, DAMAGED), expected);
    deployment.stop().await.unwrap();
}

fn make_read_only(store: &Path) {
    for file in files(store) {
        fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(store, fs::Permissions::from_mode(0o555)).unwrap();
}
