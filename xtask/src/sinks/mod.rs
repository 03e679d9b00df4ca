//! `sinks`: the built program under traffic while its ledger can take nothing, and after.
//!
//! Everything happens inside a namespace, where a full disk is a small one of our own. Refuses to
//! know how a ledger is written: a trouble is made outside the proxy, as a disk or a reader makes it.

mod case;
mod traffic;
mod trouble;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::namespace::{self, Inside};
use crate::{paths, proxy};
use case::{Case, Mode, Outcome, Sinks};
use trouble::Trouble;

const ALL: [Case; 10] = [
    Case { trouble: Trouble::Unread, mode: Mode::Closed, sinks: Sinks::Lines, quick: true },
    Case { trouble: Trouble::Stopped, mode: Mode::Closed, sinks: Sinks::Lines, quick: false },
    Case { trouble: Trouble::Full, mode: Mode::Closed, sinks: Sinks::Both, quick: true },
    Case { trouble: Trouble::Limit, mode: Mode::Closed, sinks: Sinks::Both, quick: true },
    Case { trouble: Trouble::Device, mode: Mode::Closed, sinks: Sinks::Lines, quick: true },
    Case { trouble: Trouble::Unread, mode: Mode::Open, sinks: Sinks::Lines, quick: false },
    Case { trouble: Trouble::Stopped, mode: Mode::Open, sinks: Sinks::Lines, quick: false },
    Case { trouble: Trouble::Full, mode: Mode::Open, sinks: Sinks::Lines, quick: true },
    Case { trouble: Trouble::Limit, mode: Mode::Open, sinks: Sinks::Lines, quick: true },
    Case { trouble: Trouble::Device, mode: Mode::Open, sinks: Sinks::Lines, quick: false },
];

/// The arguments of `sinks`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only those that together show everything
    #[arg(long)]
    quick: bool,
    /// Only cases with these words in their names
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// Also write the table as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Set by `sinks` itself for the run inside the namespace
    #[arg(long, hide = true)]
    inside: bool,
}

#[derive(Serialize)]
struct Row {
    case: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// Runs every case; fails if one of them does.
pub(crate) fn sinks(arguments: &Arguments) -> Result<()> {
    if arguments.inside {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(cases_inside(arguments));
    }
    ensure!(
        ALL.into_iter().any(|case| arguments.wants(case)),
        "no case has these words in its name; there are: {}",
        ALL.map(Case::name).join("; ")
    );
    proxy::build()?;
    if !namespace::reenter(&arguments.inside())?.success() {
        bail!("not every case passed; the files of each are in {}", folder().display());
    }
    Ok(())
}

impl Arguments {
    /// The command line for the run inside the namespace.
    fn inside(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["sinks".into(), "--inside".into()];
        if self.quick {
            words.push("--quick".into());
        }
        if let Some(name) = &self.only {
            words.extend(["--only".into(), name.into()]);
        }
        if let Some(file) = &self.json {
            words.extend(["--json".into(), file.into()]);
        }
        words
    }

    fn wants(&self, case: Case) -> bool {
        let named = self.only.as_ref().is_none_or(|words| case.name().contains(words.as_str()));
        named && (case.quick || !self.quick)
    }
}

async fn cases_inside(arguments: &Arguments) -> Result<()> {
    let folder = folder();
    let _ = fs::remove_dir_all(&folder); // the first run has none
    fs::create_dir_all(&folder)?;
    let _inside = Inside::prepare(&folder)?;
    let (mut rows, mut failed) = (Vec::new(), 0);
    for (number, case) in (1..).zip(ALL).filter(|(_, case)| arguments.wants(*case)) {
        let name = case.name();
        match case.play(&folder.join(format!("{number}"))).await {
            Ok(outcome) => {
                println!("{name:<34} {outcome}");
                rows.push(Row { case: name, outcome });
            }
            Err(error) => {
                failed += 1;
                println!("{name:<34} FAILED: {error:#}");
            }
        }
    }
    if let Some(file) = &arguments.json {
        fs::write(file, serde_json::to_string_pretty(&rows)?)?;
    }
    ensure!(failed == 0, "{failed} cases failed");
    Ok(())
}

fn folder() -> PathBuf {
    paths::target().join("sinks")
}
