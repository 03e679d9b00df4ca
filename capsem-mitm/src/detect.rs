//! The first bytes of a connection: TLS, plain HTTP, or nothing this proxy speaks.

use crate::ws::BoxIo;
use bytes::{Buf as _, Bytes, BytesMut};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

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
    let mut first = BytesMut::with_capacity(1024);
    if io.read_buf(&mut first).await? == 0 {
        return Ok(None);
    }
    let protocol = Protocol::of(first[0]);
    Ok(Some((protocol, Box::new(Rewound { first: first.freeze(), io }))))
}

/// A stream with bytes put back in front.
struct Rewound {
    first: Bytes,
    io: BoxIo,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, out);
        }
        let n = self.first.len().min(out.remaining());
        out.put_slice(&self.first[..n]);
        self.first.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
