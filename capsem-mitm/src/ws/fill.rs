//! Reading a chunk: all that has come, and no memory while nothing comes.

use capsem_ws_codec::Reader;
use std::{
    cell::Cell,
    future::Future as _,
    io, mem,
    pin::pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes read at once at least: one full TLS record.
pub(super) const RECORD: usize = 16 * 1024;
/// And at most, where more of them have come: they go on by one call of the kernel.
pub(super) const CHUNK: usize = 4 * RECORD;

thread_local! {
    /// The buffer of a connection that had nothing to read, for the next one on this thread.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads what has come, up to [`CHUNK`] bytes. While nothing has, nothing is held: a connection that
/// rests costs no buffer.
pub(super) fn poll_fill<R: AsyncRead + Unpin>(
    source: &mut R,
    reader: &mut Reader,
    held: &mut Vec<u8>,
    ahead: &mut Option<io::Result<usize>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if let Some(end) = ahead.take() {
        return Poll::Ready(end);
    }
    if held.capacity() == 0 {
        *held = SPARE.take();
    }
    while held.len() + RECORD <= CHUNK {
        let had = held.len();
        held.reserve(RECORD);
        match pin!(source.read_buf(held)).poll(cx) {
            Poll::Ready(Ok(n)) if n > 0 => {}
            Poll::Ready(end) if had > 0 => {
                *ahead = Some(end);
                break;
            }
            Poll::Pending if had > 0 => break,
            Poll::Ready(end) => return Poll::Ready(end),
            Poll::Pending => {
                SPARE.set(mem::take(held));
                reader.release();
                return Poll::Pending;
            }
        }
    }
    Poll::Ready(Ok(held.len()))
}
