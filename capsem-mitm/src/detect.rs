//! The first bytes of a connection: TLS, plain HTTP, or nothing this proxy speaks.

use crate::ws::BoxIo;
use std::io::{self, Cursor};
use tokio::io::{AsyncReadExt as _, join, split};

/// What a connection's first byte says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// A TLS handshake record (RFC 8446 section 5.1).
    Tls,
    /// The first letter of an HTTP method.
    Http,
    /// Neither.
    Unknown,
}

impl Protocol {
    fn of(first: u8) -> Self {
        match first {
            0x16 => Self::Tls,
            b'A'..=b'Z' => Self::Http,
            _ => Self::Unknown,
        }
    }
}

/// Reads until the protocol is known and gives the bytes back in front of the stream. `None`: the
/// peer closed without a byte.
pub(crate) async fn detect(mut io: BoxIo) -> io::Result<Option<(Protocol, BoxIo)>> {
    let mut bytes = Vec::with_capacity(1024);
    io.read_buf(&mut bytes).await?;
    let Some(&first) = bytes.first() else { return Ok(None) };
    let (rest, write) = split(io);
    let io = join(Cursor::new(bytes).chain(rest), write);
    Ok(Some((Protocol::of(first), Box::new(io))))
}
