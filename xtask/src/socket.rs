//! One end of a WebSocket: whole messages in and out, compressed both ways where that was agreed.
//!
//! The endpoint and `conformance` use it as the server, the demo's own client and `conformance` as
//! the client. The reading is the codec's; the compressing is done here, as the proxy never needs
//! it. Refuses to know what the messages say.

mod deflater;
mod open;

use std::time::Duration;

use anyhow::{Context, Result};
use capsem_ws_codec::{
    CloseCode, Deflate, Error, FrameHead, Item, Limits, Opcode, Reader, Role, encode_close,
    encode_frame,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::endpoint::Flow;
pub(crate) use deflater::Deflater;

pub(crate) use open::{agree, open, shake, upgrade};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// How long a peer may take to end its side of the stream once ours has nothing more to say.
const LINGER: Duration = Duration::from_secs(2);

/// A WebSocket over `S`, after its handshake.
pub(crate) struct Socket<S> {
    stream: S,
    role: Role,
    reader: Reader,
    deflater: Option<Deflater>,
    input: Vec<u8>,
    received: Flow,
    sent: Flow,
    closing: bool,
}

/// A whole message.
pub(crate) struct Received {
    pub(crate) opcode: Opcode,
    pub(crate) payload: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// `role` is ours, `limits` hold for what the peer sends. Fails for a `deflate` that cannot be
    /// kept to.
    pub(crate) fn new(
        stream: S,
        role: Role,
        deflate: Option<Deflate>,
        limits: Limits,
    ) -> Result<Self> {
        Ok(Self {
            stream,
            role,
            reader: Reader::new(role.peer(), deflate, limits),
            deflater: deflate.map(|agreed| Deflater::new(role, agreed)).transpose()?,
            input: Vec::new(),
            received: Flow::default(),
            sent: Flow::default(),
            closing: false,
        })
    }

    /// The next message. Answers pings, a Close with its own, and what breaks the protocol with a
    /// Close of its code before it fails. None at the end, with or without a Close: Codex leaves
    /// without one.
    pub(crate) async fn receive(&mut self) -> Result<Option<Received>> {
        loop {
            let next = match self.next() {
                Ok(next) => next,
                Err(error) => {
                    self.close(Some(error.close_code())).await?;
                    return Err(error).context("the peer broke the protocol");
                }
            };
            match next {
                Next::Message(message) => return Ok(Some(message)),
                Next::Ping(payload) => self.frame(Opcode::Pong, &payload, false).await?,
                Next::Pong => {}
                Next::Closed(code) => {
                    if !self.closing {
                        self.close(code).await?;
                    }
                    return Ok(None);
                }
                Next::More => {
                    self.input.reserve(CHUNK);
                    // An error here is how a peer may end as well: a reset, TLS without `close_notify`.
                    let read = self.stream.read_buf(&mut self.input).await;
                    if !matches!(read, Ok(1..)) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Sends one message, compressed if that was agreed.
    pub(crate) async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> Result<()> {
        self.sent.messages += 1;
        self.sent.message_bytes += payload.len() as u64;
        match &mut self.deflater {
            Some(deflater) => {
                let squeezed = deflater.message(payload)?;
                self.frame(opcode, &squeezed, true).await
            }
            None => self.frame(opcode, payload, false).await,
        }
    }

    /// Sends a Close. The peer's own is read by [`receive`](Self::receive).
    pub(crate) async fn close(&mut self, code: Option<CloseCode>) -> Result<()> {
        self.closing = true;
        let mut wire = Vec::new();
        encode_close(self.role, code, "", self.mask()?, &mut wire);
        self.put(&wire).await
    }

    /// Ends the stream below, TLS with its `close_notify`: a server's first, a client's after the
    /// server's (RFC 6455 section 7.1.1). What still comes is read, as a stream that is dropped
    /// before may take our last words with it.
    pub(crate) async fn end(&mut self) {
        if self.role == Role::Server {
            let _ = self.stream.shutdown().await; // the peer may be gone already, as Codex is
        }
        let _ = tokio::time::timeout(LINGER, self.discard()).await;
        if self.role == Role::Client {
            let _ = self.stream.shutdown().await;
        }
    }

    /// Whether permessage-deflate was agreed on.
    pub(crate) fn compresses(&self) -> bool {
        self.deflater.is_some()
    }

    pub(crate) fn received(&self) -> Flow {
        let counters = self.reader.counters();
        Flow { wire_bytes: counters.wire_bytes, frames: counters.frames, ..self.received }
    }

    pub(crate) fn sent(&self) -> Flow {
        self.sent
    }

    async fn discard(&mut self) {
        self.input.clear();
        while matches!(self.stream.read_buf(&mut self.input).await, Ok(1..)) {
            self.input.clear();
        }
    }

    /// What the bytes at hand hold; whole frames are taken off them.
    fn next(&mut self) -> Result<Next, Error> {
        let mut rest = self.input.as_slice();
        let next = match self.reader.read(&mut rest)? {
            None => Next::More,
            Some(Item::Message(message)) => {
                self.received.messages += 1;
                self.received.message_bytes += message.payload.len() as u64;
                Next::Message(Received {
                    opcode: message.opcode,
                    payload: message.payload.to_vec(),
                })
            }
            Some(Item::Ping(payload)) => Next::Ping(payload.to_vec()),
            Some(Item::Pong(_)) => Next::Pong,
            Some(Item::Close(close)) => Next::Closed(close.code),
        };
        let used = self.input.len() - rest.len();
        self.input.drain(..used);
        Ok(next)
    }

    async fn frame(&mut self, opcode: Opcode, payload: &[u8], compressed: bool) -> Result<()> {
        let mut wire = Vec::new();
        let head = FrameHead { fin: true, rsv1: compressed, opcode, mask: self.mask()?, len: 0 };
        encode_frame(head, payload, &mut wire); // which sets the length
        self.put(&wire).await
    }

    async fn put(&mut self, frame: &[u8]) -> Result<()> {
        self.sent.frames += 1;
        self.sent.wire_bytes += frame.len() as u64;
        self.stream.write_all(frame).await?;
        self.stream.flush().await.context("cannot send")
    }

    /// A fresh mask for each frame of a client's.
    fn mask(&self) -> Result<Option<[u8; 4]>> {
        let mut key = [0; 4];
        getrandom::fill(&mut key).context("no randomness")?;
        Ok((self.role == Role::Client).then_some(key))
    }
}

enum Next {
    More,
    Message(Received),
    Ping(Vec<u8>),
    Pong,
    Closed(Option<CloseCode>),
}

#[cfg(test)]
mod tests;
