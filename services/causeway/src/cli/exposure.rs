//! The exposure ledger on the command line: for those who have to view material, and those who look after them.

use clap::Subcommand;
use client::Client;
use victim_id::http::{People, PersonView};

use super::Output;
use super::table::table;

#[derive(Subcommand)]
pub enum Exposure {
    /// What you had to view.
    Own,
    /// What each person of your agency had to view: for whoever it has named as looking after them.
    List {
        /// One person, by the actor of their tokens.
        #[arg(long)]
        person: Option<String>,
    },
}

impl Exposure {
    pub async fn run(self, client: &Client, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Own => {
                let view: PersonView = client.get("/v1/exposures/own").await?;
                output.print(&view, || text(&view))
            }
            Self::List { person } => {
                let person = person.iter().map(|person| ("person", person));
                let page = reqwest::Url::parse_with_params("causeway:/v1/exposures", person)?;
                let people: People = client.get(page.as_str().trim_start_matches("causeway:")).await?;
                output.print(&people, || list(&people))
            }
        }
    }
}

pub fn text(view: &PersonView) -> String {
    let limit = view.limit.zip(view.within).map_or_else(
        || "your agency has set no limit".to_owned(),
        |(limit, within)| format!("{within} within {} days, the limit is {}", limit.days, limit.items),
    );
    let over = if view.over {
        "\nThis is over the limit: stop here, and speak with whoever looks after you."
    } else {
        ""
    };
    format!("{} items in all; {limit}{over}\n", view.items)
}

fn list(people: &People) -> String {
    let rows = people.people.iter().map(|person| {
        vec![
            person.viewer.to_string(),
            person.items.to_string(),
            person.within.map_or_else(|| "-".to_owned(), |within| within.to_string()),
            if person.over { "over the limit" } else { "" }.to_owned(),
            person.last.map_or_else(|| "-".to_owned(), |last| last.to_string()),
        ]
    });
    let more = if people.more { "there are more\n" } else { "" };
    table(&["person", "items", "within the limit's days", "", "last"], &rows.collect::<Vec<_>>()) + more
}
