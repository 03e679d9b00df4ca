//! What peers read from and write to: memory that is always ready.
//!
//! Reads give the stream again and again, 64 KiB at most; writes are counted, and kept only while
//! they are checked.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::tokio::io::ReadBuf;

use crate::aligned::Aligned;
use crate::stream::Stream;
use crate::subject::Sink;

/// Bytes one read gives at most.
pub const READ: usize = 64 * 1024;

/// Both ends of a connection.
pub struct Io {
    wire: Aligned,
    at: usize,
    written: Written,
}

/// What was written to an [`Io`], which may be out of reach inside a peer.
#[derive(Clone, Default)]
pub struct Written(Rc<Counters>);

#[derive(Default)]
struct Counters {
    kept: RefCell<Option<Vec<u8>>>,
    passed: Cell<u64>,
}

impl Io {
    /// Reads of the stream, writes to nowhere.
    pub fn new(stream: &Stream) -> Self {
        Self { wire: Aligned::copy(&stream.wire), at: 0, written: Written::default() }
    }

    /// What will have been written.
    pub fn written(&self) -> Written {
        self.written.clone()
    }

    /// The next bytes: at most `most`, none past the end of the stream.
    fn next(&mut self, most: usize) -> &[u8] {
        let start = self.at;
        let end = self.wire.len().min(start + most.min(READ));
        self.at = if end == self.wire.len() { 0 } else { end };
        &self.wire[start..end]
    }

    fn read_into(&mut self, buf: &mut [u8]) -> usize {
        let bytes = self.next(buf.len());
        buf[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }
}

impl Written {
    /// Before a run: keeps what is written if `S` wants it.
    pub fn begin<S: Sink>(&self) {
        *self.0.kept.borrow_mut() = S::KEEPS.then(Vec::new);
        self.0.passed.set(0);
    }

    /// Hands out what came since the last time.
    pub fn hand_out(&self, sink: &mut impl Sink) {
        match &mut *self.0.kept.borrow_mut() {
            Some(kept) => sink.piece(&std::mem::take(kept)),
            None => sink.passed(self.0.passed.take()),
        }
    }

    fn take(&self, bytes: &[u8]) -> usize {
        match &mut *self.0.kept.borrow_mut() {
            Some(kept) => kept.extend_from_slice(bytes),
            None => self.0.passed.set(self.0.passed.get() + black_box(bytes).len() as u64),
        }
        bytes.len()
    }

    fn take_all(&self, parts: &[IoSlice<'_>]) -> usize {
        parts.iter().map(|part| self.take(part)).sum()
    }
}

/// Runs a future that never has to wait.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

impl io::Read for Io {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_into(buf))
    }
}

impl io::Write for Io {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.written.take(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.written.take_all(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ::tokio::io::AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = self.get_mut().next(buf.remaining());
        buf.put_slice(bytes);
        Poll::Ready(Ok(()))
    }
}

impl ::tokio::io::AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.written.take(buf)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.written.take_all(bufs)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures::io::AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.get_mut().read_into(buf)))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let io = self.get_mut();
        Poll::Ready(Ok(bufs.first_mut().map_or(0, |buf| io.read_into(buf))))
    }
}

impl futures::io::AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.written.take(buf)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl ::wtx::stream::StreamReader for Io {
    async fn read(&mut self, bytes: &mut [u8]) -> ::wtx::Result<usize> {
        Ok(self.read_into(bytes))
    }
}

impl ::wtx::stream::StreamWriter for Io {
    async fn write_all(&mut self, bytes: &[u8]) -> ::wtx::Result<()> {
        self.written.take(bytes);
        Ok(())
    }

    async fn write_all_vectored(&mut self, bytes: &[&[u8]]) -> ::wtx::Result<()> {
        for part in bytes {
            self.written.take(part);
        }
        Ok(())
    }
}
