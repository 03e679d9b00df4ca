//! Input made to break or to grow the interpreters.

use std::time::Duration;

use proptest::prelude::*;

use super::replay::all;
use crate::evidence::{HttpEvidence, RequestHead, ResponseHead, Seen, Settings, WsEvidence};
use crate::{CallStatus, Evidence, EvidenceReason, Id, Initiator, ModelCall, attribute};

fn settings(host: &str, path: &str) -> Settings {
    Settings::new(Id::fresh(), attribute(host, path), 4096)
}

fn socket() -> WsEvidence {
    WsEvidence::new(settings("api.openai.com", "/v1/responses"))
}

fn text(text: &str) -> Seen<'_> {
    Seen { payload: text.as_bytes(), binary: false, truncated: false, len: text.len() as u64 }
}

const NOW: Duration = Duration::from_millis(1);
const LIMIT: Option<Evidence> = Some(Evidence::partial(EvidenceReason::CaptureLimit));

#[test]
fn a_flood_of_responses_nobody_asked_for() {
    let mut socket = socket();
    for id in 0..5000 {
        let created = format!(r#"{{"type":"response.created","response":{{"id":"resp_{id}"}}}}"#);
        socket.server_message(NOW, text(&created));
    }
    let (calls, evidence, total) = socket.finish(NOW, true);
    assert_eq!((calls.len(), total), (128, 128));
    assert!(calls.iter().all(|call| call.initiator == Initiator::Server));
    assert_eq!(evidence, LIMIT);
}

#[test]
fn a_flood_of_requests_is_followed_up_to_a_limit_and_answered_in_order() {
    let mut socket = socket();
    for at in 0..300 {
        let create = format!(r#"{{"type":"response.create","model":"m-{at}"}}"#);
        socket.client_message(NOW, text(&create));
    }
    for at in 0..300 {
        let ended = format!(
            r#"{{"type":"response.completed","response":{{"id":"resp_{at}","model":"m-{at}"}}}}"#
        );
        socket.server_message(NOW, text(&ended));
    }
    let (calls, evidence, total) = socket.finish(NOW, false);
    assert_eq!((calls.len(), total), (300, 300));
    for (at, call) in calls.iter().enumerate() {
        assert_eq!(call.initiator, Initiator::Client);
        assert_eq!(call.model_requested.is_some(), at < 128);
        assert!(call.model_requested.is_none() || call.model_requested == call.model, "{call:?}");
    }
    assert_eq!(evidence, LIMIT);
}

#[test]
fn tools_and_texts_without_end() {
    let long = "x".repeat(2000);
    let items: Vec<_> = (0..600)
        .map(|at| {
            let name = if at == 0 { &long } else { "sh" };
            format!(r#"{{"type":"function_call","call_id":"{at}","name":"{name}"}}"#)
        })
        .collect();
    let mut socket = socket();
    let ended = format!(
        r#"{{"type":"response.failed","response":{{"id":"{long}","error":{{"code":"{long}","message":"{long}"}},"output":[{}]}}}}"#,
        items.join(",")
    );
    socket.server_message(NOW, text(&ended));
    let call = socket.take_calls().pop().unwrap();
    assert_eq!(call.tool_calls.len(), 512);
    let error = call.error.clone().unwrap();
    for kept in [&call.response_id, &error.code, &error.message, &call.tool_calls[0].name] {
        assert_eq!(kept.as_ref().unwrap().len(), 1024);
    }
    assert_eq!(socket.finish(NOW, false).1, LIMIT);
}

#[test]
fn an_open_call_knows_that_messages_could_not_be_decoded() {
    let mut socket = socket();
    socket.client_message(NOW, text(r#"{"type":"response.create","model":"m"}"#));
    socket.unreadable(EvidenceReason::InflateFailed);
    let (calls, evidence, _) = socket.finish(NOW, true);
    assert_eq!(calls[0].status, CallStatus::ConnectionLost);
    assert_eq!(calls[0].evidence, Evidence::partial(EvidenceReason::InflateFailed));
    assert_eq!(evidence, Some(Evidence::partial(EvidenceReason::InflateFailed)));

    let mut unread = self::socket();
    unread.unreadable(EvidenceReason::UnsupportedExtension);
    let none = Evidence::none(EvidenceReason::UnsupportedExtension);
    assert_eq!(unread.finish(NOW, true).1, Some(none));
}

/// Every API there is a dialect for.
const TARGETS: [(&str, &str); 4] = [
    ("api.openai.com", "/v1/responses"),
    ("api.openai.com", "/v1/chat/completions"),
    ("api.anthropic.com", "/v1/messages"),
    ("generativelanguage.googleapis.com", "/v1beta/models/g:streamGenerateContent"),
];

fn exchange(
    target: (&str, &str),
    media: Option<&str>,
    coding: Option<&str>,
    body: &[u8],
) -> Vec<ModelCall> {
    let head = RequestHead { method: "POST", content_encoding: coding, ..RequestHead::default() };
    let mut exchange = HttpEvidence::new(settings(target.0, target.1), head);
    exchange.request_data(NOW, body);
    exchange.request_end(NOW);
    exchange.response_head(ResponseHead {
        status: 200,
        content_type: media,
        content_encoding: coding,
        openai_model: None,
    });
    exchange.response_data(NOW, body);
    let mut calls = exchange.take_calls();
    let (last, evidence, total) = exchange.finish(NOW, true);
    calls.extend(last);
    assert!(evidence.is_some());
    assert_eq!(total, 1);
    assert_eq!(calls.len(), 1);
    calls
}

proptest! {
    #[test]
    fn any_bytes_over_http(body: Vec<u8>, target in 0..4usize, media in 0..3usize, coding in 0..5usize) {
        let media = [None, Some("application/json"), Some("text/event-stream")][media];
        let coding = [None, Some("gzip"), Some("deflate"), Some("br"), Some("zstd")][coding];
        exchange(TARGETS[target], media, coding, &body);
    }

    #[test]
    fn any_bytes_over_a_websocket(messages: Vec<(bool, bool, bool, Vec<u8>)>) {
        let mut socket = socket();
        let mut count = 0;
        for (client, binary, truncated, payload) in &messages {
            let len = payload.len() as u64;
            let seen = Seen { payload, binary: *binary, truncated: *truncated, len };
            if *client {
                socket.client_message(NOW, seen);
            } else {
                socket.server_message(NOW, seen);
            }
            count += socket.take_calls().len();
        }
        let (calls, _, total) = socket.finish(NOW, true);
        prop_assert_eq!(total, (calls.len() + count) as u64);
    }

    /// Real messages with a few bytes changed or cut off get further than noise does.
    #[test]
    fn damaged_transcripts(seed: u64, places: Vec<(usize, u8)>, cut: usize) {
        let transcripts = all();
        let (_, lines) = &transcripts[usize::try_from(seed % transcripts.len() as u64).unwrap()];
        let mut socket = socket();
        for (at, line) in lines.iter().enumerate().skip(1) {
            let start = line.find(":{").map_or(0, |at| at + 1);
            let mut bytes = line.as_bytes()[start..line.len().saturating_sub(1)].to_vec();
            for (place, byte) in &places {
                let len = bytes.len().max(1);
                if let Some(slot) = bytes.get_mut(place % len) {
                    *slot = *byte;
                }
            }
            bytes.truncate(bytes.len().saturating_sub(cut % 40));
            let len = bytes.len() as u64;
            let seen = Seen { payload: &bytes, binary: false, truncated: at % 3 == 0, len };
            if line.contains("\"client\"") {
                socket.client_message(NOW, seen);
            } else {
                socket.server_message(NOW, seen);
            }
            for target in TARGETS {
                let event = [b"data: ", bytes.as_slice(), b"\n\n"].concat();
                exchange(target, None, None, &event);
                exchange(target, None, None, &bytes);
            }
        }
        let (calls, _, total) = socket.finish(NOW, true);
        prop_assert_eq!(total, calls.len() as u64);
    }
}
