//! A socket as lines: the first byte of each says what happens, the rest is a payload.
//!
//! `>` the client sends text, `<` the server does; `)` and `(` the same in binary; `]` and `[` the
//! start of one that was too long; `-` one of the client's is not let through; `?` one could not be
//! decoded; `#` a header of the answer to the upgrade. Any other line is text of the server.

use std::time::Duration;

use super::promises::{self, KEPT};
use crate::evidence::{Finished, Seen, Settings, WsEvidence};
use crate::{CallError, Evidence, EvidenceReason, Id, ToolUse, attribute};

/// Responses over a WebSocket: the promises hold, and the same again gives the same.
pub fn responses(data: &[u8]) {
    twice("api.openai.com", "/v1/responses", data);
}

/// Realtime, likewise.
pub fn realtime(data: &[u8]) {
    twice("api.openai.com", "/v1/realtime", data);
}

/// Live sessions, likewise.
pub fn live_sessions(data: &[u8]) {
    twice("api.openai.com", "/v1/live/sessions", data);
}

/// Gemini Live, likewise.
pub fn gemini_live(data: &[u8]) {
    twice("generativelanguage.googleapis.com", "/ws/x.BidiGenerateContent", data);
}

/// MCP after its first message, likewise.
pub fn mcp(data: &[u8]) {
    let initialize =
        br#">{"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":"1"}}"#;
    twice("tools.example", "/", &[initialize.as_slice(), data].join(&b'\n'));
}

/// A socket of which nothing is known before its first message, likewise.
pub fn unknown(data: &[u8]) {
    twice("socket.example", "/", data);
}

fn twice(host: &str, path: &str, data: &[u8]) {
    let (calls, tools, evidence) = once(host, path, data);
    let (again, tools_again, evidence_again) = once(host, path, data);
    let nameless = |calls: &[Finished]| -> Vec<_> {
        calls.iter().map(|finished| promises::nameless(&finished.call)).collect()
    };
    assert_eq!(nameless(&calls), nameless(&again));
    assert_eq!((tools.len(), evidence), (tools_again.len(), evidence_again));
    calls.iter().for_each(promises::of_call);
    tools.iter().for_each(promises::of_tool_use);
    let messages = data.split(|byte| *byte == b'\n').count();
    assert!(calls.len() <= messages, "{} calls in {messages} messages", calls.len());
}

fn once(host: &str, path: &str, data: &[u8]) -> (Vec<Finished>, Vec<ToolUse>, Option<Evidence>) {
    let attribution = attribute(host, path);
    let settings = Settings::new(Id::fresh(), attribution, 4096);
    let mut socket = WsEvidence::new(Settings { raw: KEPT, content: KEPT, ..settings });
    let (mut calls, mut tools) = (Vec::new(), Vec::new());
    let mut now = Duration::ZERO;
    for line in data.split(|byte| *byte == b'\n') {
        now += Duration::from_millis(1);
        line_of(&mut socket, now, line);
        calls.append(&mut socket.take_finished());
        tools.append(&mut socket.take_tool_uses());
        socket.take_rate_limits().iter().for_each(promises::of_rate_limits);
    }
    socket.end(now, true);
    calls.append(&mut socket.take_finished());
    tools.append(&mut socket.take_tool_uses());
    let (rest, evidence, total) = socket.finish(now, true);
    assert!(rest.is_empty());
    assert_eq!(total, calls.len() as u64, "each call once");
    (calls, tools, evidence)
}

fn line_of(socket: &mut WsEvidence, now: Duration, line: &[u8]) {
    let Some((&kind, payload)) = line.split_first() else { return };
    let len = payload.len() as u64;
    let seen = Seen { payload, binary: false, truncated: false, len };
    let (binary, cut) =
        (Seen { binary: true, ..seen }, Seen { truncated: true, len: 1 << 20, ..seen });
    match kind {
        b'>' => socket.client_message(now, seen),
        b')' => socket.client_message(now, binary),
        b'(' => socket.server_message(now, binary),
        b']' => socket.client_message(now, cut),
        b'[' => socket.server_message(now, cut),
        b'?' => socket.unreadable(EvidenceReason::InflateFailed),
        b'#' => {
            let header = std::str::from_utf8(payload).unwrap_or_default().split_once(':');
            socket.response_headers(header);
        }
        b'-' => {
            let why = CallError { code: Some("rule".to_owned()), message: None };
            socket.denied_message(now, seen, &why);
        }
        _ => socket.server_message(now, seen),
    }
}
