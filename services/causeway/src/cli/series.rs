//! Series on the command line: children of several incidents that one body of material shows.

use clap::Subcommand;
use client::Client;
use schemas::ids::SeriesId;
use serde_json::json;
use victim_id::http::{AllSeries, SeriesView};

use super::Output;
use super::agency::anew;
use super::table::table;

#[derive(Subcommand)]
pub enum Series {
    /// Open a series. Give its id to the units that are to join it; `causeway child join` puts a child into it.
    Open,
    /// The series in which you look for a child, or that you have opened; as a coordinator those of your countries.
    List,
    /// The children of a series, and whom to speak with.
    Show { series: SeriesId },
}

impl Series {
    pub async fn run(self, client: &Client, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Open => {
                let view: SeriesView = client.command("/v1/series", &anew("series"), &json!({})).await?;
                output.print(&view, || text(&view))
            }
            Self::List => {
                let all: AllSeries = client.get("/v1/series").await?;
                output.print(&all, || list(&all))
            }
            Self::Show { series } => {
                let view: SeriesView = client.get(&format!("/v1/series/{series}")).await?;
                output.print(&view, || text(&view))
            }
        }
    }
}

fn list(all: &AllSeries) -> String {
    let rows = all.series.iter().map(|view| {
        let children = view.members.len().max(view.watched.len());
        vec![view.series_id.to_string(), children.to_string(), known(view).to_owned()]
    });
    let more = if all.more { "there are more\n" } else { "" };
    table(&["series", "children", "known"], &rows.collect::<Vec<_>>()) + more
}

const fn known(view: &SeriesView) -> &'static str {
    if view.identified { "one was identified" } else { "nobody was identified yet" }
}

fn text(view: &SeriesView) -> String {
    let or_nobody = |of: Option<String>| of.unwrap_or_else(|| "nobody".to_owned());
    let head = format!("series {}  {}\n", view.series_id, known(view));
    let members = view.members.iter().map(|member| {
        vec![
            member.child.child_ref.to_string(),
            member.child.incident_id.to_string(),
            member.status.to_string(),
            or_nobody(member.custodian.as_ref().map(ToString::to_string)),
        ]
    });
    let watched = view.watched.iter().map(|member| {
        vec![member.status.to_string(), or_nobody(member.country.as_ref().map(ToString::to_string))]
    });
    if view.watched.is_empty() {
        head + &table(&["child", "incident", "status", "looked for by"], &members.collect::<Vec<_>>())
    } else {
        head + &table(&["status", "looked for in"], &watched.collect::<Vec<_>>())
    }
}
