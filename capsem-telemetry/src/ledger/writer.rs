//! The writer thread: numbers records, gives them to the sinks, tries again or counts what is
//! lost. Knows no sink but by its trait.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::queue::{Entry, Queue};
use super::{Mode, Summary};
use crate::sink::Sink;
use crate::{Error, Fault, FaultClass, Record, Side, Stamped, Timestamp};

/// Time between two tries of a batch in closed mode: soon after a disk has room again, and no load
/// while it has none.
pub(super) const RETRY: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    // Dropped in this order: who waits is told only after the queue is closed.
    queue: Closing,
    /// To be told when the batch in hand is dealt with.
    waiting: Vec<oneshot::Sender<()>>,
    targets: Vec<Target>,
    watch: Watch,
    mode: Mode,
    /// The last number used.
    last: u64,
    summary: Summary,
}

/// What is shown each record that was given, once, before any sink is.
pub(super) type Watch = Box<dyn FnMut(Timestamp, &Record) + Send>;

/// A sink and how it fares.
struct Target {
    sink: Box<dyn Sink>,
    /// Records of the batch in hand it has taken.
    taken: usize,
    /// Whether its last write succeeded.
    healthy: bool,
    /// What it went through since the ledger last said so; none if nothing.
    trouble: Option<Trouble>,
}

struct Trouble {
    since: Instant,
    cause: String,
    lost: u64,
}

/// A queue that is closed when its writer ends, be it by a panic.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Writer {
    pub(super) fn new(
        queue: Arc<Queue>,
        sinks: Vec<Box<dyn Sink>>,
        watch: Watch,
        mode: Mode,
        last: u64,
    ) -> Self {
        let target = |sink| Target { sink, taken: 0, healthy: true, trouble: None };
        let targets = sinks.into_iter().map(target).collect();
        let (queue, summary) = (Closing(queue), Summary::default());
        Self { queue, waiting: Vec::new(), targets, watch, mode, last, summary }
    }

    /// Writes until the ledger is finished.
    pub(super) fn run(mut self) -> Result<Summary, Error> {
        loop {
            let work = self.queue.0.take();
            let over = work.batch.is_empty();
            self.note_dropped(work.dropped);
            self.write(work.batch)?;
            self.report(over)?;
            if over {
                return self.finish();
            }
        }
    }

    /// Writes a batch to every sink, or as far as the mode asks.
    fn write(&mut self, entries: Vec<Entry>) -> Result<(), Error> {
        let batch = self.stamp(entries);
        self.put(&batch)?;
        self.settle(batch.len(), batch.len());
        for taken in self.waiting.drain(..) {
            // Whoever asked may have gone.
            let _ = taken.send(());
        }
        Ok(())
    }

    fn stamp(&mut self, entries: Vec<Entry>) -> Vec<Stamped> {
        let mut batch = Vec::with_capacity(entries.len());
        for (seq, entry) in (self.last + 1..).zip(entries) {
            (self.watch)(entry.at, &entry.record);
            batch.push(Stamped { seq, at: entry.at, record: entry.record });
            self.waiting.extend(entry.taken);
        }
        batch
    }

    /// Gives the batch to each sink: until all have it in closed mode, once in open mode.
    fn put(&mut self, batch: &[Stamped]) -> Result<(), Error> {
        self.targets.iter_mut().for_each(|target| target.taken = 0);
        loop {
            let mut complete = true;
            for target in &mut self.targets {
                complete &= target.offer(batch);
            }
            if complete || self.mode == Mode::Open {
                return Ok(());
            }
            let cause = self.cause().unwrap_or_default();
            if !self.queue.0.wait_to_retry(RETRY, &cause) {
                return Err(self.queue.0.unfinished());
            }
        }
    }

    /// Books a batch that was put: uses up the numbers some sink now holds, and counts what others
    /// of the `due` records do not.
    fn settle(&mut self, len: usize, due: usize) {
        let taken = |target: &Target| target.taken;
        let used = self.targets.iter().map(taken).max().unwrap_or(len);
        let held = self.targets.iter().map(taken).min().unwrap_or(len);
        let due = due.max(used);
        for target in &mut self.targets {
            if let Some(trouble) = &mut target.trouble {
                trouble.lost += (due - target.taken) as u64;
            }
        }
        let missed = (due - held) as u64;
        self.last += used as u64;
        self.summary.written += held as u64;
        self.summary.lost += missed;
        self.queue.0.settle(missed, self.cause());
    }

    /// Why a sink does not take records now; none if all do.
    fn cause(&self) -> Option<String> {
        let ill = self.targets.iter().find(|target| !target.healthy)?;
        let cause = ill.trouble.as_ref().map(|trouble| trouble.cause.as_str());
        Some(format!("{}: {}", ill.sink.name(), cause.unwrap_or_default()))
    }

    /// Books records the queue had no room for: no sink has them.
    fn note_dropped(&mut self, dropped: u64) {
        if dropped == 0 {
            return;
        }
        self.summary.lost += dropped;
        for target in &mut self.targets {
            target.trouble(|| "it fell behind".to_owned()).lost += dropped;
        }
    }

    /// Writes down, for each sink that takes records again, what it went through; at the `end`
    /// it tries the others too.
    fn report(&mut self, end: bool) -> Result<(), Error> {
        for index in 0..self.targets.len() {
            let target = self.targets.get(index).filter(|target| target.healthy || end);
            let Some(record) = target.and_then(Target::report) else { continue };
            let report = Stamped { seq: self.last + 1, at: Timestamp::now(), record };
            self.put(std::slice::from_ref(&report))?;
            if let Some(target) = self.targets.get_mut(index)
                && target.taken == 1
            {
                target.trouble = None;
            }
            // Lost only where another sink has it; else it is made anew.
            self.settle(1, 0);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Summary, Error> {
        // One sink's failure keeps no other from ending well.
        let mut outcome = Ok(self.summary);
        for target in &mut self.targets {
            outcome = target.sink.finish().and(outcome);
        }
        outcome
    }
}

impl Target {
    /// Offers what it has not taken of the batch; true if it now has all.
    fn offer(&mut self, batch: &[Stamped]) -> bool {
        let rest = batch.get(self.taken..).unwrap_or_default();
        if rest.is_empty() {
            return true;
        }
        let outcome = self.sink.write(rest);
        self.healthy = outcome.is_ok();
        match outcome {
            Ok(()) => self.taken = batch.len(),
            Err(shortfall) => {
                self.taken += shortfall.taken.min(rest.len());
                self.trouble(|| cause(&shortfall.error));
            }
        }
        self.taken == batch.len()
    }

    fn trouble(&mut self, cause: impl FnOnce() -> String) -> &mut Trouble {
        self.trouble.get_or_insert_with(|| Trouble {
            since: Instant::now(),
            cause: cause(),
            lost: 0,
        })
    }

    /// The record of its trouble, if it has had any.
    fn report(&self) -> Option<Record> {
        let Trouble { since, cause, lost } = self.trouble.as_ref()?;
        let name = self.sink.name();
        let within = since.elapsed().as_millis();
        Some(Record::Fault(Fault {
            conn: None,
            exchange: None,
            side: Side::Proxy,
            class: FaultClass::Sink,
            detail: Some(format!("{name}: lost {lost} records within {within} ms: {cause}")),
        }))
    }
}

/// The reason at the bottom of a sink's error.
fn cause(error: &Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
