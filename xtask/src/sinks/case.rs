//! One case: traffic, a trouble, its end, and what the ledger holds of all that.
//!
//! In closed mode the traffic must stop and nothing may be missing; in open mode it must go on, and
//! what is missing must be counted to the last record.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::time::timeout;

use super::traffic::{self, BURST, Door, HOST, PATIENCE, SOCKETS, Traffic};
use super::trouble::{Place, Trouble};
use crate::echo::Echo;
use crate::endpoint::Authority;
use crate::ledger::{Ledger, Record};
use crate::proxy::{Served, Setup};
use crate::tls;

/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Traffic that stands still for so long is paused.
const STILL: Duration = Duration::from_millis(700);
/// Calls before a trouble begins.
const BEFORE: u64 = 250;
/// Calls that go on in open mode while a sink fails.
const MEANWHILE: u64 = 1000;
/// What the ledger's queue holds at most, by its documentation.
const QUEUE: u64 = 16 * 1024;
/// Batches that are out of the queue and in no sink yet, and what a pipe and its reader hold.
const ON_THE_WAY: u64 = 2 * 256 + 2 * (64 + 128) * 1024 / 300;
/// How soon running sockets pause after a sink took its last byte: what is promised is 100 ms, the
/// rest is for machines that do something else as well.
const PAUSED_WITHIN: Duration = Duration::from_secs(1);
/// How soon they go on: the time between two tries, and the same rest.
const RESUMED_WITHIN: Duration = Duration::from_secs(1);
/// How soon half of a full queue is written, which is when those go on whom it held.
const DRAINED_WITHIN: Duration = Duration::from_secs(10);
/// `opened`, `decided`, `responded`, `ended` and `closed`.
const OF_A_SOCKET: u64 = 5;

/// The ledger's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Closed,
    Open,
}

/// Where the records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sinks {
    Lines,
    /// Lines and tables, in the same trouble.
    Both,
}

#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) trouble: Trouble,
    pub(super) mode: Mode,
    pub(super) sinks: Sinks,
    pub(super) quick: bool,
}

/// What a case came to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Outcome {
    /// Calls that were answered, and those of them during the trouble.
    calls: u64,
    amid_trouble: u64,
    /// Records that are in the ledger, and that it says it lost.
    records: u64,
    lost: u64,
    /// From the last byte a sink took until the last answer, and from the end of the trouble until
    /// the next one.
    paused_ms: Option<u128>,
    resumed_ms: Option<u128>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, amid_trouble, records, lost, .. } = self;
        write!(f, "{calls} calls, {amid_trouble} amid it; {records} records, {lost} lost")?;
        if let Some(paused) = self.paused_ms {
            write!(f, "; paused after {paused} ms")?;
        }
        if let Some(resumed) = self.resumed_ms {
            write!(f, "; resumed after {resumed} ms")?;
        }
        Ok(())
    }
}

impl Case {
    pub(super) fn name(self) -> String {
        let mode = if self.mode == Mode::Closed { "closed" } else { "open" };
        let sinks = if self.sinks == Sinks::Both { ", both sinks" } else { "" };
        format!("{mode}: {}{sinks}", self.trouble.words())
    }

    pub(super) async fn play(self, folder: &Path) -> Result<Outcome> {
        fs::create_dir_all(folder)?;
        let mut place = Place::make(self.trouble, &folder.join("place"))?;
        let authority = Authority::of([HOST.to_owned()])?;
        let echo = Echo::start(Some(authority.tls())).await?;
        fs::write(folder.join("upstream-ca.pem"), authority.pem())?;
        let config = self.config(&place, &echo);
        let setup = Setup::with(folder, &config, "version = 1\ndefault = \"allow\"\n")?;
        let served = setup.serve().await?;
        let door = Door {
            proxy: served.ready.transparent.context("the ready line names no listener")?,
            trust: tls::trusting(&served.ready.ca)?,
        };
        let scene = Scene { place: &mut place, served, door, setup: &setup };
        match (self.mode, self.trouble) {
            (Mode::Closed, Trouble::Device) => scene.refuses_for_ever().await,
            (Mode::Closed, _) => self.loses_nothing(scene).await,
            (Mode::Open, _) => self.counts(scene).await,
        }
    }

    fn config(self, place: &Place, echo: &Echo) -> String {
        let mode = if self.mode == Mode::Closed { "closed" } else { "open" };
        let tables = match self.sinks {
            Sinks::Lines => String::new(),
            Sinks::Both => format!("ledger = \"{}\"\n", place.tables().display()),
        };
        format!(
            "[listen]\ntransparent = \"127.0.0.1:0\"\n\n\
             [upstream]\nextra_roots = [\"upstream-ca.pem\"]\n\n\
             [upstream.resolve]\n\"{HOST}:443\" = \"{}\"\n\n\
             [telemetry]\nmode = \"{mode}\"\njsonl = \"{}\"\n{tables}\n",
            echo.address,
            place.lines().display()
        )
    }

    /// Closed mode: the traffic stops, and goes on when the trouble is over.
    async fn loses_nothing(self, scene: Scene<'_>) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut traffic = Traffic::start(&scene.door).await?;
        scene.reaches(&mut traffic, BEFORE).await?;
        let before = traffic.answered();
        scene.place.hurt(scene.served.id()?)?;

        let lag = scene.pauses(&mut traffic).await?;
        let paused = traffic.answered();
        outcome.amid_trouble = paused - before;
        if self.trouble.stalls() {
            let most = QUEUE + ON_THE_WAY + SOCKETS * BURST;
            ensure!(paused < before + most, "{paused} calls went on, {most} is what may wait");
        } else {
            ensure!(lag < PAUSED_WITHIN, "sockets went on for {lag:?} after the last record");
            outcome.paused_ms = Some(lag.as_millis());
        }
        ensure!(!scene.door.lets_through().await?, "an exchange began that cannot be recorded");
        ensure!(traffic.answered() == paused, "a paused socket went on");

        scene.place.mend(scene.served.id()?)?;
        let mended = Instant::now();
        scene.reaches(&mut traffic, paused + 1).await?;
        let resumed = mended.elapsed();
        let within = if self.trouble.stalls() { DRAINED_WITHIN } else { RESUMED_WITHIN };
        ensure!(resumed < within, "sockets went on {resumed:?} after the trouble");
        outcome.resumed_ms = Some(resumed.as_millis());
        scene.reaches(&mut traffic, paused + BEFORE).await?;
        scene.lets_through_again().await?;
        let calls = traffic.end().await?;
        scene.served.stop().await?;

        scene.place.drain()?;
        let ledger = Ledger::read(&scene.place.kept(), "no secret was given")?;
        ledger.check_whole()?;
        check_order(&ledger, &calls)?;
        outcome.lost = lost(&ledger)?;
        ensure!(outcome.lost == 0, "{} records are said to be lost", outcome.lost);
        if self.sinks == Sinks::Both {
            Setup::check_agree(&scene.place.kept(), &scene.place.tables())?;
        }
        outcome.calls = calls.iter().sum();
        outcome.records = ledger.records.len() as u64;
        Ok(outcome)
    }

    /// Open mode: the traffic goes on, and what is lost is counted.
    async fn counts(self, scene: Scene<'_>) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut traffic = Traffic::start(&scene.door).await?;
        scene.reaches(&mut traffic, BEFORE).await?;
        let before = traffic.answered();
        scene.place.hurt(scene.served.id()?)?;
        let enough = if self.trouble.stalls() { QUEUE + ON_THE_WAY } else { 0 } + MEANWHILE;
        scene.reaches(&mut traffic, before + enough).await?;
        ensure!(scene.door.lets_through().await?, "open mode refused an exchange");
        outcome.amid_trouble = traffic.answered() - before;

        scene.place.mend(scene.served.id()?)?;
        if self.trouble != Trouble::Device {
            scene.says(r#""class":"sink""#).await?;
        }
        let calls = traffic.end().await?;
        let status = scene.served.end().await?;
        ensure!(status.code() == Some(1), "it lost records and ended with {status}");

        scene.place.drain()?;
        outcome.calls = calls.iter().sum();
        let due = (SOCKETS + 1) * OF_A_SOCKET + outcome.calls;
        if self.trouble == Trouble::Device {
            outcome.lost = due;
        } else {
            let ledger = Ledger::read(&scene.place.kept(), "no secret was given")?;
            outcome.lost = lost(&ledger)?;
            outcome.records = ledger.records.len() as u64;
            let of_sinks = ledger.faults().filter(|fault| fault.class == "sink").count() as u64;
            let there = outcome.records - of_sinks;
            ensure!(
                there + outcome.lost == due,
                "{due} records were due, {there} are there and {} said to be lost",
                outcome.lost
            );
            ensure!(outcome.lost > 0, "the trouble was none");
        }
        let words = scene.setup.proxy_words();
        let said = format!("{} records", outcome.lost);
        ensure!(words.contains(&said), "it does not say at its end that it lost {said}: {words}");
        Ok(outcome)
    }
}

/// A proxy that serves, and the place its ledger goes to.
struct Scene<'a> {
    place: &'a mut Place,
    served: Served,
    door: Door,
    setup: &'a Setup,
}

impl Scene<'_> {
    /// Closed mode on a device that never takes anything: no exchange ever begins.
    async fn refuses_for_ever(self) -> Result<Outcome> {
        for _ in 0..3 {
            ensure!(!self.door.lets_through().await?, "an exchange began that cannot be recorded");
        }
        let status = self.served.end().await?;
        ensure!(status.code() == Some(1), "it could not record and ended with {status}");
        Ok(Outcome::default())
    }

    /// Waits until so many calls were answered.
    async fn reaches(&self, traffic: &mut Traffic, answered: u64) -> Result<()> {
        let wait = async {
            while traffic.answered() < answered {
                traffic.check_alive()?;
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        let reached = timeout(PATIENCE, wait).await;
        reached.with_context(|| format!("{} of {answered} calls", traffic.answered()))?
    }

    /// Waits until the traffic stands still; says how long after the sink's last byte it did.
    async fn pauses(&self, traffic: &mut Traffic) -> Result<Duration> {
        let len = || fs::metadata(self.place.kept()).map_or(0, |file| file.len());
        let mut last = (traffic.answered(), Instant::now());
        let mut growth = (len(), Instant::now());
        let began = Instant::now();
        while last.1.elapsed() < STILL {
            ensure!(began.elapsed() < PATIENCE, "sockets are not paused: {} calls", last.0);
            traffic.check_alive()?;
            tokio::time::sleep(LOOK).await;
            let now = (traffic.answered(), len());
            if now.0 != last.0 {
                last = (now.0, Instant::now());
            }
            if now.1 != growth.0 {
                growth = (now.1, Instant::now());
            }
        }
        Ok(last.1.saturating_duration_since(growth.1))
    }

    /// Waits until a new exchange is let through.
    async fn lets_through_again(&self) -> Result<()> {
        let began = Instant::now();
        while !self.door.lets_through().await? {
            ensure!(began.elapsed() < PATIENCE, "exchanges are refused though the sink is well");
        }
        Ok(())
    }

    /// Waits until the ledger holds `words`.
    async fn says(&self, words: &str) -> Result<()> {
        let began = Instant::now();
        while !fs::read_to_string(self.place.kept()).is_ok_and(|text| text.contains(words)) {
            ensure!(began.elapsed() < PATIENCE, "the ledger does not say {words}");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

/// Every call of every socket once, in the order it was made.
fn check_order(ledger: &Ledger, calls: &[u64]) -> Result<()> {
    let mut next = BTreeMap::<u64, u64>::new();
    for record in &ledger.records {
        let Record::ModelCall(call) = record else { continue };
        let place = call.response_id.as_deref().and_then(traffic::place_of);
        let (lane, number) = place.context("a call of nobody's")?;
        let due = next.entry(lane).or_default();
        ensure!(number == *due, "call {number} of socket {lane} stands where {due} is due");
        *due += 1;
    }
    let mut found: Vec<u64> = next.into_values().collect();
    let mut made = calls.to_vec();
    found.sort_unstable();
    made.sort_unstable();
    ensure!(found == made, "{made:?} calls were made, {found:?} are in the ledger");
    Ok(())
}

/// What the ledger says that it lost.
fn lost(ledger: &Ledger) -> Result<u64> {
    let mut sum = 0;
    for fault in ledger.faults() {
        if fault.class != "sink" {
            bail!("a fault that is not the sink's: {} {:?}", fault.class, fault.detail);
        }
        let detail = fault.detail.as_deref().unwrap_or_default();
        let number = detail.split("lost ").nth(1).and_then(|rest| rest.split(' ').next());
        sum += number.and_then(|it| it.parse::<u64>().ok()).with_context(|| detail.to_owned())?;
    }
    Ok(sum)
}
