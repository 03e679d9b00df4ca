//! One socket of a soak, from its connection to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use capsem_ws_codec::{CloseCode, Limits, Opcode};
use http::{HeaderMap, HeaderValue, Uri, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::faults::cell::Toxic;
use crate::faults::relay::{Onset, Relay};
use crate::socket::{Socket, open};

/// Of a hundred messages one is longer than this.
const USUAL: usize = 4 * 1024;
const LONGEST: usize = 1 << 20;
/// Messages of one socket at most.
const MESSAGES: u64 = 200;
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where all sockets are opened.
pub(crate) struct Stage {
    pub(crate) proxy: SocketAddr,
    pub(crate) host: &'static str,
    pub(crate) trust: Arc<ClientConfig>,
    pub(crate) until: Instant,
    pub(crate) text: Vec<u8>,
}

/// What becomes of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It closes when all is said.
    Closes,
    /// It leaves without a word: its connection ends.
    Leaves,
    /// Its connection is reset.
    Resets,
    /// It breaks the protocol.
    Breaks,
    /// Its connection goes bad on the way.
    Suffers(Toxic),
}

/// A socket that has come and gone.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) path: String,
    fate: Fate,
    /// Messages that went there and came back the same.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Fate {
    fn any(random: &mut fastrand::Rng) -> Self {
        match random.u8(..100) {
            0..80 => Self::Closes,
            80..84 => Self::Leaves,
            84..88 => Self::Resets,
            88..92 => Self::Breaks,
            92..96 => Self::Suffers(Toxic::LimitData),
            96..98 => Self::Suffers(Toxic::ResetPeer),
            _ => Self::Suffers(Toxic::Slicer),
        }
    }
}

impl Visit {
    /// Opens a socket, talks and goes. Fails if it was not to be disturbed and was, and if what came
    /// back was changed.
    pub(crate) async fn pay(
        stage: &Stage,
        path: String,
        random: &mut fastrand::Rng,
    ) -> Result<Self> {
        let fate = Fate::any(random);
        let mut visit = Self { path, fate, messages: 0, bytes: 0 };
        match visit.talk(stage, random).await {
            Err(error) if visit.is_undisturbed() || error.is::<Changed>() => {
                Err(error).with_context(|| format!("{visit:?}"))
            }
            Ok(()) | Err(_) => Ok(visit),
        }
    }

    pub(crate) fn is_undisturbed(&self) -> bool {
        self.fate == Fate::Closes
    }

    async fn talk(&mut self, stage: &Stage, random: &mut fastrand::Rng) -> Result<()> {
        let relay = match self.fate {
            Fate::Suffers(toxic) => {
                let limit = random.usize(1..200_000);
                Some(Relay::start(stage.proxy, toxic, limit, Onset::First).await?)
            }
            _ => None,
        };
        let to = relay.as_ref().map_or(stage.proxy, |relay| relay.address);
        let mut socket = timeout(PATIENCE, self.open(stage, to, random.bool())).await??;
        for _ in 0..random.u64(1..=MESSAGES) {
            if Instant::now() > stage.until {
                break;
            }
            timeout(PATIENCE, self.echo(stage, &mut socket, random)).await??;
        }
        match self.fate {
            Fate::Closes | Fate::Suffers(_) => timeout(PATIENCE, close(socket)).await?,
            Fate::Leaves | Fate::Resets => Ok(()),
            Fate::Breaks => {
                socket.send(Opcode::Text, b"\xff").await?;
                match socket.receive().await {
                    Ok(Some(_)) => bail!(Changed),
                    Ok(None) | Err(_) => Ok(()),
                }
            }
        }
    }

    async fn open(
        &self,
        stage: &Stage,
        to: SocketAddr,
        compressed: bool,
    ) -> Result<Socket<TokioIo<Upgraded>>> {
        let tcp = TcpStream::connect(to).await?;
        tcp.set_nodelay(true)?;
        if self.fate == Fate::Resets {
            tcp.set_zero_linger()?;
        }
        let name = ServerName::try_from(stage.host)?;
        let tls = TlsConnector::from(Arc::clone(&stage.trust)).connect(name, tcp).await?;
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(stage.host));
        let path: Uri = self.path.parse()?;
        let extensions = if compressed { "permessage-deflate" } else { "x-none" };
        let socket = open(tls, &path, headers, extensions, Limits::default()).await?;
        ensure!(socket.compresses() == compressed, "compression is not as it was asked for");
        Ok(socket)
    }

    /// Says something and hears it again.
    async fn echo(
        &mut self,
        stage: &Stage,
        socket: &mut Socket<TokioIo<Upgraded>>,
        random: &mut fastrand::Rng,
    ) -> Result<()> {
        let longest = if random.u8(..100) == 0 { LONGEST } else { USUAL };
        let len = random.usize(..=longest);
        let start = random.usize(..=stage.text.len() - len);
        let payload = &stage.text[start..start + len];
        let opcode = if random.bool() { Opcode::Binary } else { Opcode::Text };
        socket.send(opcode, payload).await?;
        let heard = socket.receive().await?.context("the socket ended")?;
        ensure!(heard.opcode == opcode && heard.payload == payload, Changed);
        self.messages += 1;
        self.bytes += payload.len() as u64;
        Ok(())
    }
}

async fn close(mut socket: Socket<TokioIo<Upgraded>>) -> Result<()> {
    socket.close(Some(CloseCode::NORMAL)).await?;
    ensure!(socket.receive().await?.is_none(), Changed);
    socket.end().await;
    Ok(())
}

/// What came is not what was said.
#[derive(Debug, thiserror::Error)]
#[error("something else came back")]
struct Changed;

/// Text that compresses to a part of itself, as JSON does: what all sockets say pieces of.
pub(crate) fn text(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut text = Vec::with_capacity(2 * LONGEST);
    while text.len() < 2 * LONGEST {
        let word: [u8; 8] = std::array::from_fn(|_| b"etaoin {}\":,0123"[random.usize(..16)]);
        text.extend_from_slice(&word.repeat(random.usize(1..=4)));
    }
    text
}
