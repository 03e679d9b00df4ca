//! A ledger read back, and the promises that hold for every ledger: gap-free, opened and closed in
//! pairs, decided and ended in pairs.
//!
//! Knows the records by the contract only; refuses to use the crate that wrote them, and to know
//! which faults a run is right to have.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::endpoint::{Flow, Usage};

mod beside;

use beside::{RateLimits, ToolUse};

/// How often a ledger that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// All records of one run, in order.
pub(crate) struct Ledger {
    pub(crate) records: Vec<Record>,
}

#[derive(Deserialize)]
struct Line {
    v: u32,
    seq: u64,
    at: String,
    #[serde(flatten)]
    record: Record,
}

/// The records, with the fields that are compared.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    Opened { conn: String, peer: Option<String> },
    Decided(Decided),
    Responded { exchange: String, status: u16, by: String },
    ModelCall(ModelCall),
    ToolUse(ToolUse),
    RateLimits(RateLimits),
    Refused { exchange: String, rule: Option<String> },
    Fault(Fault),
    Ended(Ended),
    Closed { conn: String, exchanges: u64 },
}

#[derive(Debug, Deserialize)]
pub(crate) struct Decided {
    pub(crate) conn: String,
    pub(crate) exchange: String,
    pub(crate) transport: String,
    /// This and the next two are empty for a request that could not be read.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) method: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) host: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) path: String,
    pub(crate) decision: String,
    pub(crate) rule: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ModelCall {
    pub(crate) exchange: String,
    pub(crate) transport: String,
    pub(crate) provider: String,
    pub(crate) model_requested: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) response_id: Option<String>,
    pub(crate) previous_response_id: Option<String>,
    pub(crate) warmup: bool,
    pub(crate) status: String,
    pub(crate) usage: Option<Usage>,
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) tool_results: Vec<ToolResult>,
    pub(crate) evidence: Evidence,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ToolCall {
    pub(crate) call_id: Option<String>,
    pub(crate) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ToolResult {
    pub(crate) call_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Evidence {
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Fault {
    pub(crate) conn: Option<String>,
    pub(crate) side: String,
    pub(crate) class: String,
    pub(crate) detail: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Ended {
    pub(crate) exchange: String,
    pub(crate) close: Close,
    /// This and the next are nothing where the proxy died.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) to_upstream: Flow,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) to_client: Flow,
    pub(crate) model_calls: u64,
}

/// How an exchange ended.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Close {
    pub(crate) kind: String,
    pub(crate) by: Option<String>,
    pub(crate) code: Option<u16>,
}

fn or_empty<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Ledger {
    /// Reads the JSON lines of `path`. `secret` may stand nowhere in them.
    pub(crate) fn read(path: &Path, secret: &str) -> Result<Self> {
        let place = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(place)?;
        Self::parse(&text, secret).with_context(place)
    }

    /// Reads the JSON lines of a proxy that was killed, but for those torn by it; says how many.
    pub(crate) fn read_torn(path: &Path) -> Result<(Self, usize)> {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        let text = String::from_utf8_lossy(&bytes);
        let is_whole = |line: &&str| serde_json::from_str::<IgnoredAny>(line).is_ok();
        let (whole, torn): (Vec<_>, Vec<_>) = text.lines().partition(is_whole);
        Ok((Self::parse(&whole.join("\n"), "no secret was given")?, torn.len()))
    }

    /// Reads JSON lines: gap-free, all of version 1.
    pub(crate) fn parse(text: &str, secret: &str) -> Result<Self> {
        ensure!(!text.contains(secret), "a secret stands in the ledger");
        let mut records = Vec::new();
        let mut last = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line: Line =
                serde_json::from_str(line).with_context(|| format!("line {number}"))?;
            ensure!(
                line.v == 1 && line.at.ends_with('Z'),
                "record {} is of another version",
                line.seq
            );
            ensure!(
                last.is_none_or(|last: u64| last + 1 == line.seq),
                "seq {} follows {last:?}",
                line.seq
            );
            last = Some(line.seq);
            records.push(line.record);
        }
        Ok(Self { records })
    }

    /// Waits until as many connections are closed in the ledger at `path` as were opened.
    pub(crate) async fn at_rest(path: &Path, within: Duration) -> Result<()> {
        let count = |text: &str, kind: &str| text.matches(&format!("\"kind\":\"{kind}\"")).count();
        let wait = async {
            loop {
                let text = fs::read_to_string(path)?;
                if count(&text, "opened") == count(&text, "closed") {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(within, wait).await.context("a connection was not closed")?
    }

    /// Nobody broke a rule, and nothing broke.
    pub(crate) fn check_faultless(&self) -> Result<()> {
        match self.faults().next() {
            Some(Fault { side, class, detail, .. }) => bail!("a fault: {side} {class} {detail:?}"),
            None => Ok(()),
        }
    }

    /// Each connection opened and closed once, each exchange decided and ended once, the counts they
    /// carry right, and what is recorded of an exchange within it.
    pub(crate) fn check_whole(&self) -> Result<()> {
        let (mut open, mut running) = (BTreeMap::new(), BTreeMap::new());
        let (mut answered, mut used) = (BTreeSet::new(), BTreeSet::new());
        let (mut seen_connections, mut seen_exchanges) = (BTreeSet::new(), BTreeSet::new());
        for record in &self.records {
            match record {
                Record::Opened { conn, .. } => {
                    ensure!(seen_connections.insert(conn), "connection {conn} opened twice");
                    open.insert(conn, 0);
                }
                Record::Decided(decided) => {
                    ensure!(
                        seen_exchanges.insert(&decided.exchange),
                        "exchange {} decided twice",
                        decided.exchange
                    );
                    running.insert(&decided.exchange, (&*decided.transport, 0));
                    let exchanges = open
                        .get_mut(&decided.conn)
                        .context("decided on a connection that is not open")?;
                    *exchanges += 1;
                }
                Record::Responded { exchange, .. } => {
                    ensure!(running.contains_key(exchange), "responded outside its exchange");
                    ensure!(answered.insert(exchange), "exchange {exchange} responded twice");
                }
                Record::ModelCall(call) => {
                    let (transport, calls) = running
                        .get_mut(&call.exchange)
                        .context("a model call outside its exchange")?;
                    ensure!(carries(transport, &call.transport), "a model call on another path");
                    *calls += 1;
                }
                Record::ToolUse(tool) => {
                    let (transport, _) =
                        running.get(&tool.exchange).context("a tool use outside its exchange")?;
                    ensure!(carries(transport, &tool.transport), "a tool use on another path");
                    ensure!(used.insert(&tool.call), "tool use {} recorded twice", tool.call);
                    tool.check().with_context(|| format!("tool use {}", tool.call))?;
                }
                Record::RateLimits(said) => {
                    ensure!(running.contains_key(&said.exchange), "limits outside their exchange");
                    said.check().with_context(|| format!("limits of {}", said.exchange))?;
                }
                Record::Refused { exchange, .. } => {
                    ensure!(running.contains_key(exchange), "refused outside its exchange");
                }
                Record::Fault(_) => {}
                Record::Ended(ended) => {
                    let (_, calls) = running
                        .remove(&ended.exchange)
                        .context("ended an exchange that is not running")?;
                    ensure!(
                        ended.model_calls == calls,
                        "ended says {} model calls, there are {calls}",
                        ended.model_calls
                    );
                }
                Record::Closed { conn, exchanges } => {
                    let had = open.remove(conn).context("closed a connection that is not open")?;
                    ensure!(
                        *exchanges == had,
                        "closed says {exchanges} exchanges, there are {had}"
                    );
                }
            }
        }
        ensure!(open.is_empty(), "{} connections never closed", open.len());
        ensure!(running.is_empty(), "{} exchanges never ended", running.len());
        Ok(())
    }

    pub(crate) fn decided(&self) -> impl Iterator<Item = &Decided> {
        self.records.iter().filter_map(|record| match record {
            Record::Decided(decided) => Some(decided),
            _ => None,
        })
    }

    /// Connections that were accepted.
    pub(crate) fn opened(&self) -> usize {
        self.records.iter().filter(|record| matches!(record, Record::Opened { .. })).count()
    }

    /// How each exchange ended, by its path.
    pub(crate) fn ends_by_path(&self) -> BTreeMap<&str, &Ended> {
        let paths: BTreeMap<&str, &str> =
            self.decided().map(|it| (it.exchange.as_str(), it.path.as_str())).collect();
        let ends = self.records.iter().filter_map(|record| match record {
            Record::Ended(ended) => Some((*paths.get(ended.exchange.as_str())?, ended)),
            _ => None,
        });
        ends.collect()
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.records.iter().filter_map(|record| match record {
            Record::Fault(fault) => Some(fault),
            _ => None,
        })
    }

    pub(crate) fn calls(&self) -> impl Iterator<Item = &ModelCall> {
        self.records.iter().filter_map(|record| match record {
            Record::ModelCall(call) => Some(call),
            _ => None,
        })
    }

    /// Whether `rule` refused the exchange, or a message of it.
    pub(crate) fn refused(&self, decided: &Decided, rule: &str) -> bool {
        let denied = decided.decision == "denied" && decided.rule.as_deref() == Some(rule);
        denied
            || self.records.iter().any(|record| match record {
                Record::Refused { exchange, rule: by } => {
                    *exchange == decided.exchange && by.as_deref() == Some(rule)
                }
                _ => false,
            })
    }

    /// Status of the response head the client was sent, and who made it.
    pub(crate) fn responded(&self, id: &str) -> Option<(u16, &str)> {
        self.records.iter().find_map(|record| match record {
            Record::Responded { exchange, status, by } if exchange == id => {
                Some((*status, by.as_str()))
            }
            _ => None,
        })
    }

    pub(crate) fn ended(&self, id: &str) -> Option<&Ended> {
        self.records.iter().find_map(|record| match record {
            Record::Ended(ended) if ended.exchange == id => Some(ended),
            _ => None,
        })
    }
}

/// Whether an exchange that was decided to go by `decided` can carry something by `by`.
fn carries(decided: &str, by: &str) -> bool {
    matches!((decided, by), ("websocket", "websocket") | ("http", "http" | "sse"))
}

#[cfg(test)]
mod tests;
