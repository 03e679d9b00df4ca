//! An equal pair passes; every single difference between ledger and endpoint is found.

use serde_json::{Value, json};

use super::compare;
use crate::endpoint::{Entry, Flow, Provider, Response, ToolCall, ToolResult, Transport, Usage};
use crate::ledger::Ledger;

/// What the endpoint did: one socket with one response that called a tool.
fn log() -> Vec<Entry> {
    let flow = |wire_bytes| Flow { wire_bytes, frames: 3, messages: 2, message_bytes: 90 };
    vec![
        Entry::Accepted { connection: 1 },
        Entry::Answered {
            connection: 1,
            host: "api.openai.com".into(),
            method: "GET".into(),
            path: "/v1/responses".into(),
            upgrade: true,
            status: 101,
        },
        Entry::Response(Response {
            connection: 1,
            provider: Provider::Openai,
            transport: Transport::Websocket,
            id: "resp_2".into(),
            previous: Some("resp_1".into()),
            model: "gpt-5.5".into(),
            warmup: false,
            text: String::new(),
            usage: Usage {
                input_tokens: Some(100),
                output_tokens: Some(20),
                cached_input_tokens: Some(64),
                cache_write_tokens: None,
                reasoning_tokens: Some(0),
            },
            tool_calls: vec![ToolCall { call_id: "call_2".into(), name: "exec".into() }],
            tool_results: vec![ToolResult { call_id: "call_1".into(), output: "ok".into() }],
        }),
        Entry::Socket {
            connection: 1,
            path: "/v1/responses".into(),
            compressed: true,
            received: flow(50),
            sent: flow(60),
        },
    ]
}

/// The ledger of the same.
fn records() -> Vec<Value> {
    let flow = |wire_bytes: u64| json!({"wire_bytes": wire_bytes, "frames": 3, "messages": 2, "message_bytes": 90});
    vec![
        json!({"kind": "opened", "conn": "c1"}),
        json!({"kind": "decided", "conn": "c1", "exchange": "e1", "transport": "websocket", "method": "GET",
            "host": "api.openai.com", "path": "/v1/responses", "decision": "allowed", "rule": "openai"}),
        json!({"kind": "responded", "exchange": "e1", "status": 101, "by": "upstream"}),
        json!({"kind": "model_call", "exchange": "e1", "transport": "websocket", "provider": "openai",
            "model_requested": "gpt-5.5", "model": "gpt-5.5", "response_id": "resp_2",
            "previous_response_id": "resp_1", "warmup": false, "status": "completed",
            "usage": {"input_tokens": 100, "output_tokens": 20, "cached_input_tokens": 64,
                "cache_write_tokens": null, "reasoning_tokens": 0},
            "tool_calls": [{"call_id": "call_2", "name": "exec"}], "tool_results": [{"call_id": "call_1"}],
            "evidence": {"state": "full", "reason": null}}),
        json!({"kind": "ended", "exchange": "e1", "close": {"kind": "normal", "by": "client", "code": 1000}, "to_upstream": flow(50), "to_client": flow(60), "model_calls": 1}),
        json!({"kind": "closed", "conn": "c1", "exchanges": 1}),
    ]
}

/// `change` makes a ledger that is refused, or none that is taken.
#[track_caller]
fn check(what: &str, change: impl FnOnce(&mut Vec<Value>), taken: bool) {
    let mut records = records();
    change(&mut records);
    let lines = (7..).zip(&mut records).map(|(seq, record)| {
        record["v"] = json!(1);
        record["at"] = json!("2026-11-23T10:00:00.000000Z");
        if record["seq"].is_null() {
            record["seq"] = json!(seq);
        }
        format!("{record}\n")
    });
    let text: String = lines.collect();
    let outcome = Ledger::parse(&text, "secret").and_then(|ledger| compare(&ledger, &log()));
    match outcome {
        Ok(compared) => assert!(taken, "{what} was taken: {compared}"),
        Err(error) => assert!(!taken, "{what}: {error:#}"),
    }
}

#[test]
fn an_equal_ledger_is_taken() {
    check("the ledger as it is", |_| (), true);
}

#[test]
fn every_difference_in_a_call_is_found() {
    let differences = [
        ("/response_id", json!("resp_3")),
        ("/previous_response_id", Value::Null),
        ("/provider", json!("unknown")),
        ("/transport", json!("sse")),
        ("/model", json!("gpt-6")),
        ("/model_requested", json!("gpt-6")),
        ("/warmup", json!(true)),
        ("/status", json!("connection_lost")),
        ("/usage", Value::Null),
        ("/usage/input_tokens", json!(101)),
        ("/usage/output_tokens", json!(0)),
        ("/usage/cached_input_tokens", Value::Null),
        ("/usage/cache_write_tokens", json!(0)),
        ("/usage/reasoning_tokens", Value::Null),
        ("/tool_calls/0/call_id", json!("call_3")),
        ("/tool_calls/0/name", json!("exec_command")),
        ("/tool_calls", json!([])),
        ("/tool_results", json!([])),
        ("/evidence/state", json!("partial")),
    ];
    for (place, value) in differences {
        check(place, |records| *records[3].pointer_mut(place).expect("a field") = value, false);
    }
}

#[test]
fn every_difference_on_the_wire_is_found() {
    let differences = [
        (1, "/method", json!("POST")),
        (1, "/path", json!("/v1/models")),
        (1, "/host", json!("chatgpt.com")),
        (1, "/decision", json!("denied")),
        (2, "/status", json!(200)),
        (2, "/by", json!("proxy")),
        (4, "/to_upstream/wire_bytes", json!(51)),
        (4, "/to_client/frames", json!(4)),
        (4, "/to_client/messages", json!(1)),
        (4, "/to_upstream/message_bytes", json!(89)),
    ];
    for (record, place, value) in differences {
        check(
            place,
            |records| *records[record].pointer_mut(place).expect("a field") = value,
            false,
        );
    }
}

#[test]
fn a_ledger_that_is_not_whole_is_found() {
    for record in 0..records().len() {
        check("a record less", |records| drop(records.remove(record)), false);
        check("a record twice", |records| records.insert(record, records[record].clone()), false);
    }
    check("a gap", |records| records[5]["seq"] = json!(13), false);
    check("a secret", |records| records[1]["query"] = json!("key=secret"), false);
    check("ended counts", |records| records[4]["model_calls"] = json!(2), false);
    check("closed counts", |records| records[5]["exchanges"] = json!(2), false);
    let fault = json!({"kind": "fault", "side": "client", "class": "eof", "detail": null});
    check("a fault", |records| records.insert(4, fault), false);
}
