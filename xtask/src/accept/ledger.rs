//! A ledger read back, and the promises that hold for every ledger: gap-free, opened and closed in
//! pairs, decided and ended in pairs.
//!
//! Knows the records by the contract only; refuses to use the crate that wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::endpoint::{Flow, Usage};

/// All records of one run, in order.
pub(super) struct Ledger {
    pub(super) records: Vec<Record>,
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
pub(super) enum Record {
    Opened { conn: String },
    Decided(Decided),
    Responded { exchange: String, status: u16, by: String },
    ModelCall(ModelCall),
    Refused { exchange: String, rule: Option<String> },
    Fault { side: String, class: String, detail: Option<String> },
    Ended(Ended),
    Closed { conn: String, exchanges: u64 },
}

#[derive(Debug, Deserialize)]
pub(super) struct Decided {
    pub(super) conn: String,
    pub(super) exchange: String,
    pub(super) transport: String,
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) decision: String,
    pub(super) rule: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelCall {
    pub(super) exchange: String,
    pub(super) transport: String,
    pub(super) provider: String,
    pub(super) model_requested: Option<String>,
    pub(super) model: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) previous_response_id: Option<String>,
    pub(super) warmup: bool,
    pub(super) status: String,
    pub(super) usage: Option<Usage>,
    pub(super) tool_calls: Vec<ToolCall>,
    pub(super) tool_results: Vec<ToolResult>,
    pub(super) evidence: Evidence,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCall {
    pub(super) call_id: Option<String>,
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolResult {
    pub(super) call_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Evidence {
    pub(super) state: String,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ended {
    pub(super) exchange: String,
    pub(super) to_upstream: Flow,
    pub(super) to_client: Flow,
    pub(super) model_calls: u64,
}

impl Ledger {
    /// Reads the JSON lines of `path`. `secret` may stand nowhere in them.
    pub(super) fn read(path: &Path, secret: &str) -> Result<Self> {
        let place = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(place)?;
        Self::parse(&text, secret).with_context(place)
    }

    /// Reads JSON lines: gap-free, all of version 1.
    pub(super) fn parse(text: &str, secret: &str) -> Result<Self> {
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

    /// Each connection opened and closed once, each exchange decided and ended once, the counts
    /// they carry right, and nobody at fault.
    pub(super) fn check_whole(&self) -> Result<()> {
        let (mut open, mut running) = (BTreeMap::new(), BTreeMap::new());
        let mut answered = BTreeSet::new();
        let (mut seen_connections, mut seen_exchanges) = (BTreeSet::new(), BTreeSet::new());
        for record in &self.records {
            match record {
                Record::Opened { conn } => {
                    ensure!(seen_connections.insert(conn), "connection {conn} opened twice");
                    open.insert(conn, 0);
                }
                Record::Decided(decided) => {
                    ensure!(
                        seen_exchanges.insert(&decided.exchange),
                        "exchange {} decided twice",
                        decided.exchange
                    );
                    running.insert(&decided.exchange, 0);
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
                    *running
                        .get_mut(&call.exchange)
                        .context("a model call outside its exchange")? += 1;
                }
                Record::Refused { exchange, .. } => {
                    ensure!(running.contains_key(exchange), "refused outside its exchange");
                }
                Record::Fault { side, class, detail } => {
                    bail!("a fault: {side} {class} {detail:?}")
                }
                Record::Ended(ended) => {
                    let calls = running
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

    pub(super) fn decided(&self) -> impl Iterator<Item = &Decided> {
        self.records.iter().filter_map(|record| match record {
            Record::Decided(decided) => Some(decided),
            _ => None,
        })
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &ModelCall> {
        self.records.iter().filter_map(|record| match record {
            Record::ModelCall(call) => Some(call),
            _ => None,
        })
    }

    /// Whether `rule` refused the exchange, or a message of it.
    pub(super) fn refused(&self, decided: &Decided, rule: &str) -> bool {
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
    pub(super) fn responded(&self, id: &str) -> Option<(u16, &str)> {
        self.records.iter().find_map(|record| match record {
            Record::Responded { exchange, status, by } if exchange == id => {
                Some((*status, by.as_str()))
            }
            _ => None,
        })
    }

    pub(super) fn ended(&self, id: &str) -> Option<&Ended> {
        self.records.iter().find_map(|record| match record {
            Record::Ended(ended) if ended.exchange == id => Some(ended),
            _ => None,
        })
    }
}
