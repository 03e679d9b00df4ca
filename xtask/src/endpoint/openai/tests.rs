//! Which turn a request gets.

use serde_json::{Value, json};

use super::answer;
use crate::endpoint::log::Transport;
use crate::endpoint::numbers::Numbers;

/// Plays `request` and compares the tools called; the last event holds the whole response.
#[track_caller]
fn check(request: &Value, tools: &[&str], warmup: bool) {
    let played = answer(request, Numbers::default().next(), Transport::Websocket, 1);
    let called: Vec<&str> = played.truth.tool_calls.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(called, tools);
    assert_eq!(played.truth.warmup, warmup);
    let response = &played.events.last().expect("an event")["response"];
    assert_eq!(response["usage"]["input_tokens"].as_u64(), played.truth.usage.input_tokens);
    assert_eq!(response["usage"]["output_tokens"].as_u64(), played.truth.usage.output_tokens);
    let deltas = played.events.iter().filter(|event| event["type"] == "response.output_text.delta");
    let text: String = deltas.filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(text, played.truth.text);
}

fn user(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
}

#[test]
fn the_tool_offered_is_called_when_the_newest_message_asks_for_it() {
    let function = json!({"type": "function", "name": "exec_command"});
    let code = json!({"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]});
    let late = json!({"type": "additional_tools", "tools": [code]});
    let result = json!({"type": "function_call_output", "call_id": "call_1", "output": "ok"});

    check(&json!({"input": "run: echo"}), &[], false);
    check(&json!({"input": [user("hello")], "tools": [function]}), &[], false);
    check(&json!({"input": [user("run: echo")]}), &[], false);
    check(&json!({"input": [user("run: echo")], "tools": [function]}), &["exec_command"], false);
    check(&json!({"input": [late, user("run: echo")]}), &["exec"], false);
    check(&json!({"input": [user("run: echo"), result], "tools": [function]}), &[], false);
    check(&json!({"input": [], "generate": false, "tools": [function]}), &[], true);
}

#[test]
fn tool_results_of_every_shape_are_read() {
    let text = json!({"type": "function_call_output", "call_id": "a", "output": "one"});
    let parts = json!({"type": "custom_tool_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "t"}, {"text": "wo"}]});
    let request = json!({"input": [text, parts]});
    let played = answer(&request, Numbers::default().next(), Transport::Sse, 1);
    let results: Vec<_> = played
        .truth
        .tool_results
        .iter()
        .map(|result| (result.call_id.as_str(), result.output.as_str()))
        .collect();
    assert_eq!(results, [("a", "one"), ("b", "two")]);
}
