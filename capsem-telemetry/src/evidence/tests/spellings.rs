//! The same said in another spelling gives the same: errors in all their shapes, Gemini Live in
//! either case of its keys.

use std::time::Duration;

use serde_json::Value;

use super::replay::{all, play};
use super::transcripts::nameless;
use crate::evidence::{Seen, Settings, WsEvidence};
use crate::{CallStatus, Id, ModelCall, attribute};

const NOW: Duration = Duration::from_millis(1);

fn seen(json: &str) -> Seen<'_> {
    Seen { payload: json.as_bytes(), binary: false, truncated: false, len: json.len() as u64 }
}

/// The shapes an error comes in.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// The public API's.
    Wrapped,
    /// The `ChatGPT` backend's.
    Codex,
    /// That of server-sent events.
    Flat,
    /// A response that failed.
    Response,
}

/// The error of a shape, with or without a lane, a status and a code.
fn error(shape: Shape, lane: bool, status: bool, code: bool) -> String {
    let on = |it: bool, json: &str| if it { json.to_owned() } else { String::new() };
    let lane = on(lane, r#","stream_id":"a""#);
    let code = on(code, r#","code":"a_code""#);
    match shape {
        Shape::Wrapped => {
            let status = on(status, r#","status":400"#);
            format!(
                r#"{{"type":"error"{status}{lane},"error":{{"type":"a_type"{code},"message":"m","param":null}}}}"#
            )
        }
        Shape::Codex => {
            let status = on(status, r#","status_code":400"#);
            format!(
                r#"{{"type":"error"{status}{lane},"error":{{"message":"m"{code},"plan_type":"plus","resets_at":1790003600}},"headers":{{}}}}"#
            )
        }
        Shape::Flat => {
            let status = on(status, r#","status":400"#);
            format!(
                r#"{{"type":"error"{code}{status}{lane},"message":"m","param":null,"sequence_number":3}}"#
            )
        }
        Shape::Response => format!(
            r#"{{"type":"response.failed"{lane},"response":{{"id":"resp_1","status":"failed","error":{{"message":"m"{code}}},"usage":null}}}}"#
        ),
    }
}

/// What comes of a request in a lane, or in none, that such an error answers. A second request, in
/// the other of the two, is left alone.
#[track_caller]
fn check(shape: Shape, lane: bool, status: bool, code: bool) {
    let attribution = attribute("api.openai.com", "/v1/responses");
    let mut socket = WsEvidence::new(Settings::new(Id::fresh(), attribution, 1 << 20));
    let create = |named: bool, model: &str| {
        let lane = if named { r#","stream_id":"a""# } else { "" };
        format!(r#"{{"type":"response.create","model":"{model}"{lane}}}"#)
    };
    socket.client_message(NOW, seen(&create(!lane, "other")));
    socket.client_message(NOW, seen(&create(lane, "this")));
    let event = error(shape, lane, status, code);
    socket.server_message(NOW, seen(&event));
    let calls = socket.take_calls();
    let [call] = &*calls else { panic!("{event}: {calls:#?}") };
    let ModelCall { model_requested, status: ended, error, .. } = call;
    let error = error.as_ref().unwrap_or_else(|| panic!("{event}: no error"));
    let wanted = match (shape, code, status) {
        (_, true, _) => Some("a_code"),
        (Shape::Wrapped, false, _) => Some("a_type"),
        (Shape::Codex | Shape::Flat, false, true) => Some("400"),
        (Shape::Codex | Shape::Flat | Shape::Response, false, _) => None,
    };
    assert_eq!(error.code.as_deref(), wanted, "{event}");
    assert_eq!(error.message.as_deref(), Some("m"), "{event}");
    assert_eq!((model_requested.as_deref(), *ended), (Some("this"), CallStatus::Failed), "{event}");
    assert_eq!(call.stop_reason.as_deref(), wanted, "{event}");
    let (rest, _, total) = socket.finish(NOW, true);
    assert_eq!((rest[0].model_requested.as_deref(), total), (Some("other"), 2), "{event}");
    assert_eq!((rest[0].status, &rest[0].error), (CallStatus::ConnectionLost, &None), "{event}");
}

#[test]
fn errors_in_every_shape() {
    for shape in [Shape::Wrapped, Shape::Codex, Shape::Flat, Shape::Response] {
        for given in 0..8 {
            check(shape, given & 1 != 0, given & 2 != 0, given & 4 != 0);
        }
    }
}

/// A key of proto JSON as the Python SDK sends it.
fn snake(key: &str) -> String {
    let mut snake = String::new();
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn in_snake_case(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (snake(&key), in_snake_case(value))).collect()
        }
        Value::Array(values) => values.into_iter().map(in_snake_case).collect(),
        other => other,
    }
}

#[test]
fn gemini_live_in_snake_case() {
    let live = all().into_iter().filter(|(path, _)| path.to_string_lossy().contains("gemini-live"));
    let mut count = 0;
    for (path, lines) in live {
        let spelled =
            |line: &String| in_snake_case(serde_json::from_str(line).unwrap()).to_string();
        let again: Vec<_> = lines.iter().map(spelled).collect();
        let (camel, snake) = (play(&lines, lines.len()), play(&again, again.len()));
        let nameless = |calls: &[ModelCall]| -> Vec<_> {
            let sized = calls.iter().map(nameless);
            sized.map(|call| ModelCall { request_bytes: 0, response_bytes: 0, ..call }).collect()
        };
        assert_eq!(nameless(&snake.calls), nameless(&camel.calls), "{}", path.display());
        assert_eq!(snake.evidence, camel.evidence, "{}", path.display());
        count += 1;
    }
    assert!(count >= 18, "{count}");
}
