//! How the real Codex CLI is started: unmodified, with its built-in provider, and talking to
//! nobody but the model API.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

/// A key no one issued; Codex sends it, and no ledger may hold it.
pub(crate) const KEY: &str = "sk-test-not-a-real-key-0123456789";

/// Without these Codex also calls chatgpt.com, github.com and its metrics service.
const HERMETIC: [&str; 10] = [
    "-c",
    "analytics.enabled=false",
    "-c",
    "check_for_update_on_startup=false",
    "--disable",
    "plugins",
    "--disable",
    "apps",
    "--disable",
    "api_key_model_discovery",
];

/// One place for Codex to live in: its home and its working folder.
pub(crate) struct Codex {
    program: PathBuf,
    home: PathBuf,
    /// Where its tools run.
    pub(crate) work: PathBuf,
}

impl Codex {
    /// A fresh home and working folder under `folder`.
    pub(crate) fn new(program: PathBuf, folder: &Path) -> Result<Self> {
        let (home, work) = (folder.join("home"), folder.join("work"));
        fs::create_dir_all(&home)?;
        fs::create_dir_all(&work)?;
        Ok(Self { program, home, work })
    }

    /// `codex doctor --json`, the checks that need the network: the others ask the hosts it is updated from.
    pub(crate) fn doctor(&self) -> Command {
        let mut command = self.command();
        command.args(["doctor", "--json", "--network-only"]).args(HERMETIC);
        command
    }

    /// `codex exec PROMPT`: one turn of `model`, tools without a sandbox, as the sandbox itself
    /// needs namespaces that may not be had inside ours.
    pub(crate) fn exec(&self, model: &str, prompt: &str) -> Command {
        let mut command = self.command();
        command.args([
            "exec",
            "--skip-git-repo-check",
            "--dangerously-bypass-approvals-and-sandbox",
        ]);
        command.args(HERMETIC).args(["-m", model, prompt]);
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir(&self.work);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.home).env("CODEX_HOME", &self.home).env("CODEX_API_KEY", KEY);
        command.env("TERM", "dumb");
        command
    }
}
