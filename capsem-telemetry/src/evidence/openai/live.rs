//! `OpenAI`'s Live sessions: the model behind a voice works in responses of the Responses API, whose
//! events come wrapped. The voice itself is billed by the time its session is held: the session is a
//! call of its own, from its start to its end.

use std::time::Duration;

use crate::{CallError, CallStatus, EvidenceReason, Initiator};

use super::super::call::{Call, Context, call_error, set};
use super::super::input::Payload;
use super::super::json::Raw;
use super::super::log::{Interpreter, Log};
use super::{Lanes, usage};

/// Follows the calls of one session.
#[derive(Debug)]
pub(in super::super) struct Live {
    /// One lane for each delegation.
    lanes: Lanes,
    /// The session, if it was started on this socket; who only listens in holds none.
    session: Option<Session>,
}

#[derive(Debug)]
struct Session {
    call: Call,
    started: bool,
}

impl Live {
    pub(in super::super) fn new(context: Context) -> Self {
        Self { lanes: Lanes::new(context), session: None }
    }

    /// The call of a session that is asked for now.
    fn asked(&mut self, now: Duration, message: Payload<'_>) -> Call {
        let mut call = Call::new(&self.lanes.log().context, Initiator::Client, now);
        let walked = message.members(|key, value| {
            if key == "session" {
                call.model_requested = value.member("model").and_then(Raw::text);
            }
        });
        call.took(walked);
        call.asked(now, message);
        // It is heard when it is said, not answered.
        call.untimed = true;
        call
    }

    fn end(&mut self, now: Duration, status: CallStatus) {
        if let Some(Session { call, .. }) = self.session.take() {
            self.lanes.log().end(call, now, status);
        }
    }
}

impl Interpreter for Live {
    fn client(&mut self, now: Duration, message: Payload<'_>) {
        let (mut kind, mut session) = (None, None);
        let walked = message.members(|key, value| match key {
            "type" => kind = value.str(),
            "session" => session = Some(value),
            _ => {}
        });
        let log = self.lanes.log();
        log.took(walked);
        match kind.as_deref() {
            Some("session.start" | "session.update") => {
                let model = session.and_then(|session| session.member("model"));
                set(&mut log.context.attribution.model, model.and_then(Raw::text));
            }
            Some(_) => {}
            None => log.degrade(Some(EvidenceReason::UnknownSchema)),
        }
        match &mut self.session {
            Some(Session { call, .. }) => call.request_bytes += message.len,
            None if kind.as_deref() == Some("session.start") => {
                let call = self.asked(now, message);
                self.session = Some(Session { call, started: false });
            }
            None => {}
        }
    }

    fn server(&mut self, now: Duration, message: Payload<'_>) {
        let mut said = Said::default();
        let walked = message.members(|key, value| said.read(key, value));
        self.lanes.log().took(walked);
        let kind = said.kind.as_deref();
        if let (Some("response.event"), Some(event)) = (kind, said.event) {
            let event = Payload { text: event.json(), ..message };
            return self.lanes.event(now, event, said.delegation.as_deref());
        }
        if kind.is_none() {
            self.lanes.log().degrade(Some(EvidenceReason::UnknownSchema));
        }
        let Some(Session { call, started }) = &mut self.session else { return };
        call.response_bytes += message.len;
        set(&mut call.usage, said.usage.and_then(usage::usage));
        match kind {
            Some("session.started") => {
                *started = true;
                let text = |key| said.session.and_then(|it| it.member(key)).and_then(Raw::text);
                (call.response_id, call.model) = (text("id"), text("model"));
            }
            Some("session.closed") => {
                call.stop_reason = said.reason;
                self.end(now, CallStatus::Completed);
            }
            Some("error") if !*started => {
                call.error = said.error.map(call_error);
                call.stop_reason = call.error.as_ref().and_then(|error| error.code.clone());
                self.end(now, CallStatus::Failed);
            }
            _ => {}
        }
    }

    fn denied(&mut self, now: Duration, message: Payload<'_>, why: &CallError) -> bool {
        let kind = message.raw().member("type").and_then(Raw::str);
        let asks = kind.as_deref() == Some("session.start");
        if asks {
            let mut call = self.asked(now, message);
            call.error = Some(why.clone());
            self.lanes.log().end(call, now, CallStatus::Denied);
        }
        asks
    }

    fn unreadable(&mut self, reason: EvidenceReason) {
        self.lanes.unreadable(reason);
        if let Some(Session { call, .. }) = &mut self.session {
            call.degrade(reason);
        }
    }

    fn end_all(&mut self, now: Duration, status: CallStatus) {
        self.lanes.end_all(now, status);
        // A client that goes in order gives up an answer, but a session it has held.
        let started = self.session.as_ref().is_some_and(|session| session.started);
        let held = started && status == CallStatus::Cancelled;
        self.end(now, if held { CallStatus::Completed } else { status });
    }

    fn log(&mut self) -> &mut Log {
        self.lanes.log()
    }
}

/// A server event, taken apart.
#[derive(Default)]
struct Said<'a> {
    kind: Option<std::borrow::Cow<'a, str>>,
    delegation: Option<String>,
    event: Option<Raw<'a>>,
    session: Option<Raw<'a>>,
    usage: Option<Raw<'a>>,
    reason: Option<String>,
    error: Option<Raw<'a>>,
}

impl<'a> Said<'a> {
    fn read(&mut self, key: &str, value: Raw<'a>) {
        match key {
            "type" => self.kind = value.str(),
            "delegation_id" => self.delegation = value.text(),
            "event" => self.event = Some(value),
            "session" => self.session = value.present(),
            "usage" => self.usage = value.present(),
            "reason" => self.reason = value.text(),
            "error" => self.error = value.present(),
            _ => {}
        }
    }
}
