//! `bench`: figures beside those of others, measured in one run.
//!
//! The peers are in a workspace of their own, so that nothing they bring along is ever in ours.

use std::path::PathBuf;

use anyhow::Result;

use crate::{paths, process};

/// What is measured.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// The codec beside its peers and hand-written floors
    Codec(Codec),
}

/// The arguments of `bench codec`.
#[derive(clap::Args)]
pub(crate) struct Codec {
    /// Fewer and shorter rounds: a look, not a record
    #[arg(long)]
    quick: bool,
    /// Also write every row as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write tables, rows and plot into `xtask/record/`, to be committed
    #[arg(long, conflicts_with = "quick")]
    record: bool,
    /// Only cases whose name holds these words, such as `decode masked` or `16 KiB`
    #[arg(long, value_name = "WORDS")]
    case: Option<String>,
    /// Run one implementation in one case for some seconds, for a profiler
    #[arg(long, value_name = "IMPL:CASE")]
    only: Option<String>,
}

/// Builds the benchmark and runs it.
pub(crate) fn bench(bench: &Bench) -> Result<()> {
    let Bench::Codec(arguments) = bench;
    let mut run = paths::cargo();
    run.args(["run", "--quiet", "--release", "--locked", "--manifest-path", "bench/Cargo.toml"]);
    run.arg("--target-dir").arg(paths::target().join("bench")).arg("--");
    if arguments.quick {
        run.arg("--quick");
    }
    if let Some(file) = &arguments.json {
        run.arg("--json").arg(std::path::absolute(file)?);
    }
    if arguments.record {
        run.arg("--record").arg(paths::root().join("xtask/record").join(std::env::consts::ARCH));
    }
    for (flag, words) in [("--case", &arguments.case), ("--only", &arguments.only)] {
        if let Some(words) = words {
            run.arg(flag).arg(words);
        }
    }
    process::run(&mut run)
}
