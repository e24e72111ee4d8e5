//! All incidents as a list, and some of them by what they are.

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use chassis::http::Query;
use chassis::problem::Problem;
use openidconnect::url::form_urlencoded;
use pages::render;
use pages::shell::Shell;
use schemas::codes::{IncidentKind, Urgency};
use schemas::ids::Country;
use serde::Deserialize;

use super::Web;
use super::failure::Failure;
use super::said::OverviewWords as _;
use super::visit::Visit;
use crate::domain::list::{Filter, Lines};
use crate::domain::overview::Stage;

/// So many on one page.
const PER_PAGE: usize = 50;

/// What stands in the address. A choice of any is an empty text, as forms have it.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    stage: String,
    #[serde(default)]
    urgency: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    country: String,
    /// From 0 on.
    #[serde(default)]
    page: usize,
}

#[derive(Template)]
#[template(path = "incidents.html")]
struct Page {
    shell: Shell,
    asked: Asked,
    /// What the coordinator watches, by name.
    countries: Vec<Country>,
    found: Lines,
}

pub async fn page(
    State(web): State<Web>,
    visit: Visit,
    asked: Result<Query<Asked>, Problem>,
) -> Result<Html<String>, Failure> {
    let Visit { caller, shell, .. } = visit;
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(problem) => return Err(Failure::of(shell, problem)),
    };
    let mut countries = caller.agency.scope.clone();
    countries.sort_by_key(|country| shell.words.country_name(country).to_owned());
    match web.looks.list(&caller.agency, asked.filter(), asked.page.saturating_mul(PER_PAGE), PER_PAGE).await
    {
        Ok(found) => Ok(render(&Page { shell, asked, countries, found })),
        Err(problem) => Err(Failure::of(shell, problem)),
    }
}

impl Asked {
    /// What is no choice is any.
    fn filter(&self) -> Filter {
        Filter {
            stage: Stage::ALL.into_iter().find(|stage| stage.code() == self.stage),
            urgency: self.urgency.parse().ok(),
            kind: self.kind.parse().ok(),
            country: Country::try_new(&self.country).ok(),
        }
    }

    fn address(&self, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("stage", &self.stage),
            ("urgency", &self.urgency),
            ("kind", &self.kind),
            ("country", &self.country),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.append_pair("page", &page.to_string());
        format!("{}/incidents?{}", super::BASE, query.finish())
    }
}

impl Page {
    fn shown(&self) -> String {
        let words = self.shell.words;
        words
            .incidents_shown(words.number(self.found.lines.len() as u64), words.number(self.found.all as u64))
    }

    fn next(&self) -> Option<String> {
        let next = self.asked.page.saturating_add(1);
        (next.saturating_mul(PER_PAGE) < self.found.all).then(|| self.asked.address(next))
    }

    fn previous(&self) -> Option<String> {
        self.asked.page.checked_sub(1).map(|page| self.asked.address(page))
    }
}
