//! A network that fails on purpose: between services and brokers, it cuts, delays and resets connections.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const BUFFER_BYTES: usize = 16 * 1024;

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// Connections stay, and nothing passes, as with a cable that is pulled.
    Cut,
    /// Each piece comes so much later.
    Slow(Duration),
    /// Every connection is reset, and every new one too.
    Reset,
}

impl Display for Weather {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fair => f.write_str("fair"),
            Self::Cut => f.write_str("cut"),
            Self::Slow(delay) => write!(f, "slow by {} ms", delay.as_millis()),
            Self::Reset => f.write_str("reset"),
        }
    }
}

/// One way to every broker: where clients are sent, and where the broker listens.
#[derive(Clone, Debug)]
pub struct Lane(Vec<(SocketAddr, SocketAddr)>);

impl FromStr for Lane {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let hop = |hop: &str| {
            let (front, behind) = hop.split_once('>').context("a hop of a lane is FRONT>BEHIND")?;
            Ok((front.parse()?, behind.parse()?))
        };
        text.split(',').map(hop).collect::<anyhow::Result<_>>().map(Self)
    }
}

impl Lane {
    /// What a client connects to first.
    pub fn brokers(&self) -> String {
        self.0.iter().map(|(front, _)| front.to_string()).collect::<Vec<_>>().join(",")
    }
}

/// Carries connections while it lives.
pub struct Network {
    weather: watch::Sender<Weather>,
    _carriers: JoinSet<()>,
}

impl Network {
    /// Stands in the lane, in fair weather.
    ///
    /// # Errors
    /// When another program has taken a front.
    pub async fn start(lane: &Lane) -> anyhow::Result<Self> {
        let (weather, _) = watch::channel(Weather::Fair);
        let mut carriers = JoinSet::new();
        for (front, behind) in lane.0.clone() {
            let listener =
                TcpListener::bind(front).await.with_context(|| format!("failed to bind {front}"))?;
            carriers.spawn(listen(listener, behind, weather.clone()));
        }
        Ok(Self { weather, _carriers: carriers })
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

/// Its connections end with it.
async fn listen(listener: TcpListener, behind: SocketAddr, weather: watch::Sender<Weather>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connect(client, behind, weather.subscribe()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(mut client: TcpStream, behind: SocketAddr, weather: watch::Receiver<Weather>) {
    // A broker that is down is a connection that closes.
    let Ok(mut broker) = TcpStream::connect(behind).await else { return };
    let mut until_reset = weather.clone();
    let reset = {
        let (from_client, to_client) = client.split();
        let (from_broker, to_broker) = broker.split();
        tokio::select! {
            _ = until_reset.wait_for(|weather| *weather == Weather::Reset) => true,
            () = carry(from_client, to_broker, weather.clone()) => false,
            () = carry(from_broker, to_client, weather.clone()) => false,
        }
    };
    if reset {
        // Closing with a linger of nought sends RST; without it, FIN.
        let _ = client.set_zero_linger();
        let _ = broker.set_zero_linger();
    }
}

/// Until either end closes.
async fn carry(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut weather: watch::Receiver<Weather>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        if weather.wait_for(|weather| *weather != Weather::Cut).await.is_err() {
            return;
        }
        let now = *weather.borrow();
        if let Weather::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
