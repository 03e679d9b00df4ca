//! `capsem-mitm ledger`: what a ledger holds, as tables or as one JSON document.

use super::{args::LedgerArgs, error::CliError, json, print, report::Report};
use capsem_telemetry::{
    Record, Stamped,
    read::{self, Contents},
};
use serde_json::{Map, Value};
use std::{collections::HashMap, process::ExitCode};

/// Prints the ledger. What is damaged in it is told on stderr.
pub(crate) fn ledger(args: &LedgerArgs) -> Result<ExitCode, CliError> {
    let contents = read::records(&args.file)?;
    let file = args.file.display();
    if !contents.tears.is_empty() {
        eprintln!("{file}: {} torn records were left out", contents.tears.len());
    }
    let gaps = contents.gaps();
    if !gaps.is_empty() {
        eprintln!("{file}: {} runs of records are missing", gaps.len());
    }
    print(&if args.json { document(&contents) } else { Report::read(&contents.records).tables() })
}

/// What an exchange's object has when the records it comes from are not there.
const RESPONDED_AND_ENDED: [&str; 11] = [
    "status",
    "by",
    "extensions",
    "subprotocol",
    "upstream_addr",
    "close",
    "to_upstream",
    "to_client",
    "model_calls",
    "duration_ms",
    "evidence",
];

/// One line: exchanges (`decided`, `responded` and `ended` in one object each), model calls, tool
/// uses, rate limits and faults, with the fields of their records.
fn document(contents: &Contents) -> String {
    let mut exchanges: Vec<Map<String, Value>> = Vec::new();
    let mut places = HashMap::new();
    let (mut calls, mut tools) = (Vec::new(), Vec::new());
    let (mut limits, mut faults) = (Vec::new(), Vec::new());
    for stamped in &contents.records {
        match &stamped.record {
            Record::Decided(decided) => {
                places.insert(decided.exchange, exchanges.len());
                let mut exchange = fields(stamped);
                let missing = RESPONDED_AND_ENDED.map(|key| (key.to_owned(), Value::Null));
                exchange.extend(missing);
                exchanges.push(exchange);
            }
            Record::Responded(responded) => {
                add(&mut exchanges, places.get(&responded.exchange), stamped);
            }
            Record::Ended(ended) => add(&mut exchanges, places.get(&ended.exchange), stamped),
            Record::ModelCall(_) => calls.push(Value::Object(fields(stamped))),
            Record::ToolUse(_) => tools.push(Value::Object(fields(stamped))),
            Record::RateLimits(_) => limits.push(Value::Object(fields(stamped))),
            Record::Fault(_) => faults.push(Value::Object(fields(stamped))),
            _ => {}
        }
    }
    let exchanges: Vec<Value> = exchanges.into_iter().map(Value::Object).collect();
    json::line(&[
        ("exchanges", exchanges.into()),
        ("model_calls", calls.into()),
        ("tool_uses", tools.into()),
        ("rate_limits", limits.into()),
        ("faults", faults.into()),
    ])
}

/// Adds the fields of a later record to its exchange, whose own place and time stay.
fn add(exchanges: &mut [Map<String, Value>], place: Option<&usize>, stamped: &Stamped) {
    if let Some(exchange) = place.and_then(|place| exchanges.get_mut(*place)) {
        let later = fields(stamped).into_iter();
        exchange.extend(later.filter(|(key, _)| key != "seq" && key != "at"));
    }
}

/// The fields of a record as it stands in the ledger, without those that tell records apart.
fn fields(stamped: &Stamped) -> Map<String, Value> {
    let mut fields: Map<String, Value> =
        serde_json::from_str(&stamped.to_json()).unwrap_or_default();
    fields.remove("v");
    fields.remove("kind");
    fields
}

#[cfg(test)]
mod tests;
