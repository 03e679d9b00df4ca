//! `accept`: real clients through the built program, and its ledger laid beside the endpoint's
//! own log, number for number.
//!
//! Every row runs inside a namespace in which nothing can leave, trusts only the proxy's CA, and
//! talks to an endpoint with certificates of another CA: a client that gets past the proxy fails.

mod answers;
mod compare;
mod report;
mod rows;
mod run;
mod table;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::clients::Clients;
use crate::codex;
use crate::endpoint::{Authority, Entry};
use crate::ledger::Ledger;
use crate::namespace::{self, Inside};
use crate::{paths, proxy};
use rows::Mode;
use table::Table;

/// The arguments of `accept`.
#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Also write the table as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only rows whose name holds these words
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// Send the clients straight to the endpoint: tells a broken client from a broken proxy
    #[arg(long)]
    direct: bool,
    /// Measure what each client does with each way to refuse it, and write docs/clients.md
    #[arg(long, conflicts_with_all = ["direct", "json"])]
    answers: bool,
    /// Set by `accept` itself for the run inside the namespace
    #[arg(long, hide = true)]
    inside: bool,
}

/// Runs every row; fails if one of them does.
pub(crate) fn accept(arguments: &Arguments) -> Result<()> {
    if arguments.inside {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(rows_inside(arguments));
    }
    if !arguments.direct {
        proxy::build()?;
    }
    Clients::install()?;
    if !namespace::reenter(&arguments.inside())?.success() {
        bail!("not every row passed; the files of each are in {}", folder().display());
    }
    Ok(())
}

/// The same as one step of `ci`.
pub(crate) fn as_step() -> Result<String> {
    accept(&Arguments::default())?;
    Ok("every row passed".into())
}

/// Compares the ledger at `jsonl` with `log`; says what was equal. For `demo`.
pub(crate) fn same(jsonl: &Path, log: &[Entry]) -> Result<String> {
    let ledger = Ledger::read(jsonl, codex::KEY)?;
    Ok(compare::compare(&ledger, log)?.to_string())
}

impl Arguments {
    /// The command line for the run inside the namespace.
    fn inside(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["accept".into(), "--inside".into()];
        if self.direct {
            words.push("--direct".into());
        }
        if self.answers {
            words.push("--answers".into());
        }
        if let Some(file) = &self.json {
            words.extend(["--json".into(), file.into()]);
        }
        if let Some(name) = &self.only {
            words.extend(["--only".into(), name.into()]);
        }
        words
    }
}

async fn rows_inside(arguments: &Arguments) -> Result<()> {
    let folder = folder();
    let _ = fs::remove_dir_all(&folder); // the first run has none
    fs::create_dir_all(&folder)?;
    let inside = Inside::prepare(&folder)?;
    let stage =
        run::Stage { folder, inside, authority: Authority::new()?, clients: Clients::install()? };
    if arguments.answers {
        return answers_inside(&stage, arguments.only.as_deref()).await;
    }
    let modes: &[Mode] =
        if arguments.direct { &[Mode::Direct] } else { &[Mode::Explicit, Mode::Transparent] };
    let mut table = Table::new();
    for row in rows::ALL {
        if arguments.only.as_ref().is_some_and(|words| !row.name.contains(words.as_str())) {
            continue;
        }
        for &mode in modes.iter().filter(|&&mode| row.runs_in(mode)) {
            table.add(row.name, mode, stage.run(row, mode)).await;
        }
    }
    if let Some(file) = &arguments.json {
        fs::write(file, table.json())?;
    }
    if table.is_empty() {
        bail!("no row has these words in its name");
    }
    match table.finish() {
        0 => Ok(()),
        failed => bail!("{failed} rows failed"),
    }
}

/// A part of the rows is printed only: the document is whole.
async fn answers_inside(stage: &run::Stage, only: Option<&str>) -> Result<()> {
    let report = answers::measure(stage, only).await?;
    if only.is_none() {
        println!("{} rows in {}", report.rows(), report.write()?.display());
    }
    Ok(())
}

fn folder() -> PathBuf {
    paths::target().join("accept")
}
