//! What events change, on top of what a fold holds: gathered while a batch is decided or read, and folded in at once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use schemas::envelope::{Body, EventBody};
use schemas::ids::CommandId;
use schemas::{Event, InputPosition, Timestamp};

use super::{Aggregate, Due, Fold, FoldError, Inputs, Outcome, Recorded, Verdict, input_of};
use crate::decider::{IndexEntry, Service};
use crate::store::{Batch, Kind};

pub struct Changes<S: Service> {
    pub(super) aggregates: HashMap<String, Changed<S>>,
    pub(super) answered: Answered,
}

/// An aggregate as it is by now, and what the store has of it.
pub(super) struct Changed<S: Service> {
    pub(super) aggregate: Arc<Aggregate<S::State>>,
    partition: i32,
    sequence_before: i64,
    due_before: Option<Timestamp>,
}

/// What was answered.
#[derive(Default)]
pub(super) struct Answered {
    commands: HashSet<CommandId>,
    pub(super) inputs: Inputs,
}

/// What one event leaves behind beside its aggregate. Where it stands is known once it is committed.
pub struct Noted {
    pub(super) partition: i32,
    /// Its offset is filled in then.
    pub(super) outcome: Option<(CommandId, Outcome)>,
    pub(super) index: Vec<IndexEntry>,
}

impl<S: Service> Default for Changes<S> {
    fn default() -> Self {
        Self { aggregates: HashMap::new(), answered: Answered::default() }
    }
}

impl<S: Service> Changes<S> {
    pub fn aggregate(&self, id: &str) -> Option<&Arc<Aggregate<S::State>>> {
        self.aggregates.get(id).map(|changed| &changed.aggregate)
    }

    pub fn has_answered(&self, command: CommandId) -> bool {
        self.answered.commands.contains(&command)
    }

    /// The last input of a topic's partition that is answered here.
    pub fn input(&self, topic: &str, partition: i32) -> Option<i64> {
        input_of(&self.answered.inputs, topic, partition)
    }

    /// The aggregate to be decided on; as it was `before` when nothing here has changed it.
    pub fn take_up(
        &mut self,
        id: &str,
        partition: i32,
        before: impl FnOnce() -> Result<Arc<Aggregate<S::State>>, FoldError>,
    ) -> Result<&mut Arc<Aggregate<S::State>>, FoldError> {
        let changed = match self.aggregates.entry(id.to_owned()) {
            Entry::Occupied(changed) => changed.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(Changed::of(before()?, partition)),
        };
        Ok(&mut changed.aggregate)
    }

    /// The aggregate after the events that answer an input, and what these leave behind.
    pub fn put<'n>(
        &mut self,
        id: &str,
        after: Aggregate<S::State>,
        input: &InputPosition,
        noted: impl IntoIterator<Item = &'n Noted>,
    ) {
        if let Some(changed) = self.aggregates.get_mut(id) {
            changed.aggregate = Arc::new(after);
        }
        self.answered.take(input, noted);
    }

    /// Takes in an event as it stands in the topic.
    pub fn take_in(&mut self, fold: &Fold<S>, record: &Recorded<S::Event>) -> Result<Noted, FoldError> {
        let (event, place) = (&record.event, record.place);
        let id = &event.aggregate_id;
        let aggregate = self.take_up(id, place.partition, || fold.aggregate(id))?;
        let noted = if event.sequence <= aggregate.sequence && fold.is_ahead(place) {
            // It, and what follows from it, was written before the store was cut off.
            Noted { partition: place.partition, outcome: None, index: Vec::new() }
        } else if event.sequence != aggregate.sequence + 1 {
            return Err(FoldError::Gap {
                aggregate_id: id.clone(),
                sequence: event.sequence,
                after: aggregate.sequence,
            });
        } else {
            let aggregate = Arc::make_mut(aggregate);
            S::evolve(&mut aggregate.state, event);
            aggregate.sequence = event.sequence;
            aggregate.predecessor = record.digest.to_vec();
            Noted::of::<S>(aggregate, event, place.partition)
        };
        self.answered.take(&event.input, [&noted]);
        Ok(noted)
    }
}

impl Answered {
    /// What no event answers leaves no trace: whoever folds the topic could not know of it.
    fn take<'n>(&mut self, input: &InputPosition, noted: impl IntoIterator<Item = &'n Noted>) {
        let mut noted = noted.into_iter().peekable();
        if noted.peek().is_none() {
            return;
        }
        self.commands.extend(noted.filter_map(|noted| noted.outcome.as_ref().map(|(command, _)| *command)));
        if !self.inputs.contains_key(&input.topic) {
            self.inputs.insert(input.topic.clone(), HashMap::new());
        }
        if let Some(last) = self.inputs.get_mut(&input.topic) {
            let last = last.entry(input.partition).or_insert(input.offset);
            *last = input.offset.max(*last);
        }
    }
}

impl Noted {
    /// Of an event, and its aggregate after it.
    pub fn of<S: Service>(after: &Aggregate<S::State>, event: &Event<S::Event>, partition: i32) -> Self {
        let outcome = outcome_of::<S>(after, event, partition);
        Self { partition, outcome, index: S::index(&after.state, event, &after.predecessor) }
    }
}

/// Only commands have an outcome to be asked for; other causes are events of other services.
fn outcome_of<S: Service>(
    after: &Aggregate<S::State>,
    event: &Event<S::Event>,
    partition: i32,
) -> Option<(CommandId, Outcome)> {
    if event.input.topic != S::Command::TOPIC {
        return None;
    }
    let command = event.cause.parse::<CommandId>().ok()?;
    let verdict = match (event.body.as_rejected(), event.body.as_failed()) {
        (Some(rejected), _) => Verdict::Rejected { code: rejected.code, pointer: rejected.pointer.clone() },
        (_, Some(failed)) => Verdict::Failed { reason: failed.reason.clone() },
        _ => Verdict::Done,
    };
    let outcome = Outcome {
        aggregate_id: event.aggregate_id.clone(),
        agency: event.agency.clone(),
        partition,
        offset: 0,
        sequence: after.sequence,
        event: after.predecessor.clone(),
        digest: event.cause_digest.clone(),
        verdict,
    };
    Some((command, outcome))
}

fn first_due<S: Service>(state: &S::State) -> Option<Timestamp> {
    S::clocks(state).into_iter().map(|clock| clock.due).min()
}

impl<S: Service> Changed<S> {
    fn of(aggregate: Arc<Aggregate<S::State>>, partition: i32) -> Self {
        let (sequence_before, due_before) = (aggregate.sequence, first_due::<S>(&aggregate.state));
        Self { aggregate, partition, sequence_before, due_before }
    }

    /// Whether there is anything to be written: what was only looked at leaves no trace.
    pub(super) fn is_changed(&self) -> bool {
        self.aggregate.sequence > self.sequence_before
    }

    /// The store holds one moment for each aggregate: the first of its clocks.
    pub(super) fn move_clock(&self, batch: &mut Batch, id: &str) {
        let (before, after) = (self.due_before, first_due::<S>(&self.aggregate.state));
        if before == after {
            return;
        }
        let key = |due| Due { due, partition: self.partition, aggregate_id: id.to_owned() }.write();
        if let Some(before) = before {
            batch.delete(Kind::Clock, &key(before));
        }
        if let Some(after) = after {
            batch.put(Kind::Clock, &key(after), Vec::new());
        }
    }
}
