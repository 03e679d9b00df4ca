//! The codec beside its peers and hand-written floors: `cargo xtask bench codec`.
//!
//! This file is the command line; it refuses to know what is measured and how.

mod aligned;
mod case;
mod floors;
mod harness;
mod ours;
mod peers;
mod plain;
mod random;
mod report;
mod responses;
mod stream;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;

use case::Case;
use harness::{Outcome, Plan};
use report::Report;

/// Measures every case and prints a table of each.
#[derive(Parser)]
struct Arguments {
    /// Fewer and shorter rounds: a look, not a record
    #[arg(long)]
    quick: bool,
    /// Also write every row as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables, the rows and the plot into this folder
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// Only cases whose name holds these words, such as `decode masked` or `16 KiB`
    #[arg(long, value_name = "WORDS")]
    case: Option<String>,
    /// Run one implementation in one case for some seconds, for a profiler:
    /// `capsem-ws-codec:decode masked 1 KiB`
    #[arg(long, value_name = "IMPL:CASE")]
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(only) = &arguments.only {
        let (name, case) = only.rsplit_once(':').context("--only wants IMPL:CASE")?;
        return profile(name, case);
    }
    let plan = if arguments.quick { Plan::QUICK } else { Plan::FULL };
    let mut report = Report::new(plan)?;
    for case in cases(arguments.case.as_deref())? {
        report.add(case, measure(case, plan));
    }
    print!("{}", report.text());
    if let Some(file) = &arguments.json {
        report.write_json(file)?;
    }
    if let Some(folder) = &arguments.record {
        report.record(folder)?;
    }
    report.verdict()
}

/// Runs one implementation alone, so that a profile shows nothing else.
fn profile(name: &str, words: &str) -> Result<()> {
    for case in cases(Some(words))? {
        let stream = case.stream();
        let mut entries = case.entries(&stream);
        entries.retain(|entry| entry.name == name);
        let outcomes = harness::measure(entries, &stream, case, Plan::LONG);
        let Some(outcome) = outcomes.first() else { bail!("no `{name}` in `{case}`") };
        match (outcome.ns(), &outcome.rounds) {
            (Some(ns), _) => println!("{name}: {case}: {ns:.1} ns a frame"),
            (None, failed) => bail!("{name}: {case}: {failed:?}"),
        }
    }
    Ok(())
}

/// Measures a case, and makes sure that no row of it could pass with wrong output.
fn measure(case: Case, plan: Plan) -> Vec<Outcome> {
    eprintln!("{case}");
    let mut stream = case.stream();
    let outcomes = harness::measure(case.entries(&stream), &stream, case, plan);
    let fresh = case.entries(&stream);
    stream.spoil(case.yields());
    for mut entry in fresh {
        let checked = entry.subject.check(&stream, case.yields());
        assert!(checked.is_err(), "{}: {case}: wrong output passes for right", entry.name);
    }
    outcomes
}

fn cases(words: Option<&str>) -> Result<Vec<Case>> {
    let mut cases = Case::all();
    cases.retain(|case| words.is_none_or(|words| case.to_string().contains(words)));
    if cases.is_empty() {
        bail!("no case is called `{}`", words.unwrap_or_default());
    }
    Ok(cases)
}
