//! Gemini `generateContent`: requests, chunks and whole answers, read into one call. An answer that
//! is streamed as one JSON array is read like the chunks it consists of.

use std::time::Duration;

use crate::{CallStatus, EvidenceReason, Usage};

use super::call::{Call, call_error, set};
use super::dialect::Dialect;
use super::input::Payload;
use super::json::{self, Raw};
use super::limits::Limits;

/// The kind of every tool call here.
pub(super) const FUNCTION: &str = "function_call";

/// Reads the one call of an exchange.
#[derive(Debug, Default)]
pub(super) struct Generate {
    /// How the finish reason says the call ends; it does at the end of the body.
    ending: Option<CallStatus>,
}

impl Dialect for Generate {
    fn request(&mut self, call: &mut Call, body: Payload<'_>) {
        // Code Assist wraps the request and names the model beside it.
        let (mut contents, mut wrapped) = (None, None);
        let walked = body.members(|key, value| match key {
            "model" => call.model_requested = value.text(),
            "contents" => contents = Some(value),
            "request" => wrapped = Some(value),
            _ => {}
        });
        call.took(walked);
        let contents = contents.or_else(|| wrapped.and_then(|request| request.member("contents")));
        if let Some(contents) = contents {
            contents.elements(|content| results(call, content));
        }
    }

    fn event(
        &mut self,
        call: &mut Call,
        limits: &mut Limits,
        now: Duration,
        event: Payload<'_>,
    ) -> Option<CallStatus> {
        call.took(event.members(|_, _| ()));
        self.chunk(call, Some(now), event.raw());
        if call.error.is_some()
            && let Some(error) = unwrapped(event.raw()).member("error")
        {
            limits.refusal(error);
        }
        None
    }

    fn answer(&mut self, call: &mut Call, body: Payload<'_>) -> Option<CallStatus> {
        if body.raw().is_array() {
            let mut any = false;
            let whole = body.raw().elements(|chunk| {
                any = true;
                self.chunk(call, None, chunk);
            });
            call.took(body.walked(any, whole));
        } else {
            call.took(body.members(|_, _| ()));
            self.chunk(call, None, body.raw());
        }
        self.stream_ended(call)
    }

    fn stream_ended(&mut self, call: &mut Call) -> Option<CallStatus> {
        if call.error.is_some() {
            return Some(CallStatus::Failed);
        }
        if call.stop_reason.as_deref() == Some("STOP") && call.called(|_| true) {
            call.stop_reason = Some("tool_calls".to_owned()); // the API has no word for it
        }
        self.ending
    }
}

impl Generate {
    fn chunk(&mut self, call: &mut Call, now: Option<Duration>, chunk: Raw<'_>) {
        let mut known = false;
        unwrapped(chunk).members(|key, value| {
            let mut it = true;
            match key {
                "responseId" => set(&mut call.response_id, value.text()),
                "modelVersion" => set(&mut call.model, value.text()),
                "usageMetadata" => set(&mut call.usage, usage(value)),
                "candidates" => {
                    value.elements(|candidate| self.candidate(call, now, candidate));
                }
                "promptFeedback" => {
                    let blocked = value.member("blockReason").and_then(Raw::text);
                    if blocked.is_some() {
                        call.stop_reason = blocked;
                        self.ending = Some(CallStatus::Incomplete);
                    }
                }
                "error" => set(&mut call.error, value.present().map(call_error)),
                _ => it = false,
            }
            known |= it;
        });
        if !known {
            call.degrade(EvidenceReason::UnknownSchema);
        }
    }

    fn candidate(&mut self, call: &mut Call, now: Option<Duration>, candidate: Raw<'_>) {
        candidate.members(|key, value| match key {
            "content" => {
                let Some(parts) = value.member("parts") else { return };
                parts.elements(|part| {
                    if let Some(now) = now {
                        call.delta(now);
                    }
                    if let Some(function) = part.member("functionCall") {
                        let id = function.member("id").and_then(Raw::text);
                        let name = function.member("name").and_then(Raw::text);
                        call.tool_call(id, name, FUNCTION.to_owned());
                    }
                });
            }
            "finishReason" => {
                if let Some(reason) = value.text() {
                    let stopped = matches!(reason.as_str(), "STOP" | "FINISH_REASON_UNSPECIFIED");
                    self.ending =
                        Some(if stopped { CallStatus::Completed } else { CallStatus::Incomplete });
                    call.stop_reason = Some(reason);
                }
            }
            _ => {}
        });
    }
}

/// A chunk as it is meant: Code Assist puts it into a member of another.
fn unwrapped(chunk: Raw<'_>) -> Raw<'_> {
    chunk.member("response").unwrap_or(chunk)
}

/// Reads the cumulative counts of a chunk. Thoughts are not in the output's count, and what tools
/// put into the prompt is not in the prompt's: the record's totals include both. Live has another
/// name for the output.
pub(super) fn usage(metadata: Raw<'_>) -> Option<Usage> {
    let (mut prompt, mut tools, mut output, mut thoughts) = (None, None, None, None);
    let mut read = Usage::default();
    let object = metadata.members(|key, value| match &*json::camel(key) {
        "promptTokenCount" => prompt = value.count(),
        "toolUsePromptTokenCount" => tools = value.count(),
        "candidatesTokenCount" | "responseTokenCount" => output = value.count(),
        "thoughtsTokenCount" => thoughts = value.count(),
        "cachedContentTokenCount" => read.cached_input_tokens = value.count(),
        "promptTokensDetails" => read.audio_input_tokens = audio(value),
        "candidatesTokensDetails" | "responseTokensDetails" => {
            read.audio_output_tokens = audio(value);
        }
        _ => {}
    });
    let sum = |total: Option<u64>, part: Option<u64>| match (total, part) {
        (None, None) => None,
        (total, part) => Some(total.unwrap_or(0).saturating_add(part.unwrap_or(0))),
    };
    read.input_tokens = sum(prompt, tools);
    read.output_tokens = sum(output, thoughts);
    read.reasoning_tokens = thoughts;
    object.then_some(read)
}

/// The audio part of a list of counts by modality.
fn audio(details: Raw<'_>) -> Option<u64> {
    let mut audio = None;
    details.elements(|detail| {
        let (mut modality, mut count) = (None, None);
        detail.members(|key, value| match &*json::camel(key) {
            "modality" => modality = value.str(),
            "tokenCount" => count = value.count(),
            _ => {}
        });
        if modality.as_deref() == Some("AUDIO") {
            set(&mut audio, count);
        }
    });
    audio
}

/// Reads a content of the request: function responses after the model's last content are new.
pub(super) fn results(call: &mut Call, content: Raw<'_>) {
    if content.member("role").and_then(Raw::str).as_deref() == Some("model") {
        return call.forget_results();
    }
    if let Some(parts) = content.member("parts") {
        parts.elements(|part| {
            part.members(|key, value| {
                if &*json::camel(key) == "functionResponse" {
                    call.tool_result(value.member("id").and_then(Raw::text), None);
                }
            });
        });
    }
}
