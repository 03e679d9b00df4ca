//! The tables as a reader finds them, and databases that are not ours alone.

use std::os::unix::fs::PermissionsExt;

use rusqlite::types::Value;
use tempfile::TempDir;

use super::*;
use crate::record::samples::{decided, id, model_call, numbered, session};
use crate::{
    CallError, CallStatus, Evidence, EvidenceReason, ModelCall, Record, Timestamp, Transport,
    Usage, read,
};

fn new() -> (TempDir, PathBuf, Sqlite) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("session.db");
    let sink = Sqlite::open(&path).expect("a new ledger");
    (dir, path, sink)
}

fn stamp(records: Vec<Record>) -> Vec<Stamped> {
    let at = "2026-11-23T10:00:00.000000Z".parse().expect("a time");
    (1..).zip(records).map(|(seq, record)| Stamped { seq, at, record }).collect()
}

/// One row as text, `|` between columns, nothing for null.
fn row(path: &Path, sql: &str) -> String {
    let db = Connection::open(path).expect("readable beside the writer");
    let text = |value: Value| match value {
        Value::Null => String::new(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => text,
        Value::Blob(_) => "blob".to_owned(),
    };
    let mut statement = db.prepare(sql).expect("known columns");
    let columns = statement.column_count();
    let row = statement.query_row([], |row| (0..columns).map(|n| row.get(n)).collect());
    let row: Vec<Value> = row.expect("a row");
    row.into_iter().map(text).collect::<Vec<_>>().join("|")
}

#[test]
fn a_session_fills_the_tables() {
    let (_dir, path, mut sink) = new();
    sink.write(&stamp(session())).expect("written");
    let columns = "event_id, timestamp, domain, port, decision, process_name, method, path, \
                   query, status_code, bytes_sent, bytes_received, duration_ms, matched_rule, \
                   conn_type, policy_mode, policy_action, policy_rule, policy_reason";
    assert_eq!(
        row(&path, &format!("SELECT {columns} FROM net_events")),
        "000000000002|2026-11-23T10:00:00.000000Z|api.openai.com|443|allowed|codex|GET|\
         /v1/responses||101|900|7000|650|openai|wss|enforce|allow|openai|"
    );
    let columns = "event_id, provider, protocol, model, process_name, method, path, stream, \
                   request_bytes, message_id, status_code, stop_reason, input_tokens, \
                   output_tokens, duration_ms, response_bytes, usage_details";
    assert_eq!(
        row(&path, &format!("SELECT {columns} FROM model_calls")),
        "000000000003|openai|openai|gpt-5-2026|codex|GET|/v1/responses|1|780|resp_1|101||120|30|\
         600|6800|{\"cache_read\":0}"
    );
    let columns = "event_id, provider, status, call_index, call_id, tool_name, origin, \
                   transport, decision, process_name";
    assert_eq!(
        row(
            &path,
            &format!(
                "SELECT {columns} FROM tool_calls JOIN model_calls AS m ON m.id = model_call_id"
            )
            .replace("event_id, provider", "tool_calls.event_id, tool_calls.provider")
            .replace("process_name", "tool_calls.process_name")
        ),
        "000000000003|openai|requested|0|call_1|shell|native|websocket|allowed|codex"
    );
    let columns = "event_id, provider, status, model_call_id, call_id, tool_name, arguments, \
                   origin, transport, server_name, method, request_id, decision, duration_ms, \
                   bytes_sent, bytes_received, process_name";
    assert_eq!(
        row(&path, &format!("SELECT {columns} FROM tool_calls WHERE origin = 'mcp'")),
        "000000000004|mcp|responded|||find|{}|mcp|websocket|tickets|tools/call|7|allowed|12|90|\
         60|codex"
    );
    assert_eq!(row(&path, "SELECT call_id, is_error FROM tool_responses"), "call_0|");
    let columns = "event_id, provider, source, plan, limit_name, limit_value, remaining, \
                   used_percent, window_minutes, resets_at, resets_in_ms, status";
    assert_eq!(
        row(&path, &format!("SELECT {columns} FROM rate_limits WHERE limit_name LIKE 'codex%'")),
        "000000000002|openai|event|pro|codex-primary|||41.5|300|2026-11-23T12:00:00.000000Z||"
    );
    assert_eq!(
        row(&path, &format!("SELECT {columns} FROM rate_limits WHERE limit_name = 'tokens'")),
        "000000000002|openai|event|pro|tokens|150000|149984||||6|allowed"
    );
    assert_eq!(row(&path, "SELECT count(*), min(seq), max(seq) FROM records"), "9|1|9");
    assert_eq!(read::records(&path).expect("a ledger").records, stamp(session()));
}

#[track_caller]
fn check_stop(call: ModelCall, stop: &str) {
    let (_dir, path, mut sink) = new();
    let decided = Record::Decided(Box::new(decided()));
    sink.write(&stamp(vec![decided, Record::ModelCall(Box::new(call))])).expect("written");
    assert_eq!(row(&path, "SELECT stop_reason FROM model_calls"), stop);
}

#[test]
fn one_column_says_how_a_call_ended() {
    let code = Some(CallError { code: Some("rate_limit".to_owned()), message: None });
    let stop_reason = Some("max_tokens".to_owned());
    let evidence = Evidence::partial(EvidenceReason::CaptureLimit);
    check_stop(model_call(), "");
    check_stop(
        ModelCall { stop_reason: stop_reason.clone(), evidence, ..model_call() },
        "max_tokens",
    );
    check_stop(ModelCall { evidence, ..model_call() }, "degraded:capture_limit");
    check_stop(ModelCall { warmup: true, ..model_call() }, "warmup");
    check_stop(ModelCall { status: CallStatus::Failed, ..model_call() }, "failed");
    check_stop(
        ModelCall { status: CallStatus::Failed, error: code, stop_reason, ..model_call() },
        "failed:rate_limit",
    );
    check_stop(ModelCall { status: CallStatus::ConnectionLost, ..model_call() }, "connection_lost");
}

#[test]
fn a_call_without_usage_or_exchange_has_nulls_not_zeros() {
    let (_dir, path, mut sink) = new();
    let call = ModelCall {
        exchange: id(77),
        transport: Transport::Http,
        usage: Some(Usage::default()),
        model: None,
        ..model_call()
    };
    sink.write(&stamp(vec![Record::ModelCall(Box::new(call))])).expect("written");
    let sql = "SELECT model, stream, method, path, status_code, input_tokens, output_tokens, \
               usage_details FROM model_calls";
    assert_eq!(row(&path, sql), "gpt-5|0||||||");
}

#[test]
fn a_new_ledger_is_private_and_is_one_processs() {
    let (_dir, path, sink) = new();
    for file in [path.clone(), lock_path(&path)] {
        let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    assert!(matches!(Sqlite::open(&path), Err(Error::InUse { .. })));
    drop(sink);
    assert!(Sqlite::open(&path).is_ok());
}

#[test]
fn a_ledger_goes_on_after_its_last_number() {
    let (_dir, path, mut sink) = new();
    assert_eq!(sink.last_seq().expect("readable"), None);
    sink.write(&stamp(session())).expect("written");
    sink.finish().expect("finished");
    drop(sink);
    assert_eq!(Sqlite::open(&path).expect("opened").last_seq().expect("readable"), Some(9));
}

#[test]
fn a_batch_written_twice_is_there_once_and_a_strangers_number_is_refused() {
    let (_dir, path, mut sink) = new();
    sink.write(&stamp(session())).expect("written");
    sink.write(&stamp(session())).expect("the same again");
    assert_eq!(row(&path, "SELECT count(*) FROM model_calls"), "1");
    let stranger = Stamped { seq: 9, at: Timestamp::now(), record: numbered(5) };
    let fresh = Stamped { seq: 10, at: Timestamp::now(), record: numbered(6) };
    let shortfall = sink.write(&[fresh, stranger]).expect_err("another record 9");
    assert_eq!(shortfall.taken, 0);
    assert!(matches!(shortfall.error, Error::Conflict { seq: 9, .. }));
    assert_eq!(row(&path, "SELECT max(seq) FROM records"), "9");
}

#[test]
fn a_reader_in_the_middle_keeps_no_writer_waiting() {
    let (_dir, path, mut sink) = new();
    sink.write(&stamp(session())).expect("written");
    let reader = Connection::open(&path).expect("a reader");
    reader.execute_batch("BEGIN; SELECT count(*) FROM records;").expect("a snapshot");
    let more = Stamped { seq: 10, at: Timestamp::now(), record: numbered(9) };
    sink.write(&[more]).expect("written beside the reader");
    sink.finish().expect("finished beside the reader");
    assert_eq!(read::records(&path).expect("readable").records.len(), 10);
}

#[test]
fn a_writer_that_holds_the_database_is_a_failure_that_passes() {
    let (_dir, path, mut sink) = new();
    sink.db.busy_timeout(Duration::ZERO).expect("set");
    let other = Connection::open(&path).expect("a tool");
    other.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    assert_eq!(sink.write(&stamp(session())).expect_err("busy").taken, 0);
    other.execute_batch("ROLLBACK").expect("released");
    sink.write(&stamp(session())).expect("written");
    assert_eq!(row(&path, "SELECT count(*) FROM records"), "9");
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "not a database, but longer than the head of one\n".repeat(30))
        .expect("written");
    assert!(matches!(Sqlite::open(&text), Err(Error::NotALedger { .. })));
    let other = dir.path().join("other.db");
    let db = Connection::open(&other).expect("created");
    db.execute_batch("CREATE TABLE net_events (x)").expect("created");
    assert!(matches!(Sqlite::open(&other), Err(Error::NotALedger { .. })));
    let missing = dir.path().join("no/such/session.db");
    assert!(matches!(Sqlite::open(&missing), Err(Error::Open { .. })));
}
