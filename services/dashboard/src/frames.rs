//! Every incident as the pages know it, followed from the topics and kept in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use chassis::follow::{self, Told};
use chassis::kafka::Kafka;
use chassis::lag::Lag;
use parking_lot::RwLock;
use schemas::codec::Codec;
use schemas::delivery::DeliveryEvent;
use schemas::envelope::EventBody;
use schemas::ids::IncidentId;
use schemas::mla::MlaEvent;
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;
use schemas::{Event, Timestamp};
use tokio::sync::watch;

use crate::domain::list::{Filter, Lines};
use crate::domain::{Frame, Overview, Packed, Watch};

#[derive(Default)]
pub struct Frames {
    frames: RwLock<HashMap<IncidentId, Packed>>,
    /// How many events were taken in.
    taken_in: watch::Sender<u64>,
}

/// What of a topic a frame takes in.
pub trait Framed: EventBody {
    fn take_in(frame: &mut Frame, event: &Event<Self>);
}

impl Framed for RoutingEvent {
    fn take_in(frame: &mut Frame, event: &Event<Self>) {
        frame.take_in_routing(event.time, &event.body);
    }
}

impl Framed for MlaEvent {
    fn take_in(frame: &mut Frame, event: &Event<Self>) {
        frame.take_in_mla(&event.body);
    }
}

impl Framed for VictimIdEvent {
    fn take_in(frame: &mut Frame, event: &Event<Self>) {
        frame.take_in_victim_id(event.time, &event.body);
    }
}

impl Framed for DeliveryEvent {
    fn take_in(frame: &mut Frame, event: &Event<Self>) {
        frame.take_in_delivery(&event.body);
    }
}

impl Frames {
    /// Follows a topic until `stopping`, on the thread of the caller. Notes when it was read to its end.
    pub fn follow<B: Framed>(
        &self,
        kafka: &Kafka,
        codec: &Codec,
        lag: &Lag,
        is_whole: &AtomicBool,
        stopping: &dyn Fn() -> bool,
    ) {
        let topic = kafka.topic(B::TOPIC);
        follow::view::<B>(kafka, codec, stopping, |told| match told {
            Told::Event { partition, offset, event } => {
                self.take_in(&event);
                lag.note(&topic, partition, offset + 1);
            }
            Told::Whole => is_whole.store(true, Ordering::Relaxed),
        });
    }

    /// What is about no incident, such as a series, is passed over.
    fn take_in<B: Framed>(&self, event: &Event<B>) {
        if let Ok(incident) = event.aggregate_id.parse() {
            let mut frames = self.frames.write();
            let mut frame = frames.get(&incident).map(Frame::from).unwrap_or_default();
            B::take_in(&mut frame, event);
            frames.insert(incident, Packed::from(&frame));
            drop(frames);
            self.taken_in.send_modify(|count| *count += 1);
        }
    }

    /// To hear of each change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.taken_in.subscribe()
    }

    pub fn list(&self, watch: &Watch<'_>, filter: &Filter, skip: usize, take: usize) -> Lines {
        Lines::of(watch, unpacked(&self.frames.read()), filter, skip, take)
    }

    /// How many assignments of incidents with imminent danger no agency has answered in time, over all countries.
    pub fn unanswered_danger(&self, now: Timestamp) -> usize {
        unpacked(&self.frames.read()).map(|(_, frame)| frame.unanswered_danger(now)).sum()
    }

    pub fn overview(&self, watch: &Watch<'_>, now: Timestamp, most_needs: usize) -> Overview {
        Overview::of(watch, unpacked(&self.frames.read()), now, most_needs)
    }
}

fn unpacked(frames: &HashMap<IncidentId, Packed>) -> impl Iterator<Item = (IncidentId, Frame)> {
    frames.iter().map(|(id, packed)| (*id, Frame::from(packed)))
}
