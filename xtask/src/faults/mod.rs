//! `faults`: every way a connection can fail, on either side, at every moment of a socket's life.
//!
//! 84 cells at a time through the built program: a toxic in a TCP relay between it and a client or
//! an upstream. For each the far side must be told in time, what was heard must be what was said,
//! and the ledger must name the true cause; and nothing may be left behind.

pub(crate) mod cell;
mod end;
mod expect;
mod play;
pub(crate) mod relay;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;

use crate::endpoint::Authority;
use crate::ledger::Ledger;
use crate::proxy::{self, Setup};
use crate::{paths, tls};
use cell::{Cell, Variant};
use play::{Played, Site, Stage};
use table::Table;

/// Short, and well beyond what the gentle toxics take.
const LIMITS: &str = "tls_timeout = \"5s\"\nhead_timeout = \"5s\"\nconnect_timeout = \"5s\"\n\
    handshake_timeout = \"5s\"\nstall_timeout = \"4s\"\nidle_timeout = \"5s\"\n\
    close_timeout = \"3s\"\n";
/// Every deadline above and the time of the gentle toxics, for a busy machine.
const IN_TIME: Duration = Duration::from_secs(20);

/// The arguments of `faults`.
#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Repeats a run: lengths, payloads and the byte at which a connection is cut
    #[arg(long)]
    seed: Option<u64>,
    /// Each cell once with short messages, as `ci` runs it; else four times, both ways, compressed
    /// and not
    #[arg(long)]
    quick: bool,
    /// Also write every cell as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Plays the matrix; fails unless every cell ends as it must.
pub(crate) fn faults(arguments: &Arguments) -> Result<()> {
    judge(arguments).map(|line| println!("{line}"))
}

/// The quick part as one step of `ci`.
pub(crate) fn as_step() -> Result<String> {
    judge(&Arguments { quick: true, ..Arguments::default() })
}

fn judge(arguments: &Arguments) -> Result<String> {
    proxy::build()?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = paths::target().join("faults");
    let _ = fs::remove_dir_all(&folder); // the first run has none

    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut table = Table::default();
    if arguments.quick {
        let mut any = random.fork();
        let cells = Cell::all().into_iter().map(|cell| (cell, any.choice(Variant::all())));
        let cells = cells.filter_map(|(cell, variant)| Some((cell, variant?))).collect();
        runtime.block_on(wave(&folder.join("quick"), cells, 1500, &mut random, &mut table))?;
    } else {
        for (number, variant) in (1..).zip(Variant::all()) {
            let cells = Cell::all().into_iter().map(|cell| (cell, variant)).collect();
            let folder = folder.join(format!("{number}"));
            runtime.block_on(wave(&folder, cells, 100_000, &mut random, &mut table))?;
        }
    }
    table.print();
    if let Some(file) = &arguments.json {
        fs::write(file, table.json(seed))?;
    }
    let line =
        format!("{} in {:.0} s, seed {seed}", table.summary(), began.elapsed().as_secs_f64());
    if table.failed() > 0 {
        bail!("{line}; the files are in {}", folder.display());
    }
    Ok(line)
}

/// Plays cells side by side through one proxy, each with an upstream of its own.
async fn wave(
    folder: &Path,
    cells: Vec<(Cell, Variant)>,
    longest: usize,
    random: &mut fastrand::Rng,
    table: &mut Table,
) -> Result<()> {
    let authority = Authority::of(["*.faults.test".to_owned()])?;
    let (mut sites, mut pins) = (Vec::new(), Vec::new());
    for (number, (cell, variant)) in cells.into_iter().enumerate() {
        let site = Site::open(cell, variant, format!("c{number}.faults.test"), random.fork());
        let site = site.await?;
        pins.push(site.pin()?);
        sites.push(site);
    }
    let setup = Setup::allowing(folder, &authority, &pins, LIMITS)?;
    let served = setup.serve().await?;
    let vitals = served.vitals()?;
    let before = vitals.descriptors()?;

    let proxy = served.ready.transparent.context("the ready line names no listener")?;
    let trust = tls::trusting(&served.ready.ca)?;
    let played = play(sites, Stage { proxy, trust, server: authority.tls(), longest }).await;

    // The toxics are still there: who is silent for ever must be let go of all the same.
    Ledger::at_rest(&setup.jsonl(), IN_TIME).await?;
    let after = vitals.descriptors_back_to(before, IN_TIME).await?;
    served.stop().await?;
    let words = setup.proxy_words();
    ensure!(!words.contains("panicked"), "the proxy panicked: {words}");
    let ledger = Ledger::read(&setup.jsonl(), "no secret was given")?;
    ledger.check_whole()?;
    for (cell, variant, played) in played {
        table.add(cell, variant, played, &ledger);
    }
    println!("{before} descriptors before, {after} after; 0 panics; the ledger is whole");
    Ok(())
}

/// Each cell with what came of it, in their order.
async fn play(sites: Vec<Site>, stage: Stage) -> Vec<(Cell, Variant, Result<Played>)> {
    let stage = std::sync::Arc::new(stage);
    let mut plays = JoinSet::new();
    for (number, site) in sites.into_iter().enumerate() {
        let stage = std::sync::Arc::clone(&stage);
        let (cell, variant) = (site.cell, site.variant);
        plays.spawn(async move { (number, (cell, variant, site.play(&stage).await)) });
    }
    let mut played = plays.join_all().await;
    played.sort_by_key(|(number, _)| *number);
    played.into_iter().map(|(_, played)| played).collect()
}
