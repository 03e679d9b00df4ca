//! A table of refusals: what is sent by each way in, as a plain request and as an upgrade, and what
//! must come of it: one answer, its records, nothing looked up, nothing dialled, nothing after it read.

use super::{Names, Rig, Upstream, Way};
use capsem_mitm::config::Config;
use capsem_policy::Policy;
use serde_json::Value;
use tokio::runtime::Runtime;

/// The fields of an upgrade; the key is the example of RFC 6455 section 1.3.
pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// A request in good order, which must not be read where it follows a bad one.
pub(crate) const NEXT: &str = "GET /next HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";

/// A proxy that allows everything, pins nothing, and what was sent to it so far.
pub(crate) struct Table {
    runtime: Runtime,
    upstream: Upstream,
    names: Names,
    rig: Rig,
    rows: Vec<Row>,
}

struct Row {
    sent: String,
    status: u16,
    class: Option<&'static str>,
}

/// Sends every row, then holds the records against them.
pub(crate) fn table(rows: impl FnOnce(&mut Table)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (upstream, names) = (runtime.block_on(Upstream::plain()), Names::default());
    let unpinned = |config: &mut Config| config.upstream.resolve.clear();
    let rig = Rig::serviced(&upstream, Policy::allow_all(), names.services(), unpinned);
    let rig = runtime.block_on(rig);
    let mut table = Table { runtime, upstream, names, rig, rows: Vec::new() };
    rows(&mut table);
    table.end();
}

impl Table {
    /// `head` is a request line and fields without the last line's end, where `@` stands for what the
    /// way in has before a path. As a plain request and as an upgrade, by every way in, it is refused
    /// with `status` and a fault of `class`.
    #[track_caller]
    pub(crate) fn refused(&mut self, head: &str, status: u16, class: &'static str) {
        let upgrade = head.replacen("\r\n", &format!("\r\n{UPGRADE}"), 1) + "\r\n\r\n";
        for way in Way::ALL {
            self.refused_by(way, head, status, class);
            self.send(way, &upgrade, status, Some(class));
        }
    }

    /// The same of a plain request, by one way in.
    #[track_caller]
    pub(crate) fn refused_by(&mut self, way: Way, head: &str, status: u16, class: &'static str) {
        self.send(way, &format!("{head}\r\n\r\n{NEXT}"), status, Some(class));
    }

    /// The answer to these bytes, which is the only one.
    #[track_caller]
    pub(crate) fn send(
        &mut self,
        way: Way,
        bytes: &str,
        status: u16,
        class: Option<&'static str>,
    ) -> String {
        let bytes = bytes.replacen('@', way.prefix(), 1);
        let answer = self.runtime.block_on(async {
            let mut client = way.open(&self.rig).await;
            client.send(&bytes).await;
            String::from_utf8(client.rest().await).unwrap()
        });
        let sent = format!("{way:?} {bytes:.300?}");
        let starts = ["HTTP/1.1", "HTTP/1.0"].map(|version| format!("{version} {status} "));
        assert!(starts.iter().any(|start| answer.starts_with(start)), "{sent}: {answer}");
        assert_eq!(answer.matches("{\"error\":").count(), 1, "{sent}: {answer}");
        self.rows.push(Row { sent, status, class });
        answer
    }

    #[track_caller]
    fn end(self) {
        let Self { runtime, upstream, names, rig, rows } = self;
        let records = runtime.block_on(rig.records(rows.len()));
        let of_kind = |kind: &str| -> Vec<&Value> {
            records.iter().filter(|record| record["kind"] == kind).collect()
        };
        let (decided, responded) = (of_kind("decided"), of_kind("responded"));
        assert_eq!((decided.len(), responded.len()), (rows.len(), rows.len()));
        let mut faults = of_kind("fault").into_iter();
        for ((row, decided), responded) in rows.iter().zip(decided).zip(responded) {
            assert_eq!(decided["decision"], "denied", "{}", row.sent);
            assert_eq!(responded["status"], row.status, "{}", row.sent);
            if let Some(class) = row.class {
                assert_eq!(faults.next().unwrap()["class"], class, "{}", row.sent);
            }
        }
        assert_eq!(faults.next(), None);
        assert_eq!((names.asked(), upstream.accepted()), (vec![], 0), "looked up or dialled");
    }
}
