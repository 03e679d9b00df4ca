//! Facts by their names.

use super::*;
use crate::{Counters, Opcode};

const HEADERS_SENT: [(&str, &str); 3] =
    [("authorization", "Bearer secret"), ("origin", "a"), ("origin", "b")];

#[track_caller]
fn check(facts: &Facts<'_>, name: &str, expected: &Value<'_>) {
    assert_eq!(facts.get(name).as_ref(), Some(expected), "{name}");
}

#[track_caller]
fn missing(facts: &Facts<'_>, name: &str) {
    assert_eq!(facts.get(name), None, "{name}");
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

#[test]
fn of_a_request() {
    let facts = Facts::new(On::Http, "a.test", 8443)
        .query(Some("x=1"))
        .headers(&HEADERS_SENT)
        .subprotocols(&["not of a request"])
        .counters(Counters { tokens: u64::MAX, ..Counters::default() });
    check(&facts, "http.host", &text("a.test"));
    check(&facts, "http.port", &Value::Int(8443));
    check(&facts, "http.query", &text("x=1"));
    check(&facts, "http.upgrade", &Value::Bool(false));
    check(&facts, "http.header[\"origin\"]", &text("a, b"));
    missing(&facts, "http.header[\"accept\"]");
    missing(&facts, "http.header[\"authorization\"]");
    missing(&facts, "http.header");
    missing(&facts, "ws.subprotocols");
    missing(&facts, "ws.size");
    check(&facts, "conn.tokens", &Value::Int(i64::MAX));
    missing(&facts, "nothing");
}

#[test]
fn of_whose_model_it_is() {
    let facts = Facts::new(On::Http, "a.test", 443);
    missing(&facts, "model.provider");
    check(&facts.provider("openai"), "model.provider", &text("openai"));
    check(&facts.protocol(Some("responses")), "model.provider", &text("unknown"));
    check(&facts.protocol(Some("responses")), "model.protocol", &text("responses"));
}

#[test]
fn of_a_message_by_its_direction() {
    let socket = Facts::new(On::Upgrade, "a.test", 443).scheme("wss").extensions(&["x"]);
    check(&socket, "ws.extensions", &Value::List(&["x"]));
    let message = Message::new(Direction::ToUpstream, Some(Opcode::Binary), 7)
        .tool_calls(&["shell"])
        .body(Some("b"));
    let up = socket.message(message);
    check(&up, "http.upgrade", &Value::Bool(true));
    check(&up, "ws.direction", &text("to_upstream"));
    check(&up, "ws.opcode", &text("binary"));
    check(&up, "model.request.tool_calls", &Value::List(&["shell"]));
    check(&up, "model.request.tools", &Value::List(&[]));
    check(&up, "model.request.body", &text("b"));
    missing(&up, "model.response.body");
    let down = socket.message(Message { direction: Direction::ToClient, ..message });
    check(&down, "model.response.tool_calls", &Value::List(&["shell"]));
    missing(&down, "model.request.tool_calls");
    // The body of a request is a message of no socket.
    let body = Facts::new(On::Http, "a.test", 443).extensions(&["x"]).message(Message::new(
        Direction::ToUpstream,
        None,
        7,
    ));
    missing(&body, "ws.opcode");
    missing(&body, "ws.extensions");
}

#[test]
fn names_find_their_fields() {
    for name in Field::names() {
        assert_eq!(Field::named(name).map(Field::name), Some(name));
    }
    for name in HEADERS {
        assert_eq!(Field::header(name).map(Field::name), Some("http.header"));
    }
}
