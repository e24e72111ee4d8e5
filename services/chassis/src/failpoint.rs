//! Faults on purpose, for tests of faults: at a named step of the runner the process kills itself, stops as if it
//! hung, or takes a commit's answer for lost.
//!
//! Only what `development.failpoints` names happens, such as `drain:kill:0.01,offsets:stop:0.001`: a step, what
//! happens there, and how likely. The same seed makes the same choices. Each hit is a line of the hits' file,
//! written before it happens.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::{Signal, getpid, kill_process};

use crate::config::Reader;

/// The decision, and the steps of one transaction; a failpoint stands behind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Decide,
    Begin,
    Produce,
    Drain,
    Offsets,
    Commit,
    Fold,
}

impl Step {
    pub const ALL: [Self; 7] =
        [Self::Decide, Self::Begin, Self::Produce, Self::Drain, Self::Offsets, Self::Commit, Self::Fold];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Begin => "begin",
            Self::Produce => "produce",
            Self::Drain => "drain",
            Self::Offsets => "offsets",
            Self::Commit => "commit",
            Self::Fold => "fold",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// SIGKILL: nothing is tidied up.
    Kill,
    /// SIGSTOP: the process hangs until somebody lets it go on.
    Stop,
    /// The commit was done, and nobody here hears of it.
    Lose,
    /// A decider that fails.
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    step: Step,
    fault: Fault,
    probability: f64,
}

/// What `development.failpoints` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Points(Vec<Point>);

#[derive(Debug, thiserror::Error)]
#[error(
    "expected step:fault:probability, with a step of decide, begin, produce, drain, offsets, commit, fold, a fault of \
     kill, stop, lose (after commit alone), panic (after decide alone), and a probability from 0 to 1"
)]
pub struct NotPoints;

impl FromStr for Points {
    type Err = NotPoints;

    fn from_str(text: &str) -> Result<Self, NotPoints> {
        text.split(',')
            .map(|point| read_point(point.trim()).ok_or(NotPoints))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn read_point(text: &str) -> Option<Point> {
    let mut parts = text.splitn(3, ':');
    let (step, fault, probability) = (parts.next()?, parts.next()?, parts.next()?);
    let step = Step::ALL.into_iter().find(|known| known.name() == step)?;
    let fault = match fault {
        "kill" => Fault::Kill,
        "stop" => Fault::Stop,
        "lose" if step == Step::Commit => Fault::Lose,
        "panic" if step == Step::Decide => Fault::Panic,
        _ => return None,
    };
    let probability: f64 = probability.parse().ok()?;
    (0.0..=1.0).contains(&probability).then_some(Point { step, fault, probability })
}

/// What a process was told of failpoints.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    points: Option<Points>,
    seed: u64,
    hits: Option<PathBuf>,
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            points: reader.optional("development.failpoints"),
            seed: reader.or("development.failpoints_seed", 0),
            hits: reader.optional("development.failpoints_hits"),
        }
    }
}

/// The failpoints of one service's runner; most deployments have none.
pub struct Failpoints {
    service: &'static str,
    /// Those that were not hit yet: each is hit once in a process.
    points: Mutex<Vec<Point>>,
    random: Mutex<StdRng>,
    hits: Option<Mutex<File>>,
}

impl Failpoints {
    /// # Errors
    /// When the file of hits cannot be written.
    pub fn new(settings: &Settings, service: &'static str) -> std::io::Result<Self> {
        let open = |path: &PathBuf| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            service,
            points: Mutex::new(settings.points.as_ref().map_or_else(Vec::new, |points| points.0.clone())),
            random: Mutex::new(StdRng::seed_from_u64(settings.seed)),
            hits: settings.hits.as_ref().map(open).transpose()?.map(Mutex::new),
        })
    }

    /// Goes past a step; whether its answer is to be taken for lost.
    ///
    /// # Panics
    /// Where a decider is to fail.
    pub fn pass(&self, step: Step) -> bool {
        let mut lost = false;
        let hit =
            |point: &Point| point.step == step && self.random.lock().random::<f64>() < point.probability;
        let hits: Vec<Point> = self.points.lock().extract_if(.., |point| hit(point)).collect();
        for point in &hits {
            self.note(point);
            match point.fault {
                // What the system refuses does not happen; the count of hits then says too much, not too little.
                Fault::Kill => {
                    let _ = kill_process(getpid(), Signal::KILL);
                }
                Fault::Stop => {
                    let _ = kill_process(getpid(), Signal::STOP);
                }
                Fault::Lose => lost = true,
                Fault::Panic => panic!("a failpoint asked for it"),
            }
        }
        lost
    }

    fn note(&self, point: &Point) {
        tracing::warn!(service = self.service, step = point.step.name(), "failpoint hit");
        if let Some(hits) = &self.hits {
            let line = format!("{} {} {}\n", point.step.name(), point.fault, self.service);
            // One write, so that lines of several processes do not mix.
            drop(hits.lock().write_all(line.as_bytes()));
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Lose => "lose",
            Self::Panic => "panic",
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_strictly() {
        let read = |text: &str| text.parse::<Points>().map(|points| points.0.len()).ok();
        assert_eq!(read("begin:kill:0.1"), Some(1));
        assert_eq!(read("drain:kill:1, commit:lose:0.5,fold:stop:0"), Some(3));
        for wrong in ["", "begin", "begin:kill", "begin:lose:1", "end:kill:1", "begin:kill:2", "begin:kill:x"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_lost_answer_is_noted_and_happens_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hits");
        let settings = |points: &str| Settings {
            points: Some(points.parse().unwrap()),
            seed: 7,
            hits: Some(path.clone()),
        };
        let never = Failpoints::new(&settings("commit:lose:0"), "routing").unwrap();
        let always = Failpoints::new(&settings("commit:lose:1"), "routing").unwrap();
        assert!(Step::ALL.iter().all(|step| !never.pass(*step)));
        assert!(!always.pass(Step::Fold) && always.pass(Step::Commit) && !always.pass(Step::Commit));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "commit lose routing\n");
    }
}
