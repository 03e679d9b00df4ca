//! The endpoint's listener: TLS or plain by the first byte, HTTP/1.1 above it.
//!
//! Refuses to know what a request asks for; `routes` does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::authority::Authority;
use super::log::{Entry, Log};
use super::numbers::Numbers;
use super::routes;
use super::trouble::Trouble;

/// How long the connections still open may take to end once the endpoint is asked to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// A running endpoint. Dropped without [`stop`](Self::stop), it ends with the runtime.
pub(crate) struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// What every connection of one endpoint shares.
pub(super) struct Shared {
    pub(super) log: Log,
    pub(super) numbers: Numbers,
    pub(super) tasks: TaskTracker,
    pub(super) trouble: Option<Trouble>,
    tls: Arc<ServerConfig>,
}

impl Endpoint {
    /// Binds `address` (port 0 takes a free one) and serves until stopped.
    pub(crate) async fn start(
        authority: &Authority,
        address: SocketAddr,
        log: Log,
    ) -> Result<Self> {
        Self::troubled(authority, address, log, None).await
    }

    /// The same, with a `trouble` for its sockets.
    pub(crate) async fn troubled(
        authority: &Authority,
        address: SocketAddr,
        log: Log,
        trouble: Option<Trouble>,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("the endpoint cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            log,
            numbers: Numbers::default(),
            tasks: TaskTracker::new(),
            trouble,
            tls: authority.tls(),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared), stop.clone()));
        Ok(Self { address, shared, stop })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, waits for those there are, and returns all that happened.
    pub(crate) async fn stop(self) -> Result<Vec<Entry>> {
        self.stop.cancel();
        self.shared.tasks.close();
        tokio::time::timeout(PATIENCE, self.shared.tasks.wait())
            .await
            .context("a connection to the endpoint was still open after its client had ended")?;
        Ok(self.shared.log.entries())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connection = 0;
    while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
        connection += 1;
        shared.log.push(Entry::Accepted { connection });
        let tasks = shared.tasks.clone();
        tasks.spawn(open(stream, connection, Arc::clone(&shared)));
    }
}

async fn open(stream: TcpStream, connection: u64, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    if shared.trouble.is_some_and(Trouble::resets) {
        let _ = stream.set_zero_linger();
    }
    let mut first = [0];
    if !matches!(stream.peek(&mut first).await, Ok(1)) {
        return;
    }
    if first != [TLS_HANDSHAKE] {
        return serve(stream, connection, shared).await;
    }
    match TlsAcceptor::from(Arc::clone(&shared.tls)).accept(stream).await {
        Ok(stream) => serve(stream, connection, shared).await,
        Err(error) => shared.log.push(Entry::TlsRefused { connection, why: error.to_string() }),
    }
}

async fn serve<S>(stream: S, connection: u64, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { routes::answer(request, connection, &shared).await.ok_or("no answer") }
    });
    // A client that goes away is no news: what it got is in the log already.
    let _ =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}
