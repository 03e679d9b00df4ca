//! Calls as spans, in the names of each version.

use super::*;
use crate::record::samples::{model_call, tool_use};
use crate::{CallError, Operation, Usage};

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[track_caller]
fn check(call: &ModelCall, name: &str, value: Option<&Value>) {
    let attributes = attributes(call, Version::LATEST);
    let found = attributes.iter().find(|(it, _)| *it == name);
    assert_eq!(found.map(|(_, value)| value), value, "{name}");
}

#[test]
fn a_whole_call() {
    let call = ModelCall {
        previous_response_id: Some("resp_0".to_owned()),
        stop_reason: Some("stop".to_owned()),
        usage: Some(Usage {
            input_tokens: Some(120),
            output_tokens: Some(30),
            cached_input_tokens: Some(100),
            cache_write_tokens: Some(5),
            reasoning_tokens: Some(12),
            audio_input_tokens: Some(1),
            audio_output_tokens: Some(0),
            time_ms: None,
        }),
        ..model_call()
    };
    let wanted = [
        ("gen_ai.operation.name", text("chat")),
        ("gen_ai.provider.name", text("openai")),
        ("gen_ai.request.model", text("gpt-5")),
        ("gen_ai.request.previous_response.id", text("resp_0")),
        ("gen_ai.request.stream", Value::Truth(true)),
        ("gen_ai.response.id", text("resp_1")),
        ("gen_ai.response.model", text("gpt-5-2026")),
        ("gen_ai.response.finish_reasons", Value::Texts(vec!["stop".to_owned()])),
        ("gen_ai.response.status", text("completed")),
        ("gen_ai.response.time_to_first_chunk", Value::Seconds(0.21)),
        ("gen_ai.usage.input_tokens", Value::Number(120)),
        ("gen_ai.usage.output_tokens", Value::Number(30)),
        ("gen_ai.usage.cache_read.input_tokens", Value::Number(100)),
        ("gen_ai.usage.cache_write.input_tokens", Value::Number(5)),
        ("gen_ai.usage.reasoning.output_tokens", Value::Number(12)),
        ("gen_ai.usage.audio.input_tokens", Value::Number(1)),
        ("gen_ai.usage.audio.output_tokens", Value::Number(0)),
        ("openai.api.type", text("responses")),
    ];
    assert_eq!(attributes(&call, Version::LATEST), wanted);
    assert_eq!(span_name(&call), "chat gpt-5");

    let older = attributes(&call, Version::V1_41);
    assert!(older.contains(&("gen_ai.usage.cache_creation.input_tokens", Value::Number(5))));
    assert_eq!(older.len(), wanted.len() - 4, "{older:?}");
}

#[test]
fn what_is_not_known_has_no_attribute() {
    let call = ModelCall { model_requested: None, model: None, usage: None, ..model_call() };
    check(&call, "gen_ai.request.model", None);
    check(&call, "gen_ai.usage.input_tokens", None);
    check(&call, "error.type", None);
    assert_eq!(span_name(&call), "chat");
}

#[test]
fn failures_and_providers() {
    let lost = ModelCall { status: CallStatus::ConnectionLost, ..model_call() };
    check(&lost, "error.type", Some(&text("connection_lost")));
    let error = Some(CallError { code: Some("rate_limit".to_owned()), message: None });
    let failed = ModelCall { status: CallStatus::Failed, error, ..model_call() };
    check(&failed, "error.type", Some(&text("rate_limit")));
    let cancelled = ModelCall { status: CallStatus::Cancelled, ..failed };
    check(&cancelled, "error.type", None);

    let gemini = ModelCall {
        provider: Provider::Google,
        operation: Operation::GenerateContent,
        ..model_call()
    };
    check(&gemini, "gen_ai.provider.name", Some(&text("gcp.gen_ai")));
    let gateway = ModelCall { provider: Provider::Unknown, ..model_call() };
    check(&gateway, "gen_ai.provider.name", Some(&text("openai")));
    let azure = ModelCall { provider: Provider::Azure, ..model_call() };
    check(&azure, "gen_ai.provider.name", Some(&text("azure.ai.openai")));
}

#[test]
fn a_tool_use() {
    let wanted = [
        ("gen_ai.operation.name", text("execute_tool")),
        ("gen_ai.tool.name", text("find")),
        ("mcp.method.name", text("tools/call")),
        ("jsonrpc.request.id", text("7")),
    ];
    assert_eq!(tool_attributes(&tool_use(), Version::LATEST), wanted);
    let bad = ToolUse { is_error: Some(true), ..tool_use() };
    let attributes = tool_attributes(&bad, Version::LATEST);
    assert_eq!(attributes.last(), Some(&("error.type", text("tool_error"))));
}
