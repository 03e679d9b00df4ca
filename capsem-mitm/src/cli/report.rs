//! Records as a person reads them: the tables of `ledger` and the summary after `run`. Pure: from
//! records to text.

mod table;

use self::table::Table;
use capsem_telemetry::{
    Amount, Asked, CallStatus, Decided, Detected, Ended, Fault, Id, ModelCall, RateLimit,
    RateLimits, Record, Refused, Responded, Stamped, Timestamp, ToolUse, Transport,
};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

/// Lines of each kind in a summary: what fits a screen beside the command's own output.
const SUMMARY_LINES: usize = 12;

/// What happened, with the records of each exchange put together.
#[derive(Debug, Default)]
pub(crate) struct Report<'r> {
    connections: usize,
    exchanges: Vec<Exchange<'r>>,
    calls: Vec<(Timestamp, &'r ModelCall)>,
    tools: Vec<(Timestamp, &'r ToolUse)>,
    limits: Vec<(Timestamp, &'r RateLimits)>,
    refused: Vec<(Timestamp, &'r Refused)>,
    asked: Vec<(Timestamp, &'r Asked)>,
    detected: Vec<(Timestamp, &'r Detected)>,
    faults: Vec<(Timestamp, &'r Fault)>,
}

#[derive(Debug)]
struct Exchange<'r> {
    at: Timestamp,
    decided: &'r Decided,
    responded: Option<&'r Responded>,
    ended: Option<&'r Ended>,
}

impl<'r> Report<'r> {
    /// Puts records together. An exchange stands where it was decided.
    pub(crate) fn read(records: &'r [Stamped]) -> Self {
        let mut report = Self::default();
        let mut places: HashMap<Id, usize> = HashMap::new();
        let mut connections: HashSet<Id> = HashSet::new();
        for Stamped { at, record, .. } in records {
            match record {
                Record::Opened(opened) => {
                    connections.insert(opened.conn);
                }
                Record::Decided(decided) => {
                    places.insert(decided.exchange, report.exchanges.len());
                    let (responded, ended) = (None, None);
                    report.exchanges.push(Exchange { at: *at, decided, responded, ended });
                }
                Record::Responded(responded) => {
                    if let Some(exchange) = report.exchange(&places, responded.exchange) {
                        exchange.responded = Some(responded);
                    }
                }
                Record::Ended(ended) => {
                    if let Some(exchange) = report.exchange(&places, ended.exchange) {
                        exchange.ended = Some(ended);
                    }
                }
                Record::ModelCall(call) => report.calls.push((*at, call)),
                Record::ToolUse(tool) => report.tools.push((*at, tool)),
                Record::RateLimits(said) => report.limits.push((*at, said)),
                Record::Refused(refused) => report.refused.push((*at, refused)),
                Record::Asked(asked) => report.asked.push((*at, asked)),
                Record::Detected(detected) => report.detected.push((*at, detected)),
                Record::Fault(fault) => report.faults.push((*at, fault)),
                _ => {}
            }
        }
        report.connections = connections.len();
        report
    }

    fn exchange(&mut self, places: &HashMap<Id, usize>, id: Id) -> Option<&mut Exchange<'r>> {
        self.exchanges.get_mut(*places.get(&id)?)
    }

    /// Everything, one line each.
    pub(crate) fn tables(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        let mut exchanges =
            Table::new(["time", "decision", "rule", "request", "status", "calls", "end"]);
        for exchange in &self.exchanges {
            exchanges.row(exchange.cells());
        }
        let mut calls = Table::new([
            "time", "exchange", "via", "provider", "model", "status", "in", "out", "tools", "took",
        ]);
        for (at, call) in &self.calls {
            calls.row(call_cells(*at, call));
        }
        let mut tools =
            Table::new(["time", "exchange", "server", "tool", "status", "error", "took"]);
        for (at, tool) in &self.tools {
            tools.row([
                clock(*at),
                tool.exchange.to_string(),
                or_dash(tool.server.as_deref()),
                or_dash(tool.name.as_deref()),
                tool.status.to_string(),
                tool.is_error.map_or_else(dash, |error| error.to_string()),
                time(tool.duration_ms),
            ]);
        }
        let mut limits = Table::new([
            "time", "exchange", "provider", "plan", "limit", "used", "left", "of", "resets",
            "status",
        ]);
        for (at, said) in &self.limits {
            said.limits.iter().for_each(|limit| limits.row(limit_cells(*at, said, limit)));
        }
        let mut refused = Table::new(["time", "exchange", "way", "rule", "model", "reason"]);
        for (at, it) in &self.refused {
            let (rule, model, reason) = (
                or_dash(it.rule.as_deref()),
                or_dash(it.model.as_deref()),
                or_dash(it.reason.as_deref()),
            );
            let way = it.direction.to_string();
            refused.row([clock(*at), it.exchange.to_string(), way, rule, model, reason]);
        }
        let mut asked = Table::new(["time", "exchange", "on", "rule", "answer", "took"]);
        for (at, it) in &self.asked {
            let (rule, answer, took) =
                (or_dash(it.rule.as_deref()), it.answer.to_string(), time(it.duration_ms));
            asked.row([clock(*at), it.exchange.to_string(), it.on.to_string(), rule, answer, took]);
        }
        let mut detected = Table::new(["time", "exchange", "on", "rule", "level", "reason"]);
        for (at, it) in &self.detected {
            let (rule, level, reason) =
                (it.rule.clone(), it.level.clone(), or_dash(it.reason.as_deref()));
            let on = it.on.to_string();
            detected.row([clock(*at), it.exchange.to_string(), on, rule, level, reason]);
        }
        let mut faults = Table::new(["time", "exchange", "side", "class", "detail"]);
        for (at, fault) in &self.faults {
            faults.row([
                clock(*at),
                fault.exchange.map_or_else(dash, |id| id.to_string()),
                fault.side.to_string(),
                fault.class.to_string(),
                or_dash(fault.detail.as_deref()),
            ]);
        }
        let tables = [
            ("Exchanges", exchanges),
            ("Model calls", calls),
            ("Tool uses", tools),
            ("Rate limits", limits),
            ("Refused messages", refused),
            ("Questions", asked),
            ("Detections", detected),
            ("Faults", faults),
        ];
        for (title, table) in tables {
            if !table.is_empty() {
                let _ = write!(text, "\n{title}\n{table}");
            }
        }
        text
    }

    /// What a person wants to know when a command has ended: how much there was, the model calls,
    /// and what did not go as it was meant to.
    pub(crate) fn summary(&self) -> String {
        let mut text = format!("capsem-mitm: {}\n", self.headline());
        lines(&mut text, "model calls", self.calls.iter().map(|(_, call)| call_line(call)));
        let refused = self.exchanges.iter().filter_map(Exchange::refusal_line);
        lines(&mut text, "refused requests", refused);
        let refused = self.refused.iter().map(|(_, it)| refused_line(it));
        lines(&mut text, "refused messages", refused);
        let detected = self.detected.iter().map(|(_, it)| detected_line(it));
        lines(&mut text, "detections", detected);
        lines(&mut text, "faults", self.faults.iter().map(|(_, fault)| fault_line(fault)));
        text
    }

    fn headline(&self) -> String {
        let decided = |word: &str| {
            let matching = |e: &&Exchange<'_>| e.decided.decision.as_str() == word;
            self.exchanges.iter().filter(matching).count()
        };
        let kinds = ["allowed", "denied", "error"].map(|word| (decided(word), word));
        let kinds: Vec<_> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        let kinds =
            if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        let tokens = |part: fn(&ModelCall) -> Option<u64>| -> u64 {
            self.calls.iter().filter_map(|(_, call)| part(call)).fold(0, u64::saturating_add)
        };
        format!(
            "{}, {}{kinds}, {}, {} tokens in, {} tokens out",
            count(self.connections, "connection"),
            count(self.exchanges.len(), "exchange"),
            count(self.calls.len(), "model call"),
            tokens(|call| call.usage?.input_tokens),
            tokens(|call| call.usage?.output_tokens),
        )
    }
}

impl Exchange<'_> {
    fn cells(&self) -> [String; 7] {
        let decided = self.decided;
        [
            clock(self.at),
            decided.decision.to_string(),
            or_dash(decided.rule.as_deref()),
            request(decided),
            self.responded.map_or_else(dash, |responded| responded.status.to_string()),
            self.ended.map_or_else(dash, |ended| ended.model_calls.to_string()),
            self.ended.map_or_else(|| "still open".to_owned(), end),
        ]
    }

    fn refusal_line(&self) -> Option<String> {
        let decided = self.decided;
        if decided.decision.as_str() == "allowed" {
            return None;
        }
        let status = self.responded.map_or_else(String::new, |r| format!(" with {}", r.status));
        let rule =
            decided.rule.as_ref().map_or_else(String::new, |rule| format!(" by rule {rule}"));
        let reason =
            decided.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        Some(format!("{} {}{status}{rule}{reason}", decided.decision, request(decided)))
    }
}

/// The method and where it goes. A request that was refused unread names less.
fn request(decided: &Decided) -> String {
    let method = decided.method.as_deref().unwrap_or("?");
    let path = decided.path.as_deref().unwrap_or_default();
    let query = if decided.query.is_some() { "?.." } else { "" };
    let (Some(scheme), Some(host)) = (decided.scheme.as_deref(), decided.host.as_deref()) else {
        return format!("{method} {path}{query} (of no known host)");
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = match (scheme, decided.port) {
        ("https" | "wss", Some(443)) | ("http" | "ws", Some(80)) | (_, None) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    format!("{method} {scheme}://{host}{port}{path}{query}")
}

/// How it ended: the kind, whose doing it was, the code, and after how long.
fn end(ended: &Ended) -> String {
    let close = &ended.close;
    let by = close.by.map_or_else(String::new, |side| format!(" by {side}"));
    let code = close.code.map_or_else(String::new, |code| format!(" {code}"));
    format!("{}{by}{code} after {}", close.kind, time(ended.duration_ms))
}

fn call_cells(at: Timestamp, call: &ModelCall) -> [String; 10] {
    let tokens = |part: Option<u64>| part.map_or_else(dash, |number| number.to_string());
    [
        clock(at),
        call.exchange.to_string(),
        call.transport.to_string(),
        call.provider.to_string(),
        model(call),
        status(call),
        tokens(call.usage.and_then(|usage| usage.input_tokens)),
        tokens(call.usage.and_then(|usage| usage.output_tokens)),
        tools(call).unwrap_or_else(dash),
        time(call.duration_ms),
    ]
}

fn limit_cells(at: Timestamp, said: &RateLimits, limit: &RateLimit) -> [String; 10] {
    let amount = |it: Option<Amount>| it.map_or_else(dash, |it| it.to_string());
    let resets = match (limit.resets_at, limit.resets_in_ms) {
        (Some(at), _) => moment(at),
        (None, Some(span)) => format!("in {}", time(span)),
        (None, None) => dash(),
    };
    [
        clock(at),
        said.exchange.to_string(),
        said.provider.to_string(),
        or_dash(said.plan.as_deref()),
        limit.name.clone(),
        limit.used_percent.map_or_else(dash, |used| format!("{used} %")),
        amount(limit.remaining),
        amount(limit.limit),
        resets,
        or_dash(limit.status.as_deref()),
    ]
}

fn call_line(call: &ModelCall) -> String {
    let via = match call.transport {
        Transport::Websocket => "WebSocket",
        Transport::Sse => "SSE",
        Transport::Http => "HTTP",
    };
    let tokens = |part: Option<u64>| part.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let usage = call.usage.unwrap_or_default();
    let tools = tools(call).map_or_else(String::new, |tools| format!(", tools: {tools}"));
    format!(
        "{} {} over {via}: {} tokens in, {} out, {}{tools}",
        model(call),
        status(call),
        tokens(usage.input_tokens),
        tokens(usage.output_tokens),
        time(call.duration_ms),
    )
}

fn refused_line(refused: &Refused) -> String {
    let rule = refused.rule.as_ref().map_or_else(String::new, |rule| format!(" by rule {rule}"));
    let reason = refused.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    format!("refused a message {}{rule}{reason}", refused.direction)
}

fn detected_line(detected: &Detected) -> String {
    let reason = detected.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    format!("detected {} by rule {}{reason}", detected.level, detected.rule)
}

fn fault_line(fault: &Fault) -> String {
    let detail = fault.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
    format!("{} {}{detail}", fault.side, fault.class)
}

/// The model that answered, else the one that was asked for.
fn model(call: &ModelCall) -> String {
    call.model.clone().or_else(|| call.model_requested.clone()).unwrap_or_else(dash)
}

/// How it ended, and what else tells it from an answer in full.
fn status(call: &ModelCall) -> String {
    let code = call.error.as_ref().and_then(|error| error.code.as_ref());
    let code = match (call.status, code) {
        (CallStatus::Completed, _) | (_, None) => String::new(),
        (_, Some(code)) => format!(" ({code})"),
    };
    let warmup = if call.warmup { " (warm-up)" } else { "" };
    format!("{}{code}{warmup}", call.status)
}

fn tools(call: &ModelCall) -> Option<String> {
    let names: Vec<&str> =
        call.tool_calls.iter().map(|tool| tool.name.as_deref().unwrap_or(&tool.kind)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Adds lines, and says how many more there are.
fn lines(text: &mut String, what: &str, mut lines: impl Iterator<Item = String>) {
    for line in lines.by_ref().take(SUMMARY_LINES) {
        let _ = writeln!(text, "  {}", table::clean(&line));
    }
    let more = lines.count();
    if more > 0 {
        let _ = writeln!(text, "  .. and {more} more {what}");
    }
}

/// The time of day, in UTC.
fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
}

/// Day and time of day, in UTC.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

fn time(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000),
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn or_dash(text: Option<&str>) -> String {
    text.map_or_else(dash, str::to_owned)
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests;
