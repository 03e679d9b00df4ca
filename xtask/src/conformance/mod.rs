//! `conformance`: the Autobahn suite, 517 cases, in four arrangements.
//!
//! A server and a client built on the codec face the suite; then the built program faces it, in the
//! same two roles, with that server or client behind it. Refuses to know what a case does.

mod arrangement;
mod cases;
mod known;
mod run;
mod suite;
mod table;
mod verdict;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::{paths, proxy};
use arrangement::Arrangement;
use suite::Suite;
use table::Table;

/// The arguments of `conformance`.
#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// A part of the cases, as `ci` runs it
    #[arg(long)]
    quick: bool,
    /// Also write the verdicts as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only this arrangement
    #[arg(long, value_enum)]
    only: Option<Arrangement>,
    /// Only these cases, such as 9.1.6
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
}

/// Runs the arrangements; fails unless every verdict is as it must be.
pub(crate) fn conformance(arguments: &Arguments) -> Result<()> {
    judge(arguments).map(|line| println!("{line}"))
}

/// The quick part as one step of `ci`.
pub(crate) fn as_step() -> Result<String> {
    judge(&Arguments { quick: true, ..Arguments::default() })
}

fn judge(arguments: &Arguments) -> Result<String> {
    if arguments.arrangements().into_iter().any(Arrangement::is_proxied) {
        proxy::build()?;
    }
    let suite = Arc::new(Suite::install()?);
    let cases = arguments.choose(&suite)?;
    let folder = paths::target().join("conformance");
    let _ = fs::remove_dir_all(&folder); // the first run has none
    fs::create_dir_all(&folder)?;

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut results = Vec::new();
    for arrangement in arguments.arrangements() {
        let began = Instant::now();
        eprint!("{} ... ", arrangement.word());
        results.extend(runtime.block_on(run::run(&suite, arrangement, &cases, &folder))?);
        eprintln!("{:.0} s", began.elapsed().as_secs_f64());
    }
    let report = suite.report(&folder.join("report"), &results)?;
    let mut table = Table::default();
    for arrangement in arguments.arrangements() {
        table.add(arrangement, verdict::all(arrangement, &cases, &report));
    }
    table.print();
    if let Some(file) = &arguments.json {
        fs::write(file, table.json())?;
    }
    println!("the report: {}", folder.join("report/index.html").display());
    match table.failed() {
        0 => Ok(table.summary()),
        failed => bail!("{failed} verdicts are not as they must be"),
    }
}

impl Arguments {
    fn choose(&self, suite: &Suite) -> Result<Vec<cases::Case>> {
        let mut cases = suite.cases()?;
        if self.quick {
            cases.retain(cases::Case::is_quick);
        }
        if !self.cases.is_empty() {
            cases.retain(|case| self.cases.iter().any(|name| name == case.name()));
        }
        if cases.is_empty() {
            bail!("no such case");
        }
        Ok(cases)
    }

    fn arrangements(&self) -> Vec<Arrangement> {
        self.only.map_or_else(|| Arrangement::ALL.to_vec(), |only| vec![only])
    }
}
