//! Where an attack takes place: the proxy's two doors, and the ways an attacker comes in.
//!
//! Every byte an attacker sends is counted; what it was sent for is not known here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use capsem_ws_codec::{CloseCode, FrameHead, Limits, Opcode, encode_frame};
use http::{HeaderMap, HeaderValue, Uri, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::socket::{open, shake};

/// A host that takes everything.
pub(super) const HOST: &str = "attacks.test";
/// The good client's, served apart from what is attacked.
pub(super) const GOOD_HOST: &str = "good.test";
/// A host whose messages are read as model calls.
pub(super) const MODEL_HOST: &str = "api.openai.com";
/// Longer than the proxy takes to be rid of anyone.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two words of the good client.
const PACE: Duration = Duration::from_millis(20);

/// What all attackers of one proxy share.
pub(super) struct Site {
    pub(super) explicit: SocketAddr,
    pub(super) transparent: SocketAddr,
    pub(super) trust: Arc<ClientConfig>,
}

impl Site {
    pub(super) async fn tls(&self, host: &'static str) -> Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.transparent).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(host)?;
        Ok(TlsConnector::from(Arc::clone(&self.trust)).connect(name, tcp).await?)
    }

    /// A socket after its handshake, as bytes.
    pub(super) async fn socket(
        &self,
        host: &'static str,
        extensions: &str,
    ) -> Result<TokioIo<Upgraded>> {
        let path = Uri::from_static(if host == MODEL_HOST { "/v1/responses" } else { "/socket" });
        let stream = self.tls(host).await?;
        Ok(shake(stream, &path, host_header(host), extensions).await?.0)
    }

    /// One who only wants to be served: says something, hears it again, which it says it has, and so
    /// on until it is told to go. Returns the longest it waited.
    pub(super) async fn good_client(
        &self,
        served: CancellationToken,
        leave: CancellationToken,
    ) -> Result<Duration> {
        let path = Uri::from_static("/good");
        let stream = self.tls(GOOD_HOST).await?;
        let mut socket =
            open(stream, &path, host_header(GOOD_HOST), "x-none", Limits::default()).await?;
        let (text, mut longest) = ([b'x'; 1024], Duration::ZERO);
        loop {
            let began = Instant::now();
            socket.send(Opcode::Text, &text).await?;
            let heard = timeout(PATIENCE, socket.receive()).await.context("no answer")??;
            ensure!(heard.is_some_and(|heard| heard.payload == text), "something else came back");
            longest = longest.max(began.elapsed());
            served.cancel();
            if timeout(PACE, leave.cancelled()).await.is_ok() {
                break;
            }
        }
        socket.close(Some(CloseCode::NORMAL)).await?;
        ensure!(socket.receive().await?.is_none(), "no Close came back");
        socket.end().await;
        Ok(longest)
    }
}

fn host_header(host: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))])
}

/// A masked frame; a mask of zeros leaves the payload as it is.
pub(super) fn frame(fin: bool, rsv1: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    let head = FrameHead { fin, rsv1, opcode, mask: Some([0; 4]), len: 0 };
    encode_frame(head, payload, &mut wire);
    wire
}

/// The last frame of an attacker that is done.
pub(super) fn close() -> Vec<u8> {
    frame(true, false, Opcode::Close, &[0x03, 0xe8])
}

/// Whether an attacker takes what it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ear {
    Open,
    Shut,
}

/// Writes `block` so many times and then `last`, or until the proxy has had enough, and stays until
/// the end. Returns the bytes that were taken.
pub(super) async fn pour<S>(
    stream: S,
    block: &[u8],
    times: usize,
    last: &[u8],
    ear: Ear,
) -> Result<u64>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut read, mut write) = tokio::io::split(stream);
    let listen = async move {
        let mut chunk = vec![0; 64 * 1024];
        while matches!(read.read(&mut chunk).await, Ok(1..)) {}
    };
    let heard = (ear == Ear::Open).then(|| tokio::spawn(listen));
    let speak = async {
        let mut sent = 0;
        for block in std::iter::repeat_n(block, times).chain([last]) {
            if write.write_all(block).await.is_err() || write.flush().await.is_err() {
                break; // it was let go of, which is what the proxy is there for
            }
            sent += block.len() as u64;
        }
        sent
    };
    let sent = timeout(PATIENCE, speak).await.context("an attacker was never let go of")?;
    if let Some(heard) = heard {
        timeout(PATIENCE, heard).await.context("an attacker was not answered to the end")??;
    }
    Ok(sent)
}

/// Says nothing more and waits to be let go of.
pub(super) async fn wait_for_the_end(mut stream: impl AsyncRead + Unpin) -> Result<()> {
    let mut chunk = [0; 1024];
    let listen = async { while matches!(stream.read(&mut chunk).await, Ok(1..)) {} };
    timeout(PATIENCE, listen).await.context("an attacker was never let go of")
}
