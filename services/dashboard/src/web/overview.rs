//! The page that a coordinator keeps open all day.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use axum::response::sse::{Event, Sse};
use chassis::problem::Problem;
use futures::{Stream, StreamExt};
use pages::atlas;
use pages::render;
use pages::shell::Shell;
use pages::words::Words;
use schemas::codes::{SignalRole, Urgency};
use schemas::ids::Country;

use super::Web;
use super::failure::Failure;
use super::said::OverviewWords as _;
use super::visit::Visit;
use crate::domain::Overview;
use crate::domain::overview::{Flow, Need};
use crate::looks::Look;
use crate::streams;

/// So many weeks back are drawn.
const WEEKS: usize = 26;
/// The least and the largest radius of a country's mark on the map.
const MARK: (f64, f64) = (3.0, 14.0);

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    shell: Shell,
    content: Content,
}

/// All of the page that changes.
#[derive(Template)]
#[template(path = "overview-content.html")]
struct Content {
    words: &'static Words,
    look: Arc<Look>,
}

/// A line of a table with a bar: how often, and how long the bar is of a hundred.
struct Bar {
    label: String,
    number: String,
    share: u64,
}

/// From where to where, as a line of the table beside the map.
struct FlowLine {
    from: String,
    to: String,
    role: SignalRole,
    number: String,
    share: u64,
}

/// Where an incident is reported, and where it leads, on the map.
struct Curve {
    from: (u32, u32),
    bend: (i64, i64),
    to: (u32, u32),
    role: &'static str,
    title: String,
}

/// How many incidents concern a country, on the map.
struct Mark {
    at: (u32, u32),
    radius: f64,
    title: String,
}

pub async fn page(State(web): State<Web>, visit: Visit) -> Result<Html<String>, Failure> {
    match web.looks.now(&visit.caller.agency).await {
        Ok(look) => {
            let content = Content { words: visit.shell.words, look };
            Ok(render(&Page { shell: visit.shell, content }))
        }
        Err(problem) => Err(Failure::of(visit.shell, problem)),
    }
}

/// The part that changes, as often as it does, for as long as the session lasts.
pub async fn stream(
    State(web): State<Web>,
    visit: Result<Visit, Failure>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let visit = visit.map_err(Failure::into_problem)?;
    let words = visit.shell.words;
    let contents = streams::looks(visit.caller, &web.looks, &web.reference)?.map(move |look| {
        let content = Content { words, look }.render().expect("a page renders into memory");
        Ok(Event::default().event("content").data(content))
    });
    Ok(Sse::new(contents).keep_alive(streams::keep_alive()))
}

impl Content {
    fn overview(&self) -> &Overview {
        &self.look.overview
    }

    fn number(&self, count: u64) -> String {
        self.words.number(count)
    }

    /// Where there are more needs than the page shows.
    fn needs_shown(&self) -> Option<String> {
        let (shown, all) = (self.overview().needs.len() as u64, self.overview().needs_in_all);
        (shown < all).then(|| self.words.needs_shown(self.number(shown), self.number(all)))
    }

    fn bars(&self, counts: impl Iterator<Item = (String, u64)>) -> Vec<Bar> {
        let counts: Vec<(String, u64)> = counts.collect();
        let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
        let bar = |(label, count)| Bar { label, number: self.number(count), share: count * 100 / most };
        counts.into_iter().map(bar).collect()
    }

    fn stages(&self) -> Vec<Bar> {
        self.bars(self.overview().stages.iter().map(|(stage, count)| (self.words.stage(*stage), *count)))
    }

    fn urgencies(&self) -> Vec<Bar> {
        let most_urgent_first = self.overview().urgencies.iter().rev();
        self.bars(most_urgent_first.map(|(urgency, count)| (self.words.code(*urgency).to_owned(), *count)))
    }

    fn kinds(&self) -> Vec<Bar> {
        self.bars(
            self.overview().kinds.iter().map(|(kind, count)| (self.words.code(*kind).to_owned(), *count)),
        )
    }

    /// The latest first, as people look for them.
    fn weeks(&self) -> Vec<Bar> {
        let latest = self.overview().weeks.iter().rev().take(WEEKS);
        self.bars(latest.map(|(week, count)| (week.clone(), *count)))
    }

    fn flows(&self) -> Vec<FlowLine> {
        let mut flows: Vec<&Flow> = self.overview().flows.iter().collect();
        flows.sort_by_key(|flow| Reverse(flow.incidents));
        let most = flows.first().map_or(1, |flow| flow.incidents);
        let line = |flow: &Flow| FlowLine {
            from: self.words.country_name(&flow.from).to_owned(),
            to: self.words.country_name(&flow.to).to_owned(),
            role: flow.role,
            number: self.number(flow.incidents),
            share: flow.incidents * 100 / most,
        };
        flows.into_iter().map(line).collect()
    }

    fn curves(&self) -> Vec<Curve> {
        let middle = |country: &Country| atlas::of(country)?.middle;
        let curve = |flow: &Flow| {
            let (from, to) = (middle(&flow.from)?, middle(&flow.to)?);
            (from != to).then(|| Curve {
                from,
                bend: bend(from, to),
                to,
                role: flow.role.code(),
                title: self.title(flow),
            })
        };
        self.overview().flows.iter().filter_map(curve).collect()
    }

    fn title(&self, flow: &Flow) -> String {
        let words = self.words;
        let (from, to) = (words.country_name(&flow.from), words.country_name(&flow.to));
        format!("{from} → {to}, {}: {}", words.code(flow.role), words.number(flow.incidents))
    }

    fn marks(&self) -> Vec<Mark> {
        let mut concerned = BTreeMap::<&Country, u64>::new();
        for flow in &self.overview().flows {
            *concerned.entry(&flow.to).or_default() += flow.incidents;
        }
        let most = concerned.values().copied().max().unwrap_or(1) as f64;
        let mark = |(country, count): (&Country, u64)| {
            let at = atlas::of(country)?.middle?;
            // The area says how many, not the radius.
            let radius = MARK.0 + (MARK.1 - MARK.0) * (count as f64 / most).sqrt();
            let title = format!("{}: {}", self.words.country_name(country), self.words.number(count));
            Some(Mark { at, radius, title })
        };
        concerned.into_iter().filter_map(mark).collect()
    }

    fn is_pressing(&self, need: &Need) -> bool {
        need.urgency == Urgency::ImminentDanger
    }
}

/// The middle between two places, moved aside by a fifth of the way, so that there and back are two lines.
fn bend(from: (u32, u32), to: (u32, u32)) -> (i64, i64) {
    let ((x1, y1), (x2, y2)) = ((i64::from(from.0), i64::from(from.1)), (i64::from(to.0), i64::from(to.1)));
    ((x1 + x2) / 2 + (y2 - y1) / 5, (y1 + y2) / 2 - (x2 - x1) / 5)
}
