//! `fuzz`: every cargo-fuzz target for some seconds, on nightly.
//!
//! What a run finds to keep goes to `target/fuzz-corpus`, never into the committed seeds.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::tool::{self, Tool};
use crate::{paths, process};

const CARGO_FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2", ask: &["--version"] };

/// The arguments of `fuzz`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds for each target
    #[arg(long, default_value_t = Self::SECONDS)]
    seconds: u32,
    /// Targets to run; all if none is named
    targets: Vec<String>,
}

impl Arguments {
    /// Enough for a smoke test in ci.
    const SECONDS: u32 = 10;
}

impl Default for Arguments {
    fn default() -> Self {
        Self { seconds: Self::SECONDS, targets: Vec::new() }
    }
}

/// Builds the targets and runs each; fails on the first finding.
pub(super) fn smoke(arguments: &Arguments) -> Result<String> {
    tool::need_nightly(&[])?;
    let known = targets()?;
    let wanted = if arguments.targets.is_empty() { &known } else { &arguments.targets };
    for target in wanted {
        ensure!(
            known.contains(target),
            "no fuzz target `{target}`; there are {}",
            known.join(", ")
        );
    }
    CARGO_FUZZ.ready()?;
    process::run(cargo_fuzz()?.arg("build"))?;
    for target in wanted {
        let kept = kept(target)?;
        let mut run = cargo_fuzz()?;
        run.arg("run").arg(target).arg(kept).arg(format!("corpus/{target}"));
        let limit = format!("-max_total_time={}", arguments.seconds);
        process::read(run.args(["--", limit.as_str()]))
            .with_context(|| format!("fuzz target {target} found something"))?;
    }
    Ok(format!("{} targets, {} s each, nothing found", wanted.len(), arguments.seconds))
}

/// Where the inputs are that runs of a target found and kept.
pub(super) fn kept(target: &str) -> Result<PathBuf> {
    let kept = paths::target().join("fuzz-corpus").join(target);
    fs::create_dir_all(&kept)?;
    Ok(kept)
}

/// cargo-fuzz under the nightly toolchain, in the fuzz workspace.
pub(super) fn cargo_fuzz() -> Result<Command> {
    let mut command = tool::on_nightly();
    command.arg(CARGO_FUZZ.ready()?).arg("fuzz").env_remove("CARGO_TARGET_DIR");
    command.current_dir(paths::root().join("fuzz"));
    Ok(command)
}

/// Every target, by its file.
pub(super) fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(paths::root().join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        if let (Some(name), true) =
            (path.file_stem(), path.extension().is_some_and(|kind| kind == "rs"))
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
