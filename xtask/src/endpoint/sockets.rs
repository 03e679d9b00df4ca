//! The sockets of the endpoint: Responses, Realtime, Gemini Live, and an echo.
//!
//! Compression is agreed whenever it is offered, with context takeover both ways. Refuses to know
//! what a model answers.

use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::Result;
use capsem_ws_codec::{Limits, Opcode, Role, handshake};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::log::{Entry, Transport};
use super::routes::problem;
use super::server::Shared;
use super::stream::Body;
use super::trouble::Trouble;
use super::{live, openai, realtime};
use crate::socket::{Socket, agree};

const ECHO: &str = "/echo";

const REALTIME: &str = "/v1/realtime";

/// Whether `path` is a Responses API, by key or by `ChatGPT` login.
pub(super) fn is_responses(path: &str) -> bool {
    matches!(path, "/v1/responses" | "/backend-api/codex/responses")
}

/// Answers an upgrade request and, after a 101, serves the socket in a task of its own.
pub(super) fn open(
    mut request: Request<Incoming>,
    connection: u64,
    shared: &Arc<Shared>,
) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    if path != ECHO && path != REALTIME && !is_responses(&path) && !live::is_live(&path) {
        return problem(StatusCode::NOT_FOUND, "this endpoint has no socket here");
    }
    let offer = match handshake::read_request(&parts) {
        Ok(Some(offer)) => offer,
        Ok(None) => {
            return problem(StatusCode::BAD_REQUEST, "this endpoint upgrades to websocket only");
        }
        Err(error) => return problem(error.status(), &error.to_string()),
    };
    let accepted = agree(&offer);
    let (response, deflate) = (handshake::response(&offer, &accepted), accepted.deflate);
    let (serving, log) = (Arc::clone(shared), shared.log.clone());
    shared.tasks.spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let stream = TokioIo::new(upgraded);
        let Ok(mut socket) = Socket::new(stream, Role::Server, deflate, Limits::default()) else {
            return; // agreed to no more than can be kept
        };
        let served = if path == ECHO {
            echo(&mut socket).await
        } else if path == REALTIME {
            realtime::serve(&mut socket, &query, connection, &serving).await
        } else if live::is_live(&path) {
            live::serve(&mut socket, connection, &serving).await
        } else {
            responses(&mut socket, connection, &serving).await
        };
        if let Err(error) = served {
            eprintln!("endpoint: socket {connection} {path}: {error:#}");
        }
        if serving.trouble != Some(Trouble::ResetSocket) {
            socket.end().await;
        }
        let (received, sent) = (socket.received(), socket.sent());
        log.push(Entry::Socket { connection, path, compressed: deflate.is_some(), received, sent });
    });
    let mut response = response.map(|()| Empty::new().boxed_unsync());
    let id = HeaderValue::from_static("req_local_endpoint");
    response.headers_mut().insert("x-request-id", id);
    response
}

/// One `response.create` after the other, each answered whole before the next is read.
async fn responses(
    socket: &mut Socket<TokioIo<Upgraded>>,
    connection: u64,
    shared: &Shared,
) -> Result<()> {
    while let Some(message) = socket.receive().await? {
        if let Some(trouble) = shared.trouble {
            match trouble.meet(socket).await? {
                ControlFlow::Continue(()) => continue,
                ControlFlow::Break(()) => break,
            }
        }
        let asked: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
        if asked["type"] != "response.create" {
            let error = json!({"type": "invalid_request_error", "code": "unknown_event", "message": "only response.create is served"});
            let event = json!({"type": "error", "status": 400, "error": error});
            socket.send(Opcode::Text, event.to_string().as_bytes()).await?;
            continue;
        }
        let number = shared.numbers.next();
        let answer = openai::answer(&asked, number, Transport::Websocket, connection);
        for event in &answer.events {
            socket.send(Opcode::Text, event.to_string().as_bytes()).await?;
        }
        shared.log.push(Entry::Response(answer.truth));
    }
    Ok(())
}

async fn echo(socket: &mut Socket<TokioIo<Upgraded>>) -> Result<()> {
    while let Some(message) = socket.receive().await? {
        socket.send(message.opcode, &message.payload).await?;
    }
    Ok(())
}
