//! `kills`: the built program is killed under traffic, again and again, on the same ledger.
//!
//! After each kill both sinks must be readable, their numbers without a gap, and a tear no more than
//! the line that was being written. Each start goes on from there: it ends what was open as
//! interrupted, so that at last every connection and every exchange has its one end.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::echo::Echo;
use crate::endpoint::Authority;
use crate::ledger::Ledger;
use crate::proxy::{self, Served, Setup};
use crate::soak::visit::{self, Stage, Visit};
use crate::{paths, tls};

/// Sockets that are open at a time.
const SOCKETS: usize = 16;
/// When a kill comes, at most, after the first socket of its round was opened.
const LATEST: Duration = Duration::from_millis(500);
const HOST: &str = "kills.test";

/// The arguments of `kills`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often
    #[arg(long, default_value_t = 100)]
    times: u32,
    /// Repeats the moments of the kills
    #[arg(long)]
    seed: Option<u64>,
    /// Also write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What a run came to.
#[derive(Serialize, Default)]
struct Figures {
    seed: u64,
    times: u32,
    records: usize,
    connections: usize,
    interrupted: usize,
    torn_lines: usize,
    slowest_start_ms: u128,
}

/// Kills and starts again; fails if a ledger is not what it must be.
pub(crate) fn kills(arguments: &Arguments) -> Result<()> {
    run(arguments).map(|line| println!("{line}"))
}

/// A few as one step of `ci`.
pub(crate) fn as_step() -> Result<String> {
    run(&Arguments { times: 10, seed: None, json: None })
}

fn run(arguments: &Arguments) -> Result<String> {
    proxy::build()?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(play(arguments.times, seed))?;
    if let Some(file) = &arguments.json {
        fs::write(file, serde_json::to_string_pretty(&figures)?)?;
    }
    let Figures { records, connections, interrupted, torn_lines, slowest_start_ms, .. } = figures;
    Ok(format!(
        "{} kills, {records} records of {connections} connections, {interrupted} exchanges \
         interrupted and ended, {torn_lines} torn lines, no gap; slowest start {slowest_start_ms} \
         ms; seed {seed}",
        arguments.times
    ))
}

async fn play(times: u32, seed: u64) -> Result<Figures> {
    let folder = paths::target().join("kills");
    let authority = Authority::of([HOST.to_owned()])?;
    let echo = Echo::start(Some(authority.tls())).await?;
    let pins = [(format!("{HOST}:443"), echo.address)];
    let setup = Setup::allowing(&folder, &authority, &pins, "")?;
    let mut random = fastrand::Rng::with_seed(seed);
    let text = visit::text(&mut random);
    let mut figures = Figures { seed, times, ..Figures::default() };
    for round in 1..=times {
        let began = Instant::now();
        let served = setup.serve().await?;
        figures.slowest_start_ms = figures.slowest_start_ms.max(began.elapsed().as_millis());
        let moment = LATEST.mul_f64(random.f64());
        kill_amid_traffic(served, &text, moment, &mut random).await?;
        let torn = check_killed(&setup).with_context(|| format!("after kill {round}"))?;
        ensure!(torn <= round as usize, "{torn} torn lines after {round} kills");
    }
    setup.serve().await?.stop().await?;
    setup.check_sinks_agree()?;
    let (ledger, torn) = Ledger::read_torn(&setup.jsonl())?;
    ledger.check_whole()?;
    figures.torn_lines = torn;
    figures.records = ledger.records.len();
    figures.connections = ledger.opened();
    figures.interrupted = ledger.faults().filter(|fault| fault.class == "interrupted").count();
    Ok(figures)
}

/// Sockets come, talk and go until the proxy is gone.
async fn kill_amid_traffic(
    served: Served,
    text: &[u8],
    moment: Duration,
    random: &mut fastrand::Rng,
) -> Result<()> {
    let proxy = served.ready.transparent.context("the ready line names no listener")?;
    let trust = tls::trusting(&served.ready.ca)?;
    let until = Instant::now() + Duration::from_hours(1);
    let stage = Arc::new(Stage { proxy, host: HOST, trust, until, text: text.to_vec() });
    let mut lanes = JoinSet::new();
    for lane in 0..SOCKETS {
        let (stage, mut random) = (Arc::clone(&stage), random.fork());
        lanes.spawn(async move {
            // What the kill does to a socket is no failure of it.
            while Visit::pay(&stage, format!("/{lane}"), &mut random).await.is_ok() {}
        });
    }
    tokio::time::sleep(moment).await;
    served.kill().await?;
    lanes.shutdown().await;
    Ok(())
}

/// Both ledgers as a kill left them; how many lines are torn.
fn check_killed(setup: &Setup) -> Result<usize> {
    let (_, torn) = Ledger::read_torn(&setup.jsonl())?;
    setup.check_readable()?;
    Ok(torn)
}
