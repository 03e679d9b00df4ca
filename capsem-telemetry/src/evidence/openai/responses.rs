//! The Responses API: requests, events and response objects, read into one call. The same for HTTP
//! and for a WebSocket; knows no lanes.

use std::borrow::Cow;
use std::time::Duration;

use crate::{CallError, CallStatus, LimitSource, ServerTiming};

use super::super::call::{Call, call_error, set};
use super::super::dialect::Dialect;
use super::super::input::{Payload, Walked};
use super::super::json::{self, Raw};
use super::super::limits::{Limits, Said};
use super::{asides, item, usage};

/// What a client says: a body of `POST /responses`, or an event.
#[derive(Default)]
pub(super) struct Request<'a> {
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) response_id: Option<String>,
    pub(super) input: Option<Raw<'a>>,
    model: Option<Raw<'a>>,
    previous: Option<Raw<'a>>,
    stream_id: Option<Raw<'a>>,
    generate: Option<Raw<'a>>,
    conversation: Option<Raw<'a>>,
    /// It wraps its fields in `response`, as Realtime's event of the same name does.
    wrapped: bool,
    pub(super) walked: Walked,
}

impl<'a> Request<'a> {
    pub(super) fn read(request: Payload<'a>) -> Self {
        let mut read = Self::default();
        read.walked = request.members(|key, value| match key {
            "type" => read.kind = value.str(),
            "response_id" => read.response_id = value.text(),
            "input" => read.input = Some(value),
            "model" => read.model = Some(value),
            "previous_response_id" => read.previous = Some(value),
            "stream_id" => read.stream_id = Some(value),
            "generate" => read.generate = Some(value),
            "conversation" => read.conversation = value.present(),
            "response" => read.wrapped = true,
            _ => {}
        });
        read
    }

    /// Whether it asks for a response in this API's way.
    pub(super) fn asks(&self) -> bool {
        self.kind.as_deref() == Some("response.create") && !self.wrapped
    }

    /// What the call is that it asks for.
    pub(super) fn apply(&self, call: &mut Call) {
        call.took(self.walked);
        call.model_requested = self.model.and_then(Raw::text);
        call.previous_response_id = self.previous.and_then(Raw::text);
        call.stream_id = self.stream_id.and_then(Raw::text);
        call.warmup = self.generate.and_then(Raw::truth) == Some(false);
        if let Some(input) = self.input {
            let continues = call.previous_response_id.is_some() || self.conversation.is_some();
            item::input(call, input, !continues);
        }
    }
}

/// Whether a message asks for a response in this API's way.
pub(in super::super) fn is_create(message: Payload<'_>) -> bool {
    Request::read(message).asks()
}

/// A server event, taken apart as far as any call needs it.
#[derive(Default)]
pub(super) struct Event<'a> {
    whole: Option<Raw<'a>>,
    pub(super) kind: Cow<'a, str>,
    pub(super) stream_id: Option<String>,
    response_id: Option<String>,
    response: Option<Response<'a>>,
    item: Option<Raw<'a>>,
    headers: Option<Raw<'a>>,
    error: Option<Raw<'a>>,
    status: Option<Raw<'a>>,
    metadata: Option<Raw<'a>>,
    buffering: Option<Raw<'a>>,
}

/// A response object.
#[derive(Default)]
struct Response<'a> {
    id: Option<String>,
    status: Option<Raw<'a>>,
    model: Option<Raw<'a>>,
    previous: Option<Raw<'a>>,
    headers: Option<Raw<'a>>,
    output: Option<Raw<'a>>,
    usage: Option<Raw<'a>>,
    error: Option<Raw<'a>>,
    incomplete: Option<Raw<'a>>,
}

impl<'a> Event<'a> {
    pub(super) fn read(event: Payload<'a>) -> (Self, Walked) {
        let mut read = Self { whole: Some(event.raw()), ..Self::default() };
        let walked = event.members(|key, value| match key {
            "type" => read.kind = value.text().unwrap_or_default().into(),
            "stream_id" => read.stream_id = value.text(),
            "response_id" => read.response_id = value.text(),
            "response" => read.response = value.is_object().then(|| Response::read(value)),
            "item" => read.item = Some(value),
            "headers" => read.headers = Some(value),
            "error" => read.error = value.present(),
            "status" | "status_code" => read.status = value.present(),
            "metadata" => read.metadata = value.present(),
            "safety_buffering" => read.buffering = value.present(),
            _ => {}
        });
        if read.kind == "error" {
            // The flat shape has the error's members beside the type.
            read.error.get_or_insert(event.raw());
        }
        (read, walked)
    }

    /// The id of the response this is about, where the event says it.
    pub(super) fn response_id(&self) -> Option<&str> {
        let nested = self.response.as_ref().and_then(|response| response.id.as_deref());
        nested.or(self.response_id.as_deref())
    }

    /// The response that the one this is about goes on from, where the event says it.
    pub(super) fn continues(&self) -> Option<String> {
        self.response.as_ref().and_then(|response| response.previous).and_then(Raw::text)
    }

    /// What this event says of rate limits: one of its own, an error, or headers that came another
    /// way.
    pub(super) fn limits(&self, limits: &mut Limits) {
        let own = self.whole.filter(|_| self.kind == "codex.rate_limits");
        let said = own.map_or_else(|| self.limits_within(), asides::codex_limits);
        limits.hear(LimitSource::Event, said);
    }

    /// What is said by headers that stand in the event, its response or its error, and by the error.
    fn limits_within(&self) -> Said {
        let mut said = Said::default();
        let response = self.response.as_ref();
        let error = self.error.or_else(|| response.and_then(|response| response.error));
        let headers = [
            self.headers,
            response.and_then(|response| response.headers),
            error.and_then(|error| error.member("headers")),
        ];
        headers.into_iter().flatten().for_each(|headers| said.json_headers(headers));
        if let Some(error) = error {
            said.error(error);
        }
        said
    }

    /// One more member of the event.
    pub(super) fn member(&self, key: &str) -> Option<Raw<'a>> {
        self.whole.and_then(|event| event.member(key))
    }

    /// What failed, if this is an error. A shape without any code of its own still has its status.
    pub(super) fn failure(&self) -> Option<CallError> {
        let CallError { code, message } = call_error(self.error.filter(|_| self.kind == "error")?);
        // In the flat shape the `type` is the event's, and no code.
        let code = code.filter(|code| code != "error");
        let code = code.or_else(|| self.status.and_then(Raw::digits));
        Some(CallError { code, message })
    }

    /// Whether this is an error about the connection, whichever response it may also end.
    pub(super) fn is_of_the_connection(&self) -> bool {
        let code = self.error.filter(|_| self.kind == "error").and_then(|it| it.member("code"));
        code.and_then(Raw::str).as_deref() == Some(CONNECTION_LIMIT)
    }

    /// What the service says of its own time, if this event is about that.
    pub(super) fn timing(&self) -> Option<ServerTiming> {
        self.whole.filter(|_| self.kind == TIMING).and_then(asides::timing)
    }

    /// How the response ended, if this event ends it.
    pub(super) fn ending(&self) -> Option<CallStatus> {
        let by_name = match self.kind.strip_prefix("response.")? {
            "completed" | "done" => CallStatus::Completed,
            "incomplete" => CallStatus::Incomplete,
            "failed" => CallStatus::Failed,
            "cancelled" => CallStatus::Cancelled,
            _ => return None,
        };
        let status = self.response.as_ref().and_then(|response| response.status);
        Some(status.and_then(ended_status).unwrap_or(by_name))
    }

    /// What this event adds to its call, the ending apart.
    pub(super) fn apply(&self, call: &mut Call, now: Duration) {
        match (&*self.kind, self.item) {
            ("response.output_item.added", _) => call.item(now),
            ("response.output_item.done", Some(item)) => {
                call.item(now);
                item::output(call, item);
            }
            (kind, _) if is_delta(kind) => call.delta(now),
            _ => {}
        }
        set(&mut call.model_routed, self.headers.and_then(routed_model));
        if is_metadata(&self.kind) || self.buffering.is_some() {
            asides::safety(call, self.metadata, self.buffering);
        }
        if let Some(response) = &self.response {
            response.identify(call);
        }
        if let Some(ending) = self.ending() {
            if let Some(response) = &self.response {
                response.conclude(call);
            }
            if ending == CallStatus::Failed && call.error.is_none() {
                call.error = self.error.map(call_error);
            }
            explain(call, ending);
        } else if let Some(error) = self.failure() {
            call.error = Some(error);
            explain(call, CallStatus::Failed);
        }
    }
}

impl<'a> Response<'a> {
    fn read(response: Raw<'a>) -> Self {
        let mut read = Self::default();
        response.members(|key, value| match key {
            "id" => read.id = value.text(),
            "status" => read.status = Some(value),
            "model" => read.model = Some(value),
            "previous_response_id" => read.previous = Some(value),
            "headers" => read.headers = Some(value),
            "output" => read.output = Some(value),
            "usage" => read.usage = Some(value),
            "error" => read.error = value.present(),
            "incomplete_details" => read.incomplete = value.present(),
            _ => {}
        });
        read
    }

    /// What every lifecycle event says.
    fn identify(&self, call: &mut Call) {
        set(&mut call.response_id, self.id.clone());
        set(&mut call.model, self.model.and_then(Raw::text));
        set(&mut call.model_routed, self.headers.and_then(routed_model));
        if call.previous_response_id.is_none() {
            call.previous_response_id = self.previous.and_then(Raw::text);
        }
    }

    /// What only the last one says. Its output may be left empty; items that came one by one stay.
    fn conclude(&self, call: &mut Call) {
        set(&mut call.usage, self.usage.and_then(usage::usage));
        set(&mut call.error, self.error.map(call_error));
        let reason = self.incomplete.and_then(|details| details.member("reason"));
        set(&mut call.stop_reason, reason.and_then(Raw::text));
        if let Some(output) = self.output {
            output.elements(|item| item::output(call, item));
        }
    }
}

/// The API has no stop reason of its own: it follows from how the response ended.
fn explain(call: &mut Call, ending: CallStatus) {
    match ending {
        CallStatus::Completed if call.warmup => call.error = None,
        CallStatus::Completed => {
            // An error on the way was about something else.
            call.error = None;
            let tools = call.called(item::runs_at_client);
            call.stop_reason = Some(if tools { "tool_calls" } else { "stop" }.to_owned());
        }
        CallStatus::Failed => {
            let code = call.error.as_ref().and_then(|error| error.code.clone());
            set(&mut call.stop_reason, code);
        }
        CallStatus::Incomplete
        | CallStatus::Cancelled
        | CallStatus::Denied
        | CallStatus::ConnectionLost => {}
    }
}

fn ended_status(status: Raw<'_>) -> Option<CallStatus> {
    match &*status.str()? {
        "completed" => Some(CallStatus::Completed),
        "incomplete" => Some(CallStatus::Incomplete),
        "failed" => Some(CallStatus::Failed),
        "cancelled" => Some(CallStatus::Cancelled),
        _ => None,
    }
}

/// The model named in a `headers` object, whose values are strings or arrays of them.
fn routed_model(headers: Raw<'_>) -> Option<String> {
    let mut model = None;
    headers.members(|name, value| {
        let named =
            ["openai-model", "x-openai-model"].iter().any(|it| name.eq_ignore_ascii_case(it));
        if named && value.is_array() {
            value.elements(|value| set(&mut model, value.text()));
        } else if named {
            set(&mut model, value.text());
        }
    });
    model
}

/// Responses over HTTP: one call per exchange.
#[derive(Debug)]
pub(in super::super) struct Responses;

impl Dialect for Responses {
    fn request(&mut self, call: &mut Call, body: Payload<'_>) {
        Request::read(body).apply(call);
    }

    fn event(
        &mut self,
        call: &mut Call,
        limits: &mut Limits,
        now: Duration,
        event: Payload<'_>,
    ) -> Option<CallStatus> {
        if json::leading_type(event.text.as_bytes()).is_some_and(is_delta) {
            call.delta(now);
            return None;
        }
        let (event, walked) = Event::read(event);
        call.took(walked);
        event.limits(limits);
        set(&mut call.timing, event.timing());
        event.apply(call, now);
        let failed = event.kind == "error";
        event.ending().or_else(|| failed.then_some(CallStatus::Failed))
    }

    fn answer(&mut self, call: &mut Call, body: Payload<'_>) -> Option<CallStatus> {
        let response = Response::read(body.raw());
        call.took(body.members(|_, _| ()));
        response.identify(call);
        response.conclude(call);
        let status = response.status?;
        let ending = ended_status(status).unwrap_or_else(|| {
            // A background response: it goes on out of sight, and says so here.
            call.stop_reason = status.text();
            CallStatus::Incomplete
        });
        explain(call, ending);
        Some(ending)
    }

    fn stream_ended(&mut self, _: &mut Call) -> Option<CallStatus> {
        None
    }
}

/// Whether an event of this type says something beside a response.
pub(super) fn is_metadata(kind: &str) -> bool {
    matches!(kind, "response.metadata" | "codex.response.metadata")
}

/// The code of the error that comes before the end of a connection that has lived for long enough.
pub(super) const CONNECTION_LIMIT: &str = "websocket_connection_limit_reached";

/// The type of the event that brings the service's own figures.
pub(super) const TIMING: &str = "responsesapi.websocket_timing";

/// Whether an event of this type brings a piece of output and nothing else that is kept.
pub(super) fn is_delta(kind: &str) -> bool {
    kind.strip_suffix(".delta").is_some_and(|kind| kind.starts_with("response."))
}
