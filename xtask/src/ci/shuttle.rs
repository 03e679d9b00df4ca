//! `shuttle`: the ledger's queue with its threads in some ten thousand orders, each of which shuttle
//! picks at random and could repeat.
//!
//! Not a step of ci, as all that the crate needs is built anew for it.

use anyhow::{Result, ensure};

use super::cargo;
use crate::{paths, process};

/// Runs every model.
pub(super) fn check() -> Result<String> {
    let mut test = paths::cargo();
    test.current_dir(paths::root()).env("RUSTFLAGS", "--cfg shuttle").args(["test", "--quiet"]);
    test.args(["--locked", "--package", "capsem-telemetry", "--no-default-features", "--lib"]);
    test.arg("--target-dir").arg(paths::target().join("shuttle")).args(["--", "schedules"]);
    let passed = cargo::tests(&process::read(&mut test)?, "passed");
    ensure!(passed > 0, "there is no model");
    Ok(format!("{passed} models hold in every order tried"))
}
