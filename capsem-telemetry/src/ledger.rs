//! The way of a record from whoever gives it to the sinks: one bounded queue, one writer thread.
//! Knows nothing of what a record says.
//!
//! What must hold, in either mode: records reach a sink in the order they were given, each at most
//! once; giving one never blocks a task's thread.
//!
//! - [`Mode::Closed`]: nothing is lost. A sink that fails is tried again until it takes the batch;
//!   meanwhile [`Ledger::commit`] refuses new exchanges and [`Ledger::ready`] holds running ones.
//! - [`Mode::Open`]: traffic goes on. What a sink or the queue has no room for is dropped and
//!   counted, and a `fault` record says how many once the sink takes records again.
//!
//! `seq` has no gap: a number is used once a sink has taken its record. Only a sink that missed
//! what another one took, in open mode, shows a gap; its `fault` record names the loss.

mod queue;
mod resume;
mod writer;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use crate::sink::Sink;
use crate::{Error, Record, Timestamp};
use queue::{Admission, Queue};
use resume::{Resumed, resume};
use writer::Writer;

/// What happens when records cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The traffic stops.
    Closed,
    /// The traffic goes on; what is lost is counted.
    Open,
}

/// How many records a ledger took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records that every sink holds.
    pub written: u64,
    /// Records that some sink does not hold.
    pub lost: u64,
}

/// The giving side of a ledger. Clones give to the same one.
///
/// ```
/// use capsem_telemetry::sink::Memory;
/// use capsem_telemetry::{Closed, Id, Ledger, Mode, Record};
/// use std::time::Duration;
///
/// let (memory, records) = Memory::new();
/// let (ledger, task) = Ledger::start(vec![Box::new(memory)], Mode::Closed)?;
/// ledger.record(Record::Closed(Closed { conn: Id::fresh(), exchanges: 0, duration_ms: 1 }));
/// assert_eq!(task.finish(Duration::from_secs(5))?.written, 1);
/// assert_eq!(records.records()[0].seq, 1);
/// # Ok::<(), capsem_telemetry::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ledger {
    queue: Arc<Queue>,
    mode: Mode,
}

/// The writing side of a ledger, to be finished once.
///
/// Dropping it lets the writer finish alone, if the process lives long enough.
#[derive(Debug)]
pub struct LedgerTask {
    queue: Arc<Queue>,
    exited: Receiver<Result<Summary, Error>>,
}

/// How long an exchange may wait, in closed mode, for its first record to be taken. Longer than a
/// slow disk needs, shorter than a client's patience.
const COMMIT_WAIT: Duration = Duration::from_secs(2);

/// The same in open mode, where a sink must not hold traffic up.
const OPEN_COMMIT_WAIT: Duration = Duration::from_millis(100);

impl Ledger {
    /// Starts the writer thread. Numbers go on after the highest any sink already holds.
    ///
    /// Where the process before was killed, a sink that lacks its last records gets them from the
    /// one that has them, and what was open then is ended by the first records: for each exchange a
    /// `fault` of class `interrupted` and an `ended`, for each connection a `closed`.
    ///
    /// Fails if a sink cannot be read back, or the system has no thread to give.
    pub fn start(sinks: Vec<Box<dyn Sink>>, mode: Mode) -> Result<(Self, LedgerTask), Error> {
        Self::start_watched(sinks, mode, |_, _| {})
    }

    /// The same, with something beside the sinks that is shown each record it is given, and its time,
    /// once and in order, whether or not a sink can keep it.
    ///
    /// `watch` is called on the writer's thread and must not block: the sinks wait for it. It is
    /// dropped when the ledger has been finished.
    pub fn start_watched(
        mut sinks: Vec<Box<dyn Sink>>,
        mode: Mode,
        watch: impl FnMut(Timestamp, &Record) + Send + 'static,
    ) -> Result<(Self, LedgerTask), Error> {
        let Resumed { last, ends } = resume(&mut sinks)?;
        let queue = Arc::new(Queue::new(mode));
        for end in ends {
            queue.push(end, None);
        }
        let writer = Writer::new(Arc::clone(&queue), sinks, Box::new(watch), mode, last);
        let (exit, exited) = channel();
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                // Nobody listens any more if the deadline of `finish` has passed.
                let _ = exit.send(writer.run());
            })
            .map_err(|source| Error::Thread { source })?;
        Ok((Self { queue: Arc::clone(&queue), mode }, LedgerTask { queue, exited }))
    }

    /// Gives a record whose exchange or connection is already in the ledger. Its time is now.
    ///
    /// Never blocks and never fails, so a drop guard can call it. In closed mode it is taken even
    /// over the queue's bound: what keeps the queue bounded is that no new connection, exchange or
    /// message is begun before [`ready`](Self::ready).
    pub fn record(&self, record: Record) {
        self.queue.push(record, None);
    }

    /// Gives the first record of an exchange and waits until every sink has taken it.
    ///
    /// In closed mode it fails with [`Error::Refused`] if the sinks fail, have stalled or leave
    /// the queue full: then the record was not taken and nothing else is owed. It fails with
    /// [`Error::Late`] after two seconds: then the record stays queued, and what must follow it is
    /// owed, just as if this future is dropped. In open mode it never fails, and waits for a tenth
    /// of a second at most.
    ///
    /// It needs a tokio runtime with time enabled.
    pub async fn commit(&self, record: Record) -> Result<(), Error> {
        let (taken, confirmed) = oneshot::channel();
        if self.mode == Mode::Open {
            self.queue.push(record, Some(taken));
            let _ = timeout(OPEN_COMMIT_WAIT, confirmed).await;
            return Ok(());
        }
        let deadline = Instant::now() + COMMIT_WAIT;
        match timeout_at(deadline, self.queue.admitted()).await {
            Ok(Admission::Granted) => self.queue.push(record, Some(taken)),
            Ok(Admission::Refused) | Err(_) => return Err(Error::Refused),
        }
        match timeout_at(deadline, confirmed).await {
            Ok(Ok(())) => Ok(()),
            // The writer ended without it.
            Ok(Err(_)) => Err(Error::Refused),
            Err(_) => Err(Error::Late),
        }
    }

    /// Waits while the queue is full or, in closed mode, the sinks fail.
    ///
    /// To be awaited before anything is begun that will end in a record: before a connection is
    /// accepted, and by a running exchange before it takes more from its peers. In open mode it
    /// returns at once.
    pub async fn ready(&self) {
        self.queue.ready().await;
    }

    /// Whether [`ready`](Self::ready) would return at once.
    pub fn is_ready(&self) -> bool {
        self.queue.is_ready()
    }

    /// How many records some sink does not hold; in closed mode none while the writer lives.
    pub fn lost(&self) -> u64 {
        self.queue.lost()
    }

    /// Why a sink does not take records now, in words for a log; none if all do.
    pub fn trouble(&self) -> Option<String> {
        self.queue.trouble()
    }
}

impl LedgerTask {
    /// Waits until every record is written and the sinks are done, at most for `within`. Blocks.
    ///
    /// Records given from now on may still be written or not; the ones given before are. Fails with
    /// [`Error::Unfinished`] if the time is up first, or with what kept a sink from ending well.
    pub fn finish(self, within: Duration) -> Result<Summary, Error> {
        self.queue.finish();
        match self.exited.recv_timeout(within) {
            Err(RecvTimeoutError::Timeout) => self.queue.abandon(),
            outcome => return ended(outcome),
        }
        let left = self.queue.unfinished();
        // A writer that waits to try again ends now; one that is stuck in a sink is left behind.
        match self.exited.recv_timeout(writer::RETRY) {
            Err(RecvTimeoutError::Timeout) => Err(left),
            outcome => ended(outcome),
        }
    }
}

impl Drop for LedgerTask {
    fn drop(&mut self) {
        self.queue.finish();
    }
}

fn ended(outcome: Result<Result<Summary, Error>, RecvTimeoutError>) -> Result<Summary, Error> {
    let panicked = |_| Error::Thread { source: std::io::Error::other("it panicked") };
    outcome.map_err(panicked)?
}

#[cfg(test)]
mod tests;
