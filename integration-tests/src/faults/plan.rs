//! The schedule of a run: which fault comes when. It follows from the seed alone, so a seed repeats it.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::network::Weather;

/// Who runs: two of each that take turns, and guests that come for a while. Those whose names end with 1 reach the
/// brokers through the network that fails.
pub const MEMBERS: [(&str, &str); 16] = [
    ("directory", "d0"),
    ("digest-sets", "s0"),
    ("intake", "i0"),
    ("intake", "i1"),
    ("routing", "r0"),
    ("routing", "r1"),
    ("mla", "m0"),
    ("mla", "m1"),
    ("victim-id", "v0"),
    ("victim-id", "v1"),
    ("delivery", "l0"),
    ("delivery", "l1"),
    ("audit", "a0"),
    ("audit", "a1"),
    ("routing", "r2"),
    ("delivery", "l2"),
];
/// Those of [`MEMBERS`] that run from the beginning.
pub const RESIDENTS: std::ops::Range<usize> = 0..14;
/// Those that join for a while, with a store of their own.
const GUESTS: std::ops::Range<usize> = 14..16;
/// Those of [`MEMBERS`] whose runners have something to do all the time.
const WORKERS: std::ops::Range<usize> = 2..12;
/// Those that may leave while the reporters go on: nobody sends to them.
const LEAVERS: std::ops::Range<usize> = 4..14;
/// What stands behind the steps of a transaction.
pub const FAILPOINTS: [&str; 8] = [
    "begin:kill",
    "produce:kill",
    "drain:kill",
    "offsets:kill",
    "commit:kill",
    "fold:kill",
    "commit:lose",
    "offsets:stop",
];
/// From so many kills on each failpoint has its turn in every service.
const LONG: usize = 100;
/// Pause after a fault, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 200..1_200;
/// How long the network stays bad, in milliseconds: below and above the session (6 s) and the transaction (10 s).
const WEATHER_MS: std::ops::Range<u64> = 2_000..14_000;
/// How long an instance that has left stays away, and how long a guest stays, in milliseconds: below and above the
/// session, so that some come back to what was theirs, and of others somebody has taken over.
const ABSENT_MS: std::ops::Range<u64> = 2_000..14_000;
const VISIT_MS: std::ops::Range<u64> = 4_000..14_000;
/// How late each piece comes on a slow network, in milliseconds.
const DELAY_MS: std::ops::Range<u64> = 50..400;

/// One fault; members are places in [`MEMBERS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// SIGKILL, and started anew at once.
    Kill(usize),
    /// SIGSTOP for longer than the session and the transaction, then SIGCONT.
    Pause(usize),
    /// Drains and ends; comes back so much later.
    Leave(usize, Duration),
    /// Joins its group for so long, then drains and ends.
    Visit(usize, Duration),
    /// Killed, and started with a failpoint; the fault is over when it was hit.
    Failpoint(usize, &'static str),
    /// SIGKILL to a broker, counted from nought, in turn.
    Broker(usize),
    /// The network between half of the instances and the brokers.
    Network(Weather, Duration),
    /// Drains and ends, and is started anew as the next version.
    Upgrade(usize),
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = |member: &usize| MEMBERS[*member].1;
        match self {
            Self::Kill(member) => write!(f, "kill {}", name(member)),
            Self::Pause(member) => write!(f, "pause {}", name(member)),
            Self::Leave(member, lasts) => write!(f, "{} leaves for {} ms", name(member), lasts.as_millis()),
            Self::Visit(member, lasts) => write!(f, "{} joins for {} ms", name(member), lasts.as_millis()),
            Self::Failpoint(member, failpoint) => write!(f, "{failpoint} in {}", name(member)),
            Self::Broker(node) => write!(f, "kill broker {}", node + 1),
            Self::Network(weather, lasts) => write!(f, "network {weather} for {} ms", lasts.as_millis()),
            Self::Upgrade(member) => write!(f, "upgrade {}", name(member)),
        }
    }
}

/// A fault and the pause behind it. The faults come evenly over the referrals: the n-th of N when n/N of them are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    pub fault: Fault,
    pub pause: Duration,
}

/// What a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// SIGKILLs to services, beside those of failpoints.
    pub kills: usize,
    /// Brokers that may be killed.
    pub brokers: usize,
    /// Whether a network that fails stands between.
    pub network: bool,
    /// Whether everybody begins as the version before: one after the other is upgraded.
    pub upgrade: bool,
}

pub fn plan(seed: u64, extent: Extent) -> Vec<Planned> {
    let random = &mut StdRng::seed_from_u64(seed);
    let Extent { kills, brokers, network, upgrade } = extent;
    let long = kills >= LONG;
    let mut faults: Vec<Fault> = (0..kills).map(|_| Fault::Kill(random.random_range(RESIDENTS))).collect();
    faults.extend((0..share(kills, 20)).map(|_| Fault::Pause(random.random_range(WORKERS))));
    for _ in 0..share(kills, 10) {
        let lasts = |random: &mut StdRng, of| Duration::from_millis(random.random_range::<u64, _>(of));
        let leaver = random.random_range(LEAVERS);
        faults.push(Fault::Leave(leaver, lasts(random, ABSENT_MS)));
        let guest = random.random_range(GUESTS);
        faults.push(Fault::Visit(guest, lasts(random, VISIT_MS)));
    }
    let turns = if long { WORKERS.len() / 2 } else { 1 };
    for turn in 0..turns {
        for (number, failpoint) in FAILPOINTS.into_iter().enumerate() {
            let service = (number + turn) % (WORKERS.len() / 2);
            let member = WORKERS.start + service * 2 + random.random_range(0..2);
            faults.push(Fault::Failpoint(member, failpoint));
        }
    }
    faults.extend(std::iter::repeat_n(Fault::Broker(0), brokers * share(kills, 40)));
    if network {
        for _ in 0..share(kills, 30) {
            let delay = Weather::Slow(Duration::from_millis(random.random_range(DELAY_MS)));
            for weather in [Weather::Cut, delay, Weather::Reset] {
                let lasts = Duration::from_millis(random.random_range(WEATHER_MS));
                faults.push(Fault::Network(weather, lasts));
            }
        }
    }
    faults.shuffle(random);
    let mut turn = 0;
    for fault in &mut faults {
        if let Fault::Broker(node) = fault {
            *node = turn % brokers;
            turn += 1;
        }
    }
    if upgrade {
        let others = faults.len();
        for member in 0..MEMBERS.len() {
            // Evenly between the others, behind those that were put in before.
            faults.insert((member + 1) * others / (MEMBERS.len() + 1) + member, Fault::Upgrade(member));
        }
    }
    let pause = |random: &mut StdRng| Duration::from_millis(random.random_range(PAUSE_MS));
    faults.into_iter().map(|fault| Planned { fault, pause: pause(random) }).collect()
}

/// One for so many kills, and at least one.
fn share(kills: usize, of: usize) -> usize {
    (kills / of).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_schedule() {
        let extent = Extent { kills: 200, brokers: 3, network: true, upgrade: false };
        let first = plan(7, extent);
        assert_eq!(first, plan(7, extent));
        assert_ne!(first, plan(8, extent));
        let count =
            |wanted: fn(&Fault) -> bool| first.iter().filter(|planned| wanted(&planned.fault)).count();
        assert_eq!(count(|fault| matches!(fault, Fault::Kill(_))), 200);
        assert_eq!(
            count(|fault| matches!(fault, Fault::Failpoint(..))),
            WORKERS.len() / 2 * FAILPOINTS.len()
        );
        let brokers: Vec<usize> = first
            .iter()
            .filter_map(|planned| match planned.fault {
                Fault::Broker(node) => Some(node),
                _ => None,
            })
            .collect();
        assert!(
            brokers.len() >= 3 && brokers.iter().enumerate().all(|(at, node)| *node == at % 3),
            "{brokers:?}"
        );
    }

    #[test]
    fn everybody_is_upgraded_once_and_not_all_at_once() {
        let upgraded = |upgrade| {
            let planned = plan(7, Extent { kills: 20, brokers: 1, network: true, upgrade });
            let upgrades = planned.iter().enumerate().filter_map(|(place, planned)| match planned.fault {
                Fault::Upgrade(member) => Some((place, member)),
                _ => None,
            });
            upgrades.collect::<Vec<_>>()
        };
        assert_eq!(upgraded(false), []);
        let upgrades = upgraded(true);
        assert!(upgrades.iter().map(|(_, member)| *member).eq(0..MEMBERS.len()), "{upgrades:?}");
        assert!(upgrades.windows(2).all(|pair| pair[0].0 + 1 < pair[1].0), "{upgrades:?}");
    }
}
