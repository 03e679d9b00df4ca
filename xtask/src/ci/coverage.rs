//! `coverage`: which lines of the fuzzed crates the inputs of the fuzz targets reach.
//!
//! Inputs are the committed seeds and what `fuzz` has kept beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{fuzz, tool};
use crate::{paths, process};

/// What `llvm-cov export` says, as far as it is printed.
#[derive(Deserialize)]
struct Export {
    data: [Data; 1],
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: PathBuf,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    lines: Lines,
}

/// Lines with code in them, and those that were run.
#[derive(Clone, Copy, Default, Deserialize)]
struct Lines {
    count: u64,
    covered: u64,
}

/// Runs every target on its inputs, and prints a row for each module and crate.
pub(super) fn report() -> Result<String> {
    tool::need_nightly(&["llvm-tools"])?;
    let targets = fuzz::targets()?;
    for target in &targets {
        let kept = fuzz::kept(target)?;
        let mut run = fuzz::cargo_fuzz()?;
        run.args(["coverage", target]).arg(kept).arg(format!("corpus/{target}"));
        process::read(&mut run).with_context(|| format!("fuzz target {target}"))?;
    }
    let rows = rows(&export(&targets)?)?;
    ensure!(!rows.is_empty(), "no line of a crate of this workspace was counted");
    println!("| module | lines run | of |\n|---|---|---|");
    for (module, Lines { count, covered }) in &rows {
        println!("| {module} | {covered} ({} %) | {count} |", covered * 100 / count.max(&1));
    }
    let total = rows.values().fold(Lines::default(), |sum, it| sum.and(*it));
    Ok(format!("{} of {} lines run by {} targets", total.covered, total.count, targets.len()))
}

/// The lines of all targets together.
fn export(targets: &[String]) -> Result<Export> {
    let host = host()?;
    let tools = sysroot()?.join("lib/rustlib").join(&host).join("bin");
    let fuzz = paths::root().join("fuzz");
    let merged = paths::target().join("fuzz-coverage.profdata");
    let mut merge = Command::new(tools.join("llvm-profdata"));
    merge.args(["merge", "-sparse", "-o"]).arg(&merged);
    merge.args(targets.iter().map(|it| fuzz.join(format!("coverage/{it}/coverage.profdata"))));
    process::run(&mut merge)?;
    let mut export = Command::new(tools.join("llvm-cov"));
    export.args(["export", "-summary-only", "-instr-profile"]).arg(&merged);
    for target in targets {
        let built = fuzz.join(format!("target/{host}/coverage/{host}/release")).join(target);
        export.arg("-object").arg(built);
    }
    serde_json::from_str(&process::read(&mut export)?).context("what llvm-cov exports")
}

/// By crate and module: `src/a/b.rs` and `src/a.rs` are one.
fn rows(export: &Export) -> Result<BTreeMap<String, Lines>> {
    let root = fs::canonicalize(paths::root())?;
    let mut rows = BTreeMap::<String, Lines>::new();
    for File { filename, summary } in &export.data[0].files {
        let Ok(path) = filename.strip_prefix(&root) else { continue };
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let [name, folder, module, ..] = &parts[..] else { continue };
        let module = module.trim_end_matches(".rs");
        if folder == "src" && name != "fuzz" && module != "fuzzing" {
            let row = rows.entry(format!("{name} {module}")).or_default();
            *row = row.and(summary.lines);
        }
    }
    Ok(rows)
}

impl Lines {
    fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, covered: self.covered + other.covered }
    }
}

fn sysroot() -> Result<PathBuf> {
    let sysroot = process::read(tool::on_nightly().args(["rustc", "--print", "sysroot"]))?;
    Ok(sysroot.trim().into())
}

/// The triple that is built for.
fn host() -> Result<String> {
    let version = process::read(tool::on_nightly().args(["rustc", "-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}
