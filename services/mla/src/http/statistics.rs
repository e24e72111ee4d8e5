//! The yearly statistics on orders to providers, as of any moment.

use axum::Json;
use axum::extract::State;
use chassis::auth::Caller;
use chassis::front::AtPosition;
use chassis::http::Query;
use chassis::problem::Problem;
use schemas::Timestamp;
use schemas::codes::AgencyKind;
use schemas::ids::Country;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Pages;
use crate::domain::Request;
use crate::domain::statistics::{self, Enforced, Figures, Group};
use crate::index;
use crate::legal::calendar::Days;

pub fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new().routes(routes!(yearly))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The year in which the orders were issued, by the calendar of the State.
    year: i16,
    /// As they stood then; now when it is not told.
    as_of: Option<Timestamp>,
}

/// The statistics of one State and year: Regulation (EU) 2023/1543, Article 28(2).
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Yearly {
    pub country: Country,
    pub year: i16,
    pub as_of: Timestamp,
    /// Of the orders that the State has issued.
    pub issued: Vec<Row>,
    /// Of the orders that the State was asked to enforce.
    pub enforced: Enforced,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderRow)]
pub struct Row {
    pub group: Group,
    pub figures: Figures,
}

/// What the caller's State has to report each 31 March for the year before, computed anew as of any moment.
#[utoipa::path(get, path = "/v1/mla/statistics", tag = "mla", params(Asked),
    responses((status = 200, body = Yearly), (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn yearly(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Query(asked): Query<Asked>,
) -> Result<Json<Yearly>, Problem> {
    caller.must_be(&[AgencyKind::CentralAuthority])?;
    pages.front.await_position(at.0.as_ref()).await?;
    tokio::task::spawn_blocking(move || of(&pages, &caller.agency.country, &asked))
        .await
        .map_err(|_| Problem::internal())?
        .map(Json)
}

fn of(pages: &Pages, country: &Country, asked: &Asked) -> Result<Yearly, Problem> {
    let now = pages.front.clock().now();
    let as_of = asked.as_of.unwrap_or(now);
    let directory = pages.reference.snapshot().directory;
    let days = Days::of(country, directory.calendar(country, now));
    let of_year =
        |request: &Request| statistics::issued(request).is_some_and(|at| days.day(at).year() == asked.year);
    let mut orders = Vec::new();
    for (key, _) in pages.span(&index::orders_of(country))? {
        let Some((incident, request)) = index::request_of(&key) else { continue };
        let state = pages.front.state(&incident.to_string())?;
        orders.extend(state.state.requests.get(&request).filter(|request| of_year(request)).cloned());
    }
    let issued = statistics::issued_by(country, &orders, as_of);
    Ok(Yearly {
        country: country.clone(),
        year: asked.year,
        as_of,
        issued: issued.into_iter().map(|(group, figures)| Row { group, figures }).collect(),
        enforced: statistics::enforced_by(country, &orders, as_of),
    })
}
