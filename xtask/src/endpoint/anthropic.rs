//! Anthropic Messages: what the endpoint answers to one request, as events and as one message.
//!
//! A request that offers tools and carries no tool result gets a tool call. Refuses to know what
//! carries it.

use serde_json::{Value, json};

use super::log::{Provider, Response, ToolCall, ToolResult, Transport, Usage};
use super::numbers::{Number, pieces};
use super::stream::Answer;

/// The streamed answer to `request`.
pub(super) fn streamed(request: &Value, number: Number, connection: u64) -> Answer {
    let (truth, blocks, stop) = compose(request, number, Transport::Sse, connection);
    let mut opening = message(&truth, number, &[], &Value::Null);
    opening["usage"]["output_tokens"] = json!(1);
    let mut events =
        vec![json!({"type": "message_start", "message": opening}), json!({"type": "ping"})];
    for (index, block) in blocks.iter().enumerate() {
        stream_block(index, block, &mut events);
    }
    let usage = json!({"output_tokens": truth.usage.output_tokens});
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": usage}));
    events.push(json!({"type": "message_stop"}));
    Answer { truth, events }
}

/// The answer to `request` in one piece: its only event is the message.
pub(super) fn whole(request: &Value, number: Number, connection: u64) -> Answer {
    let (truth, blocks, stop) = compose(request, number, Transport::Http, connection);
    let events = vec![message(&truth, number, &blocks, &stop.into())];
    Answer { truth, events }
}

fn compose(
    request: &Value,
    number: Number,
    transport: Transport,
    connection: u64,
) -> (Response, Vec<Value>, &'static str) {
    let text = number.sentence();
    let mut blocks = vec![json!({"type": "text", "text": text})];
    let tool_results = tool_results(request);
    let mut tool_calls = Vec::new();
    if let (Some(name), true) = (request["tools"][0]["name"].as_str(), tool_results.is_empty()) {
        let call_id = number.id("toolu");
        blocks.push(
            json!({"type": "tool_use", "id": call_id, "name": name, "input": {"city": "Bern"}}),
        );
        tool_calls.push(ToolCall { call_id, name: name.into() });
    }
    let stop = if tool_calls.is_empty() { "end_turn" } else { "tool_use" };
    let truth = Response {
        connection,
        provider: Provider::Anthropic,
        transport,
        id: number.id("msg"),
        previous: None,
        model: request["model"].as_str().unwrap_or("claude-sonnet-4-5").into(),
        warmup: false,
        text,
        usage: Usage {
            input_tokens: Some(number.fresh() + number.cached() + number.cache_write()),
            output_tokens: Some(number.spoken()),
            cached_input_tokens: Some(number.cached()),
            cache_write_tokens: Some(number.cache_write()),
            reasoning_tokens: None,
        },
        tool_calls,
        tool_results,
    };
    (truth, blocks, stop)
}

fn stream_block(index: usize, block: &Value, events: &mut Vec<Value>) {
    let delta =
        |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let mut opening = block.clone();
    let deltas: Vec<Value> = if block["type"] == "text" {
        opening["text"] = "".into();
        pieces(block["text"].as_str().unwrap_or_default())
            .map(|piece| delta(json!({"type": "text_delta", "text": piece})))
            .collect()
    } else {
        opening["input"] = json!({});
        let input = block["input"].to_string();
        let (first, second) = input.split_at(input.len() / 2);
        ["", first, second]
            .map(|piece| delta(json!({"type": "input_json_delta", "partial_json": piece})))
            .into()
    };
    events.push(json!({"type": "content_block_start", "index": index, "content_block": opening}));
    events.extend(deltas);
    events.push(json!({"type": "content_block_stop", "index": index}));
}

fn message(truth: &Response, number: Number, content: &[Value], stop: &Value) -> Value {
    json!({
        "id": truth.id,
        "type": "message",
        "role": "assistant",
        "model": truth.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
        "usage": {
            "input_tokens": number.fresh(),
            "cache_creation_input_tokens": number.cache_write(),
            "cache_read_input_tokens": number.cached(),
            "output_tokens": truth.usage.output_tokens,
        },
    })
}

/// The results in the newest message; older turns are sent again by every request.
fn tool_results(request: &Value) -> Vec<ToolResult> {
    let last = request["messages"].as_array().and_then(|messages| messages.last());
    let blocks = last.and_then(|message| message["content"].as_array());
    let results = blocks.into_iter().flatten().filter(|block| block["type"] == "tool_result");
    results
        .map(|block| ToolResult {
            call_id: block["tool_use_id"].as_str().unwrap_or_default().into(),
            output: block["content"].as_str().unwrap_or_default().into(),
        })
        .collect()
}
