//! `bench`: figures beside those of others, measured in one run.
//!
//! The peers are in a workspace of their own, so that nothing they bring along is ever in ours.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{mitmproxy, paths, process, proxy};

/// What is measured.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// The codec beside its peers and hand-written floors
    Codec(Codec),
    /// The built program beside blind tunnels and other proxies: inspection, evidence and ledger on
    Relay(Relay),
}

/// What both benchmarks take.
#[derive(clap::Args)]
struct Common {
    /// Fewer and shorter rounds: a look, not a record
    #[arg(long)]
    quick: bool,
    /// Also write every row as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write tables, rows and plot into `xtask/record/`, to be committed
    #[arg(long, conflicts_with = "quick")]
    record: bool,
    /// Only cases whose name holds these words, such as `16 KiB`
    #[arg(long, value_name = "WORDS")]
    case: Option<String>,
}

/// The arguments of `bench codec`.
#[derive(clap::Args)]
pub(crate) struct Codec {
    #[command(flatten)]
    common: Common,
    /// Run one implementation in one case for some seconds, for a profiler
    #[arg(long, value_name = "IMPL:CASE")]
    only: Option<String>,
}

/// The arguments of `bench relay`.
#[derive(clap::Args)]
pub(crate) struct Relay {
    #[command(flatten)]
    common: Common,
    /// Only proxies whose name begins so; may be given more than once
    #[arg(long, value_name = "IMPL")]
    only: Vec<String>,
}

/// Builds a benchmark and runs it.
pub(crate) fn bench(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Codec(arguments) => codec(arguments),
        Bench::Relay(arguments) => relay(arguments),
    }
}

fn codec(arguments: &Codec) -> Result<()> {
    let mut run = cargo("run", "bench");
    run.arg("--");
    arguments.common.pass_to(&mut run)?;
    if let Some(words) = &arguments.only {
        run.arg("--only").arg(words);
    }
    process::run(&mut run)
}

fn relay(arguments: &Relay) -> Result<()> {
    let ours = proxy::build_release()?;
    // A peer that cannot be had is missing from the table, which says so.
    if let Err(error) = process::run(&mut cargo("build", "hudsucker-peer")) {
        eprintln!("hudsucker: {error:#}");
    }
    let mut run = cargo("run", "relay");
    run.args(["--", "compare", "--ours"]).arg(ours);
    match mitmproxy::install() {
        Ok(program) => drop(run.arg("--mitmdump").arg(program)),
        Err(error) => eprintln!("mitmproxy: {error:#}"),
    }
    arguments.common.pass_to(&mut run)?;
    for name in &arguments.only {
        run.arg("--only").arg(name);
    }
    process::run(&mut run)
}

impl Common {
    fn pass_to(&self, run: &mut Command) -> Result<()> {
        if self.quick {
            run.arg("--quick");
        }
        if let Some(file) = &self.json {
            run.arg("--json").arg(std::path::absolute(file)?);
        }
        if self.record {
            run.arg("--record")
                .arg(paths::root().join("xtask/record").join(std::env::consts::ARCH));
        }
        if let Some(words) = &self.case {
            run.arg("--case").arg(words);
        }
        Ok(())
    }
}

/// `cargo COMMAND` of one package of the benchmarks' workspace, optimised.
fn cargo(command: &str, package: &str) -> Command {
    let mut cargo = paths::cargo();
    cargo.args([
        command,
        "--quiet",
        "--release",
        "--locked",
        "--manifest-path",
        "bench/Cargo.toml",
    ]);
    cargo.args(["--package", package, "--target-dir"]).arg(paths::target().join("bench"));
    cargo
}
