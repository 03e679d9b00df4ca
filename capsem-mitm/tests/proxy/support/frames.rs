//! Frames as a client's or a server's library writes and reads them, compression included.

use super::soon;
use capsem_mitm::ws::BoxIo;
use capsem_ws_codec::{
    CloseFrame, Deflate, FrameHead, Item, Limits, Opcode, Reader, Role, encode_frame,
};
use flate2::{Compress, Compression, FlushCompress};
use tokio::io::AsyncReadExt as _;

/// One frame of `from`; a client's is masked with a key of its own.
pub(crate) fn frame(from: Role, opcode: Opcode, fin: bool, rsv1: bool, payload: &[u8]) -> Vec<u8> {
    let mask = match from {
        Role::Client => Some([1, 2, 3, 4]),
        Role::Server => None,
    };
    let mut out = Vec::new();
    encode_frame(FrameHead { fin, rsv1, opcode, mask, len: 0 }, payload, &mut out);
    out
}

/// Compresses messages, each by itself or with what came before.
pub(crate) struct Voice {
    from: Role,
    takeover: bool,
    deflate: Compress,
}

impl Voice {
    pub(crate) fn new(from: Role, takeover: bool) -> Self {
        Self { from, takeover, deflate: Compress::new(Compression::default(), false) }
    }

    /// The payload of a compressed message (RFC 7692 section 7.2.1).
    pub(crate) fn compressed(&mut self, text: &str) -> Vec<u8> {
        if !self.takeover {
            self.deflate.reset();
        }
        let mut out = Vec::with_capacity(text.len() + 1024);
        self.deflate.compress_vec(text.as_bytes(), &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    }

    /// A compressed message in one frame.
    pub(crate) fn say(&mut self, text: &str) -> Vec<u8> {
        let payload = self.compressed(text);
        frame(self.from, Opcode::Text, true, true, &payload)
    }
}

/// Reads messages as the far end does, with its idea of the compression.
pub(crate) struct Ear {
    reader: Reader,
    bytes: Vec<u8>,
}

/// What an ear heard.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Text { text: String, compressed: bool },
    Ping(Vec<u8>),
    Close(u16, String),
}

impl Ear {
    /// Hears what `from` says.
    pub(crate) fn new(from: Role, deflate: Option<Deflate>) -> Self {
        Self { reader: Reader::new(from, deflate, Limits::default()), bytes: Vec::new() }
    }

    /// The next thing said.
    pub(crate) async fn hear(&mut self, io: &mut BoxIo) -> Heard {
        loop {
            let mut input = &self.bytes[..];
            let heard = match self.reader.read(&mut input).expect("frames in order") {
                Some(Item::Message(message)) => Some(Heard::Text {
                    text: String::from_utf8(message.payload.to_vec()).unwrap(),
                    compressed: message.compressed,
                }),
                Some(Item::Ping(payload) | Item::Pong(payload)) => {
                    Some(Heard::Ping(payload.to_vec()))
                }
                Some(Item::Close(CloseFrame { code, reason })) => {
                    Some(Heard::Close(code.map_or(0, u16::from), reason.to_owned()))
                }
                None => None,
            };
            let left = input.len();
            self.bytes.drain(..self.bytes.len() - left);
            if let Some(heard) = heard {
                return heard;
            }
            let mut chunk = [0; 4096];
            let n = soon("more frames", io.read(&mut chunk)).await.unwrap();
            assert!(n > 0, "the stream ended");
            self.bytes.extend_from_slice(&chunk[..n]);
        }
    }

    /// The next message, which came compressed or not.
    pub(crate) async fn text(&mut self, io: &mut BoxIo) -> (String, bool) {
        match self.hear(io).await {
            Heard::Text { text, compressed } => (text, compressed),
            other => panic!("{other:?} in place of a message"),
        }
    }
}
