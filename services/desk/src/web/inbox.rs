//! The page that an officer keeps open: what awaits an answer, what is at work, and what else came.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use axum::response::sse::{Event, KeepAlive, Sse};
use delivery::inbox::{AssignmentEntry, Entry};
use futures::Stream;
use pages::render;
use pages::shell::Shell;
use pages::words::Words;
use schemas::Timestamp;
use schemas::codes::Urgency;
use schemas::ids::IncidentId;

use super::Desk;
use super::failure::Failure;
use super::visit::Visit;
use crate::inbox::Inbox;

/// How old what is shown may look: the page says so anew this often, also when nothing has come.
const SAID_AGAIN: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What comes at once is shown at once.
const GATHER: Duration = Duration::from_millis(100);

#[derive(Template)]
#[template(path = "inbox.html")]
struct Page {
    shell: Shell,
    content: Content,
}

/// All of the page that changes.
#[derive(Template)]
#[template(path = "inbox-content.html")]
struct Content {
    words: &'static Words,
    inbox: Arc<Inbox>,
    now: Timestamp,
}

/// One thing that came, as it is told.
struct Told {
    at: Timestamp,
    text: String,
    incident: IncidentId,
    /// Where more of it is seen.
    address: String,
}

pub async fn page(State(desk): State<Arc<Desk>>, visit: Visit) -> Html<String> {
    let content = desk.content(visit.shell.words);
    render(&Page { shell: visit.shell, content })
}

/// The part that changes, as often as it does.
pub async fn stream(
    State(desk): State<Arc<Desk>>,
    visit: Result<Visit, Failure>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let words = visit?.shell.words;
    let contents = async_stream::stream! {
        let mut inbox = desk.inbox.clone();
        loop {
            inbox.borrow_and_update();
            let content = desk.content(words).render().expect("a page renders into memory");
            yield Ok(Event::default().event("content").data(content));
            tokio::time::sleep(GATHER).await;
            tokio::select! {
                changed = inbox.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(SAID_AGAIN) => {}
            }
        }
    };
    Ok(Sse::new(contents).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl Desk {
    fn content(&self, words: &'static Words) -> Content {
        Content { words, inbox: self.inbox.borrow().clone(), now: self.clock.now() }
    }
}

impl Content {
    fn as_of(&self) -> String {
        let at = if self.inbox.broken.is_some() { self.inbox.at } else { Some(self.now) };
        at.map_or_else(|| "–".to_owned(), |at| self.words.moment_text(at))
    }

    fn entries(&self) -> String {
        self.words.number(self.inbox.entries)
    }

    fn count(&self, assignments: &[&AssignmentEntry]) -> String {
        self.words.number(assignments.len() as u64)
    }

    fn is_waiting(&self, assignments: &[&AssignmentEntry]) -> bool {
        assignments.iter().any(|one| one.state.awaits_answer())
    }

    fn is_danger(&self, one: &AssignmentEntry) -> bool {
        one.urgency == Urgency::ImminentDanger
    }

    fn is_pressing(&self, assignments: &[&AssignmentEntry]) -> bool {
        assignments.iter().any(|one| self.is_danger(one) && one.state.awaits_answer())
    }

    fn told(&self, entry: &Entry) -> Told {
        let words = self.words;
        let of_incident = |incident: &IncidentId| format!("/incidents/{incident}");
        let (incident, at, text, address) = match entry {
            Entry::Assignment(one) => {
                (one.incident_id, one.at, words.code(one.urgency).to_owned(), of_incident(&one.incident_id))
            }
            Entry::Changed { incident_id, state, at, .. } => {
                (*incident_id, *at, words.code(*state).to_owned(), of_incident(incident_id))
            }
            Entry::Call { incident_id, contact, acknowledge_by, at, .. } => {
                let text = words.to_be_called(contact.as_str(), words.moment_text(*acknowledge_by));
                (*incident_id, *at, text, of_incident(incident_id))
            }
            Entry::Alert { incident_id, reason, at, .. } => {
                (*incident_id, *at, words.code(*reason).to_owned(), of_incident(incident_id))
            }
            Entry::OpenedEarly { incident_id, opened_by, at, .. } => {
                let by = opened_by.as_ref().map_or("–", |by| by.as_str());
                (*incident_id, *at, words.opened_early(by), of_incident(incident_id))
            }
            Entry::Erased { incident_id, reason, restricted, at, .. } => {
                let reason = words.code(*reason);
                let text =
                    if *restricted { words.restrict_copies(reason) } else { words.erase_copies(reason) };
                (*incident_id, *at, text, of_incident(incident_id))
            }
            Entry::KeysErased { incident_id, at, .. } => {
                (*incident_id, *at, words.keys_erased(), of_incident(incident_id))
            }
            Entry::Request { incident_id, request_id, step, state, at, .. } => {
                let text = format!("{}: {}", words.code(*step), words.code(*state));
                (*incident_id, *at, text, format!("/incidents/{incident_id}/requests/{request_id}"))
            }
            Entry::Child { incident_id, child_ref, news, at } => {
                let text = words.code(*news).to_owned();
                (*incident_id, *at, text, format!("/incidents/{incident_id}/children/{child_ref}"))
            }
            Entry::Period { incident_id, request_id, due, ran_out, at, .. } => {
                let due = words.moment_text(*due);
                let text = if *ran_out { words.period_ran_out(due) } else { words.period_ends(due) };
                (*incident_id, *at, text, format!("/incidents/{incident_id}/requests/{request_id}"))
            }
            Entry::Retraction { incident_id, reason, at, .. } => {
                let text = words.taken_back(words.code(*reason));
                (*incident_id, *at, text, of_incident(incident_id))
            }
        };
        Told { at, text, incident, address }
    }
}
