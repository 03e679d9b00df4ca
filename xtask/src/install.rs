//! Installing pinned foreign tools below the target folder, once per state of what pins them.
//!
//! Refuses to know what they are for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{paths, process};

/// Fails, naming the `remedy`, unless `program` can be started.
pub(crate) fn need(program: &str, remedy: &str) -> Result<()> {
    if !process::exists(program) {
        bail!("`{program}` is missing; {remedy}");
    }
    Ok(())
}

/// Copies the files of a folder of this crate to where they are used.
pub(crate) fn copy(from: &str, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(source(from))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Fails unless there is a Python.
pub(crate) fn need_python() -> Result<()> {
    need("python3", "install it with `apt install python3 python3-venv` (3.11 or newer)")
}

/// Makes `folder/venv` anew and installs `folder/requirements.txt` into it: wheels with hashes only.
/// Returns its interpreter.
pub(crate) fn venv(folder: &Path) -> Result<PathBuf> {
    let venv = folder.join("venv");
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
        .context("no virtual environment; install it with `apt install python3-venv`")?;
    let python = venv.join("bin/python");
    let wheels = ["--only-binary", ":all:", "-r", "requirements.txt"];
    process::run(pip(&python, "install").args(wheels).current_dir(folder))?;
    Ok(python)
}

/// `pip COMMAND`, quiet, that takes what its requirements name with a hash and nothing else: they are
/// whole, and an older pip stumbles over the extras that packages want of each other.
pub(crate) fn pip(python: &Path, command: &str) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", command, "--quiet", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "--no-deps"]);
    pip
}

/// Remembers which state of its pins was installed into a folder.
pub(crate) struct Stamp {
    pins: String,
    file: PathBuf,
}

impl Stamp {
    /// `pins` are files below this crate; the first names the stamp.
    pub(crate) fn of(folder: &Path, pins: &[&str]) -> Result<Self> {
        let mut text = String::new();
        for name in pins {
            text += &fs::read_to_string(source(name))?;
        }
        let first = Path::new(pins.first().copied().unwrap_or_default());
        let name = first.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self { pins: text, file: folder.join(format!("{name}.installed")) })
    }

    pub(crate) fn holds(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|installed| installed == self.pins)
    }

    pub(crate) fn set(self) -> Result<()> {
        fs::write(self.file, self.pins).context("cannot note what was installed")
    }
}

fn source(name: &str) -> PathBuf {
    paths::root().join("xtask").join(name)
}
