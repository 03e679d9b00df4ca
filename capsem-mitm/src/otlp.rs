//! Spans of model calls to a collector, over OTLP/HTTP. Refuses to know what a span says: it takes
//! batches from [`capsem_telemetry::otlp`] and posts them.
//!
//! Best effort, also where records are not: a batch that a collector does not take in five seconds is
//! dropped and counted, and neither records nor traffic wait for it.
//!
//! ```
//! use capsem_mitm::otlp::Exporter;
//! use capsem_telemetry::{Ledger, Mode, otlp};
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let (mut feed, spans) = otlp::queue("my-proxy", "1.0.0");
//! let exporter = Exporter::start("http://127.0.0.1:4318".parse().unwrap(), spans);
//! let watch = move |at, record: &_| feed.see(at, record);
//! let (ledger, task) = Ledger::start_watched(vec![], Mode::Closed, watch).unwrap();
//! // a `Proxy` with this ledger; when it has ended:
//! task.finish(Duration::from_secs(5)).unwrap();
//! assert_eq!(exporter.finish(Duration::from_secs(3)).await.lost, 0);
//! # });
//! ```

mod endpoint;
mod post;

pub use self::endpoint::{Endpoint, EndpointError};

use self::post::{PostError, post};
use capsem_telemetry::otlp::{Batch, Spans, Tally};
use std::time::Duration;
use tokio::{task::JoinHandle, time::timeout};

/// For one batch: looking the collector up, connecting, sending, and its answer. A collector that is
/// well answers in milliseconds.
const POST_TIME: Duration = Duration::from_secs(5);

/// A task that posts batches as they come.
#[derive(Debug)]
pub struct Exporter {
    task: JoinHandle<()>,
    tally: Tally,
}

/// What came of the spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Spans the collector took.
    pub exported: u64,
    /// Spans it did not, whatever the reason.
    pub lost: u64,
}

impl Exporter {
    /// Starts on the runtime this is called in. The first trouble is told in a warning, later ones are
    /// counted.
    pub fn start(endpoint: Endpoint, spans: Spans) -> Self {
        let tally = spans.tally();
        Self { task: tokio::spawn(export(endpoint, spans)), tally }
    }

    /// Waits, at most for `within`, until the collector has what is left of the spans; to be called
    /// when their feed is gone.
    pub async fn finish(mut self, within: Duration) -> Exported {
        if timeout(within, &mut self.task).await.is_err() {
            self.task.abort();
        }
        let exported = self.tally.exported();
        Exported { exported, lost: self.tally.made().saturating_sub(exported) }
    }
}

async fn export(endpoint: Endpoint, mut spans: Spans) {
    let tally = spans.tally();
    let mut told = false;
    while let Some(batch) = spans.next().await {
        let outcome = deliver(&endpoint, &batch, &tally).await;
        let outcome = outcome.and_then(|()| match tally.no_room() {
            0 => Ok(()),
            _ => Err(PostError::TooSlow),
        });
        if let Err(error) = outcome
            && !told
        {
            told = true;
            tracing::warn!(%endpoint, "spans are lost, and from now on only counted: {error}");
        }
    }
}

/// Posts a batch and books what the collector took of it.
async fn deliver(endpoint: &Endpoint, batch: &Batch, tally: &Tally) -> Result<(), PostError> {
    let answer = timeout(POST_TIME, post(endpoint, batch.body()))
        .await
        .unwrap_or(Err(PostError::Late(POST_TIME)))?;
    let taken = batch.taken(&answer);
    tally.add_exported(taken);
    match batch.spans() - taken {
        0 => Ok(()),
        spans => Err(PostError::Rejected { spans, of: batch.spans() }),
    }
}
