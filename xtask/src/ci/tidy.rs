//! `tidy`: what neither the compiler nor clippy looks at.
//!
//! Every finding is one line, `FILE:LINE: what is wrong`. Refuses to mend anything.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use clap::CommandFactory;
use serde_json::Value;

use crate::{paths, process};

/// Lines a source file may have, its tests apart.
const LINES: usize = 500;

/// What no Rust file may hold. Written in two halves, so that this file passes.
const UNFINISHED: [(&str, &str); 6] = [
    (concat!("#[ign", "ore"), "an ignored test"),
    (concat!("todo", "!("), "unfinished code"),
    (concat!("unimplemented", "!("), "unfinished code"),
    (concat!("dbg", "!("), "a debugging aid"),
    (concat!("FIX", "ME"), "a note to self"),
    (concat!("TO", "DO"), "a note to self"),
];

/// Folders of one machine, which no file may name.
const MACHINE: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Checks every file git knows or would add.
pub(super) fn check() -> Result<String> {
    let mut findings = Vec::new();
    let listed = process::read(Command::new("git").current_dir(paths::root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let files: BTreeSet<&str> = listed.lines().collect();
    let (mut checked, mut functions) = (0, BTreeSet::new());
    for name in files {
        // Binary seeds are not text; a file that was deleted is still listed.
        if let Ok(text) = fs::read_to_string(paths::root().join(name)) {
            checked += 1;
            if Path::new(name).extension().is_some_and(|kind| kind == "rs") {
                functions.extend(functions_of(&text).map(str::to_owned));
            }
            file(name, &text, &mut findings);
        }
    }
    readme(&mut findings);
    let promises = fs::read_to_string(paths::root().join("SECURITY.md")).unwrap_or_default();
    guards(&promises, &functions, &mut findings);
    let manifest = fs::read_to_string(paths::root().join("Cargo.toml")).unwrap_or_default();
    overflow(&manifest, &mut findings);
    manifests(&mut findings)?;
    if findings.is_empty() {
        return Ok(format!("{checked} files in order"));
    }
    for finding in &findings {
        println!("{finding}");
    }
    bail!("{} findings", findings.len())
}

fn file(name: &str, text: &str, findings: &mut Vec<String>) {
    text_file(name, text, findings);
    if Path::new(name).extension().is_some_and(|kind| kind == "rs") {
        rust_file(name, text, findings);
    }
}

fn text_file(name: &str, text: &str, findings: &mut Vec<String>) {
    if name.starts_with("fuzz/corpus/") || name.contains("/testdata/") {
        return; // seeds and transcripts are what they are
    }
    for (number, line) in (1..).zip(text.lines()) {
        if line.ends_with([' ', '\t']) {
            findings.push(format!("{name}:{number}: trailing space"));
        }
        if let Some(folder) = MACHINE.iter().find(|folder| names(line, folder)) {
            findings.push(format!("{name}:{number}: a folder of one machine, {folder}"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(format!("{name}: no newline at the end"));
    }
}

/// Whether `line` holds `folder` as the beginning of a path.
fn names(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|letter| !letter.is_alphanumeric() && !"-_.}*/".contains(letter))
    })
}

fn rust_file(name: &str, text: &str, findings: &mut Vec<String>) {
    if !text.starts_with("//!") {
        findings.push(format!("{name}:1: no `//!` that says what the file is"));
    }
    let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
    let lines = text.lines().count();
    if lines > LINES && !is_test {
        findings.push(format!("{name}: {lines} lines, {LINES} are allowed"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        for (words, what) in UNFINISHED {
            if line.contains(words) {
                findings.push(format!("{name}:{number}: {what}"));
            }
        }
    }
}

/// The README's commands are this program's, no more and no fewer. A step of `ci` is named by a
/// word in its line.
fn readme(findings: &mut Vec<String>) {
    let text = fs::read_to_string(paths::root().join("README.md")).unwrap_or_default();
    let after = text.split("cargo xtask ").skip(1);
    let commands: BTreeSet<String> =
        after.filter_map(|rest| rest.split([' ', '`', '\n']).next()).map(str::to_owned).collect();
    let listed = text.lines().filter(|line| line.contains("cargo xtask ci"));
    let steps: BTreeSet<&str> =
        listed.flat_map(|line| line.split(|letter: char| !letter.is_ascii_lowercase())).collect();
    let xtask = crate::Arguments::command();
    let tasks = xtask.get_subcommands().filter(|task| !task.is_hide_set());
    let known: BTreeSet<String> = tasks.map(|task| task.get_name().to_owned()).collect();
    for name in known.difference(&commands).filter(|name| !steps.contains(name.as_str())) {
        findings.push(format!("README.md: does not name `cargo xtask {name}`"));
    }
    for name in commands.difference(&known) {
        findings.push(format!("README.md: there is no `cargo xtask {name}`"));
    }
}

/// The names of the functions in a source file, those that are data of a test among them.
fn functions_of(text: &str) -> impl Iterator<Item = &str> {
    let named = text.split("fn ").skip(1);
    named.filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
}

/// Every test that a promise is guarded by must be there, and every promise have one.
fn guards(promises: &str, functions: &BTreeSet<String>, findings: &mut Vec<String>) {
    let table = promises.split("## Promises and their tests").nth(1).unwrap_or_default();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut count = 0;
    for row in rows {
        count += 1;
        let tests = row.rsplit_once(" | ").map_or("", |(_, tests)| tests);
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            findings.push(format!("SECURITY.md: nothing guards: {row}"));
        }
        for name in named.iter().filter(|name| !name.contains(' ')) {
            if !functions.contains(*name) {
                findings.push(format!("SECURITY.md: there is no test `{name}`"));
            }
        }
    }
    if count == 0 {
        findings.push("SECURITY.md: no table of promises and their tests".to_owned());
    }
}

/// A length that wraps must be a fault in the program people run, not only in tests.
fn overflow(manifest: &str, findings: &mut Vec<String>) {
    let release = manifest.split("\n[profile.release]\n").nth(1).unwrap_or_default();
    let release = release.split("\n[").next().unwrap_or_default();
    if !release.lines().any(|line| line.starts_with("overflow-checks = true")) {
        findings.push("Cargo.toml: [profile.release] has no `overflow-checks = true`".to_owned());
    }
}

fn manifests(findings: &mut Vec<String>) -> Result<()> {
    let listed = process::read(paths::cargo().args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]))?;
    let metadata: Value = serde_json::from_str(&listed)?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for field in ["description", "license"] {
            if package[field].as_str().is_none_or(str::is_empty) {
                findings.push(format!("{}: no {field} in its Cargo.toml", package["name"]));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
