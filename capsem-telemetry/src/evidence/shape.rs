//! Which protocol a socket or an exchange speaks, where its path does not say: told by the shape of the
//! client's first message.

use crate::{Api, Operation};

use super::call::Context;
use super::input::{Payload, Settings};
use super::json::Raw;
use super::log::Interpreter;
use super::openai::{self, Lanes};
use super::{gemini_live, mcp};
use crate::Transport;

/// The interpreter of an API's socket; `None` where none is known.
pub(super) fn interpreter(api: Api, settings: Settings) -> Option<Box<dyn Interpreter>> {
    let context = |operation| Context::new(settings, Transport::Websocket, api, operation);
    Some(match api {
        Api::Responses => Box::new(Lanes::new(context(Operation::Chat))),
        Api::Realtime => Box::new(openai::Realtime::new(context(Operation::Realtime))),
        Api::LiveSessions => Box::new(openai::Live::new(context(Operation::Realtime))),
        Api::Live => Box::new(gemini_live::Live::new(context(Operation::Realtime))),
        Api::Mcp => Box::new(mcp::Mcp::new(context(Operation::ExecuteTool))),
        Api::ChatCompletions
        | Api::Completions
        | Api::Embeddings
        | Api::Messages
        | Api::GenerateContent
        | Api::Models => return None,
    })
}

/// The API whose clients begin with a message like this one.
pub(super) fn recognise(first: Payload<'_>) -> Option<Api> {
    let (mut kind, mut method, mut rpc) = (None, None, false);
    let (mut setup, mut session, mut params) = (None, None, None);
    // Some servers do not tell upper from lower case; what such a message says is not to be judged
    // then, but it is a message.
    first.members(|key, value| match &*key.to_ascii_lowercase() {
        "type" => kind = value.str(),
        "jsonrpc" => rpc = value.str().as_deref() == Some("2.0"),
        "method" => method = value.str(),
        "params" => params = value.present(),
        "setup" => setup = value.present(),
        "session" => session = value.present(),
        _ => {}
    });
    let has = |object: Option<Raw<'_>>, key| object.and_then(|it| it.member(key)).is_some();
    match (kind.as_deref(), method.as_deref()) {
        (Some("response.create"), _) if openai::is_create(first) => Some(Api::Responses),
        (Some("response.create" | "session.update"), _) => Some(Api::Realtime),
        (Some("session.start"), _) if has(session, "model") => Some(Api::LiveSessions),
        (Some(kind), _)
            if kind.starts_with("conversation.item.")
                || kind.starts_with("input_audio_buffer.") =>
        {
            Some(Api::Realtime)
        }
        (None, _) if has(setup, "model") => Some(Api::Live),
        // Language servers begin with the same word, without this member.
        (None, Some("initialize")) if rpc && has(params, "protocolVersion") => Some(Api::Mcp),
        (None, Some("tools/call" | "tools/list")) if rpc => Some(Api::Mcp),
        _ => None,
    }
}

/// Whether a body is a request of MCP, or a batch with one in it.
pub(super) fn is_mcp(body: Payload<'_>) -> bool {
    any(body, |message| recognise(message) == Some(Api::Mcp))
}

/// Whether a body is a message of JSON-RPC 2.0, or a batch with one in it, to any reader.
pub(super) fn is_json_rpc(body: Payload<'_>) -> bool {
    any(body, |message| {
        let mut rpc = false;
        message.members(|key, value| {
            rpc |= key.eq_ignore_ascii_case("jsonrpc") && value.str().as_deref() == Some("2.0");
        });
        rpc
    })
}

/// Whether `is` holds for a message, or for any of a batch.
fn any<'a>(body: Payload<'a>, is: impl Fn(Payload<'a>) -> bool) -> bool {
    if !body.raw().is_array() {
        return is(body);
    }
    let mut found = false;
    body.raw().elements(|one| found |= is(Payload { text: one.json(), ..body }));
    found
}
