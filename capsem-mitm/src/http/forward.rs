//! Sends one permitted request and waits for the head of its response.

use super::{
    body::{Arrived, RequestBody},
    exchanged::Exchanged,
    headers,
    lane::Kept,
};
use crate::{decide::Permit, exchange::Client, upstream::DialError, ws::Interim};
use capsem_telemetry::FaultClass;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the upstream's response: {0}")]
    Http(#[source] hyper::Error),
    #[error("the upstream sent nothing but interim responses")]
    Interim,
    #[error("the upstream switched protocols, and nobody asked it to")]
    Switched,
    #[error("the request body broke off")]
    Request,
    #[error("the upstream did not begin its response within {0:?}")]
    Timeout(Duration),
}

impl ForwardError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Dial(error) => error.status(),
            Self::Http(_) | Self::Interim | Self::Switched => StatusCode::BAD_GATEWAY,
            Self::Request => StatusCode::BAD_REQUEST,
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    pub(crate) fn class(&self) -> FaultClass {
        match self {
            Self::Dial(error) => error.class(),
            Self::Http(error) => class_of(error),
            Self::Interim => FaultClass::Head,
            Self::Switched => FaultClass::Bad101,
            Self::Request => FaultClass::Eof,
            Self::Timeout(_) => FaultClass::Stall,
        }
    }
}

/// The fault class of an HTTP connection that broke: reset, ended, or answered with no HTTP.
pub(crate) fn class_of(error: &(dyn std::error::Error + 'static)) -> FaultClass {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
                return FaultClass::Eof;
            }
            if error.is_parse() {
                return FaultClass::Head;
            }
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => FaultClass::Eof,
                _ => FaultClass::Reset,
            };
        }
        cause = error.source();
    }
    FaultClass::Reset
}

/// Sends the request on the kept connection or a new one, and awaits the response head.
pub(crate) async fn forward(
    client: &Client,
    permit: &Permit,
    request: Request<Arrived>,
    exchanged: &Arc<Exchanged>,
) -> Result<(Response<Incoming>, SocketAddr), ForwardError> {
    let limit = client.cx.limits.response_timeout;
    let mut request = headers::request(request).map(|body| exchanged.request_body(body));
    let interim = Interim::count(&mut request);
    tokio::select! {
        // An answer that came with too many is one too many as well.
        biased;
        () = interim.too_many() => Err(ForwardError::Interim),
        sent = timeout(limit, send(client, permit, request, exchanged)) => {
            sent.unwrap_or(Err(ForwardError::Timeout(limit)))
        }
    }
}

async fn send(
    client: &Client,
    permit: &Permit,
    mut request: Request<RequestBody>,
    exchanged: &Arc<Exchanged>,
) -> Result<(Response<Incoming>, SocketAddr), ForwardError> {
    if let Some(mut kept) = client.lane.take(permit)
        && kept.sender.ready().await.is_ok()
    {
        // Upstream may close a kept connection as a request arrives on it. What it has not read, or
        // may safely read twice, is sent anew (RFC 9110 section 9.2.2).
        let again = request.body().is_end_stream() && request.method().is_idempotent();
        let spare = again.then(|| head_of(&request).map(|()| exchanged.no_body()));
        match kept.sender.try_send_request(request).await {
            Ok(response) => return settle(client, kept, response),
            Err(mut error) => match error.take_message().or(spare) {
                Some(unsent) => request = unsent,
                None => return Err(ForwardError::Http(error.into_error())),
            },
        }
    }
    let mut kept = connect(client, permit).await?;
    let response = kept.sender.send_request(request).await.map_err(ForwardError::Http)?;
    settle(client, kept, response)
}

/// A copy of a request without its body.
fn head_of<B>(request: &Request<B>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.headers_mut() = request.headers().clone();
    *head.extensions_mut() = request.extensions().clone();
    head
}

fn settle(
    client: &Client,
    kept: Kept,
    response: Response<Incoming>,
) -> Result<(Response<Incoming>, SocketAddr), ForwardError> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ForwardError::Switched);
    }
    let address = kept.address;
    client.lane.keep(kept);
    Ok((headers::response(response), address))
}

async fn connect(client: &Client, permit: &Permit) -> Result<Kept, ForwardError> {
    let dialed = client.cx.upstream.dial(permit).await?;
    let (sender, connection) = http1::Builder::new()
        .preserve_header_case(true)
        .handshake::<_, RequestBody>(TokioIo::new(dialed.io))
        .await
        .map_err(ForwardError::Http)?;
    // Ends when the sender is dropped and the last body is read. What breaks it is told to whoever
    // awaits its response.
    client.cx.spawn_for(&client.visit, async move { drop(connection.await) });
    Ok(Kept {
        sender,
        address: dialed.address,
        authority: permit.authority().clone(),
        scheme: permit.scheme(),
    })
}
