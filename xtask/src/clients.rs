//! The real clients, pinned by the lock files in `xtask/clients`, installed under `target/clients`.
//!
//! They are installed once per state of the lock files. Refuses to know what they are used for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::install::{self, Stamp, need};
use crate::{paths, process};

/// Installed clients.
pub(crate) struct Clients {
    folder: PathBuf,
}

impl Clients {
    /// All of them: the Node ones and the Python ones.
    pub(crate) fn install() -> Result<Self> {
        let clients = Self::node()?;
        clients.install_python()?;
        Ok(clients)
    }

    /// The Node ones only, Codex among them.
    pub(crate) fn node() -> Result<Self> {
        let clients = Self { folder: paths::target().join("clients") };
        install::copy("clients", &clients.folder)?;
        clients.install_node()?;
        Ok(clients)
    }

    /// The Codex CLI, as npm links it.
    pub(crate) fn codex(&self) -> PathBuf {
        self.folder.join("node_modules/.bin/codex")
    }

    /// Runs one of our small client scripts.
    pub(crate) fn script(&self, name: &str) -> Command {
        let interpreter = if Path::new(name).extension().is_some_and(|kind| kind == "py") {
            self.python()
        } else {
            PathBuf::from("node")
        };
        let mut command = Command::new(interpreter);
        command.arg(self.folder.join(name));
        command
    }

    /// Name and version of each `OpenAI` client, as installed.
    pub(crate) fn versions(&self) -> Result<[String; 3]> {
        let codex = process::read(Command::new(self.codex()).arg("--version"))?;
        let node = process::read(
            Command::new("node")
                .current_dir(&self.folder)
                .args(["-p", "require('openai/version').VERSION"]),
        )?;
        let print = "import openai; print(openai.__version__)";
        let python = process::read(Command::new(self.python()).args(["-c", print]))?;
        Ok([
            format!("Codex CLI ({})", codex.trim()),
            format!("openai-python {}", python.trim()),
            format!("openai-node {}", node.trim()),
        ])
    }

    fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    fn install_node(&self) -> Result<()> {
        need(
            "node",
            "install Node.js 20 or newer from https://nodejs.org, or `apt install nodejs npm`",
        )?;
        let stamp = Stamp::of(&self.folder, &["clients/package-lock.json"])?;
        if stamp.holds() {
            return Ok(());
        }
        need("npm", "install it with `apt install npm`, or Node.js from https://nodejs.org")?;
        eprintln!("installing the Node clients into {} ...", self.folder.display());
        let quiet = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        process::run(Command::new("npm").args(quiet).current_dir(&self.folder))?;
        stamp.set()
    }

    fn install_python(&self) -> Result<()> {
        install::need_python()?;
        let stamp = Stamp::of(&self.folder, &["clients/requirements.txt"])?;
        if stamp.holds() {
            return Ok(());
        }
        eprintln!("installing the Python clients into {} ...", self.folder.display());
        install::venv(&self.folder)?;
        stamp.set()
    }
}
