//! One model call while it runs: what is known of it so far, and the record it becomes. Knows no
//! provider's messages.

use std::time::Duration;

use crate::{
    Api, Attribution, CallError, CallStatus, Evidence, EvidenceReason, Id, Initiator, ModelCall,
    Operation, ServerTiming, ToolCall, ToolResult, Transport, Usage, redact,
};

use super::input::{Payload, Settings, Walked};
use super::json::{self, Raw};
use super::limits;
use super::raw::RawCall;
use super::room::{Room, Share};
use super::tools::ToolMemory;

/// Tool calls and tool results kept of one call. Real turns have a few dozen; what is beyond is
/// left out and the evidence says `capture_limit`.
const MAX_TOOLS: usize = 512;

/// Bytes that the tools of all open calls of an exchange take. Ids and names have a few dozen each.
const MAX_TOOL_BYTES: usize = 512 * 1024;

/// Words on safety kept of one call. Services have two or three.
const MAX_SAFETY: usize = 16;

/// What all calls of an exchange have in common.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) exchange: Id,
    pub(super) transport: Transport,
    pub(super) attribution: Attribution,
    /// The API spoken, which the first message may tell where the path does not.
    pub(super) api: Api,
    pub(super) operation: Operation,
    /// The model that the answer to the upgrade names: that of responses which name none.
    pub(super) model_served: Option<String>,
    /// Which tool calls and results are known already.
    pub(super) tools: ToolMemory,
    /// Bytes kept of each call as they came, for a host.
    pub(super) raw: usize,
    /// Bytes of each call's content that go into its record.
    pub(super) content: usize,
    /// For the tools of open calls.
    tools_room: Room,
    /// For the bytes kept of open calls: as much as may be captured, both ways together, since a
    /// buffer that grows takes up to twice what is in it.
    pub(super) kept_room: Room,
}

impl Context {
    /// What the calls of `settings`' exchange have in common, spoken in `api`.
    pub(super) fn new(
        settings: Settings,
        transport: Transport,
        api: Api,
        operation: Operation,
    ) -> Self {
        let Settings { exchange, attribution, tools, raw, content, capture } = settings;
        let (tools_room, kept_room) = (Room::new(MAX_TOOL_BYTES), Room::new(capture));
        Self {
            exchange,
            transport,
            attribution,
            api,
            operation,
            model_served: None,
            tools,
            raw,
            content,
            tools_room,
            kept_room,
        }
    }
}

/// A call that has not ended.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) initiator: Initiator,
    pub(super) warmup: bool,
    pub(super) model_requested: Option<String>,
    /// The model the response itself names.
    pub(super) model: Option<String>,
    /// The model a header names; it knows better (a response may repeat what was asked for).
    pub(super) model_routed: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) previous_response_id: Option<String>,
    pub(super) stream_id: Option<String>,
    pub(super) stop_reason: Option<String>,
    pub(super) error: Option<CallError>,
    pub(super) usage: Option<Usage>,
    /// What the service says of its own time.
    pub(super) timing: Option<ServerTiming>,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    /// When the request's last byte had come.
    pub(super) sent: Duration,
    /// Output cannot be seen when it comes, so when the first did is not known.
    pub(super) untimed: bool,
    started: Duration,
    first_delta: Option<Duration>,
    first_item: Option<Duration>,
    tool_calls: Vec<ToolCall>,
    tool_results: Vec<ToolResult>,
    safety: Vec<String>,
    /// Results that have been matched to their calls.
    matched: usize,
    missing: Option<EvidenceReason>,
    read: bool,
    /// Its bytes as they came, if any are to be kept.
    raw: Option<Box<RawCall>>,
    kept: Share,
    held: Share,
}

impl Call {
    /// A call whose request began at `started`.
    pub(super) fn new(context: &Context, initiator: Initiator, started: Duration) -> Self {
        let keep = context.raw.max(context.content);
        Self {
            raw: (keep > 0).then(|| Box::new(RawCall::new(keep))),
            initiator,
            warmup: false,
            model_requested: None,
            model: None,
            model_routed: None,
            response_id: None,
            previous_response_id: None,
            stream_id: None,
            stop_reason: None,
            error: None,
            usage: None,
            timing: None,
            request_bytes: 0,
            response_bytes: 0,
            sent: started,
            untimed: false,
            started,
            first_delta: None,
            first_item: None,
            tool_calls: Vec::new(),
            tool_results: Vec::new(),
            safety: Vec::new(),
            matched: 0,
            missing: None,
            read: false,
            kept: context.kept_room.share(),
            held: context.tools_room.share(),
        }
    }

    /// Notes that a payload was read, and what of it was not.
    pub(super) fn took(&mut self, walked: Walked) {
        self.read |= walked.any;
        if let Some(reason) = walked.missing {
            self.degrade(reason);
        }
    }

    /// Notes why something of this call is not known; the first reason stays.
    pub(super) fn degrade(&mut self, reason: EvidenceReason) {
        self.missing.get_or_insert(reason);
    }

    /// The call counts from `now`.
    pub(super) fn began(&mut self, now: Duration) {
        (self.started, self.sent) = (now, now);
    }

    /// The client asks for it now, with this message.
    pub(super) fn asked(&mut self, now: Duration, message: Payload<'_>) {
        self.began(now);
        self.request_bytes = self.request_bytes.saturating_add(message.len);
        self.keep_request(message);
    }

    /// Keeps a payload of the request, if any are to be kept.
    pub(super) fn keep_request(&mut self, payload: Payload<'_>) {
        if let Some(raw) = &mut self.raw {
            raw.push_request(payload, &mut self.kept);
        }
    }

    /// Keeps a payload of the response.
    pub(super) fn keep_event(&mut self, payload: Payload<'_>) {
        if let Some(raw) = &mut self.raw {
            raw.push_event(payload, &mut self.kept);
        }
    }

    /// A piece of output arrived.
    pub(super) fn delta(&mut self, now: Duration) {
        self.first_delta.get_or_insert(now);
    }

    /// A whole item of output began.
    pub(super) fn item(&mut self, now: Duration) {
        self.first_item.get_or_insert(now);
    }

    /// The service says something of the request's safety; the same again says nothing.
    pub(super) fn safety(&mut self, said: &str) {
        let said = limits::word(said);
        if self.safety.contains(&said) {
            return;
        }
        if self.safety.len() < MAX_SAFETY {
            self.safety.push(said);
        } else {
            self.degrade(EvidenceReason::CaptureLimit);
        }
    }

    /// The model called a tool. The same id again is the same call.
    pub(super) fn tool_call(
        &mut self,
        call_id: Option<String>,
        name: Option<String>,
        kind: String,
    ) {
        let known = call_id.is_some() && self.tool_calls.iter().any(|call| call.call_id == call_id);
        if known {
            return;
        }
        let call = ToolCall { call_id, name, kind, cancelled: false };
        let words = [call.call_id.as_ref(), call.name.as_ref(), Some(&call.kind)];
        if self.tool_calls.len() < MAX_TOOLS && self.held.take(weight(words)) {
            self.tool_calls.push(call);
        } else {
            self.degrade(EvidenceReason::CaptureLimit);
        }
    }

    /// The request carried the result of a tool, or the provider ran the tool itself.
    pub(super) fn tool_result(&mut self, call_id: Option<String>, is_error: Option<bool>) {
        let known = |result: &&mut ToolResult| call_id.is_some() && result.call_id == call_id;
        if let Some(result) = self.tool_results.iter_mut().find(known) {
            result.is_error = is_error.or(result.is_error);
        } else if self.tool_results.len() < MAX_TOOLS && self.held.take(weight([call_id.as_ref()]))
        {
            self.tool_results.push(ToolResult { call_id, is_error, name: None, answers: None });
        } else {
            self.degrade(EvidenceReason::CaptureLimit);
        }
    }

    /// What came before was said by the model later in a conversation that is sent whole: the
    /// results so far belong to earlier calls.
    pub(super) fn forget_results(&mut self) {
        let weights = self.tool_results.drain(..).map(|result| weight([result.call_id.as_ref()]));
        self.held.give(weights.sum());
    }

    /// The result of the tool call `id` was taken back.
    pub(super) fn forget_result(&mut self, id: &str) {
        let (mut place, mut freed) = (0, 0);
        let matched = self.matched;
        self.tool_results.retain(|result| {
            let keep = result.call_id.as_deref() != Some(id);
            if !keep {
                self.matched -= usize::from(place < matched);
                freed += weight([result.call_id.as_ref()]);
            }
            place += 1;
            keep
        });
        self.held.give(freed);
    }

    /// The tool call `id` is no longer wanted.
    pub(super) fn cancel_tool(&mut self, id: &str) {
        let wanted = |call: &&mut ToolCall| call.call_id.as_deref() == Some(id);
        if let Some(call) = self.tool_calls.iter_mut().find(wanted) {
            call.cancelled = true;
        }
    }

    /// Of the results since this was last done, keeps those nobody reported before, and says which
    /// calls they answer.
    pub(super) fn match_results(&mut self, context: &Context) {
        let known = self.matched.min(self.tool_results.len());
        let mut fresh = self.tool_results.split_off(known);
        fresh.retain_mut(|result| context.tools.answer(&context.attribution, result));
        self.tool_results.append(&mut fresh);
        self.matched = self.tool_results.len();
    }

    /// Why something of this call is not known.
    pub(super) fn missing(&self) -> Option<EvidenceReason> {
        self.missing
    }

    /// Whether the model called a tool of a kind `wanted` says yes to.
    pub(super) fn called(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.tool_calls.iter().any(|call| wanted(&call.kind))
    }

    /// The record of this call, which ends now.
    pub(super) fn end(mut self, context: &Context, now: Duration, status: CallStatus) -> Finished {
        let first = self.first_delta.or(self.first_item).filter(|_| !self.untimed);
        let call = Id::fresh();
        context.tools.called(&context.attribution, call, &self.tool_calls);
        for result in &mut self.tool_results {
            // Some tools are run and answered before their call ends.
            if self.tool_calls.iter().any(|call| call.call_id == result.call_id) {
                context.tools.answer(&context.attribution, result);
            }
        }
        let served = self.response_id.as_ref().and(context.model_served.as_ref());
        let model = self.model_routed.or(self.model).or_else(|| served.cloned());
        let raw = self.raw.map(|raw| *raw);
        let kept = raw.as_ref().filter(|_| context.content > 0);
        let record = ModelCall {
            exchange: context.exchange,
            transport: context.transport,
            call,
            provider: context.attribution.provider,
            protocol: context.attribution.protocol,
            api: Some(context.api),
            operation: context.operation,
            model_requested: self.model_requested.or_else(|| context.attribution.model.clone()),
            model,
            response_id: self.response_id,
            previous_response_id: self.previous_response_id,
            stream_id: self.stream_id,
            initiator: self.initiator,
            warmup: self.warmup,
            status,
            stop_reason: self.stop_reason,
            error: self.error,
            usage: self.usage,
            tool_calls: self.tool_calls,
            tool_results: self.tool_results,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            time_to_first_token_ms: first.map(|first| millis(first.saturating_sub(self.sent))),
            duration_ms: millis(now.saturating_sub(self.started)),
            server_timing: self.timing,
            safety: self.safety,
            content: kept.map(|raw| raw.content(context.content)),
            evidence: match self.missing {
                None => Evidence::FULL,
                Some(reason) if self.read => Evidence::partial(reason),
                Some(reason) => Evidence::none(reason),
            },
        };
        Finished { call: record, raw: raw.filter(|_| context.raw > 0) }
    }
}

/// A call that has ended, and its bytes where [`Settings::raw`] asks for them.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The record.
    pub call: ModelCall,
    /// The request and the events it was read from.
    pub raw: Option<RawCall>,
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes a tool call or a result of these words takes.
fn weight<const N: usize>(words: [Option<&String>; N]) -> usize {
    size_of::<ToolCall>() + words.into_iter().flatten().map(String::len).sum::<usize>()
}

/// Sets `slot` if there is something to set it to.
pub(super) fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

/// Reads a provider's error object, `{code?, type?, status?, message?}`, or a bare message.
///
/// The code is the most telling of what is there: a word in `code`, else Google's `status`, else
/// `type`, else a number.
pub(super) fn call_error(error: Raw<'_>) -> CallError {
    let (mut code, mut status, mut kind, mut number, mut message) = (None, None, None, None, None);
    error.members(|key, value| match key {
        "code" => {
            code = value.text();
            number = value.digits().or(number.take());
        }
        "status" | "status_code" => {
            status = value.text();
            number = number.take().or_else(|| value.digits());
        }
        "type" => kind = value.text(),
        "message" => message = value.text(),
        _ => {}
    });
    // These are the provider's words, and it may repeat a credential in them.
    let clean =
        |words: Option<String>| words.map(|words| json::bounded(&redact::text(&words)).to_owned());
    CallError {
        code: clean(code.or(status).or(kind).or(number)),
        message: clean(message.or_else(|| error.text())),
    }
}
