//! The peer on the codec, as server and as client: every message back as it came.
//!
//! Refuses to know who speaks: who breaks the protocol is told so by the socket, and that is all.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use capsem_ws_codec::{Limits, Role, handshake};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::socket::{Socket, agree, open};

/// The suite sends messages of 16 MiB, which come back whole, and of 65536 fragments.
const LIMITS: Limits = Limits {
    frame: 32 << 20,
    message: 32 << 20,
    fragments: 70_000,
    inflate: 32 << 20,
    capture: 32 << 20,
};
/// Both ways of the client's own direction, for the suite to choose from.
const OFFER: &str = "permessage-deflate; client_max_window_bits, \
     permessage-deflate; client_no_context_takeover; client_max_window_bits";
/// Longer than the suite gives any of its cases.
const PATIENCE: Duration = Duration::from_mins(10);

/// A server that runs until it is dropped.
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    accepting: AbortHandle,
}

impl Echo {
    /// Speaks TLS if it is given a certificate.
    pub(super) async fn start(tls: Option<Arc<ServerConfig>>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, tls.map(TlsAcceptor::from))).abort_handle();
        Ok(Self { address, accepting })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        match tls.clone() {
            None => drop(tokio::spawn(serve(stream))),
            Some(tls) => drop(tokio::spawn(async move { serve(tls.accept(stream).await?).await })),
        }
    }
}

async fn serve<S>(stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    Ok(http.with_upgrades().await?)
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let mut response = Response::new(());
    match handshake::read_request(&parts) {
        Ok(Some(offer)) => {
            let accepted = agree(&offer);
            response = handshake::response(&offer, &accepted);
            tokio::spawn(async move {
                let stream = TokioIo::new(upgrade.await?);
                echo(Socket::new(stream, Role::Server, accepted.deflate, LIMITS)?).await;
                Ok::<(), anyhow::Error>(())
            });
        }
        Ok(None) => *response.status_mut() = http::StatusCode::UPGRADE_REQUIRED,
        Err(error) => *response.status_mut() = error.status(),
    }
    Ok(response.map(|()| Empty::new()))
}

/// Connects to `to`, asks for `path` at `host`, and echoes until the other side has had enough.
pub(super) async fn visit(to: SocketAddr, host: &str, path: &str) -> Result<()> {
    let stream = TcpStream::connect(to).await.context("nobody listens")?;
    stream.set_nodelay(true)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(host)?);
    let path: Uri = path.parse()?;
    let socket = open(stream, &path, headers, OFFER, LIMITS).await?;
    tokio::time::timeout(PATIENCE, echo(socket)).await.context("a case without an end")
}

async fn echo(mut socket: Socket<TokioIo<Upgraded>>) {
    while let Ok(Some(message)) = socket.receive().await {
        if socket.send(message.opcode, &message.payload).await.is_err() {
            break;
        }
    }
    socket.end().await;
}
