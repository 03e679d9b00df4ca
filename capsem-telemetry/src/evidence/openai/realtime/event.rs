//! A server event of a Realtime socket, taken apart as far as any call needs it. Knows members and
//! their meaning; whose it is, the order of events says.

use std::borrow::Cow;
use std::time::Duration;

use crate::CallStatus;

use super::super::super::call::{Call, call_error, set};
use super::super::super::input::{Payload, Walked};
use super::super::super::json::Raw;
use super::super::{item, responses, usage};

/// A server event, taken apart as far as any call needs it.
#[derive(Default)]
pub(super) struct Event<'a> {
    pub(super) kind: Cow<'a, str>,
    pub(super) response_id: Option<String>,
    pub(super) item: Option<Raw<'a>>,
    /// Of an event about one item.
    pub(super) item_id: Option<String>,
    /// The place in that item.
    pub(super) part: Option<String>,
    pub(super) session: Option<Raw<'a>>,
    /// Tokens that are no response's.
    pub(super) spent: Option<Raw<'a>>,
    pub(super) limits: Option<Raw<'a>>,
    pub(super) error: Option<Raw<'a>>,
    id: Option<String>,
    status: Option<Cow<'a, str>>,
    details: Option<Raw<'a>>,
    output: Option<Raw<'a>>,
    usage: Option<Raw<'a>>,
}

impl<'a> Event<'a> {
    pub(super) fn read(message: Payload<'a>) -> (Self, Walked) {
        let (mut read, mut response) = (Self::default(), None);
        let walked = message.members(|key, value| match key {
            "type" => read.kind = value.text().unwrap_or_default().into(),
            "response_id" => read.response_id = value.text(),
            "response" => response = value.present(),
            "session" => read.session = value.present(),
            "item_id" => read.item_id = value.text(),
            "content_index" => read.part = value.digits(),
            "usage" => read.spent = value.present(),
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

    pub(super) fn response_id(&self) -> Option<&str> {
        self.id.as_deref().or(self.response_id.as_deref())
    }

    /// Why something was refused: as an event of its own, or as the end of a response.
    pub(super) fn refusal(&self) -> Option<Raw<'a>> {
        self.error.or_else(|| self.details.and_then(|details| details.member("error")))
    }

    /// What this event adds to its call; `Some` if it ends it.
    pub(super) fn apply(&self, call: &mut Call, now: Duration) -> Option<CallStatus> {
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
