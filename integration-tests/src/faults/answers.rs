//! What the services say at the end of a run, kept as they say it beside what they said to the senders: nothing sealed
//! may stand in it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use causeway::example::World;

use super::fleet::Fleet;
use crate::SERVICES;

/// Whose inboxes are looked into.
const INBOXES: [&str; 3] = ["de-police", "br-police", "un-coordinator"];

/// Appends every instance's metrics and the inboxes' pages.
pub async fn keep(world: &World, fleet: &Fleet, answers: &Path) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().append(true).open(answers)?;
    let http = reqwest::Client::new();
    for address in SERVICES.iter().flat_map(|service| fleet.addresses(service)) {
        writeln!(file, "{}", http.get(format!("{address}/metrics")).send().await?.text().await?)?;
    }
    for (address, agency) in
        fleet.addresses("delivery").iter().flat_map(|address| INBOXES.map(|agency| (address, agency)))
    {
        let page = http.get(format!("{address}/v1/inbox?limit=500"));
        let page = page.bearer_auth(world.token(agency, "reader")?).send().await?.error_for_status()?;
        writeln!(file, "{}", page.text().await?)?;
    }
    Ok(())
}
