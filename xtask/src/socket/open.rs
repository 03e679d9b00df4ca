//! Opening a socket: what our server agrees to, and our client's half of the handshake.
//!
//! Refuses to know how the stream below came to be.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use capsem_ws_codec::handshake::{self, Accepted, Offer};
use capsem_ws_codec::{Limits, Role};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Deflater, Socket};

/// What our server agrees to: the first permessage-deflate offer, if it can keep to it.
pub(crate) fn agree(offer: &Offer) -> Accepted {
    let mut accepted = offer.accept();
    accepted.deflate = accepted.deflate.filter(|deflate| Deflater::can(Role::Server, *deflate));
    accepted
}

/// Opens a socket as a client. `headers` has the `Host`; `extensions` is what is offered.
pub(crate) async fn open<S>(
    stream: S,
    path: &Uri,
    headers: HeaderMap,
    extensions: &str,
    limits: Limits,
) -> Result<Socket<TokioIo<Upgraded>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, accepted) = shake(stream, path, headers, extensions).await?;
    Socket::new(stream, Role::Client, accepted.deflate, limits)
}

/// The handshake alone: what follows it is bytes.
pub(crate) async fn shake<S>(
    stream: S,
    path: &Uri,
    headers: HeaderMap,
    extensions: &str,
) -> Result<(TokioIo<Upgraded>, Accepted)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut key = [0; 16];
    getrandom::fill(&mut key).context("no randomness")?;
    let mut ask = Request::get(path).body(())?;
    *ask.headers_mut() = headers;
    ask.headers_mut().extend(handshake::request_headers(key, &[], Some(extensions)));
    let (parts, ()) = ask.into_parts();
    let offer = handshake::read_request(&parts)?.context("our own request is no upgrade")?;
    let ask = Request::from_parts(parts, Empty::new());
    let (stream, answer) = upgrade(stream, ask, StatusCode::SWITCHING_PROTOCOLS).await?;
    Ok((stream, handshake::check_response(&offer, &answer)?))
}

/// Sends one request and takes the connection over after `status`.
pub(crate) async fn upgrade<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    status: StatusCode,
) -> Result<(TokioIo<Upgraded>, http::response::Parts)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let mut response = sender.send_request(request).await?;
    ensure!(response.status() == status, "answered {}", response.status());
    let upgraded = hyper::upgrade::on(&mut response).await?;
    Ok((TokioIo::new(upgraded), response.into_parts().0))
}
