//! `OpenAI` Realtime: one socket whose client puts items into a conversation and then asks for a
//! response, which names none of them.
//!
//! The first response of a session with tools calls one; every other says something. Refuses to know
//! what audio is.

use anyhow::Result;
use capsem_ws_codec::Opcode;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::log::{Entry, Provider, Response, ToolCall, ToolResult, Transport, Usage};
use super::numbers::{Number, pieces};
use super::server::Shared;
use crate::socket::Socket;

type Client = Socket<TokioIo<Upgraded>>;

/// Serves one session of the model `query` names.
pub(super) async fn serve(
    socket: &mut Client,
    query: &str,
    connection: u64,
    shared: &Shared,
) -> Result<()> {
    let model = query.split('&').find_map(|pair| pair.strip_prefix("model=")).unwrap_or_default();
    let session =
        json!({"type": "realtime", "object": "realtime.session", "id": "sess_ep", "model": model});
    say(socket, "session.created", json!({"session": session})).await?;
    let (mut tool, mut results) = (None, Vec::new());
    while let Some(message) = socket.receive().await? {
        let asked: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
        match asked["type"].as_str().unwrap_or_default() {
            "session.update" => {
                tool = asked["session"]["tools"][0]["name"].as_str().map(str::to_owned);
                say(socket, "session.updated", json!({"session": session})).await?;
            }
            "conversation.item.create" => {
                results.extend(result(&asked["item"]));
                say(socket, "conversation.item.added", json!({"item": asked["item"]})).await?;
            }
            "response.create" => {
                let truth = Response {
                    connection,
                    provider: Provider::Openai,
                    transport: Transport::Websocket,
                    model: model.into(),
                    tool_results: std::mem::take(&mut results),
                    ..Response::default()
                };
                let truth = respond(socket, shared.numbers.next(), truth, tool.take()).await?;
                shared.log.push(Entry::Response(truth));
            }
            _ => {
                let error = json!({"type": "invalid_request_error", "code": "unknown_event", "message": "not served here"});
                say(socket, "error", json!({"error": error})).await?;
            }
        }
    }
    Ok(())
}

/// Sends one response: a call of `tool`, or words.
async fn respond(
    socket: &mut Client,
    number: Number,
    mut truth: Response,
    tool: Option<String>,
) -> Result<Response> {
    let (input, output) = (number.fresh() + number.cached(), number.spoken());
    truth.id = number.id("resp");
    truth.usage = Usage {
        input_tokens: Some(input),
        output_tokens: Some(output),
        cached_input_tokens: Some(number.cached()),
        ..Usage::default()
    };
    let id = truth.id.clone();
    let response = |status: &str, output: &Value, usage: &Value| json!({"object": "realtime.response", "id": id, "conversation_id": "conv_ep", "status": status, "status_details": null, "output": output, "usage": usage});
    let begun = response("in_progress", &json!([]), &Value::Null);
    say(socket, "response.created", json!({"response": begun})).await?;
    let at = |data: Value| {
        let mut data = data;
        data["response_id"] = id.as_str().into();
        data["output_index"] = 0.into();
        data
    };
    let item = if let Some(name) = tool {
        let call_id = number.id("call");
        let delta = json!({"item_id": number.id("fc"), "call_id": call_id, "delta": "{}"});
        say(socket, "response.function_call_arguments.delta", at(delta)).await?;
        truth.tool_calls.push(ToolCall { call_id: call_id.clone(), name: name.clone() });
        json!({"id": number.id("fc"), "object": "realtime.item", "type": "function_call", "status": "completed", "call_id": call_id, "name": name, "arguments": "{}"})
    } else {
        truth.text = number.sentence();
        for piece in pieces(&truth.text) {
            let delta = json!({"item_id": number.id("msg"), "content_index": 0, "delta": piece});
            say(socket, "response.output_text.delta", at(delta)).await?;
        }
        json!({"id": number.id("msg"), "object": "realtime.item", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": truth.text}]})
    };
    say(socket, "response.output_item.done", at(json!({"item": item}))).await?;
    let usage = json!({
        "total_tokens": input + output,
        "input_tokens": input,
        "output_tokens": output,
        "input_token_details": {"text_tokens": input, "cached_tokens": number.cached()},
        "output_token_details": {"text_tokens": output},
    });
    let done = response("completed", &json!([item]), &usage);
    say(socket, "response.done", json!({"response": done})).await?;
    Ok(truth)
}

fn result(item: &Value) -> Option<ToolResult> {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    (item["type"] == "function_call_output")
        .then(|| ToolResult { call_id: text("call_id"), output: text("output") })
}

async fn say(socket: &mut Client, kind: &str, mut event: Value) -> Result<()> {
    event["type"] = kind.into();
    event["event_id"] = "event_ep".into();
    socket.send(Opcode::Text, event.to_string().as_bytes()).await
}
