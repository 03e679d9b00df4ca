//! The built program beside blind tunnels and other proxies: `cargo xtask bench relay`.
//!
//! This file is the command line; it refuses to know what is measured and how.

#![forbid(unsafe_code)]

mod authority;
mod case;
mod cpu;
mod ends;
mod frame;
mod harness;
mod inflate;
mod proxies;
mod random;
mod receiver;
mod report;
mod script;
mod subject;
mod talk;
mod tunnel;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;

use authority::Authority;
use cpu::Cpus;
use ends::Ends;
use harness::{Candidate, Plan};
use proxies::{Entry, Proxy, Site};
use report::Report;
use subject::Run;

/// Sockets of one proxy at most, and as many of each end.
const SOCKETS: usize = 6000;

/// What this process is.
#[derive(Parser)]
enum Arguments {
    /// Measures every case and prints a table of each
    Compare(Compare),
    /// One of the proxies: the blind tunnel
    Tunnel(tunnel::Arguments),
}

#[derive(clap::Args)]
struct Compare {
    /// The built program of this workspace
    #[arg(long, value_name = "FILE")]
    ours: PathBuf,
    /// The program of mitmproxy
    #[arg(long, value_name = "FILE")]
    mitmdump: Option<PathBuf>,
    /// Fewer and shorter rounds: a look, not a record
    #[arg(long)]
    quick: bool,
    /// Also write every row as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables and the rows into this folder
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// Only cases whose name or shape holds these words, such as `bulk` or `16 KiB`
    #[arg(long, value_name = "WORDS")]
    case: Option<String>,
    /// Only proxies whose name begins so; may be given more than once
    #[arg(long, value_name = "IMPL")]
    only: Vec<String>,
}

fn main() -> ExitCode {
    let done = match Arguments::parse() {
        Arguments::Compare(arguments) => compare(&arguments),
        Arguments::Tunnel(arguments) => tunnel::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn compare(arguments: &Compare) -> Result<()> {
    let plan = if arguments.quick { Plan::QUICK } else { Plan::FULL };
    let cases = cases(arguments.case.as_deref())?;
    let entries = entries(&arguments.only)?;
    let mut report = Report::new(plan)?;
    cpu::raise_open_files(3 * SOCKETS as u64)?;
    let cpus = Cpus::two()?;
    cpu::stay_on(cpus.ends)?;
    let folder = tempfile::tempdir()?;
    let authority = Authority::create(folder.path())?;
    let ends = Ends::start(authority.server()?).await?;
    let (upstream, ours) = (ends.address, arguments.ours.clone());
    let mitmdump = arguments.mitmdump.clone();
    let site = Site { cpus, upstream, authority, ours, mitmdump, sockets: SOCKETS };
    let candidates: Vec<Candidate> = entries.into_iter().map(|it| start(it, &site)).collect();
    let run = Run { ends: &ends, site: &site, idle: plan.idle };
    for case in cases {
        eprintln!("{}", case.title());
        let outcomes = harness::measure(&run, &candidates, &case, plan).await;
        let inflate = inflate::cpu_per_gib(&case.script())?;
        report.add(case, outcomes, inflate);
    }
    let stopped: Vec<Result<()>> = candidates.into_iter().map(|it| stop(it, &site)).collect();
    print!("{}", report.text());
    if let Some(file) = &arguments.json {
        report.write_json(file)?;
    }
    if let Some(folder) = &arguments.record {
        report.record(folder)?;
    }
    stopped.into_iter().collect::<Result<()>>()?;
    report.verdict()
}

fn start(entry: &'static Entry, site: &Site) -> Candidate {
    let proxy = Proxy::start(entry, site).map_err(|error| format!("{error:#}"));
    match &proxy {
        Ok(proxy) => eprintln!("{}: process {}", entry.name, proxy.id()),
        Err(missing) => eprintln!("{}: {missing}", entry.name),
    }
    Candidate { entry, proxy }
}

fn stop(candidate: Candidate, site: &Site) -> Result<()> {
    candidate.proxy.map_or(Ok(()), |proxy| proxy.stop(site))
}

fn cases(words: Option<&str>) -> Result<Vec<case::Case>> {
    let mut cases = case::all();
    cases.retain(|case| words.is_none_or(|words| case.title().contains(words)));
    if cases.is_empty() {
        bail!("no case is called `{}`", words.unwrap_or_default());
    }
    Ok(cases)
}

fn entries(only: &[String]) -> Result<Vec<&'static Entry>> {
    let mut entries: Vec<&'static Entry> = proxies::ALL.iter().collect();
    entries.retain(|it| only.is_empty() || only.iter().any(|only| it.name.starts_with(only)));
    if entries.is_empty() {
        bail!("no proxy is called `{}`", only.join("`, `"));
    }
    Ok(entries)
}
