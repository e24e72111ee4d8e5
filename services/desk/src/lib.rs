//! An agency's own pages, served on its own machine: its inbox, its answers, and what is opened for it.
//!
//! Invariants:
//! - the private key stays in this process: what is sealed is opened here, shown, and kept nowhere;
//! - nothing outside of this machine reaches the pages, and on it nobody without the secret of their address;
//! - whatever is done is a command of the service whose it is, in the person's own name.

mod agencies;
pub mod forms;
mod inbox;
mod web;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use chassis::clock::Clock;
use chassis::seal::KeyPair;
use client::{Client, ClientError};
use serde_json::Value;
use tokio::net::TcpListener;

use agencies::{Agencies, WhoError};
use forms::Forms;
use web::{Desk, Door};

/// What the desk is opened with.
pub struct Options {
    pub listen: SocketAddr,
    /// The agency's access to the deployment.
    pub client: Client,
    /// The agency's private keys: the first that the directory knows opens.
    pub keys: Vec<KeyPair>,
}

#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error("the desk is for this machine alone: {0} is no address of it (take 127.0.0.1)")]
    NotHere(SocketAddr),
    #[error("failed to listen at {at}")]
    Listen { at: SocketAddr, source: std::io::Error },
    #[error("failed to ask the deployment what it takes")]
    Asked(#[from] ClientError),
    #[error(transparent)]
    Who(#[from] WhoError),
    #[error("the pages ended")]
    Served(#[source] std::io::Error),
}

/// A desk that listens.
pub struct Opened {
    /// Where a browser enters; it holds a secret.
    pub address: String,
    listeners: Vec<TcpListener>,
    pages: axum::Router,
}

/// Asks the deployment who the token's agency is and what it takes, and listens.
///
/// # Errors
/// See [`DeskError`].
pub async fn open(options: Options) -> Result<Opened, DeskError> {
    let Options { listen, client, keys } = options;
    if !listen.ip().is_loopback() {
        return Err(DeskError::NotHere(listen));
    }
    let forms = Forms::new(client.get::<Value>("/openapi.json").await?);
    let agencies = Agencies::new(client.clone());
    agencies.who().await?;
    let (listeners, port) =
        listeners(listen).await.map_err(|source| DeskError::Listen { at: listen, source })?;
    let clock = Clock::system();
    let inbox = inbox::follow(client.clone(), clock.clone());
    let door = Door::new(port);
    let address = door.entrance();
    let pages = web::pages(Desk { client, keys, forms, agencies, inbox, clock }, door);
    Ok(Opened { address, listeners, pages })
}

/// A name below `localhost` means both loopback addresses: whoever had the other one would be sent the secret.
async fn listeners(listen: SocketAddr) -> io::Result<(Vec<TcpListener>, u16)> {
    let first = TcpListener::bind(listen).await?;
    let port = first.local_addr()?.port();
    let other: IpAddr =
        if listen.is_ipv4() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
    match TcpListener::bind((other, port)).await {
        Ok(second) => Ok((vec![first, second], port)),
        // A machine may have one kind of address alone; what is taken by another is another matter.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok((vec![first], port)),
    }
}

impl Opened {
    /// Serves until the sign to stop; streams that people have open end with it.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), DeskError> {
        let pages = self.pages.into_make_service();
        let serving = self.listeners.into_iter().map(|one| axum::serve(one, pages.clone()).into_future());
        tokio::select! {
            served = futures::future::try_join_all(serving) => served.map(drop).map_err(DeskError::Served),
            () = stop => Ok(()),
        }
    }
}

/// Pause before what broke off is taken up again.
const RETRY: Duration = Duration::from_secs(2);
