//! The program of this workspace, as its user starts it: everything inspected, evidence on, every
//! record in a `SQLite` ledger, a policy that allows.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Site, Started, spawn_ready};
use crate::ends::{MODEL, PLAIN, Via};

const POLICY: &str = "version = 1\ndefault = \"allow\"\n";

/// Starts it.
pub(super) fn start(site: &Site) -> Result<Started> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("config.toml");
    let (upstream, root) = (site.upstream, site.authority.ca());
    let config = format!(
        "[listen]\nproxy = \"127.0.0.1:0\"\n[ca]\ndir = \"ca\"\n[policy]\nfile = \"policy.toml\"\n\
         [upstream]\nextra_roots = [\"{}\"]\n\
         [upstream.resolve]\n\"{PLAIN}:443\" = \"{upstream}\"\n\"{MODEL}:443\" = \"{upstream}\"\n\
         [telemetry]\nledger = \"session.db\"\n[limits]\nconnections = {}\n",
        root.display(),
        site.sockets
    );
    fs::write(&file, config)?;
    fs::write(folder.path().join("policy.toml"), POLICY)?;
    let mut command = Command::new(&site.ours);
    command.arg("serve").arg("--config").arg(&file);
    let (child, ready) = spawn_ready(site, folder.path(), &mut command)?;
    let ca = ready.ca.context("the ready line names no CA")?;
    Ok(Started { child, address: ready.proxy, via: Via::Connect, ca, folder })
}

/// Ends it by SIGINT, and counts the model responses in its ledger.
pub(super) fn check(site: &Site, child: &mut Child, folder: &Path, responses: u64) -> Result<()> {
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT)?;
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}");
    let mut read = Command::new(&site.ours);
    let read = read.arg("ledger").arg(folder.join("session.db")).arg("--json").output()?;
    ensure!(read.status.success(), "its ledger cannot be read");
    let ledger: Value = serde_json::from_slice(&read.stdout)?;
    let calls = ledger["model_calls"].as_array().context("no model calls in its ledger")?;
    let completed = calls.iter().filter(|call| call["status"] == "completed").count() as u64;
    ensure!(completed == responses, "{completed} of {responses} model responses are in its ledger");
    Ok(())
}
