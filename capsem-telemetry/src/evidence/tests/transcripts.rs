//! Every transcript against what it must give, whole and cut at every line.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::replay::{Outcome, all, play, play_in_pieces};
use crate::{CallStatus, Id, Initiator, ModelCall};

/// What a call is where a transcript's expectation does not say otherwise.
fn usual() -> Map<String, Value> {
    let usual = json!({
        "provider": "openai", "protocol": "openai", "operation": "chat",
        "model_requested": null, "model": null, "response_id": null,
        "previous_response_id": null, "stream_id": null, "initiator": "client", "warmup": false,
        "status": "completed", "stop_reason": null, "error": null, "usage": null,
        "tool_calls": [], "tool_results": [], "server_timing": null, "safety": [], "time_to_first_token_ms": null,
        "evidence": {"state": "full", "reason": null},
    });
    usual.as_object().unwrap().clone()
}

/// The same of a tool use.
fn usual_use() -> Map<String, Value> {
    let usual = json!({
        "transport": "websocket", "server": null, "request_id": null, "name": null,
        "status": "completed", "is_error": null, "error": null, "content": null,
        "evidence": {"state": "full", "reason": null},
    });
    usual.as_object().unwrap().clone()
}

/// The same of what is said of one rate limit.
fn usual_limit() -> Map<String, Value> {
    let usual = json!({
        "limit": null, "remaining": null, "used_percent": null, "window_minutes": null,
        "resets_at": null, "resets_in_ms": null, "status": null,
    });
    usual.as_object().unwrap().clone()
}

const USAGE: [&str; 8] = [
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "time_ms",
];

/// An expected call with everything it leaves out. Usage is a list, in the record's order.
fn filled(expected: &Value, shared: &Value) -> Map<String, Value> {
    let mut call = usual();
    for given in [shared, expected] {
        for (key, value) in given.as_object().into_iter().flatten() {
            call.insert(key.clone(), value.clone());
        }
    }
    if let Some(counts) = call["usage"].as_array() {
        let named = USAGE
            .iter()
            .enumerate()
            .map(|(at, name)| ((*name).to_owned(), counts.get(at).cloned().unwrap_or_default()));
        call["usage"] = Value::Object(named.collect());
    }
    call
}

fn expectation(path: &Path) -> Value {
    let path = path.with_extension("expect.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_transcript_gives_what_it_must() {
    let transcripts = all();
    assert!(transcripts.len() >= 180, "{} transcripts found", transcripts.len());
    let wrong: Vec<_> =
        transcripts.iter().flat_map(|(path, lines)| differences(path, lines)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Where a transcript gives something else than its expectation says.
fn differences(path: &Path, lines: &[String]) -> Vec<String> {
    let expected = expectation(path);
    let Outcome { calls, tool_uses, limits, evidence, total, .. } = play(lines, lines.len());
    let name = path.file_stem().unwrap_or_default().display();
    let mut wrong = Vec::new();
    let mut compare = |what: &str, given: &Value, wanted: &Value| {
        if given != wanted {
            wrong.push(format!("{name}: {what} is {given}, not {wanted}"));
        }
    };
    let wanted = expected["calls"].as_array().unwrap();
    compare("number of calls", &json!(calls.len()), &json!(wanted.len()));
    compare("total", &json!(total), &json!(calls.len()));
    compare("evidence", &serde_json::to_value(evidence).unwrap(), &expected["evidence"]);
    for (at, (call, wanted)) in calls.iter().zip(wanted).enumerate() {
        let call = terse(serde_json::to_value(call).unwrap());
        for (key, wanted) in filled(wanted, &expected["each"]) {
            compare(&format!("call {at}: {key}"), &call[&key], &wanted);
        }
    }
    let uses = expected["tool_uses"].as_array().cloned().unwrap_or_default();
    compare("number of tool uses", &json!(tool_uses.len()), &json!(uses.len()));
    for (at, (tool, wanted)) in tool_uses.iter().zip(&uses).enumerate() {
        let tool = serde_json::to_value(tool).unwrap();
        let mut usual = usual_use();
        usual.extend(wanted.as_object().unwrap().clone());
        for (key, wanted) in usual {
            compare(&format!("tool use {at}: {key}"), &tool[&key], &wanted);
        }
    }
    let said = expected["rate_limits"].as_array().cloned().unwrap_or_default();
    compare("number of words on limits", &json!(limits.len()), &json!(said.len()));
    for (at, (given, wanted)) in limits.iter().zip(&said).enumerate() {
        let given = serde_json::to_value(given).unwrap();
        let mut wanted = wanted.as_object().unwrap().clone();
        for limit in wanted["limits"].as_array_mut().unwrap() {
            let mut usual = usual_limit();
            usual.extend(limit.as_object().unwrap().clone());
            *limit = Value::Object(usual);
        }
        for key in ["source", "plan", "limits", "evidence"] {
            let usual = if key == "evidence" {
                json!({"state": "full", "reason": null})
            } else {
                Value::Null
            };
            let wanted = wanted.get(key).unwrap_or(&usual);
            compare(&format!("limits {at}: {key}"), &given[key], wanted);
        }
    }
    wrong
}

/// A call whose tools leave out what they leave unsaid, and the ids each replay makes anew.
fn terse(mut call: Value) -> Value {
    for key in ["tool_calls", "tool_results"] {
        for tool in call[key].as_array_mut().into_iter().flatten() {
            let tool = tool.as_object_mut().unwrap();
            if tool.get("answers").is_some_and(|answers| !answers.is_null()) {
                tool.insert("answers".to_owned(), json!(true));
            }
            let result = tool.contains_key("answers");
            tool.retain(|key, value| match key.as_str() {
                "name" | "answers" => !(result && value.is_null()),
                "cancelled" => *value != json!(false),
                _ => true,
            });
        }
    }
    call
}

/// A call without the ids that each replay makes anew.
pub(super) fn nameless(call: &ModelCall) -> ModelCall {
    let none: Id = "000000000000".parse().unwrap();
    let mut call = ModelCall { exchange: none, call: none, ..call.clone() };
    call.tool_results.iter_mut().for_each(|result| result.answers = result.answers.map(|_| none));
    call
}

#[test]
fn pieces_of_any_size_give_the_same() {
    for (path, lines) in all() {
        let whole = play(&lines, lines.len());
        for size in [1, 7, 64] {
            let pieces = play_in_pieces(&lines, lines.len(), size);
            let nameless =
                |outcome: &Outcome| outcome.calls.iter().map(nameless).collect::<Vec<_>>();
            assert_eq!(nameless(&pieces), nameless(&whole), "{} by {size}", path.display());
        }
    }
}

#[test]
fn a_cut_loses_only_what_is_open() {
    for (path, lines) in all() {
        let name = path.display();
        let whole = play(&lines, lines.len());
        for count in 1..lines.len() {
            let cut = play(&lines, count);
            let (before, open) = cut.calls.split_at(cut.prompt);
            for (at, call) in before.iter().enumerate() {
                assert_eq!(nameless(call), nameless(&whole.calls[at]), "{name} cut at {count}");
            }
            for call in open {
                // What had met its error or its last word but one is no longer just lost.
                let said = call.error.is_some() || call.stop_reason.is_some();
                assert!(
                    said || call.status == CallStatus::ConnectionLost,
                    "{name} cut at {count}: {call:#?}"
                );
            }
            let started_by_client = |calls: &[ModelCall]| {
                calls.iter().filter(|call| call.initiator == Initiator::Client).count()
            };
            assert!(started_by_client(&cut.calls) <= started_by_client(&whole.calls), "{name}");
        }
    }
}
