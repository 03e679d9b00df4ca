//! The real clients, pinned by the lock files in `xtask/clients`, installed under `target/clients`.
//!
//! They are installed once per state of the lock files. Refuses to know what they are used for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

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
        fs::create_dir_all(&clients.folder)?;
        for entry in fs::read_dir(sources())? {
            let entry = entry?;
            fs::copy(entry.path(), clients.folder.join(entry.file_name()))?;
        }
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
            self.folder.join("venv/bin/python")
        } else {
            PathBuf::from("node")
        };
        let mut command = Command::new(interpreter);
        command.arg(self.folder.join(name));
        command
    }

    fn install_node(&self) -> Result<()> {
        need(
            "node",
            "install Node.js 20 or newer from https://nodejs.org, or `apt install nodejs npm`",
        )?;
        let stamp = Stamp::of(&self.folder, "package-lock.json")?;
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
        need("python3", "install it with `apt install python3 python3-venv` (3.11 or newer)")?;
        let stamp = Stamp::of(&self.folder, "requirements.txt")?;
        if stamp.holds() {
            return Ok(());
        }
        let venv = self.folder.join("venv");
        eprintln!("installing the Python clients into {} ...", venv.display());
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
            .context("no virtual environment; install it with `apt install python3-venv`")?;
        let pip =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
        let python = venv.join("bin/python");
        process::run(
            Command::new(python)
                .args(pip)
                .args(["--only-binary", ":all:", "-r", "requirements.txt"])
                .current_dir(&self.folder),
        )?;
        stamp.set()
    }
}

/// Remembers which state of a lock file was installed.
struct Stamp {
    lock: String,
    file: PathBuf,
}

impl Stamp {
    fn of(folder: &Path, lock: &str) -> Result<Self> {
        let text = fs::read_to_string(sources().join(lock))?;
        Ok(Self { lock: text, file: folder.join(format!("{lock}.installed")) })
    }

    fn holds(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|installed| installed == self.lock)
    }

    fn set(self) -> Result<()> {
        fs::write(self.file, self.lock).context("cannot note what was installed")
    }
}

fn sources() -> PathBuf {
    paths::root().join("xtask/clients")
}

fn need(program: &str, remedy: &str) -> Result<()> {
    if !process::exists(program) {
        bail!("`{program}` is missing; {remedy}");
    }
    Ok(())
}
