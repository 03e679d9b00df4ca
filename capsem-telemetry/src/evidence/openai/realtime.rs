//! `OpenAI` Realtime: items that a client puts into a conversation, and the responses that use them.
//!
//! A response takes what was put in since the last one: items, tool results, audio. The client asks
//! for it (`response.create`, often empty), or the server starts it when it hears that its turn has
//! come. Audio is counted, never kept and never decoded. What it costs to transcribe it is a call of
//! its own (`realtime/transcription.rs`).

use std::borrow::Cow;
use std::time::Duration;

use crate::{CallError, CallStatus, EvidenceReason, Initiator, LimitSource};

use super::super::call::{Call, Context, call_error, set};
use super::super::input::{Payload, Walked};
use super::super::json::{self, Raw};
use super::super::log::{Interpreter, Log};
use super::super::remembered::Remembered;
use super::{asides, item, responses};

mod draft;
mod event;
mod transcription;

use draft::Draft;
use event::Event;
use transcription::Transcriptions;

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
    transcriptions: Transcriptions,
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
        let transcriptions = Transcriptions::new(&context);
        let (open, ended) = (Vec::new(), Remembered::default());
        Self { log: Log::new(context), model: None, draft, open, ended, transcriptions }
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
        // Nothing but a request for a response is answered so.
        let refused = error.code.as_deref() == Some("conversation_already_has_active_response");
        let refused = |it: &Flight| refused && about.is_none() && it.call.error.is_none();
        if let Some(place) =
            self.open.iter().position(|it| !it.answered && (named(it) || refused(it)))
        {
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
            Some("input_audio_buffer.commit") => self.transcriptions.commit(),
            Some("session.update") => {
                let model = asked.session.and_then(|session| session.member("model"));
                set(&mut self.log.context.attribution.model, model.and_then(Raw::text));
                self.transcriptions.asked(asked.session);
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
        if let Some(error) = event.refusal() {
            self.log.limits.refusal(error);
        }
        match &*event.kind {
            "session.created" | "session.updated" => {
                let model = event.session.and_then(|session| session.member("model"));
                set(&mut self.model, model.and_then(Raw::text));
                self.transcriptions.session(event.session);
            }
            "input_audio_buffer.committed" => {
                self.draft.committed(now);
                self.transcriptions.committed(now, event.item_id.as_deref(), &mut self.draft);
            }
            "input_audio_buffer.speech_stopped" => self.draft.committed(now),
            kind if kind.starts_with(transcription::EVENTS) => {
                return self.transcriptions.event(&mut self.log, &event, now, message);
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
        self.transcriptions.degrade(reason);
    }

    fn end_all(&mut self, now: Duration, status: CallStatus) {
        self.transcriptions.end_all(&mut self.log, now, status);
        self.log.degrade(self.draft.missing());
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

/// Whether an event brings nothing but audio.
fn is_audio(kind: &str) -> bool {
    matches!(kind, "response.output_audio.delta" | "response.audio.delta")
}
