//! `soak`: 200 sockets at a time through the built program, for minutes: they come, talk, break and
//! go. Every message is compared, every record counted, and memory and descriptors must stay flat.

mod curve;
pub(crate) mod visit;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::echo::Echo;
use crate::endpoint::Authority;
use crate::ledger::Ledger;
use crate::proxy::{self, Setup};
use crate::vitals::Vitals;
use crate::{paths, tls};
use curve::Curve;
use visit::{Stage, Visit};

/// Sockets that are open at a time.
const SOCKETS: usize = 200;
/// How often memory and descriptors are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// What memory may grow by from the second quarter of a run to its last, in MiB: what an allocator
/// keeps of the longest messages that happened to be there at once.
const GROWTH: f64 = 24.0;
/// Every deadline below, and what a busy machine adds.
const IN_TIME: Duration = Duration::from_secs(75);
const HOST: &str = "soak.test";
const LIMITS: &str = "stall_timeout = \"10s\"\nclose_timeout = \"3s\"\nidle_timeout = \"45s\"\n";

/// The arguments of `soak`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Repeats what the sockets do, though not when
    #[arg(long)]
    seed: Option<u64>,
    /// Also write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What a run came to.
#[derive(Serialize)]
struct Figures {
    seed: u64,
    minutes: u64,
    connections: usize,
    /// Sockets that were not to be disturbed, and whose records are compared.
    undisturbed: usize,
    disturbed: usize,
    messages: u64,
    mib: f64,
    /// Means of the second and the last quarter.
    memory_mib: [f64; 2],
    memory_mib_per_hour: f64,
    descriptors: [usize; 3],
}

/// Soaks; fails if anything is lost, changed, left behind or grows.
pub(crate) fn soak(arguments: &Arguments) -> Result<()> {
    run(arguments).map(|line| println!("{line}"))
}

/// A minute as one step of `ci`.
pub(crate) fn as_step() -> Result<String> {
    run(&Arguments { minutes: 1, seed: None, json: None })
}

fn run(arguments: &Arguments) -> Result<String> {
    proxy::build()?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(play(arguments.minutes, seed))?;
    if let Some(file) = &arguments.json {
        fs::write(file, serde_json::to_string_pretty(&figures)?)?;
    }
    let [early, late] = figures.memory_mib;
    let [before, most, after] = figures.descriptors;
    let line = format!(
        "{} connections, {} of them disturbed, {} messages and {:.0} MiB compared in {} min; memory \
         {early:.1} MiB early, {late:.1} late; descriptors {before} before, {most} at most, {after} \
         after; 0 panics; the ledger is whole; seed {seed}",
        figures.connections, figures.disturbed, figures.messages, figures.mib, figures.minutes
    );
    ensure!(late - early <= GROWTH, "memory grew by more than {GROWTH} MiB: {line}");
    Ok(line)
}

async fn play(minutes: u64, seed: u64) -> Result<Figures> {
    let folder = paths::target().join("soak");
    let authority = Authority::of([HOST.to_owned()])?;
    let echo = Echo::start(Some(authority.tls())).await?;
    let pins = [(format!("{HOST}:443"), echo.address)];
    let setup = Setup::allowing(&folder, &authority, &pins, LIMITS)?;
    let served = setup.serve().await?;
    let vitals = served.vitals()?;
    let before = vitals.descriptors()?;

    let until = Instant::now() + Duration::from_secs(60 * minutes);
    let proxy = served.ready.transparent.context("the ready line names no listener")?;
    let mut random = fastrand::Rng::with_seed(seed);
    let (trust, text) = (tls::trusting(&served.ready.ca)?, visit::text(&mut random));
    let stage = Stage { proxy, host: HOST, trust, until, text };
    let watch = tokio::spawn(Curve::watch(vitals, LOOK, until));
    let visits = all_visits(Arc::new(stage), &mut random).await?;
    let curve = watch.await??;

    Ledger::at_rest(&setup.jsonl(), IN_TIME).await?;
    let after = vitals.descriptors_back_to(before, IN_TIME).await?;
    served.stop().await?;
    let words = setup.proxy_words();
    ensure!(!words.contains("panicked"), "the proxy panicked: {words}");
    let ledger = Ledger::read(&setup.jsonl(), "no secret was given")?;
    ledger.check_whole()?;
    compare(&visits, &ledger)?;
    let bytes: u64 = visits.iter().map(|visit| visit.bytes).sum();
    Ok(Figures {
        seed,
        minutes,
        connections: visits.len(),
        undisturbed: visits.iter().filter(|visit| visit.is_undisturbed()).count(),
        disturbed: visits.iter().filter(|visit| !visit.is_undisturbed()).count(),
        messages: visits.iter().map(|visit| visit.messages).sum(),
        mib: mib(bytes),
        memory_mib: [curve.quarter(2), curve.quarter(4)],
        memory_mib_per_hour: curve.slope(),
        descriptors: [before, curve.most_descriptors(), after],
    })
}

/// Keeps so many sockets open until it is time.
async fn all_visits(stage: Arc<Stage>, random: &mut fastrand::Rng) -> Result<Vec<Visit>> {
    let mut lanes = JoinSet::new();
    for lane in 0..SOCKETS {
        let (stage, mut random) = (Arc::clone(&stage), random.fork());
        lanes.spawn(async move {
            let mut visits = Vec::new();
            while Instant::now() < stage.until {
                let path = format!("/{lane}/{}", visits.len());
                let visit = Visit::pay(&stage, path, &mut random).await;
                visits.push(visit.with_context(|| format!("lane {lane}"))?);
            }
            anyhow::Ok(visits)
        });
    }
    let mut visits = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        visits.extend(lane??);
    }
    Ok(visits)
}

/// Every connection is in the ledger, and of those left alone every message.
fn compare(visits: &[Visit], ledger: &Ledger) -> Result<()> {
    let opened = ledger.opened();
    ensure!(opened == visits.len(), "{} connections made, {opened} opened", visits.len());
    let ends = ledger.ends_by_path();
    for visit in visits.iter().filter(|visit| visit.is_undisturbed()) {
        let Some(ended) = ends.get(visit.path.as_str()) else {
            bail!("{} is not in the ledger", visit.path);
        };
        let counted = [&ended.to_upstream, &ended.to_client].map(|flow| flow.messages);
        ensure!(
            counted == [visit.messages; 2] && ended.close.code == Some(1000),
            "{visit:?} was recorded as {ended:?}"
        );
    }
    Ok(())
}

/// Sizes here are far below what a double holds exactly.
#[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
