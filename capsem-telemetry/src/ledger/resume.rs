//! A ledger that is taken up again: what the process before it left without an end.
//!
//! A process that ends in order ends all it began. One that was killed leaves its last batch in some
//! sinks and not in others, and connections that nothing will ever be heard of again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::sink::Sink;
use crate::{
    Close, CloseKind, Closed, Ended, Error, Fault, FaultClass, Id, Record, Side, Stamped, Timestamp,
};

/// Records a sink may be behind another and is still brought up to it: more is no batch that a death
/// cut short, but a sink that was not always there.
const BEHIND: u64 = 4096;

/// Where a ledger goes on.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Resumed {
    /// The last number used.
    pub(super) last: u64,
    /// What is to be said of exchanges and connections that have no end.
    pub(super) ends: Vec<Record>,
}

/// Brings sinks that hold records to one state, and finds what has no end.
pub(super) fn resume(sinks: &mut [Box<dyn Sink>]) -> Result<Resumed, Error> {
    let held = sinks.iter_mut().map(|sink| sink.last_seq()).collect::<Result<Vec<_>, _>>()?;
    let Some((last, ahead)) = held.iter().zip(0..).filter_map(|(h, n)| Some(((*h)?, n))).max()
    else {
        return Ok(Resumed::default());
    };
    let behind = |held: &Option<u64>| held.filter(|held| (1..=BEHIND).contains(&(last - held)));
    let from = held.iter().filter_map(behind).min().unwrap_or(last);
    let (mut open, mut recent) = (Open::default(), Vec::new());
    sinks[ahead].read_back(&mut |line| {
        open.note(line);
        if from < last {
            recent.extend(Stamped::from_json_after(line, from));
        }
    })?;
    for (sink, held) in sinks.iter_mut().zip(&held) {
        let Some(held) = behind(held) else { continue };
        let missed = recent.partition_point(|stamped| stamped.seq <= held);
        // Where it takes nothing now, the gap is left for a reader to see.
        let _ = sink.write(&recent[missed..]);
    }
    Ok(Resumed { last, ends: open.ends() })
}

impl Stamped {
    /// A record, if its number is above `seq`.
    fn from_json_after(line: &str, seq: u64) -> Option<Self> {
        #[derive(Deserialize)]
        struct Numbered {
            seq: u64,
        }
        let is_after = serde_json::from_str::<Numbered>(line).is_ok_and(|it| it.seq > seq);
        is_after.then(|| Self::from_json(line).ok()).flatten()
    }
}

/// What has begun and not ended.
#[derive(Debug, Default)]
struct Open {
    connections: BTreeMap<Id, Connection>,
    exchanges: BTreeMap<Id, Exchange>,
    /// When the last record was taken.
    last: Option<Timestamp>,
}

#[derive(Debug)]
struct Connection {
    since: Timestamp,
    exchanges: u64,
}

#[derive(Debug)]
struct Exchange {
    conn: Option<Id>,
    since: Timestamp,
    model_calls: u64,
}

/// What of a record says whose it is.
#[derive(Deserialize)]
struct Whose<'a> {
    at: Timestamp,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    conn: Option<Id>,
    #[serde(default)]
    exchange: Option<Id>,
}

impl Open {
    /// Notes a record; what is none says nothing.
    fn note(&mut self, line: &str) {
        let Ok(Whose { at, kind, conn, exchange }) = serde_json::from_str(line) else { return };
        self.last = self.last.max(Some(at));
        match (&*kind, conn, exchange) {
            ("opened", Some(conn), _) => {
                self.connections.insert(conn, Connection { since: at, exchanges: 0 });
            }
            ("decided", conn, Some(exchange)) => {
                if let Some(connection) = conn.and_then(|conn| self.connections.get_mut(&conn)) {
                    connection.exchanges += 1;
                }
                self.exchanges.insert(exchange, Exchange { conn, since: at, model_calls: 0 });
            }
            ("model_call", _, Some(exchange)) => {
                if let Some(exchange) = self.exchanges.get_mut(&exchange) {
                    exchange.model_calls += 1;
                }
            }
            ("ended", _, Some(exchange)) => drop(self.exchanges.remove(&exchange)),
            ("closed", Some(conn), _) => drop(self.connections.remove(&conn)),
            _ => {}
        }
    }

    /// A fault and an end for each exchange, then an end for each connection.
    fn ends(self) -> Vec<Record> {
        let Self { connections, exchanges, last } = self;
        // The process lived until then at least.
        let lived = |since: Timestamp| last.map_or(0, |last| last.millis_since(since));
        let mut ends = Vec::new();
        for (id, Exchange { conn, since, model_calls }) in exchanges {
            ends.push(Record::Fault(Fault {
                conn,
                exchange: Some(id),
                side: Side::Proxy,
                class: FaultClass::Interrupted,
                detail: Some("the proxy's process died while this was open".to_owned()),
            }));
            let reason = Some(FaultClass::Interrupted.as_str().to_owned());
            let by = Some(Side::Proxy);
            ends.push(Record::Ended(Box::new(Ended {
                exchange: id,
                close: Close { kind: CloseKind::Error, by, code: None, reason },
                to_upstream: None,
                to_client: None,
                model_calls,
                duration_ms: lived(since),
                evidence: None,
            })));
        }
        let closed = |(conn, Connection { since, exchanges })| {
            Record::Closed(Closed { conn, exchanges, duration_ms: lived(since) })
        };
        ends.extend(connections.into_iter().map(closed));
        ends
    }
}

#[cfg(test)]
mod tests;
