//! Who carries out the plan, and starts anew what has ended, as an operator's supervisor would.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::fleet::{Brokers, Fleet, Member};
use super::network::Weather;
use super::plan::Fault;

/// Longer than the session (6 s) and the transaction (10 s): others have taken over before it goes on.
const STOPPED: Duration = Duration::from_secs(17);
/// How long it may take after that until others own everything.
const TAKEN_OVER: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);
/// Most processes stopped at once: the others must be able to go on.
const MAX_STOPPED: usize = 2;
/// A broker that was killed is back, and has caught up, before the next is.
const BROKER_BACK: Duration = Duration::from_secs(12);

pub struct Keeper {
    fleet: Fleet,
    /// The next fault's place in the plan, and when it may come.
    place: usize,
    next_at: Instant,
    broker_back_at: Instant,
    fair_at: Option<Instant>,
    /// The failpoint that is waited for, and how often it was hit before.
    awaited: Option<(&'static str, usize)>,
    /// Who is to be stopped between offsets and commit, and since when it is: until others have taken over.
    zombie: Option<(usize, Option<Instant>)>,
}

impl Keeper {
    pub fn new(fleet: Fleet) -> Self {
        let now = Instant::now();
        Self {
            fleet,
            place: 0,
            next_at: now,
            broker_back_at: now,
            fair_at: None,
            awaited: None,
            zombie: None,
        }
    }

    /// Until the run has ended.
    pub fn keep(mut self) {
        while !self.fleet.0.ended.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            if self.fleet.0.faults.load(Ordering::Relaxed) {
                self.look_after_all();
                self.carry_out();
            }
        }
    }

    fn look_after_all(&mut self) {
        for member in self.fleet.members().iter_mut() {
            if let Err(error) = look_after(&self.fleet, member) {
                eprintln!("faults: {} could not be looked after: {error:#}", member.instance);
            }
        }
        self.look_after_the_zombie();
        if self.fair_at.is_some_and(|at| at <= Instant::now()) {
            self.fair_at = None;
            self.set_network(Weather::Fair);
        }
        if let Some((failpoint, hits)) = self.awaited
            && self.fleet.hits(failpoint) > hits
            && self.zombie.is_none()
        {
            self.awaited = None;
            self.is_over();
        }
    }

    /// Whoever is stopped between offsets and commit goes on once others have taken over what it owns: then its commit
    /// is a zombie's.
    fn look_after_the_zombie(&mut self) {
        let Some((place, since)) = self.zombie else { return };
        let Some(since) = since else {
            let is_stopped = self.fleet.members()[place].is_stopped();
            self.zombie = Some((place, is_stopped.then(Instant::now)));
            return;
        };
        let taken_over = since.elapsed() > STOPPED && self.fleet.is_replaced(place);
        if taken_over || since.elapsed() > TAKEN_OVER {
            self.fleet.0.replaced.fetch_add(usize::from(taken_over), Ordering::Relaxed);
            let mut members = self.fleet.members();
            members[place].is_held = false;
            members[place].go_on();
            self.zombie = None;
        }
    }

    /// The next fault of the plan, once it is due and possible.
    fn carry_out(&mut self) {
        let fleet = self.fleet.clone();
        let Some(planned) = fleet.0.plan.get(self.place) else { return };
        let due = self.place as f64 / fleet.0.plan.len() as f64;
        let sent = f64::from_bits(fleet.0.sent.load(Ordering::Relaxed));
        let is_busy = self.awaited.is_some() || self.zombie.is_some();
        if is_busy || Instant::now() < self.next_at || sent < due || !self.make(planned.fault) {
            return;
        }
        self.place += 1;
        eprintln!("faults: {:>3} of {}: {}", self.place, fleet.0.plan.len(), planned.fault);
        self.next_at = Instant::now() + planned.pause;
        if self.awaited.is_none() {
            self.is_over();
        }
    }

    fn is_over(&self) {
        self.fleet.0.awaits_hit.store(false, Ordering::Relaxed);
        self.fleet.0.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it could be made now.
    fn make(&mut self, fault: Fault) -> bool {
        let now = Instant::now();
        match fault {
            Fault::Kill(place)
            | Fault::Pause(place)
            | Fault::Leave(place, _)
            | Fault::Visit(place, _)
            | Fault::Failpoint(place, _)
            | Fault::Upgrade(place) => return self.make_to(place, fault),
            Fault::Broker(_) if now < self.broker_back_at => return false,
            Fault::Broker(node) => {
                self.broker_back_at = now + BROKER_BACK;
                self.kill_broker(node);
            }
            Fault::Network(..) if self.fair_at.is_some() => return false,
            Fault::Network(weather, lasts) => {
                self.fair_at = Some(now + lasts);
                self.set_network(weather);
            }
        }
        true
    }

    fn make_to(&mut self, place: usize, fault: Fault) -> bool {
        let now = Instant::now();
        let fleet = self.fleet.clone();
        let mut members = fleet.members();
        let stopped = members.iter().filter(|member| member.goes_on_at.is_some()).count();
        let member = &mut members[place];
        if let Fault::Visit(_, lasts) = fault {
            // A guest that is still there is not asked again.
            if member.child.is_none() {
                (member.comes_back_at, member.leaves_at) = (Some(now), Some(now + lasts));
            }
            return true;
        }
        if matches!(fault, Fault::Upgrade(_)) && member.is_away {
            // A guest that is not there comes back as the next version.
            member.is_upgraded = true;
            return true;
        }
        if !member.is_running() || stopped >= MAX_STOPPED {
            return false;
        }
        match fault {
            Fault::Pause(_) => {
                member.signal(Signal::STOP);
                member.goes_on_at = Some(now + STOPPED);
            }
            Fault::Leave(_, lasts) => {
                member.comes_back_at = Some(now + lasts);
                member.ask_to_end();
            }
            Fault::Upgrade(_) => {
                member.is_upgraded = true;
                member.comes_back_at = Some(now);
                member.ask_to_end();
            }
            Fault::Failpoint(_, failpoint) => {
                if failpoint == "offsets:stop" {
                    (self.zombie, member.is_held) = (Some((place, None)), true);
                }
                self.awaited = Some((failpoint, fleet.hits(failpoint)));
                fleet.0.awaits_hit.store(true, Ordering::Relaxed);
                member.failpoint = Some(failpoint);
                member.signal(Signal::KILL);
            }
            Fault::Kill(_) | Fault::Visit(..) | Fault::Broker(_) | Fault::Network(..) => {
                member.signal(Signal::KILL);
            }
        }
        true
    }

    fn set_network(&self, weather: Weather) {
        if let Some(network) = &self.fleet.0.network {
            network.set(weather);
        }
    }

    fn kill_broker(&self, node: usize) {
        let pids = self.fleet.0.options.broker_nodes.iter().flat_map(Brokers::pids);
        if let Some(pid) = pids.into_iter().nth(node) {
            // One that has ended already is being started anew.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn look_after(fleet: &Fleet, member: &mut Member) -> anyhow::Result<()> {
    let now = Instant::now();
    if member.leaves_at.is_some_and(|at| at <= now) {
        member.leaves_at = None;
        member.is_away = true;
        member.ask_to_end();
    }
    if member.goes_on_at.is_some_and(|at| at <= now) {
        member.go_on();
    }
    if !member.is_held && member.goes_on_at.is_none() && member.is_stopped() {
        // By a failpoint.
        member.goes_on_at = Some(now + STOPPED);
    }
    let ended = match &mut member.child {
        Some(child) => child.try_wait()?,
        None => None,
    };
    if let Some(status) = ended {
        member.child = None;
        fleet.note_end(member, status);
    }
    let comes_back = match member.comes_back_at {
        Some(at) => at <= now,
        None => !member.is_away,
    };
    if member.child.is_none() && comes_back {
        (member.comes_back_at, member.is_away) = (None, false);
        fleet.spawn(member)?;
    }
    Ok(())
}
