//! The proxies that are compared: how each is started and asked. One file a kind.
//!
//! Refuses to know what is measured.

mod hudsucker;
mod mitmproxy;
mod nginx;
mod ours;
mod tunnel;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tempfile::TempDir;

use crate::authority::{self, Authority};
use crate::cpu::{self, Cpus};
use crate::ends::{Door, Via};

/// The program of this workspace.
pub const OURS: &str = "capsem-mitm";
/// What all are held against.
pub const BASELINE: &str = "blind tunnel 8 KiB";

/// What a proxy is in a comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The program of this workspace.
    Ours,
    /// Blind: it reads nothing of what it passes on.
    Blind,
    /// Somebody else's.
    Peer,
}

/// A proxy there is.
pub struct Entry {
    /// Its name in tables and rows.
    pub name: &'static str,
    /// What it is here.
    pub role: Role,
    start: fn(&Site) -> Result<Started>,
}

/// All of them.
pub static ALL: [Entry; 6] = [
    Entry { name: BASELINE, role: Role::Blind, start: |site| tunnel::start(site, 8 << 10) },
    Entry {
        name: "blind tunnel 64 KiB",
        role: Role::Blind,
        start: |site| tunnel::start(site, 64 << 10),
    },
    Entry { name: OURS, role: Role::Ours, start: ours::start },
    Entry { name: "nginx", role: Role::Blind, start: nginx::start },
    Entry { name: "hudsucker", role: Role::Peer, start: hudsucker::start },
    Entry { name: "mitmproxy", role: Role::Peer, start: mitmproxy::start },
];

/// What a proxy is started with.
pub struct Site {
    /// Where it runs.
    pub cpus: Cpus,
    /// The server behind it.
    pub upstream: SocketAddr,
    /// Signed the server's certificate.
    pub authority: Authority,
    /// The built program of this workspace.
    pub ours: PathBuf,
    /// The program of mitmproxy, where it is installed.
    pub mitmdump: Option<PathBuf>,
    /// The sockets it must be able to hold.
    pub sockets: usize,
}

/// What starting a proxy gives.
struct Started {
    child: Child,
    address: SocketAddr,
    via: Via,
    /// The authority of its certificates.
    ca: PathBuf,
    /// Its files.
    folder: TempDir,
}

impl Started {
    /// For a proxy that does not say when it is ready.
    fn once_it_listens(mut self, patience: Duration) -> Result<Self> {
        let since = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if since.elapsed() > patience {
                let _ = self.child.kill();
                let _ = self.child.wait();
                let said = fs::read_to_string(self.folder.path().join("stderr"));
                bail!("it does not listen: {}", said.unwrap_or_default().trim());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(self)
    }
}

/// CPU and wall-clock time.
#[derive(Clone, Copy)]
pub struct Spent {
    /// Of the proxy's process.
    pub cpu: Duration,
    /// Of everybody.
    pub wall: Duration,
}

/// A proxy that runs.
pub struct Proxy {
    /// Which.
    pub entry: &'static Entry,
    /// Where it is.
    pub door: Door,
    child: Child,
    folder: TempDir,
    /// Model responses that went through it.
    responses: Cell<u64>,
}

impl Proxy {
    /// Starts it.
    pub fn start(entry: &'static Entry, site: &Site) -> Result<Self> {
        let Started { child, address, via, ca, folder } = (entry.start)(site)?;
        let tls = authority::whole_handshakes(&ca)?;
        let door = Door { address, via, tls };
        Ok(Self { entry, door, child, folder, responses: Cell::new(0) })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Does something through the proxy, and says what it took.
    pub async fn timed<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, Spent)> {
        const PATIENCE: Duration = Duration::from_mins(2);
        self.settle().await?;
        let (cpu, began) = (cpu::spent(self.id())?, Instant::now());
        let done = tokio::time::timeout(PATIENCE, work).await.context("it hangs")??;
        let wall = began.elapsed();
        self.settle().await?;
        let cpu = cpu::spent(self.id())?.saturating_sub(cpu);
        Ok((done, Spent { cpu, wall }))
    }

    /// Notes that so many model responses went through.
    pub fn add_responses(&self, responses: u64) {
        self.responses.set(self.responses.get() + responses);
    }

    /// Waits for the proxy to have nothing left to do, a while at most: some never rest.
    pub async fn settle(&self) -> Result<()> {
        let mut spent = cpu::spent(self.id())?;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(4)).await;
            let now = cpu::spent(self.id())?;
            if now.saturating_sub(spent) < Duration::from_micros(50) {
                break;
            }
            spent = now;
        }
        Ok(())
    }

    /// Ends it. Ours must have recorded every model response that went through.
    pub fn stop(mut self, site: &Site) -> Result<()> {
        if self.entry.role == Role::Ours {
            ours::check(site, &mut self.child, self.folder.path(), self.responses.get())?;
        }
        Ok(())
    }

    /// The last thing it complained of.
    pub fn last_words(&self) -> String {
        let said = fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default();
        said.lines().last().unwrap_or_default().to_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Starts a program on the proxy's CPU, with what it complains of in a file of its folder.
fn spawn(site: &Site, folder: &Path, command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).stderr(File::create(folder.join("stderr"))?);
    cpu::stay_on(site.cpus.proxy)?;
    let child = command.spawn();
    cpu::stay_on(site.cpus.ends)?;
    child.with_context(|| format!("cannot start {}", command.get_program().display()))
}

/// What a program prints once it listens.
#[derive(Deserialize)]
struct Ready {
    proxy: SocketAddr,
    ca: Option<PathBuf>,
}

/// Starts a program that prints such a line.
fn spawn_ready(site: &Site, folder: &Path, command: &mut Command) -> Result<(Child, Ready)> {
    let mut child = spawn(site, folder, command.stdout(Stdio::piped()))?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
    if let Ok(ready) = serde_json::from_str(&line) {
        return Ok((child, ready));
    }
    let _ = child.kill();
    let _ = child.wait();
    let said = fs::read_to_string(folder.join("stderr")).unwrap_or_default();
    bail!("{} does not start: {}", command.get_program().display(), said.trim())
}
