//! A child whom somebody looks for: how the search stands, and what the agency may do about it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use chassis::http::{Came, Path, Query};
use pages::render;
use pages::shell::Shell;
use schemas::ids::{AgencyId, ChildRef, IncidentId};
use victim_id::http::ChildView;

use super::Desk;
use super::act::Asked;
use super::failure::Failure;
use super::incident::Acting;
use super::visit::Visit;
use crate::forms::Form;

#[derive(Template)]
#[template(path = "child.html")]
struct Page {
    shell: Shell,
    came: Option<Came>,
    child: ChildView,
    may_open: bool,
    forms: Vec<Form>,
}

/// The lists of the codes that the history of a search tells.
const SAID: [&str; 4] = ["child-status", "custody-route", "link-end", "offer-end"];

/// How long a custodian who takes up the search may say nothing, where nobody says otherwise.
const LIMIT_DAYS: &str = "30";

pub async fn page(
    State(desk): State<Arc<Desk>>,
    visit: Visit,
    Path((incident, child)): Path<(IncidentId, ChildRef)>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let path = format!("/v1/incidents/{incident}/children/{child}");
    let view: ChildView = match desk.client.get(&path).await {
        Ok(view) => view,
        Err(error) => return Err(Failure::of(visit.shell, error.into())),
    };
    let acting = Acting { desk: &desk, visit: &visit, choices: visit.choices() };
    let form = |(text, verb): (&'static str, String)| {
        let form = acting.form(text, &format!("{path}/{verb}"))?;
        Some(form.filled(&[("/limit_days", LIMIT_DAYS), ("/status", view.status.code())]))
    };
    let page = Page {
        came: asked.came,
        may_open: visit.key(&desk).is_some(),
        forms: acts(&view, &visit.who.agency.id).into_iter().filter_map(form).collect(),
        child: view,
        shell: visit.shell,
    };
    Ok(render(&page))
}

/// What may be done, by how the search stands: the text of each, and its path below the child's.
fn acts(child: &ChildView, own: &AgencyId) -> Vec<(&'static str, String)> {
    let mut acts = Vec::new();
    let mut may = |text: &'static str, verb: String| acts.push((text, verb));
    match &child.offer {
        Some(offer) if offer.to == *own => {
            may("do-accept-custody", format!("offers/{}/accept", offer.offer_id));
            may("do-decline-custody", format!("offers/{}/decline", offer.offer_id));
        }
        Some(offer) if child.held_by_us => {
            may("do-withdraw-offer", format!("offers/{}/withdraw", offer.offer_id))
        }
        _ => {}
    }
    if !child.held_by_us && (child.custody.is_none() || child.invited.contains(own)) {
        may("do-take", "custody".to_owned());
    }
    if child.held_by_us {
        if child.offer.is_none() {
            may("do-offer", "offers".to_owned());
        }
        for (text, verb) in [
            ("do-confirm", "confirm"),
            ("do-attribute", "attribution"),
            ("do-status", "status"),
            ("do-support", "support"),
            ("do-remedies", "remedies"),
            ("do-notification", "notification"),
            ("do-link", "links"),
            ("do-join-series", "series"),
        ] {
            may(text, verb.to_owned());
        }
        for series in &child.series {
            may("do-leave-series", format!("series/{series}/leave"));
        }
        for link in child.links.iter().filter(|link| !link.agreed) {
            if !link.ours {
                may("do-agree", format!("links/{}/agree", link.link_id));
            }
            may("do-end-link", format!("links/{}/end", link.link_id));
        }
    }
    if child.support.iter().any(|one| one.service == *own && !one.acknowledged) {
        may("do-acknowledge-support", "support/acknowledge".to_owned());
    }
    may("do-viewed", "exposures".to_owned());
    acts
}

impl Page {
    fn came(&self) -> Option<String> {
        self.shell.words.came_text(self.came)
    }

    /// The event, and the code that it may have said.
    fn what(&self, what: &str) -> String {
        let words = self.shell.words;
        match what.split_once(": ") {
            Some((event, code)) => {
                let label = SAID.iter().find_map(|list| words.label(list, code));
                format!("{}: {}", words.event_text(event), label.unwrap_or(code))
            }
            None => words.event_text(what),
        }
    }

    fn count(&self, items: &i64) -> u64 {
        items.unsigned_abs()
    }

    fn address(&self) -> String {
        format!("/incidents/{}/children/{}", self.child.incident_id, self.child.child_ref)
    }
}
