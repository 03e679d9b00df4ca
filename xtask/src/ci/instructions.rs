//! `instructions`: what fixed pieces of work cost in instructions, held against the record.
//!
//! valgrind counts them, so a busy machine changes nothing, and a change of some percent is seen that
//! no clock would show. Refuses to know what the work is: a benchmark of `capsem-mitm` names it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{install, paths, process};

/// Percent by which a count may differ from its record. Less than what is worth a look, more than a
/// newer libc makes of it.
const MARGIN: u64 = 3;
/// The one function of the benchmark that is counted, with all it calls.
const COUNTED: &str = "*::counted*";
/// valgrind takes a `rep movsb` for an instruction a byte, which no processor does.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=0x7fffffff");

/// The arguments of `instructions`.
#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Write the counts into `xtask/record/`, to be committed
    #[arg(long)]
    record: bool,
}

/// What was counted, and with what.
#[derive(Serialize, Deserialize)]
struct Record {
    command: String,
    rustc: String,
    valgrind: String,
    libc: String,
    instructions: BTreeMap<String, u64>,
}

/// Counts, and compares with the record or replaces it.
pub(super) fn check(arguments: &Arguments) -> Result<String> {
    install::need("valgrind", "install it with `apt install valgrind`")?;
    let mut now = Record::tools()?;
    if arguments.record {
        now.count()?;
        let counts = now.instructions.len();
        fs::write(file(), serde_json::to_string_pretty(&now)? + "\n")?;
        return Ok(format!("{counts} counts are in {}", file().display()));
    }
    let record = Record::read()?;
    ensure!(
        record.rustc == now.rustc,
        "the record is of {}, this is {}, and what two compilers make cannot be compared; count the \
         commit of the record with this one, or take over what it makes: {RECORD}",
        record.rustc,
        now.rustc
    );
    now.count()?;
    compare(&record, &now)
}

/// What writes the record anew.
const RECORD: &str = "`cargo xtask instructions --record`";

/// Fails with every count that is off, dearer or cheaper: a record that lags hides the next change.
fn compare(record: &Record, now: &Record) -> Result<String> {
    let mut off = 0;
    let names = record.instructions.keys().chain(now.instructions.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    for &name in &names {
        let [was, is] = [record, now].map(|it| it.instructions.get(name).copied().unwrap_or(0));
        if was.abs_diff(is) * 100 > was * MARGIN {
            off += 1;
            println!("{name}: {was} instructions are recorded, these are {is}{}", change(was, is));
        }
    }
    if off == 0 {
        return Ok(format!("{} counts within {MARGIN} % of the record", names.len()));
    }
    for (what, was, is) in
        [("valgrind", &record.valgrind, &now.valgrind), ("libc", &record.libc, &now.libc)]
    {
        if was != is {
            println!("{what}: the record is of {was}, this is {is}");
        }
    }
    bail!(
        "{off} counts are more than {MARGIN} % from the record; `callgrind_annotate` shows where the \
         instructions of {} are; if they are wanted: {RECORD}",
        folder().display()
    )
}

fn change(was: u64, is: u64) -> String {
    let sign = if is < was { '-' } else { '+' };
    match (was.abs_diff(is) * 1000).checked_div(was) {
        Some(tenths) if is > 0 => format!(", {sign}{}.{} %", tenths / 10, tenths % 10),
        Some(_) | None => String::new(),
    }
}

impl Record {
    /// Without counts.
    fn tools() -> Result<Self> {
        let version = |program: &str, ask: &str| {
            let said = process::read(Command::new(program).current_dir(paths::root()).arg(ask))?;
            Ok::<_, anyhow::Error>(said.trim().to_owned())
        };
        Ok(Self {
            command: "cargo xtask instructions --record".into(),
            rustc: version("rustc", "--version")?,
            valgrind: version("valgrind", "--version")?,
            libc: version("getconf", "GNU_LIBC_VERSION").unwrap_or_else(|_| "another".into()),
            instructions: BTreeMap::new(),
        })
    }

    fn read() -> Result<Self> {
        let text = fs::read_to_string(file())
            .with_context(|| format!("nothing is recorded in {}; {RECORD}", file().display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} cannot be read", file().display()))
    }

    fn count(&mut self) -> Result<()> {
        let program = build()?;
        fs::create_dir_all(folder())?;
        for name in process::read(&mut Command::new(&program))?.lines() {
            self.instructions.insert(name.into(), count(&program, name)?);
        }
        ensure!(!self.instructions.is_empty(), "{} names nothing to count", program.display());
        Ok(())
    }
}

fn build() -> Result<PathBuf> {
    let mut build = paths::cargo();
    build.args(["bench", "--quiet", "--locked", "--no-run", "--message-format", "json"]);
    build.args(["--package", "capsem-mitm", "--no-default-features", "--bench", "instructions"]);
    let messages = process::read(&mut build)?;
    let program = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    program.context("cargo built no benchmark")
}

/// The instructions of one piece of work, in surroundings that are the same everywhere.
fn count(program: &Path, name: &str) -> Result<u64> {
    let profile = folder().join(format!("{}.callgrind", name.replace(' ', "-")));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--collect-atstart=no"]);
    valgrind.arg(format!("--toggle-collect={COUNTED}"));
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(program).arg(name);
    valgrind.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs([TUNABLES]);
    process::read(&mut valgrind)?;
    let text = fs::read_to_string(&profile)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.filter(|&total| total > 0).with_context(|| format!("valgrind counted nothing of {name}"))
}

/// Where the profiles are.
fn folder() -> PathBuf {
    paths::target().join("instructions")
}

fn file() -> PathBuf {
    paths::root().join("xtask/record").join(std::env::consts::ARCH).join("instructions.json")
}
