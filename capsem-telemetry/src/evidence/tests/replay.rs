//! Reads a transcript and plays it into the interpreters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use capsem_ws_codec::Role;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::Wire;
use crate::evidence::{HttpEvidence, RequestHead, ResponseHead, Seen, Settings, WsEvidence};
use crate::{CallError, Evidence, Id, ModelCall, RateLimits, ToolUse, attribute};

/// One line of a transcript: a time, and one of the others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Milliseconds since the exchange began.
    #[serde(default)]
    at: u64,
    /// First line: a WebSocket to this host and path.
    socket: Option<Target>,
    /// First line: an HTTP request.
    request: Option<Target>,
    /// A message of the client, or a piece of the request's body.
    client: Option<Box<RawValue>>,
    /// A message of the server, or a piece of the response's body.
    server: Option<Box<RawValue>>,
    /// The same where it is no JSON.
    client_text: Option<String>,
    server_text: Option<String>,
    /// A binary message.
    client_binary: Option<String>,
    server_binary: Option<String>,
    /// The start of a message that was too long to keep.
    client_cut: Option<String>,
    server_cut: Option<String>,
    /// A message of the client that policy did not let through; an HTTP request has no message.
    denied: Option<Box<RawValue>>,
    /// The request has been sent whole.
    sent: Option<bool>,
    /// The head of the response.
    response: Option<Head>,
    /// Headers of the response, or of the 101, apart from those `response` names.
    headers: Option<BTreeMap<String, String>>,
    /// One server-sent event with this data.
    event: Option<Box<RawValue>>,
    /// Last line: the exchange ended, lost or in order.
    lost: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    #[serde(default)]
    method: String,
    host: String,
    path: String,
    #[serde(default)]
    query: String,
    media: Option<String>,
    encoding: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    status: u16,
    media: Option<String>,
    encoding: Option<String>,
    model: Option<String>,
}

impl Head {
    fn as_read(&self) -> ResponseHead<'_> {
        ResponseHead {
            status: self.status,
            content_type: self.media.as_deref(),
            content_encoding: self.encoding.as_deref(),
            openai_model: self.model.as_deref(),
        }
    }
}

/// What became of a transcript.
#[derive(Debug)]
pub(super) struct Outcome {
    /// In the order they were handed out.
    pub(super) calls: Vec<ModelCall>,
    pub(super) tool_uses: Vec<ToolUse>,
    pub(super) limits: Vec<RateLimits>,
    /// How many of them had been handed out before the end.
    pub(super) prompt: usize,
    pub(super) evidence: Option<Evidence>,
    pub(super) total: u64,
}

/// Every transcript in the tree: its name and its lines.
pub(super) fn all() -> Vec<(PathBuf, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/evidence/testdata");
    let mut found = Vec::new();
    for protocol in std::fs::read_dir(&root).unwrap() {
        let protocol = protocol.unwrap().path();
        for case in
            protocol.is_dir().then(|| std::fs::read_dir(&protocol).unwrap()).into_iter().flatten()
        {
            let case = case.unwrap().path();
            if case.extension().is_some_and(|extension| extension == "jsonl") {
                let text = std::fs::read_to_string(&case).unwrap();
                found.push((case, text.lines().map(str::to_owned).collect()));
            }
        }
    }
    found.sort();
    found
}

/// Plays the first `count` lines. A transcript that stops before its end is lost there.
pub(super) fn play(lines: &[String], count: usize) -> Outcome {
    play_in_pieces(lines, count, usize::MAX)
}

/// Plays all lines of a socket's transcript, its messages carried by `wire`.
pub(super) fn play_framed(lines: &[String], wire: Wire) -> Outcome {
    let (first, rest) = steps(lines);
    let target = first.socket.as_ref().expect("a socket");
    play_socket(WsEvidence::new(settings(target)), &rest, Some(wire))
}

/// The same with HTTP bodies coming in pieces of `size` bytes.
pub(super) fn play_in_pieces(lines: &[String], count: usize, size: usize) -> Outcome {
    let (first, rest) = steps(&lines[..count]);
    match (&first.socket, &first.request) {
        (Some(target), None) => play_socket(WsEvidence::new(settings(target)), &rest, None),
        (None, Some(target)) => {
            let encoding = target.encoding.as_deref();
            let head = RequestHead {
                method: &target.method,
                content_type: target.media.as_deref(),
                content_encoding: encoding,
            };
            play_exchange(HttpEvidence::new(settings(target), head), &rest, size)
        }
        _ => panic!("not a first line: {first:?}"),
    }
}

/// The first line, and the others.
fn steps(lines: &[String]) -> (Step, Vec<Step>) {
    let mut steps = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")));
    (steps.next().expect("a first line"), steps.collect())
}

fn settings(target: &Target) -> Settings {
    let attribution = attribute(&target.host, &target.path).with_query(&target.query);
    Settings::new(Id::fresh(), attribution, 64 * 1024)
}

fn play_socket(mut socket: WsEvidence, steps: &[Step], mut wire: Option<Wire>) -> Outcome {
    let (mut calls, mut tool_uses, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    let (mut now, mut lost) = (Duration::ZERO, true);
    for step in steps {
        now = Duration::from_millis(step.at);
        let client = [
            step.client.as_deref().map(|json| text(json.get())),
            step.client_text.as_deref().map(text),
            step.client_binary.as_deref().map(binary),
            step.client_cut.as_deref().map(cut),
        ];
        let server = [
            step.server.as_deref().map(|json| text(json.get())),
            step.server_text.as_deref().map(text),
            step.server_binary.as_deref().map(binary),
            step.server_cut.as_deref().map(cut),
        ];
        let mut carry = |from, message, each: &mut dyn FnMut(Seen<'_>)| match &mut wire {
            Some(wire) => wire.carry(from, message, each),
            None => each(message),
        };
        for message in client.into_iter().flatten() {
            carry(Role::Client, message, &mut |message| socket.client_message(now, message));
        }
        for message in server.into_iter().flatten() {
            carry(Role::Server, message, &mut |message| socket.server_message(now, message));
        }
        if let Some(head) = &step.response {
            socket.response_head(head.as_read());
        }
        if let Some(headers) = &step.headers {
            socket.response_headers(pairs(headers));
        }
        if let Some(message) = &step.denied {
            socket.denied_message(now, text(message.get()), &refusal());
        }
        lost = step.lost.unwrap_or(lost);
        calls.append(&mut socket.take_calls());
        tool_uses.append(&mut socket.take_tool_uses());
        limits.append(&mut socket.take_rate_limits());
    }
    let prompt = calls.len();
    socket.end(now, lost);
    tool_uses.append(&mut socket.take_tool_uses());
    let (rest, evidence, total) = socket.finish(now, lost);
    calls.extend(rest);
    Outcome { calls, tool_uses, limits, prompt, evidence, total }
}

fn pairs(headers: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Why policy lets nothing through here.
fn refusal() -> CallError {
    CallError { code: Some("a-rule".to_owned()), message: Some("not here".to_owned()) }
}

fn text(text: &str) -> Seen<'_> {
    Seen { payload: text.as_bytes(), binary: false, truncated: false, len: text.len() as u64 }
}

fn binary(payload: &str) -> Seen<'_> {
    Seen { binary: true, ..text(payload) }
}

fn cut(start: &str) -> Seen<'_> {
    Seen { truncated: true, len: 1_000_000, ..text(start) }
}

fn play_exchange(mut exchange: HttpEvidence, steps: &[Step], size: usize) -> Outcome {
    let (mut calls, mut tool_uses, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    let (mut now, mut lost) = (Duration::ZERO, true);
    for step in steps {
        now = Duration::from_millis(step.at);
        let client = step.client.as_deref().map(RawValue::get).or(step.client_text.as_deref());
        for piece in client.unwrap_or_default().as_bytes().chunks(size) {
            exchange.request_data(now, piece);
        }
        if step.denied.is_some() {
            exchange.denied(now, &refusal());
        }
        if step.sent.is_some() {
            exchange.request_end(now);
        }
        if let Some(head) = &step.response {
            exchange.response_head(head.as_read());
        }
        if let Some(headers) = &step.headers {
            exchange.response_headers(pairs(headers));
        }
        let event = step.event.as_ref().map(|data| format!("data: {}\n\n", data.get()));
        let server = step.server.as_deref().map(RawValue::get).or(step.server_text.as_deref());
        let body = event.as_deref().or(server);
        for piece in body.unwrap_or_default().as_bytes().chunks(size) {
            exchange.response_data(now, piece);
        }
        lost = step.lost.unwrap_or(lost);
        calls.append(&mut exchange.take_calls());
        tool_uses.append(&mut exchange.take_tool_uses());
        limits.append(&mut exchange.take_rate_limits());
    }
    let prompt = calls.len();
    exchange.end(now, !lost);
    tool_uses.append(&mut exchange.take_tool_uses());
    limits.append(&mut exchange.take_rate_limits());
    let (rest, evidence, total) = exchange.finish(now, !lost);
    calls.extend(rest);
    Outcome { calls, tool_uses, limits, prompt, evidence, total }
}
