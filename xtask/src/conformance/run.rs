//! One arrangement from beginning to end: who listens where, who talks to whom.
//!
//! The cases are dealt out to several processes of the suite at once, as each uses one core and some
//! cases only wait. Refuses to know verdicts.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use capsem_ws_codec::Role;
use serde_json::Value;
use tokio::task::JoinSet;

use super::arrangement::Arrangement;
use super::cases::Case;
use super::suite::{Share, Suite};
use crate::echo::{self, Echo};
use crate::proxy::{Served, Setup};

/// Processes of the suite at once.
const SHARES: usize = 4;

/// Whatever is asked for is what the suite is to see.
const POLICY: &str = "version = 1\ndefault = \"allow\"\n";

/// Runs one arrangement; returns where the suite left its results.
pub(super) async fn run(
    suite: &Arc<Suite>,
    arrangement: Arrangement,
    cases: &[Case],
    folder: &Path,
) -> Result<Vec<PathBuf>> {
    let folder = folder.join(arrangement.word());
    fs::create_dir_all(&folder)?;
    let shares = deal(arrangement, cases, &folder);
    let way = match arrangement.role() {
        Role::Server => fuzz_server(suite, arrangement, &shares, &folder).await,
        Role::Client => fuzz_client(suite, arrangement, &shares, &folder).await,
    }
    .with_context(|| format!("{}; its files are in {}", arrangement.word(), folder.display()))?;
    way.close(cases.len()).await?;
    Ok(shares.iter().map(|share| share.results.clone()).collect())
}

/// Neighbours go to different shares, as they take about as long.
fn deal(arrangement: Arrangement, cases: &[Case], folder: &Path) -> Vec<Arc<Share>> {
    let count = SHARES.min(cases.len());
    let share = |first| Share {
        agent: arrangement.word(),
        cases: cases.iter().skip(first).step_by(count).cloned().collect(),
        results: folder.join(format!("{first}.results")),
    };
    (0..count).map(share).map(Arc::new).collect()
}

/// Fuzzing clients, one server for all.
async fn fuzz_server(
    suite: &Arc<Suite>,
    arrangement: Arrangement,
    shares: &[Arc<Share>],
    folder: &Path,
) -> Result<Way> {
    let echo = Echo::start(None).await?;
    let way = Way::open(arrangement, &[echo.address], folder).await?;
    let mut runs = JoinSet::new();
    for share in shares {
        let (suite, share, to) = (Arc::clone(suite), Arc::clone(share), way.to(echo.address));
        runs.spawn(async move { suite.client(&share, to, &host(0)).await });
    }
    runs.join_all().await.into_iter().collect::<Result<()>>()?;
    Ok(way)
}

/// Fuzzing servers, each with a client of its own.
async fn fuzz_client(
    suite: &Suite,
    arrangement: Arrangement,
    shares: &[Arc<Share>],
    folder: &Path,
) -> Result<Way> {
    let mut servers = Vec::new();
    for share in shares {
        servers.push(suite.server(share).await?);
    }
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let way = Way::open(arrangement, &addresses, folder).await?;
    let mut runs = JoinSet::new();
    for (number, (share, server)) in shares.iter().zip(servers).enumerate() {
        let (share, to) = (Arc::clone(share), way.to(server.address));
        runs.spawn(async move {
            for case in &share.cases {
                let path = format!("/runCase?casetuple={case}&agent={}", share.agent);
                if let Err(error) = echo::visit(to, &host(number), &path).await {
                    eprintln!("{} {case}: {error:#}", share.agent);
                }
            }
            server.finish(share.agent).await
        });
    }
    runs.join_all().await.into_iter().collect::<Result<()>>()?;
    Ok(way)
}

/// The name by which the server of a share is asked for.
fn host(share: usize) -> String {
    format!("share-{share}.test")
}

/// What stands between the two ends: the built program, or nothing.
struct Way {
    proxy: Option<(Setup, Served)>,
}

impl Way {
    /// `servers` are those of the shares, in their order.
    async fn open(arrangement: Arrangement, servers: &[SocketAddr], folder: &Path) -> Result<Self> {
        if !arrangement.is_proxied() {
            return Ok(Self { proxy: None });
        }
        let pin = |(share, address)| format!("\"{}:80\" = \"{address}\"\n", host(share));
        let pins: String = servers.iter().enumerate().map(pin).collect();
        // The suite sends a message in 65536 fragments.
        let config = format!(
            "[listen]\ntransparent = \"127.0.0.1:0\"\n\n[upstream.resolve]\n{pins}\n\
             [telemetry]\njsonl = \"events.jsonl\"\n\n[limits]\nfragments = 70000\n\n"
        );
        let setup = Setup::with(folder, &config, POLICY)?;
        let served = setup.serve().await?;
        ensure!(served.ready.transparent.is_some(), "the ready line names no listener");
        Ok(Self { proxy: Some((setup, served)) })
    }

    /// Where a client connects that wants to talk to `server`.
    fn to(&self, server: SocketAddr) -> SocketAddr {
        self.proxy.as_ref().and_then(|(_, proxy)| proxy.ready.transparent).unwrap_or(server)
    }

    /// Ends the program, and fails unless its ledger has a WebSocket for each of the `cases`.
    async fn close(self, cases: usize) -> Result<()> {
        let Some((setup, proxy)) = self.proxy else { return Ok(()) };
        proxy.stop().await?;
        let (mut decided, mut ended) = (0, 0);
        for line in fs::read_to_string(setup.jsonl())?.lines() {
            let record: Value = serde_json::from_str(line)?;
            match record["kind"].as_str() {
                Some("decided") if record["transport"] == "websocket" => decided += 1,
                Some("ended") => ended += 1,
                _ => {}
            }
        }
        ensure!(
            (decided, ended) == (cases, cases),
            "{cases} cases, but the ledger has {decided} sockets, {ended} ended"
        );
        Ok(())
    }
}
