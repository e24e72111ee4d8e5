//! A real Apache Kafka without containers: the pinned jars, one or more brokers in KRaft mode as child
//! processes, ready when `start` returns and gone when xtask is.

mod distribution;
mod node;
mod storage;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use self::distribution::Distribution;
use self::node::Node;
use self::storage::{Place, Storage};

pub use self::node::Life;

/// What to start.
pub struct KafkaOptions {
    /// Holds all of the cluster: logs, ports, identity.
    pub data_dir: PathBuf,
    /// Brokers, each of which is a controller too. From three on, internal topics survive the loss of one.
    pub nodes: u16,
    /// Empty the data directory first.
    pub clean: bool,
    /// How long it is to live: what its compiler should make of it.
    pub life: Life,
    /// Ways to each node that something else may stand in, such as a network that fails on purpose.
    pub lanes: usize,
    /// A listener at which clients say who they are, and have no right that was not given to them.
    pub guarded: bool,
}

/// A running cluster. Dropping it stops it as `stop` does.
pub struct Kafka {
    nodes: Vec<Node>,
    places: Vec<Place>,
    distribution: Distribution,
    life: Life,
    brokers: String,
    lanes: String,
    guarded: String,
    /// Held for its lock on the data directory.
    _storage: Storage,
}

impl Kafka {
    /// Fetches the jars if need be, formats new storage, starts every node and waits until all serve.
    pub fn start(options: KafkaOptions) -> Result<Self> {
        let began = Instant::now();
        let distribution = Distribution::ensure()?;
        let storage = Storage::open(&options)?;
        let places = storage.prepare_nodes(options.nodes, &distribution)?;
        let brokers = places.iter().map(|place| place.ports.broker()).collect::<Vec<_>>().join(",");
        let lane = |number| {
            let hops = places.iter().filter_map(|place| place.ports.lane(number));
            hops.map(|hop| hop.to_string()).collect::<Vec<_>>().join(",")
        };
        let lanes = (0..options.lanes).map(lane).collect::<Vec<_>>().join(";");
        let guarded = places.iter().filter_map(|place| place.ports.guarded()).collect::<Vec<_>>().join(",");
        let mut nodes = Vec::new();
        for place in &places {
            nodes.push(Node::spawn(place, &distribution, options.life)?);
        }
        for node in &mut nodes {
            node.wait_until_ready()?;
        }
        let seconds = began.elapsed().as_secs_f64();
        println!("kafka {} is ready on {brokers} after {seconds:.1} s", distribution.version());
        let life = options.life;
        Ok(Self { nodes, places, distribution, life, brokers, lanes, guarded, _storage: storage })
    }

    /// The bootstrap servers, comma separated.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Lanes apart by semicolons, the nodes of each by commas: where clients are sent, `>`, where the node listens.
    pub fn lanes(&self) -> &str {
        &self.lanes
    }

    /// The bootstrap servers for clients that say who they are: each service, with its name for a password.
    pub fn guarded(&self) -> &str {
        &self.guarded
    }

    /// Fails when a node has died by itself.
    pub fn ensure_alive(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::ensure_alive)
    }

    /// Starts nodes anew that have died, as a supervisor would; for runs that kill them on purpose. The process id of
    /// each stands in its directory.
    pub fn revive(&mut self) -> Result<()> {
        for (node, place) in self.nodes.iter_mut().zip(&self.places) {
            if node.has_ended()? {
                *node = Node::spawn(place, &self.distribution, self.life)?;
            }
        }
        Ok(())
    }

    /// Asks every node to shut down, waits a bounded time, then kills.
    pub fn stop(mut self) -> Result<()> {
        // All are asked before any is awaited: a lone survivor of three would wait in vain for its quorum.
        self.nodes.iter_mut().for_each(Node::ask_to_stop);
        self.nodes.drain(..).try_for_each(Node::stop)
    }
}
