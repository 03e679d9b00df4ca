//! Model calls as OpenTelemetry spans, in batches for a collector. Knows the messages of OTLP and no
//! socket: whoever takes a batch sends it.
//!
//! Spans are best effort and stand beside the sinks, never among them: a [`Feed`] sees each record
//! once, does not wait and cannot fail. What the queue has no room for is left out and counted.
//!
//! A span has the attributes of [`genai`](crate::genai) and no content, whatever the record holds. The
//! calls of one exchange are one trace, whose id begins with the digits of the exchange's; the id of a
//! span begins with those of the call's. They have no parent: what is around them is in the ledger.
//!
//! ```
//! use capsem_telemetry::{Ledger, Mode, otlp};
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let (mut feed, mut spans) = otlp::queue("my-proxy", "1.0.0");
//! let (ledger, task) =
//!     Ledger::start_watched(vec![], Mode::Closed, move |at, record| feed.see(at, record))?;
//! // ledger.record(..), and for as long as the ledger lives:
//! task.finish(Duration::from_secs(5))?;
//! while let Some(batch) = spans.next().await {
//!     println!("{} spans in {} bytes", batch.spans(), batch.body().len());
//! }
//! assert_eq!(spans.tally().made(), 0);
//! # Ok::<(), capsem_telemetry::Error>(())
//! # }).unwrap();
//! ```

mod batch;
mod span;

pub use batch::Batch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout_at};

use crate::{Record, Timestamp};
use batch::Envelope;
use span::Names;

/// Spans that wait to be taken, beside the batch in hand: minutes of the busiest agents, and 20 MiB
/// at most, as the texts of a call are bounded.
const QUEUE: usize = 2048;

/// Spans of one batch: what collectors take in one message without a word.
const BATCH: usize = 512;

/// How long the first span of a batch waits for others: one request a second is no load, and nobody
/// looks sooner.
const GATHER: Duration = Duration::from_secs(1);

/// A queue between a ledger and a collector, for a service of this name and version.
pub fn queue(service: &str, version: &str) -> (Feed, Spans) {
    let (sender, receiver) = channel(QUEUE);
    let tally = Tally::default();
    let feed = Feed { queue: sender, names: Names::new(), tally: tally.clone() };
    let spans = Spans {
        queue: receiver,
        gathered: Vec::new(),
        envelope: Envelope::new(service, version),
        tally,
    };
    (feed, spans)
}

/// The giving side: makes a span of each model call it is shown.
#[derive(Debug)]
pub struct Feed {
    queue: Sender<Span>,
    names: Names,
    tally: Tally,
}

impl Feed {
    /// Makes a span of a `model_call`, whose end is `at`; other records have none. Never waits.
    pub fn see(&mut self, at: Timestamp, record: &Record) {
        let Record::ModelCall(call) = record else { return };
        self.tally.0.made.fetch_add(1, Ordering::Relaxed);
        // No room, or nobody there: the tally shows it.
        if self.queue.try_send(span::of(call, at, &self.names)).is_err() {
            self.tally.0.no_room.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The taking side.
#[derive(Debug)]
pub struct Spans {
    queue: Receiver<Span>,
    /// Of the batch that is being put together.
    gathered: Vec<Span>,
    envelope: Envelope,
    tally: Tally,
}

impl Spans {
    /// The next batch: 512 spans, or what there is a second after its first; none when the [`Feed`]
    /// is gone and all has been taken. Cancel safe.
    ///
    /// It needs a tokio runtime with time enabled.
    pub async fn next(&mut self) -> Option<Batch> {
        if self.gathered.is_empty() {
            self.queue.recv_many(&mut self.gathered, BATCH).await;
        }
        let deadline = Instant::now() + GATHER;
        while let room @ 1.. = BATCH.saturating_sub(self.gathered.len()) {
            match timeout_at(deadline, self.queue.recv_many(&mut self.gathered, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        let spans = std::mem::take(&mut self.gathered);
        (!spans.is_empty()).then(|| self.envelope.seal(spans))
    }

    /// What came of all spans so far, and goes on counting.
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }
}

/// How many spans there were and what came of them. Clones count the same ones.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    no_room: AtomicU64,
    exported: AtomicU64,
}

impl Tally {
    /// Spans made: one for each model call.
    pub fn made(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }

    /// Spans the queue had no room for.
    pub fn no_room(&self) -> u64 {
        self.0.no_room.load(Ordering::Relaxed)
    }

    /// Spans a collector took.
    pub fn exported(&self) -> u64 {
        self.0.exported.load(Ordering::Relaxed)
    }

    /// Books spans that a collector took.
    pub fn add_exported(&self, spans: u64) {
        self.0.exported.fetch_add(spans, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
