//! `mutants`: whether the codec's unit tests notice a change to its code, by cargo-mutants.
//!
//! Not a step of ci, as it takes most of an hour. Survivors that are no fault are in
//! `.cargo/mutants.toml`, each with its reason.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::tool::Tool;
use crate::paths;

const CARGO_MUTANTS: Tool =
    Tool { name: "cargo-mutants", version: "27.1.0", ask: &["mutants", "--version"] };
/// The files that decide what is a violation and when.
const FILES: [&str; 5] = ["head", "sequence", "utf8", "close", "extension"];
/// Of a hundred mutants, how many must be caught.
const LEAST: usize = 90;

/// The arguments of `mutants`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files of the codec to change, by their name without `.rs`; `head`, `sequence`, `utf8`,
    /// `close` and `extension` if none is named
    files: Vec<String>,
}

/// Changes the files in every way there is, one at a time, in a copy.
pub(super) fn check(arguments: &Arguments) -> Result<String> {
    let mut mutants = Command::new(CARGO_MUTANTS.ready()?);
    mutants.current_dir(paths::root()).args(["mutants", "--package", "capsem-ws-codec"]);
    // A mutant that hangs is caught; the unit tests take some seconds.
    mutants.args(["--jobs", "1", "--timeout", "60"]).arg("--output").arg(paths::target());
    let default = FILES.map(str::to_owned);
    let files = if arguments.files.is_empty() { &default[..] } else { &arguments.files };
    for file in files {
        mutants.arg("--file").arg(format!("capsem-ws-codec/src/{file}.rs"));
    }
    // Debug information costs half of each build, and nobody reads it.
    mutants.env("CARGO_PROFILE_DEV_DEBUG", "0").args(["--", "--lib"]);
    // It ends badly if a single one survives; what counts is in its lists.
    let status = mutants.status().context("cannot start cargo-mutants")?;
    let count = |list: &str| -> Result<usize> {
        let path = paths::target().join("mutants.out").join(list);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cargo-mutants ({status}) left no {}", path.display()))?;
        Ok(text.lines().count())
    };
    let caught = count("caught.txt")? + count("timeout.txt")?;
    let all = caught + count("missed.txt")?;
    ensure!(
        all > 0 && caught * 100 >= all * LEAST,
        "{caught} of {all} mutants are caught ({status}), and {LEAST} of 100 must be"
    );
    Ok(format!("{caught} of {all} mutants are caught"))
}
