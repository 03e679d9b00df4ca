//! `OpenAI` Realtime: items that a client puts into a conversation, and the responses that use them.
//!
//! A response takes what was put in since the last one: items, tool results, audio. The client asks
//! for it (`response.create`, often empty), or the server starts it when it hears that its turn has
//! come. Audio is counted, never kept and never decoded.

use std::borrow::Cow;
use std::time::Duration;

use crate::{CallError, CallStatus, EvidenceReason, Initiator, LimitSource};

use super::super::call::{Call, Context, call_error, set};
use super::super::input::{Payload, Walked};
use super::super::json::{self, Raw};
use super::super::log::{Interpreter, Log};
use super::super::remembered::Remembered;
use super::{asides, item, responses, usage};

mod draft;

use draft::Draft;

/// Calls that may be open at once. The service runs one in the conversation and a few beside it;
/// what is beyond is not followed and the evidence says `capture_limit`.
const MAX_OPEN: usize = 64;

/// Follows the calls of one socket.
#[derive(Debug)]
pub(in super::super) struct Realtime {
    log: Log,
    /// The model the server says it serves.
    model: Option<String>,
    /// What no response has used yet.
    draft: Draft,
    /// In the order they were asked for, or began.
    open: Vec<Flight>,
    ended: Remembered,
}

#[derive(Debug)]
struct Flight {
    call: Call,
    /// The client's name for its request, which an error repeats.
    event_id: Option<String>,
    /// The server has begun to answer.
    answered: bool,
}

impl Realtime {
    pub(in super::super) fn new(context: Context) -> Self {
        let draft = Draft::new(&context);
        let (open, ended) = (Vec::new(), Remembered::default());
        Self { log: Log::new(context), model: None, draft, open, ended }
    }

    fn create(&mut self, now: Duration, message: Payload<'_>, asked: &Asked<'_>) {
        // A request that met an error is over when the next one follows it.
        if let Some(place) = self.open.iter().position(|it| !it.answered && it.call.error.is_some())
        {
            self.end(place, now, CallStatus::Failed);
        }
        let apart = asked.response.and_then(|response| response.member("conversation"));
        let apart = apart.and_then(Raw::str).as_deref() == Some("none");
        let mut call = if apart {
            Call::new(&self.log.context, Initiator::Client, now)
        } else {
            self.draft.take(&self.log.context)
        };
        asked.read(&mut call, now, message);
        call.match_results(&self.log.context);
        self.open(call, asked.event_id.clone(), false);
    }

    /// Begins to follow a call; the place it stands in.
    fn open(&mut self, call: Call, event_id: Option<String>, answered: bool) -> Option<usize> {
        if self.open.len() >= MAX_OPEN {
            self.log.degrade(Some(EvidenceReason::CaptureLimit));
            return None;
        }
        self.open.push(Flight { call, event_id, answered });
        Some(self.open.len() - 1)
    }

    /// Where the call of a response stands; a new response is the oldest request's, else one the
    /// server started.
    fn place(&mut self, event: &Event<'_>, now: Duration) -> Option<usize> {
        let id = event.response_id()?;
        let named = self.open.iter().position(|it| it.call.response_id.as_deref() == Some(id));
        if named.is_some() || self.ended.contains(id) {
            return named;
        }
        if !matches!(&*event.kind, "response.created" | "response.done") {
            return None;
        }
        self.open.iter().position(|it| !it.answered).or_else(|| {
            let call = self.draft.answered(&self.log.context, now);
            self.open(call, None, true)
        })
    }

    /// An error names the client's event it is about, else it may be about the request that waits.
    fn blame(&mut self, event: &Event<'_>, now: Duration) {
        let Some(error) = event.error else { return };
        let about = error.member("event_id").and_then(Raw::text);
        let named = |it: &Flight| about.is_some() && it.event_id == about;
        let error = call_error(error);
        if let Some(place) = self.open.iter().position(|it| !it.answered && named(it)) {
            set(&mut self.open[place].call.error, Some(error));
            self.end(place, now, CallStatus::Failed);
        } else if about.is_none()
            && let Some(flight) = self.open.iter_mut().find(|it| !it.answered)
        {
            flight.call.error = Some(error);
        }
    }

    fn end(&mut self, place: usize, now: Duration, status: CallStatus) {
        let Flight { mut call, .. } = self.open.remove(place);
        if let Some(id) = &call.response_id {
            self.ended.insert(id);
        }
        if status == CallStatus::Failed && call.stop_reason.is_none() {
            call.stop_reason = call.error.as_ref().and_then(|error| error.code.clone());
        }
        self.log.end(call, now, status);
    }
}

impl Interpreter for Realtime {
    fn client(&mut self, now: Duration, message: Payload<'_>) {
        if json::leading_type(message.text.as_bytes()) == Some("input_audio_buffer.append") {
            self.log.recognised(); // nearly all there is; its base64 is not looked at
            return self.draft.audio(message.len);
        }
        let (asked, walked) = Asked::read_from(message);
        self.log.took(walked);
        match asked.kind.as_deref() {
            Some("response.create") => self.create(now, message, &asked),
            Some("conversation.item.create") => {
                if let Some(item) = asked.item {
                    self.draft.item(message, item, walked);
                }
            }
            Some("conversation.item.delete") => {
                if let Some(id) = &asked.item_id {
                    self.draft.delete(id);
                }
            }
            Some("input_audio_buffer.append") => self.draft.audio(message.len),
            Some("input_audio_buffer.clear") => self.draft.clear_audio(),
            Some("session.update") => {
                let model = asked.session.and_then(|session| session.member("model"));
                set(&mut self.log.context.attribution.model, model.and_then(Raw::text));
            }
            Some(_) => {}
            None => self.log.degrade(Some(EvidenceReason::UnknownSchema)),
        }
    }

    fn server(&mut self, now: Duration, message: Payload<'_>) {
        let delta =
            json::leading_type(message.text.as_bytes()).filter(|it| responses::is_delta(it));
        if let (Some(kind), [flight]) = (delta, self.open.as_mut_slice()) {
            // With one response under way there is no need to look for whose it is.
            self.log.recognised();
            flight.answered = true;
            flight.call.delta(now);
            flight.call.response_bytes += message.len;
            if !is_audio(kind) {
                flight.call.keep_event(message);
            }
            return;
        }
        let (event, walked) = Event::read(message);
        self.log.took(walked);
        match &*event.kind {
            "session.created" | "session.updated" => set(&mut self.model, event.model.clone()),
            "input_audio_buffer.committed" | "input_audio_buffer.speech_stopped" => {
                self.draft.committed(now);
            }
            "error" => self.blame(&event, now),
            "rate_limits.updated" => {
                if let Some(list) = event.limits {
                    self.log.limits.hear(LimitSource::Event, asides::realtime_limits(list));
                }
            }
            "" => self.log.degrade(Some(EvidenceReason::UnknownSchema)),
            _ => {}
        }
        let Some(place) = self.place(&event, now) else { return };
        let Some(flight) = self.open.get_mut(place) else { return };
        flight.answered = true;
        flight.call.took(walked);
        flight.call.response_bytes += message.len;
        if !is_audio(&event.kind) {
            flight.call.keep_event(message);
        }
        set(&mut flight.call.model, self.model.clone());
        if let Some(status) = event.apply(&mut flight.call, now) {
            self.end(place, now, status);
        }
    }

    fn denied(&mut self, now: Duration, message: Payload<'_>, why: &CallError) -> bool {
        let (asked, _) = Asked::read_from(message);
        if asked.kind.as_deref() != Some("response.create") {
            return false;
        }
        // What was put in before is in the conversation: the next response uses it.
        let mut call = Call::new(&self.log.context, Initiator::Client, now);
        asked.read(&mut call, now, message);
        call.error = Some(why.clone());
        self.log.end(call, now, CallStatus::Denied);
        true
    }

    fn unreadable(&mut self, reason: EvidenceReason) {
        self.log.degrade(Some(reason));
        self.open.iter_mut().for_each(|flight| flight.call.degrade(reason));
        self.draft.degrade(reason);
    }

    fn end_all(&mut self, now: Duration, status: CallStatus) {
        while let Some(flight) = self.open.first() {
            let failed = !flight.answered && flight.call.error.is_some();
            self.end(0, now, if failed { CallStatus::Failed } else { status });
        }
    }

    fn log(&mut self) -> &mut Log {
        &mut self.log
    }
}

/// A client event, taken apart.
#[derive(Default)]
struct Asked<'a> {
    kind: Option<Cow<'a, str>>,
    event_id: Option<String>,
    item: Option<Raw<'a>>,
    item_id: Option<String>,
    response: Option<Raw<'a>>,
    session: Option<Raw<'a>>,
}

impl<'a> Asked<'a> {
    fn read_from(message: Payload<'a>) -> (Self, Walked) {
        let mut read = Self::default();
        let walked = message.members(|key, value| match key {
            "type" => read.kind = value.str(),
            "event_id" => read.event_id = value.text(),
            "item" => read.item = value.present(),
            "item_id" => read.item_id = value.text(),
            "response" => read.response = value.present(),
            "session" => read.session = value.present(),
            _ => {}
        });
        (read, walked)
    }

    /// Reads a `response.create` into the call it asks for.
    fn read(&self, call: &mut Call, now: Duration, message: Payload<'_>) {
        call.took(message.members(|_, _| ()));
        call.asked(now, message);
        if let Some(response) = self.response {
            response.members(|key, value| match key {
                "model" => call.model_requested = value.text(),
                "input" => item::input(call, value, false),
                _ => {}
            });
        }
    }
}

/// A server event, taken apart as far as any call needs it.
#[derive(Default)]
struct Event<'a> {
    kind: Cow<'a, str>,
    response_id: Option<String>,
    /// Of the session.
    model: Option<String>,
    item: Option<Raw<'a>>,
    limits: Option<Raw<'a>>,
    error: Option<Raw<'a>>,
    id: Option<String>,
    status: Option<Cow<'a, str>>,
    details: Option<Raw<'a>>,
    output: Option<Raw<'a>>,
    usage: Option<Raw<'a>>,
}

impl<'a> Event<'a> {
    fn read(message: Payload<'a>) -> (Self, Walked) {
        let (mut read, mut response) = (Self::default(), None);
        let walked = message.members(|key, value| match key {
            "type" => read.kind = value.text().unwrap_or_default().into(),
            "response_id" => read.response_id = value.text(),
            "response" => response = value.present(),
            "session" => read.model = value.member("model").and_then(Raw::text),
            "item" => read.item = value.present(),
            "rate_limits" => read.limits = value.present(),
            "error" => read.error = value.present(),
            _ => {}
        });
        if let Some(response) = response {
            response.members(|key, value| match key {
                "id" => read.id = value.text(),
                "status" => read.status = value.str(),
                "status_details" => read.details = value.present(),
                "output" => read.output = Some(value),
                "usage" => read.usage = Some(value),
                _ => {}
            });
        }
        (read, walked)
    }

    fn response_id(&self) -> Option<&str> {
        self.id.as_deref().or(self.response_id.as_deref())
    }

    /// What this event adds to its call; `Some` if it ends it.
    fn apply(&self, call: &mut Call, now: Duration) -> Option<CallStatus> {
        match (&*self.kind, self.item) {
            ("response.output_item.added", _) => call.item(now),
            ("response.output_item.done", Some(item)) => {
                call.item(now);
                item::output(call, item);
            }
            (kind, _) if responses::is_delta(kind) => call.delta(now),
            _ => {}
        }
        set(&mut call.response_id, self.id.clone());
        (self.kind == "response.done").then(|| self.conclude(call))
    }

    fn conclude(&self, call: &mut Call) -> CallStatus {
        if let Some(output) = self.output {
            output.elements(|item| item::output(call, item));
        }
        set(&mut call.usage, self.usage.and_then(usage::usage));
        // An error on the way was about something else.
        call.error = None;
        let detail = |key| self.details.and_then(|details| details.member(key));
        call.stop_reason = detail("reason").and_then(Raw::text);
        match self.status.as_deref() {
            Some("cancelled") => CallStatus::Cancelled,
            Some("incomplete") => CallStatus::Incomplete,
            Some("failed") => {
                call.error = detail("error").map(call_error);
                CallStatus::Failed
            }
            _ => {
                let tools = call.called(item::runs_at_client);
                call.stop_reason = Some(if tools { "tool_calls" } else { "stop" }.to_owned());
                CallStatus::Completed
            }
        }
    }
}

/// Whether an event brings nothing but audio.
fn is_audio(kind: &str) -> bool {
    matches!(kind, "response.output_audio.delta" | "response.audio.delta")
}
