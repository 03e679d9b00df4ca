//! What a host gets beyond the records: the bytes of each call, content, results matched across
//! exchanges.

use std::time::Duration;

use crate::evidence::{
    Finished, HttpEvidence, RequestHead, ResponseHead, Seen, Settings, ToolMemory, WsEvidence,
};
use crate::{CallError, CallStatus, Id, ModelCall, Transport, attribute};

const NOW: Duration = Duration::from_millis(1);

fn settings(host: &str, path: &str) -> Settings {
    Settings::new(Id::fresh(), attribute(host, path), 1 << 20)
}

fn responses() -> Settings {
    settings("api.openai.com", "/v1/responses")
}

fn text(json: &str) -> Seen<'_> {
    Seen { payload: json.as_bytes(), binary: false, truncated: false, len: json.len() as u64 }
}

const CREATE: &str = r#"{"type":"response.create","model":"m","input":"say \"hi\", sk-abc123","tools":[{"authorization":"t0p"}]}"#;
const CREATED: &str = r#"{"type":"response.created","response":{"id":"r"}}"#;
const DELTA: &str = r#"{"type":"response.output_text.delta","delta":"hi"}"#;
const DONE: &str =
    r#"{"type":"response.completed","response":{"id":"r","status":"completed","usage":null}}"#;

fn turn(settings: Settings) -> Finished {
    let mut socket = WsEvidence::new(settings);
    socket.client_message(NOW, text(CREATE));
    for event in [CREATED, r#"{"type":"codex.rate_limits"}"#, DELTA, DONE] {
        socket.server_message(NOW, text(event));
    }
    socket.take_finished().pop().expect("a call")
}

#[test]
fn a_host_gets_the_request_and_the_events_as_they_came() {
    let raw = turn(Settings { raw: 4096, ..responses() }).raw.expect("asked for");
    assert_eq!(raw.request(), CREATE.as_bytes());
    let events: Vec<_> = raw.events().collect();
    assert_eq!(events, [CREATED.as_bytes(), DELTA.as_bytes(), DONE.as_bytes()]);
    assert!(!raw.is_truncated());
    assert!(turn(responses()).raw.is_none());
}

#[test]
fn bytes_beyond_the_limit_are_left_out_and_said_to_be() {
    let raw = turn(Settings { raw: 100, ..responses() }).raw.expect("asked for");
    assert_eq!(raw.request(), &CREATE.as_bytes()[..100]);
    assert_eq!(raw.events().count(), 1, "a whole prefix of the events");
    assert!(raw.is_truncated());
}

#[test]
fn bodies_of_http_are_kept_likewise() {
    let settings = settings("api.openai.com", "/v1/chat/completions");
    let mut exchange = HttpEvidence::new(
        Settings { raw: 4096, content: 4096, ..settings },
        RequestHead { method: "POST", ..RequestHead::default() },
    );
    exchange.request_data(NOW, br#"{"model":"m","#);
    exchange.request_data(NOW, br#""messages":[]}"#);
    exchange.request_end(NOW);
    let content_type = Some("text/event-stream");
    exchange.response_head(ResponseHead { status: 200, content_type, ..ResponseHead::default() });
    exchange.response_data(
        NOW,
        b"data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    );
    let Finished { call, raw } = exchange.take_finished().pop().expect("a call");
    let raw = raw.expect("asked for");
    assert_eq!(raw.request(), br#"{"model":"m","messages":[]}"#);
    let events: Vec<_> = raw.events().collect();
    assert_eq!(events, [br#"{"choices":[{"finish_reason":"stop"}]}"#.as_slice(), b"[DONE]"]);
    assert_eq!(call.transport, Transport::Sse);
    let content = call.content.expect("asked for");
    assert_eq!(content.request, r#"{"model":"m","messages":[]}"#);
    assert_eq!(content.response, "{\"choices\":[{\"finish_reason\":\"stop\"}]}\n[DONE]");
    assert!(!content.cut);
}

#[test]
fn content_is_there_when_asked_for_without_its_secrets() {
    let Finished { call, raw } = turn(Settings { content: 4096, ..responses() });
    assert!(raw.is_none());
    let content = call.content.expect("asked for");
    assert_eq!(
        content.request,
        r#"{"type":"response.create","model":"m","input":"say \"hi\", [redacted]","tools":[{"authorization":"[redacted]"}]}"#
    );
    assert_eq!(content.response, [CREATED, DELTA, DONE].join("\n"));
    assert!(!content.cut);
    assert_eq!(turn(responses()).call.content, None);
}

#[test]
fn content_is_bounded_and_says_that_it_was_cut() {
    let content = turn(Settings { content: 60, ..responses() }).call.content.expect("asked for");
    assert!(content.cut);
    assert!(content.request.len() <= 64, "{}", content.request);
    assert!(content.response.len() <= 64, "{}", content.response);
}

#[test]
fn audio_is_in_no_content() {
    let audio = "UklG".repeat(400);
    let mut socket = WsEvidence::new(Settings {
        raw: 1 << 20,
        content: 1 << 20,
        ..settings("api.openai.com", "/v1/realtime")
    });
    socket.client_message(
        NOW,
        text(&format!(r#"{{"type":"input_audio_buffer.append","audio":"{audio}"}}"#)),
    );
    socket.client_message(NOW, text(r#"{"type":"response.create"}"#));
    socket.server_message(NOW, text(CREATED));
    socket.server_message(
        NOW,
        text(&format!(
            r#"{{"type":"response.output_audio.delta","response_id":"r","delta":"{audio}"}}"#
        )),
    );
    socket.server_message(
        NOW,
        text(r#"{"type":"response.done","response":{"id":"r","status":"completed"}}"#),
    );
    let Finished { call, raw } = socket.take_finished().pop().expect("a call");
    assert!(call.request_bytes > 1600 && call.response_bytes > 1600, "counted");
    let raw = raw.expect("asked for");
    assert!(raw.request().len() < 100 && raw.events().map(<[u8]>::len).sum::<usize>() < 200);
    assert!(call.content.is_some_and(|content| !content.response.contains("UklG")));
}

/// A call of a tool on one socket; the record's id.
fn calls(tools: &ToolMemory) -> Id {
    let mut socket = WsEvidence::new(Settings { tools: tools.clone(), ..responses() });
    socket.client_message(NOW, text(r#"{"type":"response.create","model":"m"}"#));
    socket.server_message(NOW, text(CREATED));
    socket.server_message(
        NOW,
        text(r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"function_call","call_id":"c1","name":"look"}]}}"#),
    );
    socket.take_calls().pop().expect("a call").call
}

const RESULT: &str = r#"{"type":"response.create","model":"m","input":[{"type":"function_call","call_id":"c1","name":"look"},{"type":"function_call_output","call_id":"c1","output":"x"}]}"#;

fn answers(settings: Settings, tools: &ToolMemory) -> ModelCall {
    let mut socket = WsEvidence::new(Settings { tools: tools.clone(), ..settings });
    socket.client_message(NOW, text(RESULT));
    socket.finish(NOW, true).0.pop().expect("a call")
}

#[test]
fn a_result_finds_its_call_on_another_socket_and_is_reported_once() {
    let tools = ToolMemory::default();
    let called = calls(&tools);
    let first = answers(responses(), &tools);
    assert_eq!(first.tool_results.len(), 1);
    assert_eq!(first.tool_results[0].answers, Some(called));
    assert_eq!(first.tool_results[0].name.as_deref(), Some("look"));
    assert_eq!(answers(responses(), &tools).tool_results, [], "sent again");

    let mut exchange = HttpEvidence::new(
        Settings { tools: tools.clone(), ..responses() },
        RequestHead { method: "POST", ..RequestHead::default() },
    );
    exchange.request_data(NOW, RESULT.as_bytes());
    exchange.request_end(NOW);
    let call = exchange.finish(NOW, true).0.pop().expect("a call");
    assert_eq!(call.tool_results, [], "and again over HTTP");

    let again = calls(&tools);
    let next = answers(responses(), &tools);
    assert_eq!(next.tool_results[0].answers, Some(again), "the id was called anew");
}

#[test]
fn ids_of_another_provider_are_others() {
    let tools = ToolMemory::default();
    calls(&tools);
    let other = answers(settings("api.x.ai", "/v1/responses"), &tools);
    assert_eq!((other.tool_results.len(), other.tool_results[0].answers), (1, None));
}

#[test]
fn a_refused_result_is_not_yet_reported() {
    let tools = ToolMemory::default();
    calls(&tools);
    let why = CallError { code: Some("rule".to_owned()), message: None };
    let mut socket = WsEvidence::new(Settings { tools: tools.clone(), ..responses() });
    assert!(socket.denied_message(NOW, text(RESULT), &why));
    assert!(!socket.denied_message(NOW, text(r#"{"type":"response.processed"}"#), &why));
    assert!(!socket.denied_message(NOW, text("no JSON"), &why));
    assert_eq!(socket.take_calls()[0].status, CallStatus::Denied);
    assert_eq!(answers(responses(), &tools).tool_results.len(), 1);
}
