//! What a run says: tables, rows, goals, a plot. Refuses to measure.

mod goals;
mod method;
mod plot;
mod table;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::case::Case;
use crate::harness::{Outcome, Plan};
use crate::ours;
use crate::subject::Kind;

use machine::Machine;

/// The outcomes of every case.
pub struct Report {
    plan: Plan,
    machine: Machine,
    cases: Vec<Measured>,
}

/// The outcomes of one case.
struct Measured {
    case: Case,
    outcomes: Vec<Outcome>,
}

impl Measured {
    /// The fastest of one kind.
    fn best(&self, kind: Kind) -> Option<&Outcome> {
        let of_kind = self.outcomes.iter().filter(|outcome| outcome.kind == kind);
        of_kind.filter(|outcome| outcome.ns().is_some()).min_by(|one, other| {
            let ns = |outcome: &Outcome| outcome.ns().unwrap_or(f64::INFINITY);
            ns(one).total_cmp(&ns(other))
        })
    }

    /// The codec's main row.
    fn ours(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.name == ours::NAME)
    }
}

/// One row of `--json`: an implementation in a case.
#[derive(Serialize)]
struct Row<'a> {
    bench: &'static str,
    masked: bool,
    size: usize,
    #[serde(rename = "impl")]
    name: &'a str,
    version: &'a str,
    ns_per_frame: f64,
    gib_per_s: f64,
    vs_limit: Option<f64>,
    vs_best_peer: Option<f64>,
}

impl Report {
    /// A report of a run by `plan` that begins now.
    pub fn new(plan: Plan) -> Result<Self> {
        Ok(Self { plan, machine: Machine::read()?, cases: Vec::new() })
    }

    /// Takes what came of one case.
    pub fn add(&mut self, case: Case, outcomes: Vec<Outcome>) {
        self.cases.push(Measured { case, outcomes });
    }

    /// The tables, the goals and where it was measured.
    pub fn text(&self) -> String {
        let mut text = table::tables(&self.cases);
        let _ = write!(text, "\n## Goals\n\n{}", goals::lines(&self.cases));
        let _ = write!(text, "\n## This run\n\n{}", method::lines(&self.machine, self.plan));
        text
    }

    /// Every row, as `--json` has them: one a line.
    pub fn write_json(&self, file: &Path) -> Result<()> {
        let rows: Result<Vec<String>, _> = self.rows().iter().map(serde_json::to_string).collect();
        let text = format!("[\n{}\n]\n", rows?.join(",\n"));
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Writes `codec.md`, `codec.json` and `codec.svg` into `folder`.
    pub fn record(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let text = format!("# cargo xtask bench codec\n\n![](codec.svg)\n\n{}", self.text());
        fs::write(folder.join("codec.md"), text)?;
        self.write_json(&folder.join("codec.json"))?;
        let plot = plot::decode_masked(&self.cases, self.machine.caption(method::COMMAND));
        fs::write(folder.join("codec.svg"), plot)?;
        println!("\nrecorded: codec.md, codec.json and codec.svg in {}", folder.display());
        Ok(())
    }

    /// Fails if an implementation did not do what its case asks.
    pub fn verdict(&self) -> Result<()> {
        let all = self.cases.iter().flat_map(|measured| &measured.outcomes);
        match all.filter(|outcome| outcome.rounds.is_err()).count() {
            0 => Ok(()),
            failed => bail!("{failed} rows failed; the tables say why"),
        }
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let rows = self.cases.iter().flat_map(|measured| {
            let floor = measured.best(Kind::Floor).and_then(Outcome::ns);
            let peer = measured.best(Kind::Peer).and_then(Outcome::ns);
            measured.outcomes.iter().filter_map(move |outcome| {
                let ns = outcome.ns()?;
                let case = measured.case;
                Some(Row {
                    bench: case.bench.name(),
                    masked: case.masked,
                    size: case.size,
                    name: outcome.name,
                    version: outcome.package.map_or("", method::version),
                    ns_per_frame: short(ns),
                    gib_per_s: short(gib_per_s(case.size, ns)),
                    vs_limit: floor.map(|floor| short(ns / floor)),
                    vs_best_peer: peer.map(|peer| short(ns / peer)),
                })
            })
        });
        rows.collect()
    }
}

/// What is worth keeping of a figure.
fn short(figure: f64) -> f64 {
    (figure * 1e4).round() / 1e4
}

fn gib_per_s(size: usize, ns: f64) -> f64 {
    size as f64 / ns * 1e9 / f64::from(1 << 30)
}
