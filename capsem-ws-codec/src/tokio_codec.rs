//! Messages through `tokio_util::codec`: a [`Reader`] as its decoder, the encoder as its encoder.
//!
//! Refuses to know sockets, to make masking keys, and to answer anything by itself.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::{
    CloseCode, Deflate, Error, FrameHead, Item, Limits, Mask, Opcode, Reader, Role, encode_close,
    head::MAX_CONTROL,
};

/// Whole messages both ways, for `tokio_util::codec::Framed` after the handshake.
///
/// Reads compressed messages where that was agreed, and sends all of its own uncompressed, which
/// RFC 7692 section 6 leaves to the sender. Answering a Ping or a Close is the caller's.
///
/// A message is handed out whole or not at all: the smaller of [`Limits::message`] and
/// [`Limits::capture`] is the limit, 10 MiB by default, and more is [`Error::MessageLimit`].
///
/// ```
/// use capsem_ws_codec::{Limits, tokio_codec::{MessageCodec, OwnedItem}};
/// use futures_util::{SinkExt, StreamExt};
/// use tokio_util::codec::Framed;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), capsem_ws_codec::tokio_codec::CodecError> {
/// let (client, server) = tokio::io::duplex(64);
/// let key = || [1, 2, 3, 4]; // of a cryptographic random source, outside an example
/// let mut client = Framed::new(client, MessageCodec::client(None, Limits::default(), key));
/// let mut server = Framed::new(server, MessageCodec::server(None, Limits::default()));
///
/// client.send(OwnedItem::Text("Hello".to_owned())).await?;
/// let Some(read) = server.next().await else { panic!("an item") };
/// assert_eq!(read?, OwnedItem::Text("Hello".to_owned()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MessageCodec {
    reader: Reader,
    sender: Sender,
    /// A Close was sent.
    closed: bool,
}

impl MessageCodec {
    /// The server's end: reads what the client sends. `deflate` is what the handshake agreed on.
    #[must_use]
    pub fn server(deflate: Option<Deflate>, limits: Limits) -> Self {
        Self::new(Sender::Server, deflate, limits)
    }

    /// The client's end: reads what the server sends. `deflate` is what the handshake agreed on.
    ///
    /// `next_key` gives the masking key of each frame sent. It must be unpredictable (RFC 6455
    /// section 10.3): a constant or a counter lets whoever picks the payloads pick the bytes on the
    /// wire.
    #[must_use]
    pub fn client(
        deflate: Option<Deflate>,
        limits: Limits,
        next_key: impl FnMut() -> [u8; 4] + Send + 'static,
    ) -> Self {
        Self::new(Sender::Client(Box::new(next_key)), deflate, limits)
    }

    /// The reader, for its counters and where it stands.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    fn new(sender: Sender, deflate: Option<Deflate>, limits: Limits) -> Self {
        let capture = u64::try_from(limits.capture).unwrap_or(u64::MAX);
        let limits = Limits { message: limits.message.min(capture), ..limits };
        let reader = Reader::new(sender.role().peer(), deflate, limits);
        Self { reader, sender, closed: false }
    }
}

/// An [`Item`] that owns its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedItem {
    /// A whole text message.
    Text(String),
    /// A whole message of bytes.
    Binary(Bytes),
    /// A Ping and its payload, at most 125 bytes.
    Ping(Bytes),
    /// A Pong and its payload, at most 125 bytes.
    Pong(Bytes),
    /// A Close: the last item there is, in either direction.
    Close {
        /// Why; `None` for an empty payload. One that must not be sent is sent as none.
        code: Option<CloseCode>,
        /// Text for people. Sending cuts it at a character to 123 bytes, and needs a code.
        reason: String,
    },
}

/// Why a stream of items ends early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The peer broke a rule, or an item to send is a Ping or Pong of more than 125 bytes.
    #[error(transparent)]
    Violation(#[from] Error),
    /// The stream ended inside a frame or a message.
    #[error("the stream ended inside a message")]
    Cut,
    /// A Close was sent, and nothing may follow it (RFC 6455 section 5.5.1).
    #[error("a Close was sent already")]
    Closed,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl CodecError {
    /// The Close code that tells the peer; `None` where telling it anything is no use.
    #[must_use]
    pub const fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Violation(error) => Some(error.close_code()),
            Self::Cut | Self::Closed | Self::Io(_) => None,
        }
    }
}

impl Decoder for MessageCodec {
    type Item = OwnedItem;
    type Error = CodecError;

    /// Consumes all of `src` before it asks for more, as the reader keeps what is unfinished; so
    /// `src` never grows with a message. What follows a Close is dropped unread. An error leaves
    /// `src` at the byte that broke the rule, and every later call gives the same one.
    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<OwnedItem>, CodecError> {
        let mut rest = &src[..];
        let read = self.reader.read(&mut rest).map(|item| item.map(owned));
        let used = src.len() - rest.len();
        src.advance(used);
        let item = read?;
        if item.is_none() {
            src.clear();
        }
        Ok(item)
    }

    /// The end of the stream is an ordinary one between messages, with or without a Close.
    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<OwnedItem>, CodecError> {
        let item = self.decode(src)?;
        let begun = self.reader.frame_consumed() > 0 || self.reader.in_message();
        // A Close may come between the fragments of a message that is never finished.
        if item.is_none() && begun && !self.reader.closed() {
            return Err(CodecError::Cut);
        }
        Ok(item)
    }
}

/// Copies out. The payload is whole, as no message is longer than what is captured.
fn owned(item: Item<'_>) -> OwnedItem {
    match item {
        Item::Message(message) if message.opcode == Opcode::Text => {
            // Checked already, so it is text; without `unsafe` that is shown by checking again.
            let text = simdutf8::basic::from_utf8(message.payload).unwrap_or_default();
            OwnedItem::Text(text.to_owned())
        }
        Item::Message(message) => OwnedItem::Binary(Bytes::copy_from_slice(message.payload)),
        Item::Ping(payload) => OwnedItem::Ping(Bytes::copy_from_slice(payload)),
        Item::Pong(payload) => OwnedItem::Pong(Bytes::copy_from_slice(payload)),
        Item::Close(close) => {
            OwnedItem::Close { code: close.code, reason: close.reason.to_owned() }
        }
    }
}

impl Encoder<OwnedItem> for MessageCodec {
    type Error = CodecError;

    /// Fails for a Ping or Pong of more than 125 bytes, and for anything after a Close; `dst` is as
    /// it was then.
    fn encode(&mut self, item: OwnedItem, dst: &mut BytesMut) -> Result<(), CodecError> {
        if self.closed {
            return Err(CodecError::Closed);
        }
        match item {
            OwnedItem::Text(text) => self.sender.put(Opcode::Text, text.as_bytes(), dst),
            OwnedItem::Binary(payload) => self.sender.put(Opcode::Binary, &payload, dst),
            OwnedItem::Ping(payload) => self.sender.control(Opcode::Ping, &payload, dst)?,
            OwnedItem::Pong(payload) => self.sender.control(Opcode::Pong, &payload, dst)?,
            OwnedItem::Close { code, reason } => {
                let mut wire = Vec::new();
                encode_close(self.sender.role(), code, &reason, self.sender.key(), &mut wire);
                dst.extend_from_slice(&wire);
                self.closed = true;
            }
        }
        Ok(())
    }
}

/// The end that we are.
enum Sender {
    Server,
    Client(Box<dyn FnMut() -> [u8; 4] + Send>),
}

impl Sender {
    fn role(&self) -> Role {
        match self {
            Self::Server => Role::Server,
            Self::Client(_) => Role::Client,
        }
    }

    fn key(&mut self) -> Option<[u8; 4]> {
        match self {
            Self::Server => None,
            Self::Client(next) => Some(next()),
        }
    }

    fn control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        dst: &mut BytesMut,
    ) -> Result<(), CodecError> {
        if payload.len() > MAX_CONTROL {
            return Err(Error::ControlLength { opcode }.into());
        }
        self.put(opcode, payload, dst);
        Ok(())
    }

    /// Appends a frame that is a whole message.
    fn put(&mut self, opcode: Opcode, payload: &[u8], dst: &mut BytesMut) {
        let (mask, len) = (self.key(), payload.len() as u64);
        let (head, used) = FrameHead { fin: true, rsv1: false, opcode, mask, len }.encode();
        dst.reserve(used + payload.len());
        dst.extend_from_slice(head.get(..used).unwrap_or_default());
        let start = dst.len();
        dst.extend_from_slice(payload);
        if let (Some(key), Some(copied)) = (mask, dst.get_mut(start..)) {
            Mask::new(key, 0).apply(copied);
        }
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.role().fmt(f)
    }
}

#[cfg(test)]
mod tests;
