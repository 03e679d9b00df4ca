//! `deny`: licences, sources and banned crates by deny.toml, without a network.

use std::process::Command;

use anyhow::Result;

use super::tool::Tool;
use crate::{paths, process};

const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2", ask: &["--version"] };

/// The arguments of `deny`.
#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Also check the `RustSec` advisories, which are fetched from the internet
    #[arg(long)]
    advisories: bool,
}

/// Runs cargo-deny over all features.
pub(super) fn check(arguments: &Arguments) -> Result<String> {
    let program = CARGO_DENY.ready()?;
    let mut checks = vec!["bans", "licenses", "sources"];
    let mut deny = Command::new(program);
    deny.current_dir(paths::root()).args(["--log-level", "error", "--all-features"]);
    if arguments.advisories {
        checks.push("advisories");
    } else {
        // It reads the manifests of all platforms' crates, of which a build here has only its own.
        process::run(paths::cargo().args(["fetch", "--quiet", "--locked"]))?;
        deny.arg("--offline");
    }
    process::run(deny.arg("check").args(&checks))?;
    Ok(format!("{} are in order", checks.join(", ")))
}
