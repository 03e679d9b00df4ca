//! `attacks`: what hostile clients cost the built program, while a good client is served.
//!
//! Each attack meets a proxy of its own, built as its users build it. Memory is the highest that was
//! resident, CPU time what the kernel counted, both beyond what the proxy took before; after each,
//! descriptors are back, a new client is served, and the ledger is whole and names the attack.

mod floods;
mod frames;
mod heads;
mod list;
mod site;
mod table;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::echo::Echo;
use crate::endpoint::Authority;
use crate::ledger::Ledger;
use crate::proxy::{self, Setup};
use crate::vitals::Vitals;
use crate::{paths, tls};
use list::Attack;
use site::{GOOD_HOST, HOST, MODEL_HOST, Site};
use table::{Cost, Table};

/// Short, so that what ends by a deadline ends soon; the limits on sizes are the defaults.
const LIMITS: &str = "tls_timeout = \"2s\"\nhead_timeout = \"2s\"\nstall_timeout = \"2s\"\n\
    close_timeout = \"2s\"\nconnections = 1100\n";
/// Every deadline above, and what a busy machine adds.
const IN_TIME: Duration = Duration::from_secs(20);

/// The arguments of `attacks`.
#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Only attacks with these words in their names
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// Attack this build, not one that is built for it
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Also write the table as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Attacks; fails if anything costs more than it may, or a good client more than a second.
pub(crate) fn attacks(arguments: &Arguments) -> Result<()> {
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => proxy::build_release()?,
    };
    let folder = paths::target().join("attacks");
    let _ = fs::remove_dir_all(&folder); // the first run has none
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The attackers' own work keeps no good client waiting.
    let apart =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut table = Table::begin();
    let wanted = |attack: &Attack| match &arguments.only {
        Some(words) => attack.name.contains(words),
        None => true,
    };
    for (number, attack) in (1..).zip(list::all()).filter(|(_, attack)| wanted(attack)) {
        let folder = folder.join(format!("{number}"));
        let cost = runtime.block_on(play(&attack, &program, &folder, apart.handle()));
        table.add(&attack, cost);
    }
    if let Some(file) = &arguments.json {
        fs::write(file, table.json()?)?;
    }
    let line = format!("{} in {:.0} s", table.summary(), began.elapsed().as_secs_f64());
    if table.failed() > 0 {
        bail!("{line}; the files are in {}", folder.display());
    }
    println!("{line}");
    Ok(())
}

async fn play(attack: &Attack, program: &Path, folder: &Path, apart: &Handle) -> Result<Cost> {
    let authority = Authority::of([HOST, MODEL_HOST, GOOD_HOST].map(String::from))?;
    let (secure, plain) = (Echo::start(Some(authority.tls())).await?, Echo::start(None).await?);
    let good = apart.spawn(Echo::start(Some(authority.tls()))).await??;
    let pins = [
        (format!("{HOST}:443"), secure.address),
        (format!("{MODEL_HOST}:443"), secure.address),
        (format!("{HOST}:80"), plain.address),
        (format!("{GOOD_HOST}:443"), good.address),
    ];
    let setup = Setup::allowing(folder, &authority, &pins, LIMITS)?;
    let setup = setup.served_by(&held(attack, program, folder)?);
    let served = setup.serve().await?;
    let (vitals, ready) = (served.vitals()?, &served.ready);
    let site = Arc::new(Site {
        explicit: ready.proxy.context("no explicit listener")?,
        transparent: ready.transparent.context("no transparent listener")?,
        trust: tls::trusting(&ready.ca)?,
    });
    // What the first client of a proxy costs is no attack's.
    visit(&site).await?;
    Ledger::at_rest(&setup.jsonl(), IN_TIME).await?;
    let before = vitals.descriptors()?;

    let cost = measure(attack, &site, vitals, apart).await?;

    visit(&site).await.context("who comes after it is not served")?;
    Ledger::at_rest(&setup.jsonl(), IN_TIME).await?;
    vitals.descriptors_back_to(before, IN_TIME).await?;
    served.stop().await?;
    let words = setup.proxy_words();
    ensure!(!words.contains("panicked"), "the proxy panicked: {words}");
    let ledger = Ledger::read(&setup.jsonl(), "no secret was given")?;
    ledger.check_whole()?;
    if let Some(class) = attack.fault {
        let found = ledger.faults().filter(|fault| fault.class == class).count();
        ensure!(found == attack.attackers as usize, "{found} faults of class {class}");
    }
    Ok(cost)
}

/// The program, or a script that starts it with the descriptors it may have.
fn held(attack: &Attack, program: &Path, folder: &Path) -> Result<PathBuf> {
    let Some(limit) = attack.descriptors else { return Ok(program.to_owned()) };
    let script = folder.join("held");
    let program = std::path::absolute(program)?;
    let lines = format!("#!/bin/sh\nulimit -n {limit} && exec '{}' \"$@\"\n", program.display());
    fs::write(&script, lines)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
    Ok(script)
}

/// All attackers at once, beside a good client.
async fn measure(
    attack: &Attack,
    site: &Arc<Site>,
    vitals: Vitals,
    apart: &Handle,
) -> Result<Cost> {
    vitals.forget_peak()?;
    let (memory, cpu) = (vitals.peak()?, vitals.cpu()?);
    let (here, leave) = (CancellationToken::new(), CancellationToken::new());
    let good = {
        let (site, here, leave) = (Arc::clone(site), here.clone(), leave.clone());
        apart.spawn(async move { site.good_client(here, leave).await })
    };
    timeout(IN_TIME, here.cancelled()).await.context("a good client was not served at first")?;
    let began = Instant::now();
    let mut attackers = JoinSet::new();
    for lane in 0..attack.attackers {
        attackers.spawn((attack.play)(Arc::clone(site), lane));
    }
    let mut sent = 0;
    while let Some(attacker) = attackers.join_next().await {
        sent += attacker??;
    }
    let took = began.elapsed();
    leave.cancel();
    let wait = good.await?.context("a good client was not served")?;
    Ok(Cost {
        sent,
        took,
        memory: vitals.peak()?.saturating_sub(memory),
        cpu: vitals.cpu()?.saturating_sub(cpu),
        wait,
    })
}

/// A client that comes, says one thing and goes.
async fn visit(site: &Site) -> Result<Duration> {
    let leave = CancellationToken::new();
    leave.cancel();
    site.good_client(leave.clone(), leave).await
}
