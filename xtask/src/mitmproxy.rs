//! mitmproxy, pinned, installed below the target folder: a peer of `bench relay`, and nothing else.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::install::{self, Stamp};
use crate::{paths, process};

/// Installs it where it is not yet; where its program is.
///
/// Pinned for Python 3.11 on x86-64 Linux; elsewhere it fails.
pub(crate) fn install() -> Result<PathBuf> {
    install::need_python()?;
    let folder = paths::target().join("mitmproxy");
    install::copy("mitmproxy", &folder)?;
    let program = folder.join("venv/bin/mitmdump");
    let stamp = Stamp::of(&folder, &["mitmproxy/requirements.txt", "mitmproxy/sdists.txt"])?;
    if stamp.holds() {
        return Ok(program);
    }
    eprintln!("installing mitmproxy into {} ...", folder.display());
    let python = install::venv(&folder)?;
    // One package it wants comes as source alone.
    let sources = ["--no-binary", ":all:", "-r", "sdists.txt"];
    process::run(install::pip(&python, "install").args(sources).current_dir(&folder))
        .context("a part of mitmproxy cannot be built")?;
    stamp.set()?;
    Ok(program)
}
