//! One end of a WebSocket: whole messages in and out, compressed both ways where that was agreed.
//!
//! The endpoint uses it as the server, the demo's own client as the client. The reading is the
//! codec's; the compressing is done here, as the proxy never needs it. Refuses to know what the
//! messages say.

use anyhow::{Context, Result, bail};
use capsem_ws_codec::{
    CloseCode, Deflate, FrameHead, Item, Limits, Opcode, Reader, Role, encode_close, encode_frame,
};
use flate2::{Compress, Compression, FlushCompress};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::endpoint::Flow;

/// The four bytes a sync flush ends with and RFC 7692 section 7.2.1 takes off again.
const FLUSH_TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

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
    /// `role` is ours.
    pub(crate) fn new(stream: S, role: Role, deflate: Option<Deflate>) -> Self {
        Self {
            stream,
            role,
            reader: Reader::new(role.peer(), deflate, Limits::default()),
            deflater: deflate.map(|agreed| Deflater::new(role, agreed)),
            input: Vec::new(),
            received: Flow::default(),
            sent: Flow::default(),
            closing: false,
        }
    }

    /// The next message. Answers pings, and a Close with its own. None at the end, with or
    /// without a Close: Codex leaves without one.
    pub(crate) async fn receive(&mut self) -> Result<Option<Received>> {
        loop {
            match self.next()? {
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

    /// Ends the stream below, TLS with its `close_notify`.
    pub(crate) async fn end(&mut self) {
        let _ = self.stream.shutdown().await; // the peer may be gone already, as Codex is
    }

    pub(crate) fn received(&self) -> Flow {
        let counters = self.reader.counters();
        Flow { wire_bytes: counters.wire_bytes, frames: counters.frames, ..self.received }
    }

    pub(crate) fn sent(&self) -> Flow {
        self.sent
    }

    /// What the bytes at hand hold; whole frames are taken off them.
    fn next(&mut self) -> Result<Next> {
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

/// Our direction of permessage-deflate.
struct Deflater {
    compress: Compress,
    /// Whether the window lives on from message to message.
    takeover: bool,
}

impl Deflater {
    fn new(role: Role, agreed: Deflate) -> Self {
        let without = match role {
            Role::Client => agreed.client_no_context_takeover,
            Role::Server => agreed.server_no_context_takeover,
        };
        Self { compress: Compress::new(Compression::default(), false), takeover: !without }
    }

    /// One message, RFC 7692 section 7.2.1.
    fn message(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        if payload.is_empty() {
            return Ok(vec![0]); // section 7.2.3.6: one empty block; a flush of nothing gives no bytes
        }
        let mut squeezed = Vec::with_capacity(64 + payload.len() / 2);
        let mut rest = payload;
        loop {
            let before = self.compress.total_in();
            self.compress.compress_vec(rest, &mut squeezed, FlushCompress::Sync)?;
            let used = usize::try_from(self.compress.total_in() - before)?;
            rest = &rest[used..];
            if rest.is_empty() && squeezed.len() < squeezed.capacity() {
                break; // room was left over, so the flush is complete
            }
            squeezed.reserve(64 + rest.len() / 2);
        }
        let Some(cut) = squeezed.strip_suffix(&FLUSH_TAIL) else {
            bail!("a flush without its tail")
        };
        let cut = cut.len();
        squeezed.truncate(cut);
        if !self.takeover {
            self.compress.reset();
        }
        Ok(squeezed)
    }
}

#[cfg(test)]
mod tests;
