//! Rounds: every proxy of a case in turn, so that a slow moment of the machine hits all of them.

use std::time::Duration;

use anyhow::Result;

use crate::case::{Case, Kind};
use crate::proxies::{Entry, Proxy};
use crate::script::Script;
use crate::subject::{Metric, Round, Run, Subject};

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Rounds of a case.
    pub rounds: usize,
    /// Rounds of a case whose rounds are long.
    pub long_rounds: usize,
    /// What one proxy runs for in one round, about.
    pub slice: Duration,
    /// Sockets of the idle cases.
    pub idle: usize,
}

impl Plan {
    /// For a record.
    pub const FULL: Self =
        Self { rounds: 9, long_rounds: 3, slice: Duration::from_millis(400), idle: 1000 };
    /// For a look.
    pub const QUICK: Self =
        Self { rounds: 5, long_rounds: 1, slice: Duration::from_millis(80), idle: 300 };
}

/// A proxy of this run, or why there is none.
pub struct Candidate {
    /// Which.
    pub entry: &'static Entry,
    /// It, running.
    pub proxy: Result<Proxy, String>,
}

/// What came of one proxy in one case.
pub struct Outcome {
    /// Which.
    pub entry: &'static Entry,
    /// The figures of each round; or why there are none.
    pub rounds: Result<Vec<Round>, String>,
}

impl Outcome {
    /// A figure, by round.
    pub fn figures(&self, metric: Metric) -> Option<Vec<f64>> {
        let of_round = |round: &Round| {
            let found = round.figures.iter().find(|(it, _)| *it == metric);
            found.map(|(_, figure)| *figure)
        };
        self.rounds.as_ref().ok()?.iter().map(of_round).collect()
    }

    /// The median of the rounds.
    pub fn median(&self, metric: Metric) -> Option<f64> {
        self.figures(metric).map(|figures| median(figures.into_iter()))
    }

    /// The median of the ratios to `other`, round by round.
    pub fn times(&self, other: &Self, metric: Metric) -> Option<f64> {
        let (own, other) = (self.figures(metric)?, other.figures(metric)?);
        Some(median(own.iter().zip(&other).map(|(own, other)| own / other)))
    }
}

/// Sockets of one proxy, of which all proxies at once have more than a process may hold.
const MANY: usize = 1000;

/// Measures a case with every candidate there is: all of them in each round, or where that takes too
/// many sockets, one after the other.
pub async fn measure(
    run: &Run<'_>,
    candidates: &[Candidate],
    case: &Case,
    plan: Plan,
) -> Vec<Outcome> {
    let script = case.script();
    let apart = matches!(case.kind, Kind::Echo(sockets) if sockets > MANY);
    let at_once = if apart { 1 } else { candidates.len() };
    let mut outcomes = Vec::new();
    for some in candidates.chunks(at_once) {
        outcomes.extend(by_rounds(run, some, case, &script, plan).await);
    }
    outcomes
}

async fn by_rounds(
    run: &Run<'_>,
    candidates: &[Candidate],
    case: &Case,
    script: &Script,
    plan: Plan,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut subjects = Vec::new();
    for Candidate { entry, proxy } in candidates {
        let subject = match proxy {
            Ok(proxy) => {
                warm(run, proxy, case, script, plan).await.map_err(|it| complaint(&it, proxy))
            }
            Err(missing) => Err(missing.clone()),
        };
        let (subject, rounds) = match subject {
            Ok(subject) => (Some(subject), Ok(Vec::new())),
            Err(failed) => (None, Err(failed)),
        };
        run.ends.forget().await;
        subjects.push(subject);
        outcomes.push(Outcome { entry, rounds });
    }
    let rounds =
        if matches!(case.kind, Kind::Idle { .. }) { plan.long_rounds } else { plan.rounds };
    for _ in 0..rounds {
        for ((subject, outcome), candidate) in
            subjects.iter_mut().zip(&mut outcomes).zip(candidates)
        {
            let (Some((subject, amount)), Ok(proxy)) = (subject.as_mut(), &candidate.proxy) else {
                continue;
            };
            let Ok(done) = &mut outcome.rounds else { continue };
            match subject.round(*amount).await {
                Ok(round) => done.push(round),
                Err(error) => outcome.rounds = Err(complaint(&error, proxy)),
            }
        }
    }
    outcomes
}

/// Opens a subject, and finds out how much of its work fills a slice.
async fn warm<'a>(
    run: &'a Run<'a>,
    proxy: &'a Proxy,
    case: &'a Case,
    script: &'a Script,
    plan: Plan,
) -> Result<(Subject<'a>, usize)> {
    let mut subject = Subject::open(run, proxy, case, script).await?;
    if matches!(case.kind, Kind::Idle { .. }) {
        return Ok((subject, 1));
    }
    let mut amount = 1;
    loop {
        let wall = subject.round(amount).await?.wall;
        if wall >= plan.slice / 4 {
            let fit = plan.slice.as_secs_f64() / wall.as_secs_f64() * amount as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            return Ok((subject, (fit as usize).max(1)));
        }
        amount *= 2;
    }
}

/// One line, as it stands in a table.
fn complaint(error: &anyhow::Error, proxy: &Proxy) -> String {
    let (own, words) = (format!("{error:#}"), proxy.last_words());
    let own = own.lines().next().unwrap_or_default();
    let words = words.lines().last().unwrap_or_default();
    if words.is_empty() { own.to_owned() } else { format!("{own}; its last words: {words}") }
}

/// The middle value.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
