//! A client of the Responses API over a compressed WebSocket, for where Codex cannot be had.
//!
//! It finds the proxy and the CA the way any client does, by `HTTPS_PROXY` and `SSL_CERT_FILE`,
//! and plays a whole session: warm-up, a turn with a tool call, the turn with its result.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use capsem_ws_codec::{CloseCode, Limits, Opcode};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::codex;
use crate::socket::{Socket, open, upgrade};
use crate::tls;

const HOST: &str = "api.openai.com";

type Session = Socket<TokioIo<Upgraded>>;

/// Runs the session and prints what the model said.
pub(crate) fn model_client() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(session())
}

async fn session() -> Result<()> {
    let mut socket = connect().await?;
    let tool =
        json!({"type": "function", "name": "exec_command", "parameters": {"type": "object"}});
    let base =
        json!({"type": "response.create", "model": "gpt-5.5", "store": false, "tools": [tool]});
    let with = |previous: &Value, input: Value| {
        let mut request = base.clone();
        request["previous_response_id"] = previous.clone();
        request["input"] = input;
        request
    };

    let mut warmup = with(&Value::Null, json!([]));
    warmup["generate"] = json!(false);
    let ready = ask(&mut socket, &warmup).await?;

    let words = json!({"type": "input_text", "text": super::PROMPT});
    let turn = with(&ready["id"], json!([{"type": "message", "role": "user", "content": [words]}]));
    let called = ask(&mut socket, &turn).await?;
    let call = &called["output"][0];
    ensure!(call["type"] == "function_call", "the endpoint called no tool: {called}");
    println!("tool call: {} {}", call["name"], call["arguments"]);

    let result = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "hello from a tool"});
    let said = ask(&mut socket, &with(&called["id"], json!([result]))).await?;
    println!("{}", said["output"][0]["content"][0]["text"].as_str().unwrap_or_default());

    socket.close(Some(CloseCode::NORMAL)).await?;
    while socket.receive().await?.is_some() {}
    Ok(())
}

/// Sends one `response.create` and reads to its end; returns the whole response.
async fn ask(socket: &mut Session, request: &Value) -> Result<Value> {
    socket.send(Opcode::Text, request.to_string().as_bytes()).await?;
    while let Some(message) = socket.receive().await? {
        let mut event: Value =
            serde_json::from_slice(&message.payload).context("an event that is no JSON")?;
        match event["type"].as_str() {
            Some("response.completed") => return Ok(event["response"].take()),
            Some("response.failed" | "response.incomplete" | "error") => bail!("refused: {event}"),
            _ => {}
        }
    }
    bail!("the socket ended in the middle of a response")
}

/// CONNECT, TLS, upgrade.
async fn connect() -> Result<Session> {
    let proxy: Uri = std::env::var("HTTPS_PROXY").context("HTTPS_PROXY is not set")?.parse()?;
    let authority = proxy.authority().context("HTTPS_PROXY names no host")?;
    let tcp = TcpStream::connect(authority.as_str()).await.context("the proxy does not answer")?;
    let ask = Request::connect(format!("{HOST}:443")).header(header::HOST, format!("{HOST}:443"));
    let (tunnel, _) = upgrade(tcp, ask.body(Empty::new())?, StatusCode::OK).await?;

    let name = ServerName::try_from(HOST)?;
    let file = std::env::var_os("SSL_CERT_FILE").context("SSL_CERT_FILE is not set")?;
    let trust = tls::trusting(Path::new(&file))?;
    let tls = TlsConnector::from(trust).connect(name, tunnel).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HOST.parse()?);
    headers.insert(header::AUTHORIZATION, format!("Bearer {}", codex::KEY).parse()?);
    let path = Uri::from_static("/v1/responses");
    let socket = open(tls, &path, headers, "permessage-deflate", Limits::default()).await?;
    ensure!(socket.compresses(), "compression was not agreed");
    Ok(socket)
}
