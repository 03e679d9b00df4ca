//! The queue between those who give records and the one writer: its bounds, and who waits for
//! what. Knows no sink.

use std::collections::VecDeque;
use std::io;
use std::sync::PoisonError;
#[cfg(not(all(test, shuttle)))]
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

#[cfg(all(test, shuttle))]
use shuttle::sync::{Condvar, Mutex, MutexGuard};

use tokio::sync::{oneshot, watch};

use super::{COMMIT_WAIT, Mode};
use crate::{Error, Record, Timestamp};

/// Records queued before givers are paused. A few per exchange, so thousands of exchanges.
pub(super) const QUEUE_RECORDS: usize = if cfg!(all(test, shuttle)) { 4 } else { 16 * 1024 };

/// Bytes queued before givers are paused, counted as the JSON they become.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// Records in one batch: enough for a transaction to be cheap per record, few enough that a crash
/// loses little.
const BATCH_RECORDS: usize = if cfg!(all(test, shuttle)) { 2 } else { 256 };

/// Bytes in one batch, unless its one record is larger.
const BATCH_BYTES: usize = 1024 * 1024;

/// How long a record that nobody waits for may lie until others join its batch: a transaction costs
/// more than its records. Far below what a crash may take with it, 100 ms.
const LINGER: Duration = Duration::from_millis(20);

/// A record on its way.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) record: Record,
    /// Told when every sink has had the record.
    pub(super) taken: Option<oneshot::Sender<()>>,
    bytes: usize,
}

/// Whether a new exchange may begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Granted,
    Refused,
}

#[derive(Debug)]
pub(super) struct Queue {
    mode: Mode,
    state: Mutex<State>,
    /// Rung for the writer: a record came, or the end.
    bell: Condvar,
    /// Whether givers are to wait; always false in open mode.
    paused: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Entries that somebody waits for.
    awaited: usize,
    /// Set at the bound, cleared at half of it, so givers are not woken for each record.
    full: bool,
    /// A sink refused the batch in hand.
    failing: bool,
    /// Records in the batch in hand, and since when.
    in_hand: usize,
    in_hand_since: Option<Instant>,
    phase: Phase,
    /// Why a sink does not take records.
    trouble: Option<String>,
    /// Records dropped at the bound that the writer does not know of yet.
    dropped: u64,
    lost: u64,
}

/// How far the ledger's life has come; it only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Running,
    /// Writing what is queued, then ending.
    Finishing,
    /// Writing what can be written at the first try, then ending.
    Abandoned,
    /// No writer any more.
    Over,
}

/// What the writer is to do next.
pub(super) struct Work {
    /// Empty if the ledger is finished and nothing is left.
    pub(super) batch: Vec<Entry>,
    /// Records dropped at the queue's bound since the last time.
    pub(super) dropped: u64,
}

impl Queue {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            state: Mutex::default(),
            bell: Condvar::new(),
            paused: watch::Sender::new(false),
        }
    }

    /// Queues a record; in open mode drops it if there is no room.
    pub(super) fn push(&self, record: Record, taken: Option<oneshot::Sender<()>>) {
        let bytes = json_len(&record);
        let mut state = self.lock();
        let no_room = self.mode == Mode::Open && state.over_bound();
        if no_room || state.phase == Phase::Over {
            state.dropped += 1;
            state.lost += 1;
            return;
        }
        // Under the lock, so that times and numbers run the same way.
        let at = Timestamp::now();
        state.bytes = state.bytes.saturating_add(bytes);
        state.awaited += usize::from(taken.is_some());
        state.entries.push_back(Entry { at, record, taken, bytes });
        self.signal(&mut state);
        if state.entries.len() == 1 || state.batch_is_due() {
            self.bell.notify_one();
        }
    }

    /// Waits for room; refuses at once where waiting would be in vain.
    pub(super) async fn admitted(&self) -> Admission {
        let mut paused = self.paused.subscribe();
        loop {
            {
                let state = self.lock();
                let stalled =
                    state.in_hand_since.is_some_and(|since| since.elapsed() > COMMIT_WAIT);
                if state.failing || stalled || state.phase == Phase::Over {
                    return Admission::Refused;
                }
                if !state.full {
                    return Admission::Granted;
                }
            }
            // The sender lives as long as `self`.
            let _ = paused.changed().await;
        }
    }

    pub(super) async fn ready(&self) {
        let _ = self.paused.subscribe().wait_for(|paused| !paused).await;
    }

    pub(super) fn is_ready(&self) -> bool {
        !*self.paused.borrow()
    }

    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// Lets the writer end once nothing is queued.
    pub(super) fn finish(&self) {
        self.advance(Phase::Finishing);
    }

    /// Lets the writer end at the next failure.
    pub(super) fn abandon(&self) {
        self.advance(Phase::Abandoned);
    }

    /// What is left, and why, as an error.
    pub(super) fn unfinished(&self) -> Error {
        let state = self.lock();
        let stalled = || "a sink has stalled".to_owned();
        Error::Unfinished {
            unwritten: state.unwritten(),
            cause: state.trouble.clone().unwrap_or_else(stalled),
        }
    }

    fn advance(&self, to: Phase) {
        let mut state = self.lock();
        state.phase = state.phase.max(to);
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the givers, if that has changed, whether they are to wait.
    fn signal(&self, state: &mut State) {
        state.full = if state.full { !state.below_half() } else { state.over_bound() };
        let wait = self.mode == Mode::Closed
            && state.phase != Phase::Over
            && (state.full || state.failing);
        self.paused.send_if_modified(|paused| std::mem::replace(paused, wait) != wait);
    }
}

/// The writer's side.
impl Queue {
    /// Waits for records or the end.
    pub(super) fn take(&self) -> Work {
        let mut state = self.lock();
        while state.entries.is_empty() && state.phase == Phase::Running {
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + LINGER;
        while state.phase == Phase::Running && !state.batch_is_due() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.bell.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(entry) = state.entries.pop_front() {
            state.bytes -= entry.bytes;
            state.awaited -= usize::from(entry.taken.is_some());
            bytes += entry.bytes;
            batch.push(entry);
            if batch.len() == BATCH_RECORDS || bytes >= BATCH_BYTES {
                break;
            }
        }
        state.in_hand = batch.len();
        state.in_hand_since = Some(Instant::now());
        self.signal(&mut state);
        Work { batch, dropped: std::mem::take(&mut state.dropped) }
    }

    /// The batch in hand is dealt with; `lost` of it some sink does not hold.
    pub(super) fn settle(&self, lost: u64, trouble: Option<String>) {
        let mut state = self.lock();
        state.trouble = trouble;
        state.lost += lost;
        state.in_hand = 0;
        state.in_hand_since = None;
        state.failing = false;
        self.signal(&mut state);
    }

    /// A sink refused the batch in hand: waits before the next try. False if there is to be none.
    pub(super) fn wait_to_retry(&self, wait: Duration, trouble: &str) -> bool {
        let mut state = self.lock();
        state.trouble = Some(trouble.to_owned());
        state.failing = true;
        self.signal(&mut state);
        let until = Instant::now() + wait;
        while state.phase < Phase::Abandoned {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let woken = self.bell.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// There is no writer any more: nobody waits for one in vain.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.phase = Phase::Over;
        state.lost += state.unwritten();
        state.entries.clear();
        state.bytes = 0;
        state.awaited = 0;
        state.in_hand = 0;
        self.signal(&mut state);
    }
}

impl State {
    fn over_bound(&self) -> bool {
        self.entries.len() >= QUEUE_RECORDS || self.bytes >= QUEUE_BYTES
    }

    /// Whether a batch is not to wait for more records.
    fn batch_is_due(&self) -> bool {
        self.awaited > 0 || self.entries.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    fn below_half(&self) -> bool {
        self.entries.len() <= QUEUE_RECORDS / 2 && self.bytes <= QUEUE_BYTES / 2
    }

    fn unwritten(&self) -> u64 {
        (self.entries.len() + self.in_hand) as u64
    }
}

/// The length of the JSON a record becomes: what its strings weigh, whichever it has.
fn json_len(record: &Record) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // The counter takes everything, and a record has nothing JSON cannot hold.
    let _ = serde_json::to_writer(&mut count, record);
    count.0
}

#[cfg(all(test, shuttle))]
mod schedules;
