//! Spans beside the ledger, where the configuration names a collector. Refuses to know how they get
//! there.

use crate::otlp::{Endpoint, Exporter};
use capsem_telemetry::{Record, Timestamp, otlp};
use std::time::Duration;

/// How long the collector gets for the spans that are left at the end: they are not worth more of the
/// time of whoever waits for it.
const FINISH_TIME: Duration = Duration::from_secs(3);

/// Starts the export, if there is somewhere to export to; and what is to be shown each record.
pub(super) fn start(
    endpoint: Option<Endpoint>,
) -> (Option<Exporter>, impl FnMut(Timestamp, &Record) + Send + 'static) {
    let to = |endpoint| {
        let (feed, spans) = otlp::queue(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        (Exporter::start(endpoint, spans), feed)
    };
    let (exporter, mut feed) = endpoint.map(to).unzip();
    let watch = move |at, record: &Record| {
        if let Some(feed) = &mut feed {
            feed.see(at, record);
        }
    };
    (exporter, watch)
}

/// Gives the collector what is left, and says what it did not take. The program's end is no worse for
/// it: the ledger has it all.
pub(super) async fn finish(exporter: Exporter) {
    let done = exporter.finish(FINISH_TIME).await;
    match done.lost {
        0 => tracing::info!(exported = done.exported, "all spans are with the collector"),
        lost => tracing::error!(exported = done.exported, lost, "the collector lacks spans"),
    }
}
