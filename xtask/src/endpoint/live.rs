//! Gemini Live: one socket of turns without ids, answered in JSON in binary messages.
//!
//! The first turn of a session with tools calls one, and goes on when its result has come. Refuses to
//! know what audio is.

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

/// Whether `path` is a Live API. The service merges slashes, and its SDK sends two.
pub(super) fn is_live(path: &str) -> bool {
    path.trim_start_matches('/').starts_with("ws/") && path.ends_with(".BidiGenerateContent")
}

/// Serves one session.
pub(super) async fn serve(socket: &mut Client, connection: u64, shared: &Shared) -> Result<()> {
    let (mut tool, mut truth): (Option<String>, Option<Response>) = (None, None);
    let mut model = String::new();
    while let Some(message) = socket.receive().await? {
        let asked: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
        let either = |camel: &str, snake: &str| {
            asked.get(camel).or_else(|| asked.get(snake)).filter(|value| !value.is_null()).cloned()
        };
        if let Some(setup) = asked.get("setup") {
            let name = setup["model"].as_str().unwrap_or_default();
            model = name.rsplit('/').next().unwrap_or_default().to_owned();
            let declared =
                |key: &str| setup["tools"][0][key][0]["name"].as_str().map(str::to_owned);
            tool = declared("functionDeclarations").or_else(|| declared("function_declarations"));
            say(socket, &json!({"setupComplete": {}})).await?;
            continue;
        }
        let number = shared.numbers.next();
        let mut turn = truth.take().unwrap_or_else(|| Response {
            connection,
            provider: Provider::Google,
            transport: Transport::Websocket,
            model: model.clone(),
            ..Response::default()
        });
        if let Some(results) = either("toolResponse", "tool_response") {
            turn.tool_results.extend(result(&results));
        } else if let Some(name) = tool.take() {
            let id = number.id("fn");
            say(
                socket,
                &json!({"toolCall": {"functionCalls": [{"id": id, "name": name, "args": {}}]}}),
            )
            .await?;
            turn.tool_calls.push(ToolCall { call_id: id, name });
            truth = Some(turn);
            continue;
        }
        shared.log.push(Entry::Response(speak(socket, number, turn).await?));
    }
    Ok(())
}

/// Says something and ends the turn.
async fn speak(socket: &mut Client, number: Number, mut turn: Response) -> Result<Response> {
    turn.text = number.sentence();
    for piece in pieces(&turn.text) {
        say(
            socket,
            &json!({"serverContent": {"modelTurn": {"role": "model", "parts": [{"text": piece}]}}}),
        )
        .await?;
    }
    let (input, spoken, thought) = (number.fresh(), number.spoken(), number.reasoning());
    turn.usage = Usage {
        input_tokens: Some(input),
        output_tokens: Some(spoken + thought),
        reasoning_tokens: Some(thought),
        ..Usage::default()
    };
    let usage = json!({"promptTokenCount": input, "responseTokenCount": spoken, "thoughtsTokenCount": thought, "totalTokenCount": input + spoken + thought});
    say(socket, &json!({"serverContent": {"generationComplete": true}})).await?;
    say(socket, &json!({"serverContent": {"turnComplete": true}, "usageMetadata": usage})).await?;
    Ok(turn)
}

fn result(response: &Value) -> Option<ToolResult> {
    let responses = response.get("functionResponses").or(response.get("function_responses"))?;
    let (id, output) = (responses[0]["id"].as_str()?, &responses[0]["response"]);
    Some(ToolResult { call_id: id.to_owned(), output: output.to_string() })
}

async fn say(socket: &mut Client, message: &Value) -> Result<()> {
    socket.send(Opcode::Binary, message.to_string().as_bytes()).await
}
