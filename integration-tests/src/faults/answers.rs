//! What the services say at the end of a run, kept as they say it beside what they said to the senders: nothing sealed
//! may stand in it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use causeway::example::World;

use super::fleet::Fleet;
use crate::SERVICES;

/// Entries of one page.
const PAGE: usize = 500;
/// Whose inboxes are looked into.
const INBOXES: [&str; 3] = ["de-police", "br-police", "un-coordinator"];

/// Appends every instance's metrics and the inboxes' pages.
pub async fn keep(world: &World, fleet: &Fleet, answers: &Path) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().append(true).open(answers)?;
    let http = reqwest::Client::new();
    for address in SERVICES.iter().flat_map(|service| fleet.addresses(service)) {
        writeln!(file, "{}", http.get(format!("{address}/metrics")).send().await?.text().await?)?;
    }
    for address in fleet.addresses("delivery") {
        for agency in INBOXES {
            let client = world.client(&address, agency, "reader")?;
            let mut query = format!("?limit={PAGE}");
            loop {
                let inbox = client.inbox(&query).await?;
                writeln!(file, "{}", serde_json::to_string(&inbox)?)?;
                if !inbox.more {
                    break;
                }
                query = format!("?limit={PAGE}&cursor={}", inbox.cursor);
            }
        }
    }
    Ok(())
}
