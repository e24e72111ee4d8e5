//! The data directory of a cluster: `cluster.id`, and for every node `node-N/` with `ports`,
//! `server.properties`, `log/` (Kafka's own) and `kafka.log`. Ports are remembered so that the addresses which
//! clients have learned stay good from one run to the next.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::KafkaOptions;
use super::distribution::Distribution;

/// Never above three: the internal topics are replicated like this.
const MAX_REPLICATION: u16 = 3;
/// Room for 600,000 keys of a compacted topic at a time. Kafka's own 128 MiB is a quarter of the heap, and is cleared
/// for each partition that is cleaned.
const DEDUPE_BUFFER_BYTES: usize = 16 << 20;

/// Who may come to the guarded listener: the services.
const GUARDED_USERS: [&str; 9] =
    ["directory", "intake", "routing", "mla", "victim-id", "digest-sets", "delivery", "audit", "dashboard"];

/// One cluster's directory, locked while this value lives.
pub struct Storage {
    directory: PathBuf,
    cluster_id: String,
    lanes: usize,
    guarded: bool,
    _lock: File,
}

/// Where one node lives.
pub struct Place {
    pub directory: PathBuf,
    pub ports: Ports,
}

impl Place {
    pub fn properties(&self) -> PathBuf {
        self.directory.join("server.properties")
    }

    pub fn log_file(&self) -> PathBuf {
        self.directory.join("kafka.log")
    }
}

/// The ports of a node, all on the loopback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    client: u16,
    controller: u16,
    lanes: Vec<Lane>,
    guarded: Option<u16>,
}

/// A second way to a node, for whoever wants to stand in it: clients are told the front, the node listens behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    front: u16,
    behind: u16,
}

impl Display for Lane {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "127.0.0.1:{}>127.0.0.1:{}", self.front, self.behind)
    }
}

impl Ports {
    /// What a client connects to.
    pub fn broker(&self) -> String {
        format!("127.0.0.1:{}", self.client)
    }

    pub fn guarded(&self) -> Option<String> {
        self.guarded.map(|port| format!("127.0.0.1:{port}"))
    }

    pub fn lane(&self, number: usize) -> Option<Lane> {
        self.lanes.get(number).copied()
    }
}

impl Storage {
    /// Creates the directory if need be. Fails when another xtask runs on it.
    pub fn open(options: &KafkaOptions) -> Result<Self> {
        let directory = options.data_dir.clone();
        fs::create_dir_all(&directory)
            .with_context(|| format!("failed to create {}", directory.display()))?;
        let lock = File::create(directory.join("lock")).context("failed to create a lock")?;
        if lock.try_lock().is_err() {
            bail!("another kafka runs on {}", directory.display());
        }
        if options.clean {
            empty(&directory)?;
        }
        let cluster_id = cluster_id(&directory)?;
        Ok(Self { directory, cluster_id, lanes: options.lanes, guarded: options.guarded, _lock: lock })
    }

    /// Ports, properties and formatted storage for nodes 1 to `count`.
    pub fn prepare_nodes(&self, count: u16, distribution: &Distribution) -> Result<Vec<Place>> {
        let mut reserved = Vec::new();
        let mut places = Vec::new();
        for id in 1..=count {
            let directory = self.directory.join(format!("node-{id}"));
            fs::create_dir_all(&directory).context("failed to create a node's directory")?;
            let ports = reserve_ports(&directory, self, &mut reserved)?;
            places.push(Place { directory, ports });
        }
        // Free for Kafka only now that all are chosen, else two nodes may get the same.
        drop(reserved);
        for (id, place) in (1..).zip(&places) {
            self.format(id, place, distribution)?;
            let properties = server_properties(id, place, &places);
            fs::write(place.properties(), properties).context("failed to write server.properties")?;
        }
        Ok(places)
    }

    /// What `StorageTool format` would write, from the copy that it has written once.
    fn format(&self, id: u16, place: &Place, distribution: &Distribution) -> Result<()> {
        let log = place.directory.join("log");
        let meta = log.join("meta.properties");
        if meta.exists() {
            return Ok(());
        }
        fs::create_dir_all(&log).context("failed to create a node's log directory")?;
        let checkpoint = "bootstrap.checkpoint";
        fs::copy(distribution.formatted().join(checkpoint), log.join(checkpoint))
            .context("failed to copy the formatted storage")?;
        let (cluster, directory) = (&self.cluster_id, random_uuid()?);
        let text = format!("version=1\ncluster.id={cluster}\nnode.id={id}\ndirectory.id={directory}\n");
        fs::write(meta, text).context("failed to write meta.properties")
    }
}

/// Takes away only what this module has written.
fn empty(directory: &Path) -> Result<()> {
    let _ = fs::remove_file(directory.join("cluster.id"));
    for entry in fs::read_dir(directory).context("failed to list a data directory")? {
        let path = entry.context("failed to list a data directory")?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("node-")) {
            fs::remove_dir_all(&path).with_context(|| format!("failed to remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn cluster_id(directory: &Path) -> Result<String> {
    let path = directory.join("cluster.id");
    if let Ok(id) = fs::read_to_string(&path) {
        return Ok(id.trim().to_owned());
    }
    let id = random_uuid()?;
    fs::write(path, format!("{id}\n")).context("failed to write the cluster's id")?;
    Ok(id)
}

/// The ports of the last run, or new ones when another program has taken those meanwhile.
fn reserve_ports(directory: &Path, storage: &Storage, reserved: &mut Vec<TcpListener>) -> Result<Ports> {
    let path = directory.join("ports");
    let remembered = fs::read_to_string(&path).ok().and_then(|text| parse_ports(&text));
    let (client, controller) = if let Some((client, controller)) = remembered
        && let (Ok(first), Ok(second)) = (bind(client), bind(controller))
    {
        reserved.extend([first, second]);
        (client, controller)
    } else {
        (reserve_any(reserved)?, reserve_any(reserved)?)
    };
    fs::write(path, format!("{client} {controller}\n")).context("failed to write ports")?;
    let mut lane = || Ok(Lane { front: reserve_any(reserved)?, behind: reserve_any(reserved)? });
    let lanes = (0..storage.lanes).map(|_| lane()).collect::<Result<_>>()?;
    let guarded = if storage.guarded { Some(reserve_any(reserved)?) } else { None };
    Ok(Ports { client, controller, lanes, guarded })
}

fn parse_ports(text: &str) -> Option<(u16, u16)> {
    let (client, controller) = text.trim().split_once(' ')?;
    Some((client.parse().ok()?, controller.parse().ok()?))
}

fn reserve_any(reserved: &mut Vec<TcpListener>) -> Result<u16> {
    let listener = bind(0).context("failed to find a free port")?;
    let port = listener.local_addr().context("failed to read a free port")?.port();
    reserved.push(listener);
    Ok(port)
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
}

/// One JVM is broker and controller. Timeouts and delays are short where a person or a test waits for them;
/// retention is endless because each topic sets its own.
fn server_properties(id: u16, place: &Place, all: &[Place]) -> String {
    let Ports { client, controller, lanes, guarded } = &place.ports;
    let named = || (1..).zip(lanes);
    let mut listening: String =
        named().map(|(number, lane)| format!(",LANE{number}://127.0.0.1:{}", lane.behind)).collect();
    let mut advertised: String =
        named().map(|(number, lane)| format!(",LANE{number}://127.0.0.1:{}", lane.front)).collect();
    let mut protocols: String = named().map(|(number, _)| format!(",LANE{number}:PLAINTEXT")).collect();
    let mut guard = String::new();
    if let Some(port) = guarded {
        listening += &format!(",GUARDED://127.0.0.1:{port}");
        advertised += &format!(",GUARDED://127.0.0.1:{port}");
        protocols += ",GUARDED:SASL_PLAINTEXT";
        guard = guard_properties();
    }
    let voters = (1..)
        .zip(all)
        .map(|(id, place)| format!("{id}@127.0.0.1:{}", place.ports.controller))
        .collect::<Vec<_>>()
        .join(",");
    let replication = u16::try_from(all.len()).unwrap_or(MAX_REPLICATION).min(MAX_REPLICATION);
    let min_isr = if replication == MAX_REPLICATION { 2 } else { 1 };
    format!(
        "process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}{listening}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={log_dir}
auto.create.topics.enable=false
num.partitions=1
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
default.replication.factor={replication}
min.insync.replicas={min_isr}
offsets.topic.num.partitions=4
offsets.topic.replication.factor={replication}
offsets.retention.minutes=525600
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={replication}
transaction.state.log.min.isr={min_isr}
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.ms=-1
log.retention.check.interval.ms=10000
log.cleaner.backoff.ms=1000
log.cleaner.dedupe.buffer.size={DEDUPE_BUFFER_BYTES}
log.segment.delete.delay.ms=1000
{guard}",
        log_dir = place.directory.join("log").display(),
    )
}

/// Whoever comes without a name may do all; whoever says its name, what it was given a right to.
fn guard_properties() -> String {
    let users: String = GUARDED_USERS.iter().map(|user| format!(" user_{user}=\"{user}\"")).collect();
    format!(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
listener.name.guarded.sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required{users};
"
    )
}

/// Kafka's form of an id: 16 random bytes in the URL-safe alphabet, without padding.
fn random_uuid() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("failed to read random bytes")?;
    // Kafka's own generator avoids a leading dash too: tools would take it for an option.
    bytes[0] &= 0x7f;
    Ok(base64_url(&bytes))
}

fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            let index = group >> (18 - 6 * position) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{base64_url, parse_ports};

    #[test]
    fn encodes_for_urls() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (&b"f"[..], "Zg"),
            (&b"fo"[..], "Zm8"),
            (&b"foo"[..], "Zm9v"),
            (&[0xff, 0xef, 0xfe][..], "_-_-"),
            (&[0; 16][..], "AAAAAAAAAAAAAAAAAAAAAA"),
        ] {
            assert_eq!(base64_url(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn remembers_only_whole_ports() {
        for (text, expected) in
            [("41001 41002\n", Some((41001, 41002))), ("41001\n", None), ("41001 410020\n", None), ("", None)]
        {
            assert_eq!(parse_ports(text), expected, "{text:?}");
        }
    }
}
