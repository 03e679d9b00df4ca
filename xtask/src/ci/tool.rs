//! Developer tools: those that cargo installs, pinned, under `target/tools`, and what is on nightly.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{paths, process};

/// A tool and the one version we use.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// What it is asked for its version with.
    pub(super) ask: &'static [&'static str],
}

impl Tool {
    /// Where it is, installed first if need be.
    pub(super) fn ready(&self) -> Result<PathBuf> {
        let root = paths::target().join("tools");
        let program = root.join("bin").join(self.name);
        let installed = process::read(Command::new(&program).args(self.ask)).unwrap_or_default();
        if !installed.split_whitespace().any(|word| word == self.version) {
            eprintln!("installing {} {} into {} ...", self.name, self.version, root.display());
            let mut install = paths::cargo();
            // Sooner built, and fast enough for what they do.
            install.args(["install", "--debug", "--locked", "--quiet", "--root"]).arg(&root);
            process::run(install.arg(format!("{}@{}", self.name, self.version)))?;
        }
        Ok(program)
    }
}

/// Fails, with the command that helps, if there is no nightly toolchain or not these parts of it.
pub(super) fn need_nightly(components: &[&str]) -> Result<()> {
    let mut list = Command::new("rustup");
    list.args(["component", "list", "--toolchain", "nightly", "--installed"]);
    let wanted = match components {
        [] => String::new(),
        names => format!(" --component {}", names.join(",")),
    };
    let installed = process::read(&mut list).with_context(|| {
        format!(
            "no nightly toolchain; `rustup toolchain install nightly --profile minimal{wanted}` \
             installs it"
        )
    })?;
    let missing: Vec<_> = components
        .iter()
        .filter(|name| !installed.lines().any(|line| line.starts_with(**name)))
        .copied()
        .collect();
    ensure!(
        missing.is_empty(),
        "nightly lacks {names}; `rustup component add --toolchain nightly {names}` installs it",
        names = missing.join(" ")
    );
    Ok(())
}

/// `rustup run nightly`, to be given a program. The stable cargo that runs this xtask leaves its own
/// name in the environment.
pub(super) fn on_nightly() -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly"]).env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command
}
