//! `ci`: every step a change must pass, each also a task of its own.
//!
//! A step is a function that returns one plain line. Refuses to skip: a tool that is missing fails
//! its step and names the command that installs it.

mod arrows;
mod cargo;
mod coverage;
mod deny;
mod fuzz;
mod instructions;
mod miri;
mod mutants;
mod shuttle;
mod tidy;
mod tool;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::{accept, conformance, faults, kills, soak};

/// The steps that are tasks too.
#[derive(Subcommand)]
pub(crate) enum Step {
    /// Every step below but `coverage`, `miri`, `shuttle` and `mutants`, then `conformance --quick`, `faults --quick`, ten
    /// `kills`, a minute of `soak` and `accept`; ends with `N passed, N failed`
    Ci,
    /// Formatting, as rustfmt.toml has it
    Fmt,
    /// Lints, every one an error
    Clippy,
    /// API documentation, every warning an error
    Docs,
    /// Unit, property and integration tests: no network, no foreign tool
    Test,
    /// The codec as a crate of its own: built from what `cargo publish` would send
    Package,
    /// Which crate may reach which: `cargo tree` against the design
    Arrows,
    /// What no other tool looks at: file heads, file lengths, stray paths, README
    Tidy,
    /// Licences, sources and banned crates, by cargo-deny
    Deny(deny::Arguments),
    /// The fuzz targets, some seconds each, on nightly
    Fuzz(fuzz::Arguments),
    /// What of the code the inputs of the fuzz targets reach, on nightly; not in ci
    Coverage,
    /// What fixed pieces of work cost in instructions, against the record, by valgrind
    Instructions(instructions::Arguments),
    /// The codec's unit tests under Miri, on nightly; not in ci
    Miri(miri::Arguments),
    /// The ledger's queue in many orders of its threads, by shuttle; not in ci
    Shuttle,
    /// Whether the codec's unit tests notice a change to its code, by cargo-mutants; not in ci
    Mutants(mutants::Arguments),
}

/// Runs one step, or all.
pub(crate) fn run(step: &Step) -> Result<()> {
    let line = match step {
        Step::Ci => return all(),
        Step::Fmt => cargo::fmt(),
        Step::Clippy => cargo::clippy(),
        Step::Docs => cargo::docs(),
        Step::Test => cargo::test(),
        Step::Package => cargo::package(),
        Step::Arrows => arrows::check(),
        Step::Tidy => tidy::check(),
        Step::Deny(arguments) => deny::check(arguments),
        Step::Fuzz(arguments) => fuzz::smoke(arguments),
        Step::Coverage => coverage::report(),
        Step::Instructions(arguments) => instructions::check(arguments),
        Step::Miri(arguments) => miri::check(arguments),
        Step::Shuttle => shuttle::check(),
        Step::Mutants(arguments) => mutants::check(arguments),
    }?;
    println!("{line}");
    Ok(())
}

fn all() -> Result<()> {
    type Run = fn() -> Result<String>;
    let steps: [(&str, Run); 15] = [
        ("fmt", cargo::fmt),
        ("clippy", cargo::clippy),
        ("docs", cargo::docs),
        ("test", cargo::test),
        ("package", cargo::package),
        ("arrows", arrows::check),
        ("tidy", tidy::check),
        ("deny", || deny::check(&deny::Arguments::default())),
        ("fuzz", || fuzz::smoke(&fuzz::Arguments::default())),
        ("instructions", || instructions::check(&instructions::Arguments::default())),
        ("conformance", conformance::as_step),
        ("faults", faults::as_step),
        ("kills", kills::as_step),
        ("soak", soak::as_step),
        ("accept", accept::as_step),
    ];
    let mut failed = 0;
    for (name, step) in steps {
        println!("== {name}");
        let began = Instant::now();
        let (result, line) = match step() {
            Ok(line) => ("passed", line),
            Err(error) => {
                failed += 1;
                ("FAILED", format!("{error:#}"))
            }
        };
        println!("{name} {result} in {:.0} s: {line}", began.elapsed().as_secs_f64());
    }
    println!("{} passed, {failed} failed", steps.len() - failed);
    if failed > 0 {
        bail!("ci failed");
    }
    Ok(())
}
