//! MCP, over a WebSocket or in one exchange of HTTP: JSON-RPC requests that call tools, and their
//! results, one record each. Other requests, and those of the server, leave none.

use std::time::Duration;

use crate::{CallError, CallStatus, Evidence, EvidenceReason, Id, ToolUse};

use super::call::{Context, call_error, millis};
use super::input::Payload;
use super::json::{self, Raw};
use super::log::{Interpreter, Log};
use super::raw::RawCall;
use super::room::Share;

/// Tool calls that may wait for their results. Clients run a handful at once; what is beyond is not
/// followed and the evidence says `capture_limit`.
const MAX_OPEN: usize = 256;

/// Follows the tool calls of one socket, or of one exchange.
#[derive(Debug)]
pub(super) struct Mcp {
    log: Log,
    server: Option<String>,
    open: Vec<Waiting>,
}

/// A tool call without its result.
#[derive(Debug)]
struct Waiting {
    /// The JSON of its id: a string is not the number it spells.
    id: String,
    name: Option<String>,
    since: Duration,
    request_bytes: u64,
    raw: Option<Box<RawCall>>,
    kept: Share,
    missing: Option<EvidenceReason>,
}

/// One JSON-RPC message.
#[derive(Default)]
struct Rpc<'a> {
    known: bool,
    id: Option<Raw<'a>>,
    method: Option<String>,
    params: Option<Raw<'a>>,
    result: Option<Raw<'a>>,
    error: Option<Raw<'a>>,
}

impl Mcp {
    pub(super) fn new(context: Context) -> Self {
        Self { log: Log::new(context), server: None, open: Vec::new() }
    }

    /// Reads the message of a payload, or every one of a batch.
    fn read<'a>(&mut self, message: Payload<'a>, mut each: impl FnMut(&mut Self, Payload<'a>)) {
        if !message.raw().is_array() {
            return each(self, message);
        }
        let mut any = false;
        let whole = message.raw().elements(|one| {
            any = true;
            let len = one.json().len() as u64;
            each(self, Payload { text: one.json(), len, ..message });
        });
        self.log.took(message.walked(any, whole));
    }

    fn requested(&mut self, now: Duration, message: Payload<'_>) {
        let rpc = self.rpc(message);
        match (rpc.method.as_deref(), rpc.id) {
            (Some("tools/call"), Some(_)) => {
                let waiting = self.waiting(now, message, &rpc);
                if self.open.len() < MAX_OPEN {
                    self.open.push(waiting);
                } else {
                    self.log.degrade(Some(EvidenceReason::CaptureLimit));
                }
            }
            (Some("notifications/cancelled"), _) => {
                let id = rpc.params.and_then(|params| params.member("requestId"));
                if let Some(place) = id.and_then(|id| self.place(id)) {
                    self.end(place, now, CallStatus::Cancelled, |_| ());
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, now: Duration, message: Payload<'_>) {
        let rpc = self.rpc(message);
        if rpc.method.is_some() {
            return; // a request of the server's own
        }
        if let Some(info) = rpc.result.and_then(|result| result.member("serverInfo")) {
            self.server = info.member("name").and_then(Raw::text);
        }
        let Some(place) = rpc.id.and_then(|id| self.place(id)) else { return };
        if let Some(Waiting { raw: Some(raw), kept, .. }) = self.open.get_mut(place) {
            raw.push_event(message, kept);
        }
        let status = if rpc.error.is_some() { CallStatus::Failed } else { CallStatus::Completed };
        self.end(place, now, status, |tool| {
            tool.response_bytes = message.len;
            tool.error = rpc.error.map(call_error);
            // Absent means that the tool did well.
            tool.is_error = rpc
                .result
                .map(|result| result.member("isError").and_then(Raw::truth).unwrap_or_default());
        });
    }

    /// An answer of no result: all that is open has failed, with this error in this body.
    pub(super) fn refused(&mut self, now: Duration, why: &CallError, body: Option<Payload<'_>>) {
        while !self.open.is_empty() {
            self.end(0, now, CallStatus::Failed, |tool| {
                tool.response_bytes = body.map_or(0, |body| body.len);
                tool.error = Some(why.clone());
            });
        }
    }

    /// The request that opened all that is open was not let through. False if that is nothing.
    pub(super) fn end_denied(&mut self, now: Duration, why: &CallError) -> bool {
        let any = !self.open.is_empty();
        while !self.open.is_empty() {
            self.end(0, now, CallStatus::Denied, |tool| tool.error = Some(why.clone()));
        }
        any
    }

    fn rpc<'a>(&mut self, message: Payload<'a>) -> Rpc<'a> {
        let mut rpc = Rpc::default();
        let walked = message.members(|key, value| match key {
            "jsonrpc" => rpc.known = true,
            "id" => rpc.id = value.present(),
            "method" => rpc.method = value.text(),
            "params" => rpc.params = value.present(),
            "result" => rpc.result = value.present(),
            "error" => rpc.error = value.present(),
            _ => {}
        });
        self.log.took(walked);
        if !rpc.known && walked.missing.is_none() {
            self.log.degrade(Some(EvidenceReason::UnknownSchema));
        }
        rpc
    }

    fn waiting(&self, now: Duration, message: Payload<'_>, rpc: &Rpc<'_>) -> Waiting {
        let keep = self.log.context.raw.max(self.log.context.content);
        let mut raw = (keep > 0).then(|| Box::new(RawCall::new(keep)));
        let mut kept = self.log.context.kept_room.share();
        if let Some(raw) = &mut raw {
            raw.push_request(message, &mut kept);
        }
        Waiting {
            id: key(rpc.id),
            name: rpc.params.and_then(|params| params.member("name")).and_then(Raw::text),
            since: now,
            request_bytes: message.len,
            raw,
            kept,
            missing: message.missing,
        }
    }

    fn place(&self, id: Raw<'_>) -> Option<usize> {
        let id = key(Some(id));
        self.open.iter().position(|it| it.id == id)
    }

    fn end(
        &mut self,
        place: usize,
        now: Duration,
        status: CallStatus,
        complete: impl FnOnce(&mut ToolUse),
    ) {
        let waiting = self.open.remove(place);
        self.record(waiting, now, status, complete);
    }

    fn record(
        &mut self,
        waiting: Waiting,
        now: Duration,
        status: CallStatus,
        complete: impl FnOnce(&mut ToolUse),
    ) {
        let context = &self.log.context;
        let kept = waiting.raw.filter(|_| context.content > 0);
        let mut tool = ToolUse {
            exchange: context.exchange,
            transport: context.transport,
            call: Id::fresh(),
            server: self.server.clone(),
            request_id: Some(waiting.id.trim_matches('"').to_owned()),
            name: waiting.name,
            status,
            is_error: None,
            error: None,
            request_bytes: waiting.request_bytes,
            response_bytes: 0,
            duration_ms: millis(now.saturating_sub(waiting.since)),
            content: kept.map(|raw| raw.content(context.content)),
            evidence: waiting.missing.map_or(Evidence::FULL, Evidence::partial),
        };
        complete(&mut tool);
        self.log.used(tool);
    }
}

impl Interpreter for Mcp {
    fn client(&mut self, now: Duration, message: Payload<'_>) {
        self.read(message, |it, one| it.requested(now, one));
    }

    fn server(&mut self, now: Duration, message: Payload<'_>) {
        self.read(message, |it, one| it.answered(now, one));
    }

    fn denied(&mut self, now: Duration, message: Payload<'_>, why: &CallError) -> bool {
        let mut any = false;
        self.read(message, |it, one| {
            let rpc = it.rpc(one);
            if rpc.method.as_deref() == Some("tools/call") {
                any = true;
                let waiting = it.waiting(now, one, &rpc);
                it.record(waiting, now, CallStatus::Denied, |tool| tool.error = Some(why.clone()));
            }
        });
        any
    }

    fn unreadable(&mut self, reason: EvidenceReason) {
        self.log.degrade(Some(reason));
        for waiting in &mut self.open {
            waiting.missing.get_or_insert(reason);
        }
    }

    fn end_all(&mut self, now: Duration, status: CallStatus) {
        while !self.open.is_empty() {
            self.end(0, now, status, |_| ());
        }
    }

    fn log(&mut self) -> &mut Log {
        &mut self.log
    }
}

/// The JSON of an id, as far as ids are kept.
fn key(id: Option<Raw<'_>>) -> String {
    json::bounded(id.map(Raw::json).unwrap_or_default()).to_owned()
}
