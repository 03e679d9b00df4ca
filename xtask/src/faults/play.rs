//! One cell played: a client, a proxy and an upstream, and a toxic that begins at its phase.
//!
//! The script goes on after that as if nothing were wrong, until the far side of the toxic has been
//! told. Refuses to know what is right; `expect` does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use capsem_ws_codec::{Role, handshake};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::io::InspectWriter;

use super::cell::{Cell, Phase, Side, Toxic, Variant};
use super::end::{End, Verdict};
use super::relay::{Onset, Relay};

/// Longer than every deadline of the proxy together.
const PATIENCE: Duration = Duration::from_secs(45);
/// Messages each way before a frame is interrupted, and after.
const ROUNDS: usize = 2;

/// What the side that the toxic is not on came to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// All that was said, and the other's Close and end.
    All,
    /// It was never called.
    NotCalled,
    /// A response of this status in place of a 101.
    Status(u16),
    /// A Close of the proxy's own.
    Close(u16),
    /// The end of the stream.
    End,
}

/// Where a cell takes place, made before the proxy that is told of it.
pub(super) struct Site {
    pub(super) cell: Cell,
    pub(super) variant: Variant,
    host: String,
    listener: TcpListener,
    /// In front of the listener, if the toxic is there.
    relay: Option<Relay>,
    random: fastrand::Rng,
}

/// What all cells share.
pub(super) struct Stage {
    pub(super) proxy: SocketAddr,
    pub(super) trust: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
    /// Bytes of the longest message.
    pub(super) longest: usize,
}

/// A cell that was played. Its toxic is there until this is dropped.
pub(super) struct Played {
    pub(super) cell: Cell,
    pub(super) variant: Variant,
    pub(super) told: Told,
    /// From the beginning of the toxic.
    pub(super) after: Duration,
    /// The client's address as the proxy has it.
    pub(super) from: SocketAddr,
    /// Messages that came whole.
    pub(super) messages: usize,
    upstream: JoinHandle<Option<End>>,
    _relay: Relay,
}

impl Site {
    /// `host` is to be a name of the upstream's certificate.
    pub(super) async fn open(
        cell: Cell,
        variant: Variant,
        host: String,
        mut random: fastrand::Rng,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let relay = match cell.side {
            Side::Client => None,
            Side::Upstream => {
                let onset = match cell.phase {
                    Phase::Hello => Onset::First,
                    Phase::Head => Onset::Answered,
                    _ => Onset::Told,
                };
                Some(relay(listener.local_addr()?, cell, onset, &mut random).await?)
            }
        };
        Ok(Self { cell, variant, host, listener, relay, random })
    }

    /// Its line of `upstream.resolve`.
    pub(super) fn pin(&self) -> Result<(String, SocketAddr)> {
        let address = match &self.relay {
            Some(relay) => relay.address,
            None => self.listener.local_addr()?,
        };
        Ok((format!("{}:443", self.host), address))
    }

    /// Plays the cell to the end that the far side of its toxic is told.
    pub(super) async fn play(self, stage: &Stage) -> Result<Played> {
        let script = async { Script::begin(self, stage).await?.run().await };
        tokio::time::timeout(PATIENCE, script).await.context("the other side was not told")?
    }
}

async fn relay(
    far: SocketAddr,
    cell: Cell,
    onset: Onset,
    random: &mut fastrand::Rng,
) -> Result<Relay> {
    Relay::start(far, cell.toxic, random.usize(1..=cell.phase.limit()), onset).await
}

struct Script<'s> {
    cell: Cell,
    variant: Variant,
    host: String,
    stage: &'s Stage,
    random: fastrand::Rng,
    relay: Relay,
    /// The client's connection, until TLS is spoken on it.
    tcp: Option<TcpStream>,
    from: Option<SocketAddr>,
    /// Bytes the client wrote to it, TLS's own among them.
    wrote: Arc<AtomicUsize>,
    upstream: JoinHandle<Option<End>>,
    began: Instant,
}

impl<'s> Script<'s> {
    async fn begin(site: Site, stage: &'s Stage) -> Result<Self> {
        let Site { cell, variant, host, listener, relay: behind, mut random } = site;
        let leaves =
            (cell.side, cell.phase, cell.toxic) == (Side::Upstream, Phase::Hello, Toxic::SlowClose);
        let tls = TlsAcceptor::from(Arc::clone(&stage.server));
        let compressed = variant.compressed;
        let upstream =
            tokio::spawn(async move { upstream(listener, tls, compressed, leaves).await.ok() });
        let (relay, to) = if let Some(relay) = behind {
            (relay, stage.proxy)
        } else {
            let first = cell.phase == Phase::Hello;
            let onset = if first { Onset::First } else { Onset::Told };
            let relay = relay(stage.proxy, cell, onset, &mut random).await?;
            let address = relay.address;
            (relay, address)
        };
        let tcp = TcpStream::connect(to).await?;
        tcp.set_nodelay(true)?;
        let from = (cell.side == Side::Upstream).then(|| tcp.local_addr()).transpose()?;
        let tcp = Some(tcp);
        let (wrote, began) = (Arc::default(), Instant::now());
        Ok(Self { cell, variant, host, stage, random, relay, tcp, from, wrote, upstream, began })
    }

    async fn run(mut self) -> Result<Played> {
        let Some(mut client) = self.secure().await? else {
            return self.told(Told::NotCalled, Instant::now(), 0).await;
        };
        if !self.ask(&mut client).await? {
            return self.told(Told::NotCalled, Instant::now(), 0).await;
        }
        let Some(mut upstream) = self.called(&mut client).await else {
            return self.refused(&mut client).await;
        };
        if !self.switch(&mut client, &mut upstream).await {
            return match self.cell.side {
                Side::Upstream => self.refused(&mut client).await,
                Side::Client => self.finish(client, upstream).await,
            };
        }
        self.talk(&mut client, &mut upstream).await?;
        self.finish(client, upstream).await
    }

    /// The client's TLS with the proxy; none if it cannot be had.
    async fn secure(&mut self) -> Result<Option<End>> {
        let mut tcp = self.tcp.take().context("spent")?;
        let name = ServerName::try_from(self.host.clone())?;
        if self.cell.side == Side::Client && self.reaches(Phase::Hello) {
            // It leaves with half of its hello said.
            let mut hello = Vec::new();
            ClientConnection::new(Arc::clone(&self.stage.trust), name)?.write_tls(&mut hello)?;
            tcp.write_all(&hello[..hello.len() / 2]).await?;
            return Ok(None);
        }
        let wrote = Arc::clone(&self.wrote);
        let tcp = InspectWriter::new(tcp, move |bytes| {
            wrote.fetch_add(bytes.len(), Ordering::Relaxed);
        });
        let connect = TlsConnector::from(Arc::clone(&self.stage.trust)).connect(name, tcp);
        let hello = self.cell.phase == Phase::Hello && self.cell.side == Side::Client;
        if hello && self.cell.toxic == Toxic::Timeout {
            tokio::spawn(connect); // for as long as it likes
            return Ok(None);
        }
        match connect.await {
            Ok(stream) => Ok(Some(End::new(stream, Role::Client, self.variant.compressed)?)),
            Err(_) if hello => Ok(None),
            Err(error) => Err(error).context("TLS with the proxy"),
        }
    }

    /// The client's head. Whether the upstream is still to be called.
    async fn ask(&mut self, client: &mut End) -> Result<bool> {
        let key = "dGhlIHNhbXBsZSBub25jZQ=="; // of RFC 6455 section 1.3
        let extensions = extensions(self.variant);
        let head = format!(
            "GET /faults HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{extensions}\r\n",
            self.host
        );
        let (first, rest) = head.as_bytes().split_at(head.len() / 2);
        client.write(first).await;
        if self.cell.side == Side::Upstream {
            self.began = Instant::now();
            client.write(rest).await;
            return Ok(true);
        }
        if self.cell.phase == Phase::Head {
            // So that the toxic begins inside the head.
            self.relay.has_passed(self.wrote.load(Ordering::Relaxed)).await;
        }
        let leaves = self.reaches(Phase::Head);
        if leaves {
            client.leave().await;
        } else {
            client.write(rest).await;
        }
        Ok(self.cell.phase != Phase::Head || self.cell.toxic.is_gentle())
    }

    /// The upstream with the head it was sent, if it is called.
    async fn called(&mut self, client: &mut End) -> Option<End> {
        let mut upstream = tokio::select! {
            upstream = &mut self.upstream => upstream.ok().flatten()?,
            _ = client.head() => return None,
        };
        tokio::select! {
            head = upstream.head() => head.map(|_| upstream),
            _ = client.head() => None,
        }
    }

    /// The upstream's 101. Whether the client has it.
    async fn switch(&mut self, client: &mut End, upstream: &mut End) -> bool {
        let leaves = match (self.cell.phase, self.cell.side) {
            (Phase::Head, Side::Upstream) => self.cell.toxic == Toxic::SlowClose,
            _ => self.reaches(Phase::Switch),
        };
        if leaves {
            self.side(client, upstream).leave().await;
        }
        let at_once = (self.cell.phase, self.cell.toxic) == (Phase::Switch, Toxic::ResetPeer);
        if leaves || at_once {
            return false;
        }
        let accept = handshake::accept_for("dGhlIHNhbXBsZSBub25jZQ==");
        let extensions = extensions(self.variant);
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{extensions}\r\n"
        );
        upstream.write(head.as_bytes()).await;
        tokio::select! {
            head = client.head() => head.is_some_and(|head| head.starts_with("HTTP/1.1 101")),
            _ = upstream.over() => false,
        }
    }

    /// Messages, one of them in two halves, and the two Closes; as far as they come.
    async fn talk(&mut self, client: &mut End, upstream: &mut End) -> Result<()> {
        let (speaker, listener) = match self.variant.speaker {
            Side::Client => (client, upstream),
            Side::Upstream => (upstream, client),
        };
        if !self.rounds(speaker, listener).await? {
            return Ok(());
        }
        let payload = self.payload();
        let frame = speaker.message(&payload)?;
        let (first, rest) = frame.split_at(frame.len() / 2);
        speaker.begin(first).await;
        if !heard(speaker, listener).await {
            return Ok(());
        }
        if self.reaches(Phase::Frame) {
            self.leaver(speaker, listener).leave().await;
        }
        speaker.say(rest).await;
        if !heard(speaker, listener).await {
            return Ok(());
        }
        if self.reaches(Phase::Between) {
            self.leaver(speaker, listener).leave().await;
        }
        if !self.rounds(speaker, listener).await? {
            return Ok(());
        }
        speaker.say(&speaker.close()?).await;
        if !heard(speaker, listener).await {
            return Ok(());
        }
        if self.reaches(Phase::Close) {
            self.leaver(speaker, listener).leave().await;
        } else {
            listener.say(&listener.close()?).await;
        }
        Ok(())
    }

    async fn rounds(&mut self, speaker: &mut End, listener: &mut End) -> Result<bool> {
        for _ in 0..ROUNDS {
            let said = self.say(speaker, listener).await? && self.say(listener, speaker).await?;
            if !said {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One message. Whether it is heard.
    async fn say(&mut self, from: &mut End, to: &End) -> Result<bool> {
        let frame = from.message(&self.payload())?;
        from.say(&frame).await;
        Ok(heard(from, to).await)
    }

    /// The answer to an upgrade that came to nothing.
    async fn refused(self, client: &mut End) -> Result<Played> {
        let head = client.head().await;
        let now = Instant::now();
        let told = match head.as_deref().and_then(|head| head.split(' ').nth(1)) {
            Some(status) => Told::Status(status.parse()?),
            None => Told::End,
        };
        self.told(told, now, 0).await
    }

    /// Waits until the far side of the toxic knows that all is over, and judges what both heard.
    async fn finish(self, mut client: End, mut upstream: End) -> Result<Played> {
        let (other, near) = match self.cell.side {
            Side::Client => (&mut upstream, &mut client),
            Side::Upstream => (&mut client, &mut upstream),
        };
        let at = other.over().await;
        if self.cell.toxic.is_gentle() {
            near.over().await;
        }
        let heard = other.verdict(near)?;
        let back = near.verdict(other)?;
        let told = match heard {
            Verdict { close: Some(code), .. } => Told::Close(code),
            _ if self.cell.toxic.is_gentle() => {
                for (verdict, peer) in [(&heard, &*near), (&back, &*other)] {
                    ensure!(verdict.closed, "a Close went missing");
                    ensure!(verdict.messages == peer.messages_said(), "a message went missing");
                }
                Told::All
            }
            _ => Told::End,
        };
        client.end().await;
        upstream.end().await;
        self.told(told, at, heard.messages + back.messages).await
    }

    async fn told(self, told: Told, at: Instant, messages: usize) -> Result<Played> {
        let Self { cell, variant, relay, upstream, from, began, .. } = self;
        let from = match from {
            Some(from) => from,
            None => relay.from().await.context("the proxy was not reached")?,
        };
        let after = at.saturating_duration_since(began);
        Ok(Played { cell, variant, told, after, from, messages, upstream, _relay: relay })
    }

    /// Begins the toxic if this is its phase. Whether its side leaves here.
    fn reaches(&mut self, phase: Phase) -> bool {
        if self.cell.phase != phase {
            return false;
        }
        self.began = Instant::now();
        self.relay.begin();
        self.cell.toxic == Toxic::SlowClose
    }

    fn side<'e>(&self, client: &'e mut End, upstream: &'e mut End) -> &'e mut End {
        match self.cell.side {
            Side::Client => client,
            Side::Upstream => upstream,
        }
    }

    fn leaver<'e>(&self, speaker: &'e mut End, listener: &'e mut End) -> &'e mut End {
        if self.cell.side == self.variant.speaker { speaker } else { listener }
    }

    /// Letters that do not compress to less than half.
    fn payload(&mut self) -> Vec<u8> {
        let most = match self.cell.toxic {
            Toxic::Rate | Toxic::Slicer => 1500,
            _ => self.stage.longest,
        };
        let len = self.random.usize(800..=most);
        std::iter::repeat_with(|| self.random.alphanumeric() as u8).take(len).collect()
    }
}

impl Played {
    /// Whether the upstream was called at all.
    pub(super) fn was_called(&self) -> bool {
        self.told != Told::NotCalled || self.upstream.is_finished()
    }
}

/// Whether all that was said is heard, before either side ends.
async fn heard(speaker: &End, listener: &End) -> bool {
    tokio::select! {
        biased;
        heard = listener.hears(speaker) => heard,
        _ = speaker.over() => false,
    }
}

fn extensions(variant: Variant) -> &'static str {
    if variant.compressed { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" }
}

/// Takes one connection; one that `leaves` does so after the first bytes.
async fn upstream(
    listener: TcpListener,
    tls: TlsAcceptor,
    compressed: bool,
    leaves: bool,
) -> Result<End> {
    let (mut tcp, _) = listener.accept().await?;
    tcp.set_nodelay(true)?;
    if leaves {
        let _ = tcp.read_u8().await;
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    End::new(tls.accept(tcp).await?, Role::Server, compressed)
}
