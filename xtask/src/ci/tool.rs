//! Developer tools installed by cargo, pinned, under `target/tools`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

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
            install.args(["install", "--locked", "--quiet", "--root"]).arg(&root);
            process::run(install.arg(format!("{}@{}", self.name, self.version)))?;
        }
        Ok(program)
    }
}
