//! The rows of Capsem's tables that a record makes or changes. Knows which column holds which
//! field; what Capsem keeps and these records do not is left null.

use rusqlite::{Result, Transaction, params};
use serde::Serialize;

use crate::{
    Amount, CallStatus, Decided, Ended, EvidenceState, ModelCall, RateLimits, Record, Responded,
    Stamped, ToolCall, ToolResult, ToolUse, Transport, Usage,
};

pub(super) fn insert(db: &Transaction<'_>, stamped: &Stamped) -> Result<()> {
    let at = stamped.at.to_string();
    match &stamped.record {
        Record::Decided(decided) => net_event(db, &at, decided),
        Record::Responded(responded) => net_event_status(db, responded),
        Record::Ended(ended) => net_event_totals(db, ended),
        Record::ModelCall(call) => model_call(db, &at, call),
        Record::ToolUse(tool) => tool_use(db, &at, tool),
        Record::RateLimits(said) => rate_limits(db, &at, said),
        Record::Opened(_)
        | Record::Refused(_)
        | Record::Asked(_)
        | Record::Detected(_)
        | Record::Fault(_)
        | Record::Closed(_) => Ok(()),
    }
}

/// `SQLite`'s integers are signed; nothing is counted that high.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn net_event(db: &Transaction<'_>, at: &str, decided: &Decided) -> Result<()> {
    let sql = "INSERT INTO net_events (event_id, timestamp, domain, port, decision, process_name, \
               method, path, query, matched_rule, conn_type, policy_mode, policy_action, \
               policy_rule, policy_reason, credential_ref) \
               VALUES (?,?,?,?,?,?,?,?,?,?,?,'enforce',?,?,?,?)";
    db.prepare_cached(sql)?.execute(params![
        decided.exchange.to_string(),
        at,
        // Capsem's column is never null.
        decided.host.as_deref().unwrap_or_default(),
        decided.port.unwrap_or_default(),
        decided.decision.as_str(),
        decided.process,
        decided.method,
        decided.path,
        decided.query,
        decided.rule,
        connection_type(decided),
        decided.action.map(crate::Action::as_str),
        decided.rule,
        decided.reason,
        decided.credential_ref,
    ])?;
    Ok(())
}

fn connection_type(decided: &Decided) -> &'static str {
    match (decided.transport, decided.scheme.as_deref()) {
        (Transport::Websocket, Some("http" | "ws")) => "ws",
        (Transport::Websocket, _) => "wss",
        (_, Some("http")) => "http",
        _ => "https",
    }
}

fn net_event_status(db: &Transaction<'_>, responded: &Responded) -> Result<()> {
    let sql = "UPDATE net_events SET status_code = ? WHERE event_id = ?";
    db.prepare_cached(sql)?.execute(params![responded.status, responded.exchange.to_string()])?;
    Ok(())
}

fn net_event_totals(db: &Transaction<'_>, ended: &Ended) -> Result<()> {
    let sql = "UPDATE net_events SET bytes_sent = ?, bytes_received = ?, duration_ms = ? \
               WHERE event_id = ?";
    db.prepare_cached(sql)?.execute(params![
        integer(ended.to_upstream.unwrap_or_default().wire_bytes),
        integer(ended.to_client.unwrap_or_default().wire_bytes),
        integer(ended.duration_ms),
        ended.exchange.to_string(),
    ])?;
    Ok(())
}

/// The row of a call and those of its tools; what the request said of itself is in `net_events`.
fn model_call(db: &Transaction<'_>, at: &str, call: &ModelCall) -> Result<()> {
    let sql = "INSERT INTO model_calls (event_id, timestamp, provider, protocol, model, stream, \
               request_bytes, message_id, stop_reason, input_tokens, output_tokens, duration_ms, \
               response_bytes, usage_details, request_body_preview, method, path, process_name, \
               status_code, credential_ref) \
               SELECT v.*, coalesce(n.method, ''), coalesce(n.path, ''), n.process_name, \
               n.status_code, n.credential_ref \
               FROM (SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) AS v \
               LEFT JOIN net_events AS n ON n.event_id = ?16";
    let usage = call.usage.unwrap_or_default();
    db.prepare_cached(sql)?.execute(params![
        call.call.to_string(),
        at,
        call.provider.as_str(),
        call.protocol.map(crate::Protocol::as_str),
        call.model.as_ref().or(call.model_requested.as_ref()),
        call.transport != Transport::Http,
        integer(call.request_bytes),
        call.response_id,
        stop(call),
        usage.input_tokens.map(integer),
        usage.output_tokens.map(integer),
        integer(call.duration_ms),
        integer(call.response_bytes),
        details(&usage),
        call.content.as_ref().map(|content| &content.request),
        call.exchange.to_string(),
    ])?;
    let row = db.last_insert_rowid();
    for (index, tool) in call.tool_calls.iter().enumerate() {
        tool_call(db, at, call, row, index, tool)?;
    }
    call.tool_results.iter().try_for_each(|result| tool_response(db, row, result))
}

/// Capsem has one column for how a call ended: the model's reason, or what took its place.
fn stop(call: &ModelCall) -> Option<String> {
    let reason = match call.status {
        CallStatus::Completed | CallStatus::Incomplete => call.stop_reason.clone(),
        CallStatus::Failed => {
            let code = call.error.as_ref().and_then(|error| error.code.as_deref());
            Some(code.map_or_else(|| "failed".to_owned(), |code| format!("failed:{code}")))
        }
        status @ (CallStatus::Cancelled | CallStatus::Denied | CallStatus::ConnectionLost) => {
            Some(status.as_str().to_owned())
        }
    };
    let unread = call.evidence.reason().filter(|_| call.evidence.state() != EvidenceState::Full);
    reason
        .or_else(|| call.warmup.then(|| "warmup".to_owned()))
        .or_else(|| unread.map(|why| format!("degraded:{why}")))
}

/// The parts of the usage as Capsem's JSON map; null if none is known.
fn details(usage: &Usage) -> Option<String> {
    #[derive(Serialize, PartialEq, Default)]
    struct Details {
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_read: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_write: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        thinking: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        audio_input: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        audio_output: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        time_ms: Option<u64>,
    }
    let details = Details {
        cache_read: usage.cached_input_tokens,
        cache_write: usage.cache_write_tokens,
        thinking: usage.reasoning_tokens,
        audio_input: usage.audio_input_tokens,
        audio_output: usage.audio_output_tokens,
        time_ms: usage.time_ms,
    };
    if details == Details::default() { None } else { serde_json::to_string(&details).ok() }
}

fn tool_call(
    db: &Transaction<'_>,
    at: &str,
    call: &ModelCall,
    row: i64,
    index: usize,
    tool: &ToolCall,
) -> Result<()> {
    let sql = "INSERT INTO tool_calls (event_id, timestamp, model_call_id, provider, status, \
               call_index, call_id, tool_name, transport, process_name, credential_ref) \
               SELECT ?1, ?2, ?3, ?4, 'requested', ?5, ?6, ?7, ?8, process_name, credential_ref \
               FROM model_calls WHERE id = ?3";
    db.prepare_cached(sql)?.execute(params![
        call.call.to_string(),
        at,
        row,
        call.provider.as_str(),
        integer(index as u64),
        tool.call_id,
        tool.name,
        call.transport.as_str(),
    ])?;
    Ok(())
}

/// A tool called over MCP: a row without a model call.
fn tool_use(db: &Transaction<'_>, at: &str, tool: &ToolUse) -> Result<()> {
    let sql = "INSERT INTO tool_calls (event_id, timestamp, provider, status, call_index, \
               tool_name, arguments, response_preview, origin, transport, server_name, method, \
               request_id, decision, duration_ms, error_message, bytes_sent, bytes_received, \
               process_name, credential_ref) \
               SELECT v.*, n.process_name, n.credential_ref \
               FROM (SELECT ?1, ?2, 'mcp', ?3, 0, ?4, ?5, ?6, 'mcp', ?7, ?8, 'tools/call', ?9, \
               ?10, ?11, ?12, ?13, ?14) AS v \
               LEFT JOIN net_events AS n ON n.event_id = ?15";
    let failed = tool.status != CallStatus::Completed || tool.is_error == Some(true);
    db.prepare_cached(sql)?.execute(params![
        tool.call.to_string(),
        at,
        if failed { "error" } else { "responded" },
        tool.name,
        tool.content.as_ref().map(|content| &content.request),
        tool.content.as_ref().map(|content| &content.response),
        tool.transport.as_str(),
        tool.server,
        tool.request_id,
        if tool.status == CallStatus::Denied { "denied" } else { "allowed" },
        integer(tool.duration_ms),
        tool.error.as_ref().map(|error| error.message.as_ref().or(error.code.as_ref())),
        integer(tool.request_bytes),
        integer(tool.response_bytes),
        tool.exchange.to_string(),
    ])?;
    Ok(())
}

/// One row for each limit that was said.
fn rate_limits(db: &Transaction<'_>, at: &str, said: &RateLimits) -> Result<()> {
    let sql = "INSERT INTO rate_limits (event_id, timestamp, provider, source, plan, limit_name, \
               limit_value, remaining, used_percent, window_minutes, resets_at, resets_in_ms, \
               status) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)";
    let mut statement = db.prepare_cached(sql)?;
    for limit in &said.limits {
        statement.execute(params![
            said.exchange.to_string(),
            at,
            said.provider.as_str(),
            said.source.as_str(),
            said.plan,
            limit.name,
            limit.limit.map(Amount::get),
            limit.remaining.map(Amount::get),
            limit.used_percent.map(Amount::get),
            limit.window_minutes.map(integer),
            limit.resets_at.map(|at| at.to_string()),
            limit.resets_in_ms.map(integer),
            limit.status,
        ])?;
    }
    Ok(())
}

fn tool_response(db: &Transaction<'_>, row: i64, result: &ToolResult) -> Result<()> {
    let sql = "INSERT INTO tool_responses (model_call_id, call_id, is_error) VALUES (?,?,?)";
    db.prepare_cached(sql)?.execute(params![row, result.call_id, result.is_error])?;
    Ok(())
}
