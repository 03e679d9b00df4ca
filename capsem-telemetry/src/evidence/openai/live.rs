//! `OpenAI`'s Live sessions: the model behind a voice works in responses of the Responses API, whose
//! events come wrapped. The voice itself is no response and has no tokens.

use std::time::Duration;

use crate::{CallError, CallStatus, EvidenceReason};

use super::super::call::{Context, set};
use super::super::input::Payload;
use super::super::json::Raw;
use super::super::log::{Interpreter, Log};
use super::Lanes;

/// Follows the calls of one session.
#[derive(Debug)]
pub(in super::super) struct Live {
    /// One lane for each delegation.
    lanes: Lanes,
}

impl Live {
    pub(in super::super) fn new(context: Context) -> Self {
        Self { lanes: Lanes::new(context) }
    }
}

impl Interpreter for Live {
    fn client(&mut self, _: Duration, message: Payload<'_>) {
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
    }

    fn server(&mut self, now: Duration, message: Payload<'_>) {
        let (mut kind, mut delegation, mut event) = (None, None, None);
        let walked = message.members(|key, value| match key {
            "type" => kind = value.str(),
            "delegation_id" => delegation = value.text(),
            "event" => event = Some(value),
            _ => {}
        });
        self.lanes.log().took(walked);
        match (kind.as_deref(), event) {
            (Some("response.event"), Some(event)) => {
                let event = Payload { text: event.json(), ..message };
                self.lanes.event(now, event, delegation.as_deref());
            }
            (Some(_), _) => {}
            (None, _) => self.lanes.log().degrade(Some(EvidenceReason::UnknownSchema)),
        }
    }

    /// Nothing a client sends here asks for one response.
    fn denied(&mut self, _: Duration, _: Payload<'_>, _: &CallError) -> bool {
        false
    }

    fn unreadable(&mut self, reason: EvidenceReason) {
        self.lanes.unreadable(reason);
    }

    fn end_all(&mut self, now: Duration, status: CallStatus) {
        self.lanes.end_all(now, status);
    }

    fn log(&mut self) -> &mut Log {
        self.lanes.log()
    }
}
