//! `miri`: the codec's unit tests under Miri, on nightly: what they do to memory is looked at, that of
//! the libraries below them too.
//!
//! Not a step of ci, as it takes long. Tests that are too long for it ask for `cfg!(miri)` and take
//! fewer or smaller cases; none is left out.

use anyhow::{Result, ensure};

use super::{cargo, tool};
use crate::{paths, process};

/// The arguments of `miri`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Tests to run, by a part of their name; all if none is given
    tests: Vec<String>,
}

/// Runs them all, or those that are named.
pub(super) fn check(arguments: &Arguments) -> Result<String> {
    tool::need_nightly(&["miri", "rust-src"])?;
    let mut miri = tool::on_nightly();
    miri.current_dir(paths::root()).args(["cargo", "miri", "test", "--quiet", "--locked"]);
    miri.args(["--package", "capsem-ws-codec", "--all-features", "--lib", "--"]);
    let printed = process::read(miri.args(&arguments.tests))?;
    let passed = cargo::tests(&printed, "passed");
    ensure!(passed > 0, "no test has such a name");
    Ok(format!("{passed} tests passed, {} ignored", cargo::tests(&printed, "ignored")))
}
