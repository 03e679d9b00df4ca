//! What a client is told in place of a message that was refused, in the protocol it speaks: the
//! event that makes a real client stop and show the reason. Knows no rules.

use serde::Serialize;
use serde_json::json;

use super::MessageFacts;
use crate::{Api, Id};

/// The code of a refused response that clients show and do not retry.
const CODE: &str = "invalid_prompt";

/// The event for a refused message of a socket, by the API it speaks; `None` where none is known
/// that a client would understand, and the socket is to be closed.
///
/// Of Responses it is a `response.failed`; anything else, a Close or an `error` among them, makes
/// agents send the same again. Of Realtime it is an `error`. `facts` are of the message that was
/// refused, in either direction; `now` is in seconds since 1970.
///
/// ```
/// use capsem_telemetry::Api;
/// use capsem_telemetry::evidence::{MessageFacts, refusal};
///
/// let facts = MessageFacts::read(br#"{"type":"response.create","model":"m-1"}"#);
/// let event = refusal(Some(Api::Responses), &facts, "not this model", 1_790_000_000).unwrap();
/// assert!(event.starts_with(r#"{"type":"response.failed""#));
/// ```
pub fn refusal(api: Option<Api>, facts: &MessageFacts, reason: &str, now: u64) -> Option<String> {
    match api? {
        Api::Responses => text(&Failed {
            kind: "response.failed",
            sequence_number: 0,
            stream_id: facts.stream_id.as_deref(),
            response: Response {
                id: facts.response_id.clone().unwrap_or_else(|| format!("resp_{}", Id::fresh())),
                object: "response",
                created_at: now,
                status: "failed",
                model: facts.model.as_deref(),
                error: CallError { code: CODE, message: reason },
                output: [],
                usage: None,
            },
        }),
        Api::Realtime => text(&Objection {
            kind: "error",
            event_id: format!("event_{}", Id::fresh()),
            error: Cause {
                kind: "invalid_request_error",
                code: "policy_denied",
                message: reason,
                param: None,
                event_id: facts.event_id.as_deref(),
            },
        }),
        Api::ChatCompletions
        | Api::Completions
        | Api::Embeddings
        | Api::Messages
        | Api::GenerateContent
        | Api::LiveSessions
        | Api::Live
        | Api::Mcp
        | Api::Models => None,
    }
}

/// The event, of a stream over HTTP, that a client is told in place of one that was refused, with its
/// blank line. It is the last of its stream.
///
/// Of Responses it is a `response.failed`, of Messages an `error`, of all others the object `error`
/// that their clients raise. `rule` is the code where the API has room for one.
///
/// ```
/// use capsem_telemetry::Api;
/// use capsem_telemetry::evidence::{MessageFacts, refused_event};
///
/// let facts = MessageFacts::default();
/// let event = refused_event(Some(Api::Messages), &facts, Some("no-shell"), "not this tool", 0);
/// assert!(event.starts_with("event: error\ndata: {\"error\":"));
/// assert!(event.ends_with("\n\n"));
/// ```
pub fn refused_event(
    api: Option<Api>,
    facts: &MessageFacts,
    rule: Option<&str>,
    reason: &str,
    now: u64,
) -> String {
    let (name, data) = match api {
        Some(Api::Responses) => {
            ("event: response.failed\n", refusal(api, facts, reason, now).unwrap_or_default())
        }
        Some(Api::Messages) => {
            let error = json!({"type": "permission_error", "message": reason});
            ("event: error\n", json!({"type": "error", "error": error}).to_string())
        }
        Some(Api::GenerateContent) => {
            let error = json!({"code": 403, "status": "PERMISSION_DENIED", "message": reason});
            ("", json!({"error": error}).to_string())
        }
        _ => {
            let error = json!({"type": "policy_denied", "code": rule, "message": reason});
            ("", json!({"error": error}).to_string())
        }
    };
    format!("{name}data: {data}\n\n")
}

#[derive(Serialize)]
struct Failed<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_id: Option<&'a str>,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Response<'a> {
    id: String,
    object: &'static str,
    created_at: u64,
    status: &'static str,
    model: Option<&'a str>,
    error: CallError<'a>,
    output: [(); 0],
    usage: Option<()>,
}

#[derive(Serialize)]
struct CallError<'a> {
    code: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct Objection<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    event_id: String,
    error: Cause<'a>,
}

#[derive(Serialize)]
struct Cause<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: &'a str,
    param: Option<()>,
    event_id: Option<&'a str>,
}

/// Texts and numbers only: there is nothing in an event that JSON cannot hold.
fn text(event: &impl Serialize) -> Option<String> {
    serde_json::to_string(event).ok()
}
