//! Both ends of a conversation: a client that opens sockets through a proxy, and the server behind it.
//!
//! They are one thread of one process, so that each knows what the other is to say.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use rustls::{ClientConfig, ServerConfig};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::frame::{self, Message};
use crate::receiver::Receiver;

/// A host no model is at.
pub const PLAIN: &str = "relay.test";
/// A host where a model is.
pub const MODEL: &str = "api.openai.com";

/// Sockets that are opened at once.
const AT_ONCE: usize = 16;
/// What RFC 6455 adds to a key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Nobody here hears from elsewhere, so one key will do.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const DEFLATE: &str = "permessage-deflate";

/// How a proxy is asked for a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By CONNECT.
    Connect,
    /// Not at all: it takes TLS and has one place to go.
    Reverse,
}

/// Where a proxy is.
#[derive(Clone)]
pub struct Door {
    /// Its listener.
    pub address: SocketAddr,
    /// How it is asked.
    pub via: Via,
    /// Trusts its certificates.
    pub tls: Arc<ClientConfig>,
}

/// What a socket is opened for.
#[derive(Clone, Copy)]
pub struct Purpose {
    /// [`PLAIN`] or [`MODEL`].
    pub host: &'static str,
    /// The request's path.
    pub path: &'static str,
    /// Whether the client offers permessage-deflate.
    pub deflate: bool,
    /// How many bytes an end reads at once.
    pub room: usize,
}

/// One end of a socket.
pub struct Socket {
    /// What comes in.
    pub hears: Receiver<ReadHalf<TlsStream<TcpStream>>>,
    says: WriteHalf<TlsStream<TcpStream>>,
    /// Whether permessage-deflate was agreed on, as far as this end knows.
    pub deflate: bool,
}

impl Socket {
    /// Sends frames.
    pub async fn say(&mut self, frames: &[u8]) -> Result<()> {
        self.says.write_all(frames).await?;
        Ok(self.says.flush().await?)
    }

    /// Both halves, to be used at once.
    pub fn halves(
        &mut self,
    ) -> (&mut Receiver<ReadHalf<TlsStream<TcpStream>>>, &mut WriteHalf<TlsStream<TcpStream>>) {
        (&mut self.hears, &mut self.says)
    }

    async fn end(&mut self) {
        let _ = self.says.shutdown().await; // the other side may be gone already
    }
}

/// A client's socket and the server's, which a proxy joins.
pub struct Pair {
    /// The client's end.
    pub client: Socket,
    /// The server's.
    pub server: Socket,
}

impl Pair {
    /// Closes as RFC 6455 has it: Close, Close, and the server ends the stream.
    pub async fn close(mut self) -> Result<()> {
        let close = || Message { opcode: frame::CLOSE, deflated: false, payload: vec![0x03, 0xE8] };
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        frame::write(&close(), Some([1, 2, 3, 4]), &mut asked);
        frame::write(&close(), None, &mut answered);
        self.client.say(&asked).await?;
        self.server.hears.hear_close().await?;
        self.server.say(&answered).await?;
        self.client.hears.hear_close().await?;
        self.server.end().await;
        self.client.hears.hear_end().await?;
        self.client.end().await;
        Ok(())
    }
}

/// The server, and what opens sockets to it.
pub struct Ends {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Sockets of the server that no client has been found for.
    accepted: Mutex<UnboundedReceiver<Socket>>,
}

impl Ends {
    /// Starts the server.
    pub async fn start(tls: Arc<ServerConfig>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (found, accepted) = unbounded_channel();
        tokio::spawn(serve(listener, TlsAcceptor::from(tls), found));
        Ok(Self { address, accepted: Mutex::new(accepted) })
    }

    /// Opens one socket. The server's end is the one that was accepted meanwhile: where several are
    /// opened at once, any of them.
    pub async fn open(&self, door: &Door, purpose: Purpose) -> Result<Pair> {
        let client = open(door, purpose).await?;
        let server = self.accepted.lock().await.recv().await.context("the server is gone")?;
        let mut pair = Pair { client, server };
        pair.server.hears.grow(purpose.room);
        Ok(pair)
    }

    /// Opens many sockets, some at once.
    pub async fn open_many(&self, door: &Door, purpose: Purpose, many: usize) -> Result<Vec<Pair>> {
        let open = (0..many).map(|_| self.open(door, purpose));
        stream::iter(open).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Forgets sockets that a failed client left behind.
    pub async fn forget(&self) {
        let mut accepted = self.accepted.lock().await;
        while accepted.try_recv().is_ok() {}
    }
}

async fn open(door: &Door, purpose: Purpose) -> Result<Socket> {
    let Purpose { host, path, deflate, room } = purpose;
    let mut tcp = TcpStream::connect(door.address).await.context("the proxy does not accept")?;
    tcp.set_nodelay(true)?;
    if door.via == Via::Connect {
        tcp.write_all(
            format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n").as_bytes(),
        )
        .await?;
        let mut answer = Receiver::new(tcp, 4096);
        let head = answer.head().await.context("no answer to CONNECT")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "CONNECT was answered: {head}");
        tcp = answer.into_inner()?;
    }
    let tls = TlsConnector::from(Arc::clone(&door.tls)).connect(host.try_into()?, tcp).await?;
    let (reader, mut says) = tokio::io::split(TlsStream::from(tls));
    let offer =
        if deflate { format!("Sec-WebSocket-Extensions: {DEFLATE}\r\n") } else { String::new() };
    let ask = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{offer}\
         Authorization: Bearer sk-1\r\nUser-Agent: bench\r\n\r\n"
    );
    says.write_all(ask.as_bytes()).await?;
    says.flush().await?;
    let mut hears = Receiver::new(reader, room);
    let head = hears.head().await.context("no answer to the upgrade")?;
    ensure!(head.starts_with("HTTP/1.1 101"), "the upgrade was answered: {head}");
    ensure!(field(&head, "sec-websocket-accept") == Some(&accept(KEY)), "a wrong key in {head}");
    let deflate = field(&head, "sec-websocket-extensions").is_some_and(|it| it.contains(DEFLATE));
    Ok(Socket { hears, says, deflate })
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, found: UnboundedSender<Socket>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, found) = (tls.clone(), found.clone());
        tokio::spawn(async move {
            match accept_socket(tcp, tls).await {
                Ok(socket) => drop(found.send(socket)),
                Err(error) => eprintln!("the server: {error:#}"),
            }
        });
    }
}

async fn accept_socket(tcp: TcpStream, tls: TlsAcceptor) -> Result<Socket> {
    tcp.set_nodelay(true)?;
    let (reader, mut says) = tokio::io::split(TlsStream::from(tls.accept(tcp).await?));
    let mut hears = Receiver::new(reader, 2048);
    let head = hears.head().await?;
    let key = field(&head, "sec-websocket-key").context("a request that is no upgrade")?;
    let accept = accept(key);
    let deflate = field(&head, "sec-websocket-extensions").is_some_and(|it| it.contains(DEFLATE));
    let agreed =
        if deflate { format!("Sec-WebSocket-Extensions: {DEFLATE}\r\n") } else { String::new() };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{agreed}\r\n"
    );
    says.write_all(answer.as_bytes()).await?;
    says.flush().await?;
    Ok(Socket { hears, says, deflate })
}

/// The value of a field of a head.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn accept(key: &str) -> String {
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}
