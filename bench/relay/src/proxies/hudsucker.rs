//! hudsucker, a Rust library for such proxies, with handlers that do nothing: it reads every message
//! and writes it anew.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Site, Started, spawn_ready};
use crate::ends::Via;

/// Starts it. It is a program of this workspace, beside this one.
pub(super) fn start(site: &Site) -> Result<Started> {
    let folder = tempfile::tempdir()?;
    let program = std::env::current_exe()?.with_file_name("hudsucker-peer");
    ensure!(
        program.exists(),
        "it was not built: `cargo build -p hudsucker-peer` in bench/ says why"
    );
    let mut command = Command::new(program);
    command.args(["--upstream", &site.upstream.to_string(), "--ca"]).arg(site.authority.ca());
    command.arg("--ca-key").arg(site.authority.ca_key());
    let (child, ready) = spawn_ready(site, folder.path(), &mut command)?;
    let ca = site.authority.ca();
    Ok(Started { child, address: ready.proxy, via: Via::Connect, ca, folder })
}
