//! The blind tunnel, as a process of this very program.

use std::process::Command;

use anyhow::Result;

use super::{Site, Started, spawn_ready};
use crate::ends::Via;

/// Starts one with two buffers of that many bytes.
pub(super) fn start(site: &Site, buffer: usize) -> Result<Started> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("tunnel").args(["--upstream", &site.upstream.to_string()]);
    command.arg("--certificates").arg(site.authority.folder());
    command.args(["--buffer", &buffer.to_string()]);
    let (child, ready) = spawn_ready(site, folder.path(), &mut command)?;
    let ca = site.authority.ca();
    Ok(Started { child, address: ready.proxy, via: Via::Connect, ca, folder })
}
