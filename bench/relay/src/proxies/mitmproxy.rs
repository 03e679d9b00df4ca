//! mitmproxy, in Python: its `mitmdump`, quiet, with an addon that sends everything to the one server
//! of the run.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Site, Started, spawn};
use crate::ends::Via;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts it. It has no way to say which port it took, so one that was just free is named.
pub(super) fn start(site: &Site) -> Result<Started> {
    let program = site.mitmdump.as_ref().context("it is not installed")?;
    let folder = tempfile::tempdir()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let Site { upstream, authority, .. } = site;
    let both = fs::read_to_string(authority.ca_key())? + &fs::read_to_string(authority.ca())?;
    fs::write(folder.path().join("mitmproxy-ca.pem"), both)?;
    let addon = format!(
        "def server_connect(data):\n    data.server.address = ({:?}, {})\n",
        upstream.ip().to_string(),
        upstream.port()
    );
    fs::write(folder.path().join("addon.py"), addon)?;
    let mut command = Command::new(program);
    command.args(["-q", "--set", "connection_strategy=lazy", "--listen-host", "127.0.0.1"]);
    command.args(["--listen-port", &address.port().to_string(), "--set"]);
    command.arg(format!("confdir={}", folder.path().display()));
    command.arg("--set");
    command.arg(format!("ssl_verify_upstream_trusted_ca={}", authority.ca().display()));
    command.arg("-s").arg(folder.path().join("addon.py"));
    let child = spawn(site, folder.path(), &mut command)?;
    let ca = authority.ca();
    Started { child, address, via: Via::Connect, ca, folder }.once_it_listens(PATIENCE)
}
