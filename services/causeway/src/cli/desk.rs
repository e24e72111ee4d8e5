//! The desk: an agency's own pages, on its own machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use ::desk::Options;
use clap::Args;
use client::Client;

use super::agency::read_key;

#[derive(Args)]
pub struct Desk {
    /// The file of one of the agency's private keys, as `causeway keygen` writes it. It never leaves this machine; and
    /// without any nothing that is sealed can be opened.
    #[arg(long)]
    key: Vec<PathBuf>,
    /// Where on this machine the pages are served.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

impl Desk {
    pub async fn run(
        self,
        client: Client,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let keys = self.key.iter().map(|file| read_key(file)).collect::<anyhow::Result<_>>()?;
        let opened = ::desk::open(Options { listen: self.listen, client, keys }).await?;
        println!(
            "Open this address in a browser on this machine, and give it to nobody:\n\n  {}\n",
            opened.address
        );
        Ok(opened.serve(stop).await?)
    }
}
