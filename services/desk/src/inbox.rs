//! The inbox as it stands: read from its beginning, and then followed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chassis::clock::Clock;
use client::{Client, ClientError};
use delivery::http::Inbox as Page;
use delivery::inbox::{AssignmentEntry, Delivered, Entry};
use futures::StreamExt as _;
use schemas::Timestamp;
use schemas::codes::{AssignmentState, Urgency};
use schemas::ids::{AssignmentId, IncidentId};
use tokio::sync::watch;

use crate::RETRY;

/// Entries that are asked for at once.
const PAGE: usize = 500;
/// So much of what came is shown.
const NEWS: usize = 100;

/// What stands before the agency.
#[derive(Clone, Default)]
pub struct Inbox {
    /// Those that are open: what is over stands in the routing.
    pub assignments: BTreeMap<AssignmentId, AssignmentEntry>,
    /// The latest first.
    pub news: VecDeque<Entry>,
    /// How much was read.
    pub entries: u64,
    /// Whether all that was there at the beginning is read.
    pub is_whole: bool,
    /// When it was last known to be as it stands; none before the first answer.
    pub at: Option<Timestamp>,
    /// Why nothing comes at the moment.
    pub broken: Option<Arc<str>>,
}

impl Inbox {
    /// What awaits an answer: imminent danger first, then what is due first.
    pub fn to_answer(&self) -> Vec<&AssignmentEntry> {
        self.in_order(|one| one.state.awaits_answer())
    }

    pub fn at_work(&self) -> Vec<&AssignmentEntry> {
        self.in_order(|one| one.state == AssignmentState::Accepted)
    }

    fn in_order(&self, wanted: impl Fn(&AssignmentEntry) -> bool) -> Vec<&AssignmentEntry> {
        let mut found: Vec<_> = self.assignments.values().filter(|one| wanted(one)).collect();
        found.sort_by_key(|one| (one.urgency != Urgency::ImminentDanger, one.respond_by));
        found
    }

    pub fn of_incident(&self, incident: IncidentId) -> Vec<&AssignmentEntry> {
        self.assignments.values().filter(|one| one.incident_id == incident).collect()
    }

    fn take_in(&mut self, entry: Entry) {
        self.entries += 1;
        match entry {
            Entry::Assignment(one) if one.state.is_open() => {
                self.assignments.insert(one.assignment_id, *one);
            }
            Entry::Assignment(one) => {
                self.assignments.remove(&one.assignment_id);
            }
            Entry::Changed { assignment_id, state, .. } if state.is_open() => {
                if let Some(one) = self.assignments.get_mut(&assignment_id) {
                    one.state = state;
                }
            }
            Entry::Changed { assignment_id, .. } => {
                self.assignments.remove(&assignment_id);
            }
            entry => {
                self.news.push_front(entry);
                self.news.truncate(NEWS);
            }
        }
    }
}

/// Follows the inbox from now on; it ends when nobody looks any more.
pub fn follow(client: Client, clock: Clock) -> watch::Receiver<Arc<Inbox>> {
    let (shown, looking) = watch::channel(Arc::default());
    tokio::spawn(async move {
        let mut follower = Follower { client, clock, shown, cursor: None };
        while !follower.shown.is_closed() {
            let why = match follower.read().await {
                Ok(()) => "the connection has ended".to_owned(),
                Err(error) => error.to_string(),
            };
            follower.change(|inbox| inbox.broken = Some(why.into()));
            tokio::time::sleep(RETRY).await;
        }
    });
    looking
}

struct Follower {
    client: Client,
    clock: Clock,
    shown: watch::Sender<Arc<Inbox>>,
    cursor: Option<String>,
}

impl Follower {
    /// Reads what is there, page by page, and then what comes, until the connection ends.
    async fn read(&mut self) -> Result<(), ClientError> {
        loop {
            let behind = self.cursor.as_ref().map_or(String::new(), |cursor| format!("&cursor={cursor}"));
            let page: Page<Delivered> = self.client.get(&format!("/v1/inbox?limit={PAGE}{behind}")).await?;
            self.cursor = Some(page.cursor);
            self.hear(page.entries, page.more);
            if !page.more {
                break;
            }
        }
        let mut coming = std::pin::pin!(self.client.follow::<Delivered>(self.cursor.as_deref()).await?);
        while let Some(Ok((cursor, delivered))) = coming.next().await {
            self.cursor = Some(cursor);
            self.hear(vec![delivered], false);
        }
        Ok(())
    }

    fn hear(&self, entries: Vec<Delivered>, more: bool) {
        let now = self.clock.now();
        self.change(|inbox| {
            entries.into_iter().for_each(|one| inbox.take_in(one.entry));
            inbox.is_whole |= !more;
            (inbox.at, inbox.broken) = (Some(now), None);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Inbox)) {
        self.shown.send_modify(|shown| change(Arc::make_mut(shown)));
    }
}
