//! Rounds: every implementation of a case in turn, by the CPU time of this thread.
//!
//! A round runs each implementation once, so that a slow moment of the machine hits all of them.
//! Refuses to know what they do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::case::Case;
use crate::stream::Stream;
use crate::subject::{Count, Entry, Kind, Runs};

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Rounds of a case.
    pub rounds: usize,
    /// What one implementation runs for in one round.
    pub slice: Duration,
}

impl Plan {
    /// For a record.
    pub const FULL: Self = Self { rounds: 15, slice: Duration::from_millis(6) };
    /// For a look.
    pub const QUICK: Self = Self { rounds: 5, slice: Duration::from_millis(2) };
    /// For a profiler.
    pub const LONG: Self = Self { rounds: 1, slice: Duration::from_secs(5) };
}

/// What came of one implementation.
pub struct Outcome {
    /// As in [`Entry`].
    pub name: &'static str,
    /// As in [`Entry`].
    pub package: Option<&'static str>,
    /// As in [`Entry`].
    pub kind: Kind,
    /// Nanoseconds a frame in each round; or why there are none.
    pub rounds: Result<Vec<f64>, String>,
}

impl Outcome {
    /// The median of the rounds.
    pub fn ns(&self) -> Option<f64> {
        self.rounds.as_ref().ok().map(|rounds| median(rounds.iter().copied()))
    }

    /// The median of the ratios to `other`, round by round.
    pub fn by_round(&self, other: &Self) -> Option<f64> {
        let (own, other) = (self.rounds.as_ref().ok()?, other.rounds.as_ref().ok()?);
        Some(median(own.iter().zip(other).map(|(own, other)| own / other)))
    }
}

/// Checks every one of `entries`, then measures those that are right.
pub fn measure(entries: Vec<Entry>, stream: &Stream, case: Case, plan: Plan) -> Vec<Outcome> {
    let running = entries.into_iter().map(|entry| Running::new(entry, stream, case, plan.slice));
    let mut running: Vec<Running> = running.collect();
    for _ in 0..plan.rounds {
        running.iter_mut().for_each(Running::round);
    }
    running.into_iter().map(|running| running.outcome).collect()
}

/// An implementation between rounds.
struct Running {
    outcome: Outcome,
    subject: Box<dyn Runs>,
    /// What one pass makes.
    pass: Count,
    /// Passes of one round.
    passes: usize,
}

impl Running {
    /// Runs `entry` checked, then long enough to be warm and to know how much fills `slice`.
    fn new(entry: Entry, stream: &Stream, case: Case, slice: Duration) -> Self {
        let Entry { name, package, kind, mut subject } = entry;
        let rounds = guarded(|| subject.check(stream, case.yields())).flatten();
        let rounds = rounds.map(|()| Vec::new());
        let outcome = Outcome { name, package, kind, rounds };
        let mut new = Self { outcome, subject, pass: Count::default(), passes: 1 };
        if new.outcome.rounds.is_ok() {
            new.pass = guarded(|| new.subject.count(1)).unwrap_or_default();
            new.passes = new.passes_in(slice);
        }
        new
    }

    fn passes_in(&mut self, slice: Duration) -> usize {
        let enough = slice.min(Duration::from_millis(2));
        let mut passes = 1_u32;
        loop {
            let spent = self.spend(passes as usize);
            if spent >= enough || self.outcome.rounds.is_err() {
                let fit = slice.as_secs_f64() / (spent.as_secs_f64() / f64::from(passes));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "small"
                )]
                return (fit as usize).max(1);
            }
            passes *= 2;
        }
    }

    fn round(&mut self) {
        let spent = if self.outcome.rounds.is_ok() { self.spend(self.passes) } else { return };
        let frames = self.pass.frames * self.passes as u64;
        if let Ok(rounds) = &mut self.outcome.rounds {
            rounds.push(spent.as_secs_f64() * 1e9 / frames as f64);
        }
    }

    /// Runs `passes`. One that makes more or less than the first did is a failure.
    fn spend(&mut self, passes: usize) -> Duration {
        let began = cpu_time();
        let made = guarded(|| self.subject.count(passes)).unwrap_or_default();
        let spent = cpu_time().saturating_sub(began);
        let times = passes as u64;
        if (made.frames, made.bytes) != (self.pass.frames * times, self.pass.bytes * times) {
            let wrong =
                format!("{passes} passes made {} frames, {} bytes", made.frames, made.bytes);
            self.outcome.rounds = Err(wrong);
        }
        spent
    }
}

/// An implementation that panics fails its row, not the run.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("panicked: {}", said.unwrap_or("?"))
    })
}

/// The middle value.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("a CPU clock counts from zero")
}
