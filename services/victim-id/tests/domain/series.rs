//! Series over incidents: who is told of what, and who sees what.

use std::collections::{BTreeMap, VecDeque};

use chassis::decider::Context;
use schemas::Actor;
use schemas::codes::{ChildNews, ChildStatus, PriorityFactor, RejectionCode};
use schemas::ids::{IncidentId, SeriesId};
use schemas::victim_id::*;
use victim_id::domain::{Aggregate, aggregate, membership, priority, series};

use crate::people::{
    COORDINATOR, DIRECTORY, address, agency, child_ref, country, incident, incident_id, moment, person,
};

/// Incidents and series, with what they tell each other brought to its end after each command.
struct World {
    aggregates: BTreeMap<String, Aggregate>,
    commands: u32,
}

impl World {
    /// Three incidents with a child each, held by units of three States.
    fn start() -> Self {
        let mut world = Self { aggregates: BTreeMap::new(), commands: 0 };
        for (number, unit) in ["de-unit", "fr-unit", "es-unit"].into_iter().enumerate() {
            let state = Aggregate::Incident(incident(number, &[unit], 1));
            world.aggregates.insert(incident_id(number).to_string(), state);
            let take = TakeCustody { child_ref: child_ref(number, 0), limit_days: 30 };
            world.ask(unit, incident_id(number), take).unwrap();
        }
        world.ask("de-unit", series_id(), OpenSeries {}).unwrap();
        world
    }

    /// Every event that follows, in order.
    fn ask(
        &mut self,
        by: &str,
        of: impl ToString,
        command: impl Into<VictimIdCommand>,
    ) -> Result<Vec<VictimIdEvent>, RejectionCode> {
        let mut events = self.decide(by, &person(), &of.to_string(), &command.into())?;
        let mut told: VecDeque<_> = events.iter().flat_map(|(of, event)| self.told(of, event)).collect();
        while let Some((of, command)) = told.pop_front() {
            let service = Actor::service("victim-id");
            let next = self.decide("causeway", &service, &of, &command).unwrap();
            told.extend(next.iter().flat_map(|(of, event)| self.told(of, event)));
            events.extend(next);
        }
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    fn decide(
        &mut self,
        by: &str,
        actor: &Actor,
        of: &str,
        command: &VictimIdCommand,
    ) -> Result<Vec<(String, VictimIdEvent)>, RejectionCode> {
        self.commands += 1;
        let (cause, by) = (format!("command {}", self.commands), agency(by));
        let context = Context {
            aggregate_id: of,
            cause: &cause,
            now: moment(1),
            agency: &by,
            actor,
            directory: &DIRECTORY,
        };
        let state = self.aggregates.entry(of.to_owned()).or_default();
        let events = aggregate::decide(&context, state, command).map_err(|rejection| rejection.code)?;
        events.iter().for_each(|event| aggregate::evolve(state, event, moment(1)));
        Ok(events.into_iter().map(|event| (of.to_owned(), event)).collect())
    }

    fn told(&self, of: &str, event: &VictimIdEvent) -> Vec<(String, VictimIdCommand)> {
        let own: IncidentId = of.parse().unwrap();
        let to_series = membership::told(own, self.aggregates[of].incident(), event);
        let to_series = to_series.into_iter().map(|(id, news)| (id.to_string(), news.into()));
        let back = series::told(of.parse().unwrap(), event);
        to_series.chain(back.map(|(to, news)| (to.incident_id.to_string(), news.into()))).collect()
    }

    fn join(&mut self, number: usize) -> Vec<VictimIdEvent> {
        let unit = ["de-unit", "fr-unit", "es-unit"][number];
        let join = JoinSeries { child_ref: child_ref(number, 0), series_id: series_id() };
        self.ask(unit, incident_id(number), join).unwrap()
    }

    fn status(&mut self, number: usize, status: ChildStatus) -> Vec<VictimIdEvent> {
        let unit = ["de-unit", "fr-unit", "es-unit"][number];
        let record = RecordStatus { child_ref: child_ref(number, 0), status, cold: None, reference: None };
        self.ask(unit, incident_id(number), record).unwrap()
    }

    fn series(&self) -> &victim_id::domain::Series {
        self.aggregates[&series_id().to_string()].series()
    }
}

fn series_id() -> SeriesId {
    SeriesId::derive(&[b"series"])
}

/// Who was told what, in order.
fn news(events: &[VictimIdEvent]) -> Vec<(String, ChildNews)> {
    let told = events.iter().filter_map(|event| match event {
        VictimIdEvent::AgencyNoticed(noticed) => Some((noticed.agency.to_string(), noticed.news)),
        _ => None,
    });
    told.collect()
}

fn to(unit: &str, news: ChildNews) -> (String, ChildNews) {
    (unit.to_owned(), news)
}

#[test]
fn custodians_hear_who_else_looks_and_who_was_found() {
    let mut world = World::start();
    assert_eq!(news(&world.join(0)), []);
    assert_eq!(news(&world.join(1)), [to("de-unit", ChildNews::SeriesGrew)]);
    let third = world.join(2);
    assert_eq!(third.len(), 6, "joined, noted, two told, two noticed: {third:?}");
    world.status(1, ChildStatus::Tentative);
    let mut told = news(&world.status(1, ChildStatus::Identified));
    told.sort();
    assert_eq!(told, ["de-unit", "es-unit"].map(|unit| to(unit, ChildNews::SeriesIdentified)));
    // Once.
    assert_eq!(news(&world.status(1, ChildStatus::Safeguarded)), []);
    let members = &world.series().members;
    assert_eq!(members[&address(1)].status, ChildStatus::Safeguarded);
    assert_eq!(members[&address(2)].custodian, Some(agency("es-unit")));
}

#[test]
fn new_material_of_a_child_that_was_found_comes_first_before_its_custodian() {
    let mut world = World::start();
    world.join(0);
    for status in [ChildStatus::Tentative, ChildStatus::Identified, ChildStatus::Safeguarded] {
        world.status(0, status);
    }
    let factors = |world: &World| {
        let incident = world.aggregates[&incident_id(0).to_string()].incident();
        priority::factors(incident, &incident.children[&child_ref(0, 0)], &agency("de-unit"), moment(2))
    };
    assert_eq!(factors(&world), []);
    assert_eq!(news(&world.join(1)), [to("de-unit", ChildNews::NewMaterial)]);
    assert_eq!(factors(&world), [PriorityFactor::NewMaterial]);
    // Until the custodian has said something.
    world.ask("de-unit", incident_id(0), ConfirmCustody { child_ref: child_ref(0, 0) }).unwrap();
    assert_eq!(factors(&world), []);
}

#[test]
fn a_child_that_was_found_before_it_joins_is_more_material_of_those_that_were_found_too() {
    let mut world = World::start();
    world.join(0);
    world.join(1);
    for number in [1, 2] {
        for status in [ChildStatus::Tentative, ChildStatus::Identified] {
            world.status(number, status);
        }
    }
    let mut told = news(&world.join(2));
    told.sort();
    let (searched, found) =
        (to("de-unit", ChildNews::SeriesIdentified), to("fr-unit", ChildNews::NewMaterial));
    assert_eq!(told, [searched, found]);
}

#[test]
fn a_state_that_is_never_told_hears_of_no_child() {
    let mut world = World::start();
    world.join(0);
    let Some(Aggregate::Incident(incident)) = world.aggregates.get_mut(&incident_id(1).to_string()) else {
        panic!("it is an incident")
    };
    incident.noted.as_mut().unwrap().never_told = vec![country("DE")];
    assert_eq!(news(&world.join(1)), []);
    let (german, french) = (["de-unit", "fr-unit"]).map(agency).into();
    let sees = |unit| {
        let known = DIRECTORY.agency(&unit, moment(0)).unwrap();
        world.series().members_for(known).map(|member| member.member).collect::<Vec<_>>()
    };
    assert_eq!(sees(german), [address(0)]);
    assert_eq!(sees(french).len(), 2);
    let coordinator = DIRECTORY.agency(&agency(COORDINATOR), moment(0)).unwrap();
    assert_eq!(world.series().watched_by(coordinator).count(), 2);
}

#[test]
fn a_child_joins_by_its_custodian_and_leaves_what_does_not_take_it_in() {
    let mut world = World::start();
    let nowhere = SeriesId::derive(&[b"nowhere"]);
    let join = |series_id| JoinSeries { child_ref: child_ref(0, 0), series_id };
    assert_eq!(world.ask("fr-unit", incident_id(0), join(series_id())), Err(RejectionCode::UnknownChild));
    let events = world.ask("de-unit", incident_id(0), join(nowhere)).unwrap();
    assert_eq!(news(&events), [to("de-unit", ChildNews::SeriesUnknown)]);
    let of = |world: &World| {
        world.aggregates[&incident_id(0).to_string()].incident().children[&child_ref(0, 0)].clone()
    };
    assert!(of(&world).series.is_empty());
    world.join(0);
    assert_eq!(world.ask("de-unit", incident_id(0), join(series_id())), Err(RejectionCode::Invalid));
    let leave = || LeaveSeries { child_ref: child_ref(0, 0), series_id: series_id() };
    world.ask("de-unit", incident_id(0), leave()).unwrap();
    assert!(of(&world).series.is_empty() && world.series().members.is_empty());
    assert_eq!(world.ask("de-unit", incident_id(0), leave()), Err(RejectionCode::UnknownSeries));
    // Only units that look for children open one, and each id once.
    assert_eq!(world.ask("de-hotline", nowhere, OpenSeries {}), Err(RejectionCode::NotEntitled));
    assert_eq!(world.ask("fr-unit", series_id(), OpenSeries {}), Err(RejectionCode::WrongState));
}

#[test]
fn what_a_series_and_its_incidents_tell_each_other_nobody_else_may_say() {
    let mut world = World::start();
    let forged = SeriesNews {
        child_ref: child_ref(0, 0),
        series_id: series_id(),
        said: schemas::codes::SeriesSaid::Grew,
    };
    assert_eq!(world.ask("fr-unit", incident_id(0), forged), Err(RejectionCode::NotEntitled));
}
