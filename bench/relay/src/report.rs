//! What a run says: tables, goals, rows, a plot. Refuses to measure.

mod goals;
mod method;
mod plot;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use machine::Machine;
use serde::Serialize;

use crate::case::Case;
use crate::harness::{Outcome, Plan};
use crate::proxies::{BASELINE, Role};
use crate::subject::Metric;

/// The outcomes of every case.
pub struct Report {
    plan: Plan,
    machine: Machine,
    cases: Vec<Measured>,
}

/// The outcomes of one case.
pub struct Measured {
    case: Case,
    outcomes: Vec<Outcome>,
    /// CPU seconds a GiB that inflating takes by itself.
    inflate: Option<f64>,
}

impl Measured {
    /// The program of this workspace.
    fn ours(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.entry.role == Role::Ours)
    }

    /// What all are held against.
    fn baseline(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.entry.name == BASELINE)
    }

    /// The best of the peers.
    fn best_peer(&self, metric: Metric) -> Option<&Outcome> {
        let peers = self.outcomes.iter().filter(|outcome| outcome.entry.role == Role::Peer);
        let cost = |outcome: &Outcome| {
            let figure = outcome.median(metric).unwrap_or(f64::INFINITY);
            if metric == Metric::Throughput { 1.0 / figure } else { figure }
        };
        peers
            .filter(|outcome| outcome.median(metric).is_some())
            .min_by(|one, other| cost(one).total_cmp(&cost(other)))
    }

    /// The metrics of this case.
    fn metrics(&self) -> Vec<Metric> {
        let rounds = self.outcomes.iter().filter_map(|outcome| outcome.rounds.as_ref().ok());
        let first = rounds.flatten().next();
        first.map_or_else(Vec::new, |round| round.figures.iter().map(|(it, _)| *it).collect())
    }
}

impl Metric {
    /// Its name in the contract, and the unit its values have here.
    fn words(self, case: &Case) -> (&'static str, &'static str) {
        match (self, case.name) {
            (Self::Throughput, "handshakes") => ("throughput", "sockets/s"),
            (Self::Throughput, _) => ("throughput", "GiB/s"),
            (Self::CpuPerGib, _) => ("cpu_per_gib", "s/GiB"),
            (Self::CpuPerMillionMessages, "stream_small") => {
                ("cpu_per_million_messages", "s/million messages")
            }
            (Self::CpuPerMillionMessages, _) => {
                ("cpu_per_million_messages", "s/million round trips")
            }
            (Self::CpuPerHandshake, _) => ("cpu_per_handshake", "ms"),
            (Self::LatencyP50, _) => ("latency_p50", "us"),
            (Self::LatencyP99, _) => ("latency_p99", "us"),
            (Self::RssPerConnection, _) => ("rss_per_connection", "KiB"),
        }
    }
}

/// One row of `--json`: a figure of a proxy in a case.
#[derive(Serialize)]
struct Row<'a> {
    case: &'static str,
    shape: &'static str,
    #[serde(rename = "impl")]
    name: &'a str,
    metric: &'static str,
    value: f64,
    unit: &'static str,
    vs_blind_tunnel: Option<f64>,
    vs_best_peer: Option<f64>,
}

impl Report {
    /// A report of a run by `plan` that begins now.
    pub fn new(plan: Plan) -> Result<Self> {
        Ok(Self { plan, machine: Machine::read()?, cases: Vec::new() })
    }

    /// Takes what came of one case.
    pub fn add(&mut self, case: Case, outcomes: Vec<Outcome>, inflate: Option<f64>) {
        self.cases.push(Measured { case, outcomes, inflate });
    }

    /// The tables, the goals, and how all was made.
    pub fn text(&self) -> String {
        let (tables, goals) = (table::tables(&self.cases), goals::lines(&self.cases));
        let method = method::lines(&self.machine, self.plan);
        format!("{tables}\n## Goals\n\n{goals}\n## This run\n\n{method}")
    }

    /// Every row, as `--json` has them: one a line.
    pub fn write_json(&self, file: &Path) -> Result<()> {
        let rows: Result<Vec<String>, _> = self.rows().iter().map(serde_json::to_string).collect();
        let text = format!("[\n{}\n]\n", rows?.join(",\n"));
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Writes `relay.md`, `relay.json` and `relay.svg` into `folder`.
    pub fn record(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let picture = "![CPU time a round trip over sockets](relay.svg)";
        let text = format!("# {}\n\n{picture}\n\n{}", method::COMMAND, self.text());
        fs::write(folder.join("relay.md"), text)?;
        self.write_json(&folder.join("relay.json"))?;
        let plot = plot::round_trips(&self.cases, self.machine.caption(method::COMMAND));
        fs::write(folder.join("relay.svg"), plot)?;
        println!("\nrecorded: relay.md, relay.json and relay.svg in {}", folder.display());
        Ok(())
    }

    /// Fails if the program or a blind tunnel could not do what its case asks. What peers cannot do
    /// stands in the tables.
    pub fn verdict(&self) -> Result<()> {
        let all = self.cases.iter().flat_map(|measured| &measured.outcomes);
        let failed = |it: &&Outcome| it.rounds.is_err() && it.entry.role != Role::Peer;
        match all.filter(failed).count() {
            0 => Ok(()),
            failed => bail!("{failed} rows failed; the tables say why"),
        }
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        for measured in &self.cases {
            for outcome in &measured.outcomes {
                for metric in measured.metrics() {
                    let Some(value) = outcome.median(metric) else { continue };
                    let (name, unit) = metric.words(&measured.case);
                    let times = |other: Option<&Outcome>| {
                        other.and_then(|other| outcome.times(other, metric)).map(short)
                    };
                    rows.push(Row {
                        case: measured.case.name,
                        shape: measured.case.shape,
                        name: outcome.entry.name,
                        metric: name,
                        value: short(value),
                        unit,
                        vs_blind_tunnel: times(measured.baseline()),
                        vs_best_peer: times(measured.best_peer(metric)),
                    });
                }
            }
        }
        rows
    }
}

/// What is worth keeping of a figure.
fn short(figure: f64) -> f64 {
    (figure * 1e4).round() / 1e4
}
