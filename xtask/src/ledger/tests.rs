//! A whole ledger passes; each promise that is broken in it is found.

use serde_json::{Value, json};

use super::*;

/// Two exchanges, with a tool use and limits in each.
fn records() -> Vec<Value> {
    let full = || json!({"state": "full", "reason": null});
    let flow = || json!({"wire_bytes": 9, "frames": 1, "messages": 1, "message_bytes": 7});
    let mut records = vec![json!({"kind": "opened", "conn": "c1"})];
    for (exchange, transport, by) in [("e1", "websocket", "websocket"), ("e2", "http", "sse")] {
        records.extend([
            json!({"kind": "decided", "conn": "c1", "exchange": exchange, "transport": transport,
                "method": "GET", "host": "a.test", "path": "/", "decision": "allowed", "rule": null}),
            json!({"kind": "rate_limits", "exchange": exchange, "source": "headers", "limits": [
                {"name": "requests", "remaining": 0.5}, {"name": "retry-after", "resets_in_ms": 7}],
                "evidence": full()}),
            json!({"kind": "tool_use", "exchange": exchange, "transport": by, "call": exchange,
                "status": "completed", "is_error": false, "error": null, "request_bytes": 40,
                "response_bytes": 30, "evidence": full()}),
            json!({"kind": "ended", "exchange": exchange, "close": {"kind": "normal"},
                "to_upstream": flow(), "to_client": flow(), "model_calls": 0}),
        ]);
    }
    records.push(json!({"kind": "closed", "conn": "c1", "exchanges": 2}));
    records
}

fn whole(records: &[Value]) -> Result<()> {
    let lines = (0..).zip(records).map(|(seq, record)| {
        let mut record = record.clone();
        record["v"] = json!(1);
        record["seq"] = json!(seq);
        record["at"] = json!("2026-11-23T10:00:00.000000Z");
        format!("{record}\n")
    });
    Ledger::parse(&lines.collect::<String>(), "no secret")?.check_whole()
}

/// A ledger with one record changed, in which these words are wrong.
#[track_caller]
fn check(at: usize, changes: &Value, words: &str) {
    let mut records = records();
    for (key, value) in changes.as_object().unwrap() {
        records[at][key] = value.clone();
    }
    let wrong = whole(&records).unwrap_err();
    assert!(format!("{wrong:#}").contains(words), "{wrong:#}");
}

#[test]
fn a_whole_ledger_passes() {
    whole(&records()).unwrap();
}

#[test]
fn every_end_of_a_tool_use() {
    let error = json!({"code": "a", "message": null});
    for (status, is_error, error, answer) in [
        ("completed", json!(true), Value::Null, 30),
        ("completed", Value::Null, Value::Null, 30),
        ("failed", Value::Null, error.clone(), 30),
        ("failed", Value::Null, error.clone(), 0),
        ("denied", Value::Null, error, 0),
        ("cancelled", Value::Null, Value::Null, 0),
        ("connection_lost", Value::Null, Value::Null, 0),
    ] {
        let mut records = records();
        records[3]["status"] = json!(status);
        records[3]["is_error"] = is_error;
        records[3]["error"] = error;
        records[3]["response_bytes"] = json!(answer);
        whole(&records).unwrap();
    }
}

#[test]
fn what_cannot_be_of_a_tool_use_is_found() {
    let reason = json!({"state": "full", "reason": "binary"});
    for (changes, words) in [
        (json!({"exchange": "e2"}), "a tool use outside its exchange"),
        (json!({"transport": "http"}), "a tool use on another path"),
        (json!({"status": "incomplete"}), "no end of a tool use: incomplete"),
        (json!({"request_bytes": 0}), "nobody asked for it"),
        (json!({"response_bytes": 0}), "0 bytes of answer"),
        (json!({"status": "cancelled", "is_error": null}), "30 bytes of answer"),
        (json!({"error": {"code": "a"}}), "an error, or none"),
        (json!({"status": "failed", "error": {"code": "a"}}), "a result of one that is failed"),
        (json!({"evidence": reason}), "evidence"),
    ] {
        check(3, &changes, words);
    }
    check(7, &json!({"call": "e1"}), "tool use e1 recorded twice");
}

#[test]
fn what_cannot_be_of_limits_is_found() {
    let partial = json!({"state": "partial", "reason": null});
    for (changes, words) in [
        (json!({"exchange": "e2"}), "limits outside their exchange"),
        (json!({"source": "rumour"}), "said in rumour"),
        (json!({"limits": []}), "it says nothing"),
        (json!({"limits": [{"name": "a"}]}), "nothing of a"),
        (json!({"limits": [{"name": "a", "limit": 1}, {"name": "a", "limit": 2}]}), "a twice"),
        (json!({"evidence": partial}), "evidence"),
    ] {
        check(2, &changes, words);
    }
}
