//! Anthropic Messages: requests, events of a stream and whole messages, read into one call.

use std::time::Duration;

use crate::{CallStatus, EvidenceReason, Usage};

use super::call::{Call, call_error, set};
use super::dialect::Dialect;
use super::input::Payload;
use super::json::{self, Raw};
use super::limits::Limits;

/// Reads the one call of an exchange.
#[derive(Debug, Default)]
pub(super) struct Messages {
    tokens: Tokens,
}

/// Tokens as this API counts them: input apart from both kinds of cached input.
#[derive(Debug, Default)]
struct Tokens {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
}

impl Dialect for Messages {
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
        if json::leading_type(event.text.as_bytes()) == Some("content_block_delta") {
            call.delta(now); // the most frequent event by far; its text is not looked at
            return None;
        }
        let (mut kind, mut message, mut block, mut delta) = (None, None, None, None);
        let (mut usage, mut error) = (None, None);
        let walked = event.members(|key, value| match key {
            "type" => kind = value.str(),
            "message" => message = Some(value),
            "content_block" => block = Some(value),
            "delta" => delta = Some(value),
            "usage" => usage = Some(value),
            "error" => error = value.present(),
            _ => {}
        });
        call.took(walked);
        match (kind.as_deref(), message, block, delta, error) {
            (Some("message_start"), Some(message), ..) => self.message(call, message),
            (Some("content_block_start"), _, Some(block), ..) => {
                call.item(now);
                output(call, block);
            }
            (Some("content_block_delta"), ..) => call.delta(now),
            (Some("message_delta"), ..) => {
                let reason = delta.and_then(|delta| delta.member("stop_reason"));
                set(&mut call.stop_reason, reason.and_then(Raw::text));
                self.count(call, usage);
            }
            (Some("message_stop"), ..) => return Some(ending(call)),
            (Some("error") | None, .., Some(error)) => {
                call.error = Some(call_error(error));
                limits.refusal(error);
                return Some(CallStatus::Failed);
            }
            (Some(_), ..) => {}
            (None, ..) => call.degrade(EvidenceReason::UnknownSchema),
        }
        None
    }

    fn answer(&mut self, call: &mut Call, body: Payload<'_>) -> Option<CallStatus> {
        call.took(body.members(|_, _| ()));
        if let Some(error) = body.raw().member("error") {
            call.error = Some(call_error(error));
            return Some(CallStatus::Failed);
        }
        self.message(call, body.raw());
        self.stream_ended(call)
    }

    /// A stream cut after its stop reason lost only its last event.
    fn stream_ended(&mut self, call: &mut Call) -> Option<CallStatus> {
        call.stop_reason.is_some().then(|| ending(call))
    }
}

impl Messages {
    /// Reads a message object: whole, or its beginning in `message_start`.
    fn message(&mut self, call: &mut Call, message: Raw<'_>) {
        let (mut content, mut usage) = (None, None);
        message.members(|key, value| match key {
            "id" => set(&mut call.response_id, value.text()),
            "model" => set(&mut call.model, value.text()),
            "stop_reason" => set(&mut call.stop_reason, value.text()),
            "content" => content = Some(value),
            "usage" => usage = Some(value),
            _ => {}
        });
        self.count(call, usage);
        if let Some(content) = content {
            content.elements(|block| output(call, block));
        }
    }

    /// Takes the newest counts; they are cumulative and a later event may repeat some.
    fn count(&mut self, call: &mut Call, usage: Option<Raw<'_>>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        let tokens = &mut self.tokens;
        usage.members(|key, value| match key {
            "input_tokens" => set(&mut tokens.input, value.count()),
            "cache_read_input_tokens" => set(&mut tokens.cache_read, value.count()),
            "cache_creation_input_tokens" => set(&mut tokens.cache_write, value.count()),
            "output_tokens" => set(&mut tokens.output, value.count()),
            _ => {}
        });
        call.usage = Some(tokens.usage());
    }
}

impl Tokens {
    /// In the words of the record, where all input is one total.
    fn usage(&self) -> Usage {
        let total = self.input.map(|input| {
            let cached = self.cache_read.unwrap_or(0).saturating_add(self.cache_write.unwrap_or(0));
            input.saturating_add(cached)
        });
        Usage {
            input_tokens: total,
            output_tokens: self.output,
            cached_input_tokens: self.cache_read,
            cache_write_tokens: self.cache_write,
            ..Usage::default()
        }
    }
}

/// How a message ended, by its stop reason.
fn ending(call: &Call) -> CallStatus {
    match call.stop_reason.as_deref() {
        None | Some("max_tokens" | "model_context_window_exceeded") => CallStatus::Incomplete,
        Some(_) => CallStatus::Completed,
    }
}

/// Reads a content block of the answer: a tool call, or the result of one the provider ran.
fn output(call: &mut Call, block: Raw<'_>) {
    let block = Block::read(block);
    match block.kind.as_deref() {
        Some("tool_use" | "server_tool_use" | "mcp_tool_use") => {
            call.tool_call(block.id, block.name, block.kind.unwrap_or_default());
        }
        Some(kind) if kind.ends_with("tool_result") => {
            call.tool_result(block.answers, Some(block.is_error));
        }
        _ => {}
    }
}

/// Reads a message of the request: tool results after the model's last message are new.
fn results(call: &mut Call, message: Raw<'_>) {
    let (mut role, mut content) = (None, None);
    message.members(|key, value| match key {
        "role" => role = value.str(),
        "content" => content = Some(value),
        _ => {}
    });
    if role.as_deref() == Some("assistant") {
        return call.forget_results();
    }
    if let Some(content) = content {
        content.elements(|block| {
            let block = Block::read(block);
            if block.kind.as_deref() == Some("tool_result") {
                call.tool_result(block.answers, Some(block.is_error));
            }
        });
    }
}

#[derive(Default)]
struct Block {
    kind: Option<String>,
    id: Option<String>,
    name: Option<String>,
    answers: Option<String>,
    /// Absent means that the tool did well.
    is_error: bool,
}

impl Block {
    fn read(block: Raw<'_>) -> Self {
        let mut read = Self::default();
        block.members(|key, value| match key {
            "type" => read.kind = value.text(),
            "id" => read.id = value.text(),
            "name" => read.name = value.text(),
            "tool_use_id" => read.answers = value.text(),
            "is_error" => read.is_error |= value.truth() == Some(true),
            "content" if value.is_object() => {
                // A tool of the provider's own says it by the kind of its content.
                let kind = value.member("type").and_then(Raw::str);
                read.is_error |= kind.is_some_and(|kind| kind.ends_with("_tool_result_error"));
            }
            _ => {}
        });
        read
    }
}
