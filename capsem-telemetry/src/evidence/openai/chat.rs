//! Chat Completions: requests, chunks of a stream and whole completions, read into one call.

use std::time::Duration;

use crate::{CallStatus, EvidenceReason};

use super::super::call::{Call, call_error, set};
use super::super::dialect::Dialect;
use super::super::input::Payload;
use super::super::json::Raw;
use super::super::limits::Limits;
use super::usage;

/// The kind of every tool call that does not name another.
const FUNCTION: &str = "function";

/// Reads the one call of an exchange.
#[derive(Debug, Default)]
pub(in super::super) struct Chat {
    /// How the finish reason says the call ends; it does at the end of the stream, after usage.
    ending: Option<CallStatus>,
}

impl Dialect for Chat {
    fn request(&mut self, call: &mut Call, body: Payload<'_>) {
        let mut messages = None;
        let walked = body.members(|key, value| match key {
            "model" => call.model_requested = value.text(),
            "messages" => messages = Some(value),
            _ => {}
        });
        call.took(walked);
        if let Some(messages) = messages {
            messages.elements(|message| results(call, message));
        }
    }

    fn event(
        &mut self,
        call: &mut Call,
        limits: &mut Limits,
        now: Duration,
        event: Payload<'_>,
    ) -> Option<CallStatus> {
        if event.text.trim() == "[DONE]" {
            return self.stream_ended(call).or(Some(CallStatus::Incomplete));
        }
        self.completion(call, Some(now), event);
        if call.error.is_some()
            && let Some(error) = event.raw().member("error")
        {
            limits.refusal(error);
        }
        None
    }

    fn answer(&mut self, call: &mut Call, body: Payload<'_>) -> Option<CallStatus> {
        self.completion(call, None, body);
        self.stream_ended(call)
    }

    fn stream_ended(&mut self, call: &mut Call) -> Option<CallStatus> {
        if call.error.is_some() { Some(CallStatus::Failed) } else { self.ending }
    }
}

impl Chat {
    /// Reads a completion or a chunk of one: they differ in `message` and `delta`.
    fn completion(&mut self, call: &mut Call, now: Option<Duration>, completion: Payload<'_>) {
        let (mut choices, mut known) = (None, false);
        let walked = completion.members(|key, value| {
            known = true;
            match key {
                "id" => set(&mut call.response_id, value.text().filter(|id| !id.is_empty())),
                "model" => set(&mut call.model, value.text().filter(|model| !model.is_empty())),
                "usage" => set(&mut call.usage, usage::usage(value)),
                "error" => set(&mut call.error, value.present().map(call_error)),
                "choices" => choices = Some(value),
                _ => {}
            }
        });
        call.took(walked);
        if let Some(choices) = choices {
            choices.elements(|choice| self.choice(call, now, choice));
        } else if known && call.error.is_none() {
            call.degrade(EvidenceReason::UnknownSchema);
        }
    }

    fn choice(&mut self, call: &mut Call, now: Option<Duration>, choice: Raw<'_>) {
        let (mut message, mut finish) = (None, None);
        choice.members(|key, value| match key {
            "message" | "delta" => message = value.present(),
            "finish_reason" => finish = value.text(),
            _ => {}
        });
        if let Some(message) = message {
            let output = said(call, message);
            if let (Some(now), true) = (now, output) {
                call.delta(now);
            }
        }
        if let Some(finish) = finish {
            self.ending = Some(match finish.as_str() {
                "length" | "content_filter" => CallStatus::Incomplete,
                _ => CallStatus::Completed,
            });
            call.stop_reason = Some(finish);
        }
    }
}

/// Reads the tools of a message or delta, and says whether it brings any output. The opening delta,
/// with a role and empty content, brings none.
fn said(call: &mut Call, message: Raw<'_>) -> bool {
    let mut output = false;
    message.members(|key, value| match key {
        "tool_calls" => {
            value.elements(|tool| {
                output = true;
                self::tool(call, tool);
            });
        }
        "function_call" if value.present().is_some() => {
            output = true;
            let name = value.member("name").and_then(Raw::text);
            if name.is_some() {
                call.tool_call(None, name, "function_call".to_owned());
            }
        }
        "content" | "reasoning_content" | "reasoning" | "refusal" | "audio" => {
            output |= !matches!(value.json(), "null" | r#""""#);
        }
        _ => {}
    });
    output
}

/// Reads a tool call. Only its first piece in a stream has the id and the name.
fn tool(call: &mut Call, tool: Raw<'_>) {
    let (mut id, mut kind, mut name) = (None, None, None);
    tool.members(|key, value| match key {
        "id" => id = value.text().filter(|id| !id.is_empty()),
        "type" => kind = value.text().filter(|kind| !kind.is_empty()),
        "function" | "custom" => set(&mut name, value.member("name").and_then(Raw::text)),
        _ => {}
    });
    if id.is_some() || name.as_ref().is_some_and(|name| !name.is_empty()) {
        call.tool_call(id, name, kind.unwrap_or_else(|| FUNCTION.to_owned()));
    }
}

/// Reads a message of the request: tool results after the model's last message are new.
fn results(call: &mut Call, message: Raw<'_>) {
    let (mut role, mut id) = (None, None);
    message.members(|key, value| match key {
        "role" => role = value.str(),
        "tool_call_id" => id = value.text(),
        _ => {}
    });
    match role.as_deref() {
        Some("tool" | "function") => call.tool_result(id, None),
        Some("assistant") => call.forget_results(),
        _ => {}
    }
}
