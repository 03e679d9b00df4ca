//! Sockets that make records without end: each message that comes back is a model call.
//!
//! Refuses to know the ledger and what befalls it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use capsem_ws_codec::{CloseCode, Limits, Opcode};
use http::{HeaderMap, HeaderValue, Uri, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::socket::{Socket, open};

/// A host whose messages are read as model calls.
pub(super) const HOST: &str = "api.openai.com";
/// Sockets that talk at one time.
pub(super) const SOCKETS: u64 = 4;
/// Messages a socket sends before it listens: a round trip for each would fill no queue.
pub(super) const BURST: u64 = 32;
/// Longer than anything takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// The way to the proxy.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) proxy: SocketAddr,
    pub(super) trust: Arc<ClientConfig>,
}

impl Door {
    /// Opens a socket.
    async fn open(&self, path: &str) -> Result<Socket<TokioIo<Upgraded>>> {
        let tcp = TcpStream::connect(self.proxy).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(HOST)?;
        let tls = TlsConnector::from(Arc::clone(&self.trust)).connect(name, tcp).await?;
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(HOST))]);
        open(tls, &path.parse::<Uri>()?, headers, "x-none", Limits::default()).await
    }

    /// Whether a new exchange is let through; fails if it is answered neither yes nor 503.
    pub(super) async fn lets_through(&self) -> Result<bool> {
        let visit = async {
            match self.open("/v1/responses").await {
                Ok(socket) => close(socket).await.map(|()| true),
                Err(refused) if refused.to_string().contains("answered 503") => Ok(false),
                Err(error) => Err(error),
            }
        };
        timeout(PATIENCE, visit).await.context("a new client is not answered")?
    }
}

/// Sockets that talk until they are told to go.
pub(super) struct Traffic {
    /// Calls that were answered, each a record from then on.
    answered: Arc<AtomicU64>,
    leave: CancellationToken,
    callers: JoinSet<Result<u64>>,
}

impl Traffic {
    /// Opens all sockets and lets them talk.
    pub(super) async fn start(door: &Door) -> Result<Self> {
        let (answered, leave) = (Arc::<AtomicU64>::default(), CancellationToken::new());
        let mut sockets = Vec::new();
        for _ in 0..SOCKETS {
            sockets.push(door.open("/v1/responses").await?);
        }
        let mut callers = JoinSet::new();
        for (lane, socket) in (0..).zip(sockets) {
            callers.spawn(talk(socket, lane, Arc::clone(&answered), leave.clone()));
        }
        Ok(Self { answered, leave, callers })
    }

    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Lets every socket close; says how many calls each had.
    pub(super) async fn end(mut self) -> Result<Vec<u64>> {
        self.leave.cancel();
        let mut calls = Vec::new();
        while let Some(ended) = timeout(PATIENCE, self.callers.join_next()).await? {
            calls.push(ended??);
        }
        Ok(calls)
    }

    /// Fails with what a socket died of, if one did.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        match self.callers.try_join_next() {
            Some(ended) => match ended? {
                Ok(_) => bail!("a socket ended before its time"),
                Err(error) => Err(error.context("a socket ended before its time")),
            },
            None => Ok(()),
        }
    }
}

async fn talk(
    mut socket: Socket<TokioIo<Upgraded>>,
    lane: u64,
    answered: Arc<AtomicU64>,
    leave: CancellationToken,
) -> Result<u64> {
    let mut calls = 0;
    while !leave.is_cancelled() {
        for number in calls..calls + BURST {
            socket.send(Opcode::Text, call(lane, number).as_bytes()).await?;
        }
        for number in calls..calls + BURST {
            let heard = socket.receive().await?.context("the socket ended")?;
            ensure!(heard.payload == call(lane, number).as_bytes(), "something else came back");
            answered.fetch_add(1, Ordering::Relaxed);
        }
        calls += BURST;
    }
    close(socket).await?;
    Ok(calls)
}

/// What an echo turns into a whole response: one that the server began unasked.
fn call(lane: u64, number: u64) -> String {
    format!(
        r#"{{"type":"response.completed","response":{{"id":"{}","model":"m","status":"completed"}}}}"#,
        response_id(lane, number)
    )
}

/// The response a socket's call is named by in the ledger.
fn response_id(lane: u64, number: u64) -> String {
    format!("resp_{lane}_{number}")
}

/// The socket and the number a response is named after.
pub(super) fn place_of(response_id: &str) -> Option<(u64, u64)> {
    let (lane, number) = response_id.strip_prefix("resp_")?.split_once('_')?;
    Some((lane.parse().ok()?, number.parse().ok()?))
}

async fn close(mut socket: Socket<TokioIo<Upgraded>>) -> Result<()> {
    socket.close(Some(CloseCode::NORMAL)).await?;
    ensure!(socket.receive().await?.is_none(), "something came after all was said");
    socket.end().await;
    Ok(())
}
