//! Gemini `generateContent` and `streamGenerateContent`: what the endpoint answers to one request.
//!
//! Refuses to know what carries it.

use serde_json::{Value, json};

use super::log::{Provider, Response, Transport, Usage};
use super::numbers::{Number, pieces};
use super::stream::Answer;

/// The streamed answer: chunks whose usage grows and is final in the last one.
pub(super) fn streamed(model: &str, number: Number, connection: u64) -> Answer {
    let truth = truth(model, number, Transport::Sse, connection);
    let mut events: Vec<Value> =
        pieces(&truth.text).map(|piece| chunk(&truth, number, piece)).collect();
    if let Some(last) = events.last_mut() {
        finish(last, number);
    }
    Answer { truth, events }
}

/// The answer in one piece: its only event is the response.
pub(super) fn whole(model: &str, number: Number, connection: u64) -> Answer {
    let truth = truth(model, number, Transport::Http, connection);
    let mut only = chunk(&truth, number, &truth.text);
    finish(&mut only, number);
    Answer { truth, events: vec![only] }
}

fn truth(model: &str, number: Number, transport: Transport, connection: u64) -> Response {
    Response {
        connection,
        provider: Provider::Google,
        transport,
        id: number.id("gen"),
        previous: None,
        model: model.into(),
        warmup: false,
        text: number.sentence(),
        usage: Usage {
            input_tokens: Some(number.fresh() + number.cached()),
            output_tokens: Some(number.spoken() + number.reasoning()),
            cached_input_tokens: Some(number.cached()),
            cache_write_tokens: None,
            reasoning_tokens: Some(number.reasoning()),
        },
        tool_calls: Vec::new(),
        tool_results: Vec::new(),
    }
}

fn chunk(truth: &Response, number: Number, text: &str) -> Value {
    json!({
        "candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}],
        "modelVersion": truth.model,
        "responseId": truth.id,
        "usageMetadata": {
            "promptTokenCount": number.fresh() + number.cached(),
            "cachedContentTokenCount": number.cached(),
            "candidatesTokenCount": 1,
            "thoughtsTokenCount": number.reasoning(),
            "totalTokenCount": number.fresh() + number.cached() + number.reasoning() + 1,
        },
    })
}

fn finish(last: &mut Value, number: Number) {
    last["candidates"][0]["finishReason"] = "STOP".into();
    let usage = &mut last["usageMetadata"];
    usage["candidatesTokenCount"] = number.spoken().into();
    usage["totalTokenCount"] =
        (number.fresh() + number.cached() + number.spoken() + number.reasoning()).into();
}
