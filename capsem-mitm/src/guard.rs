//! Every byte of a client's HTTP/1 goes through here before hyper sees it.
//!
//! hyper is a lenient parser; what two parsers could read differently must not reach it. The guard
//! finds where each head and each body ends, checks the head's syntax and framing on the raw bytes
//! ([`head`], [`chunked`]), and hands hyper exactly one approved piece at a time. A refused head is
//! replaced by a stand-in request, so that the refusal is answered in order, by the same service,
//! with the same record. After the head of an upgrade or a CONNECT no byte may come until the
//! service has switched protocols. It refuses to know hosts, policy and bodies' meaning.

mod chunked;
mod head;

use self::{chunked::Chunked, head::Framing};
use crate::{answer::Refusal, ws::BoxIo};
use bytes::{Buf as _, BytesMut};
use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use tokio_util::io::poll_read_buf;

/// Bytes read and dropped after our side has closed, so that a late writer is not reset before it
/// has read our answer.
const LINGER_BYTES: usize = 1024 * 1024;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(1);
/// Most bytes read at once.
const CHUNK: usize = 16 * 1024;

/// A request no client of ours would send, in place of one that was refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n\r\n";

/// What bounds a request head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes, request line and fields together.
    pub(crate) bytes: usize,
    /// From a head's first byte to its last; also how long a connection waits for its next head.
    pub(crate) time: Duration,
}

/// A client's HTTP/1 byte stream, checked.
pub(crate) struct Guard {
    io: BoxIo,
    limits: HeadLimits,
    watch: Arc<Watch>,
    state: State,
    /// Bytes read; the first `approved` of them may go to hyper.
    raw: BytesMut,
    approved: usize,
    deadline: Option<Pin<Box<Sleep>>>,
    lingered: usize,
}

enum State {
    /// Collecting a head; `seen` bytes of it were looked at.
    Head { seen: usize },
    /// Inside a body of known length.
    Length(u64),
    /// Inside a chunked body.
    Chunked(Chunked),
    /// After the head of an upgrade or a CONNECT, before the switch.
    Held,
    /// After the switch: the bytes are the new protocol's.
    Through,
    /// After a refused head: nothing more is read.
    Refused,
}

/// What the service and the guard of one connection tell each other.
#[derive(Default)]
pub(crate) struct Watch {
    refusal: Mutex<Option<Refusal>>,
    violation: Mutex<Option<Refusal>>,
    busy: AtomicUsize,
    switched: AtomicBool,
}

impl Watch {
    /// The refusal that the request now at hand stands in for. Asked once per request, at once.
    pub(crate) fn take_refusal(&self) -> Option<Refusal> {
        lock(&self.refusal).take()
    }

    /// What broke the connection in the middle of a body or before a switch, if it was the client.
    pub(crate) fn take_violation(&self) -> Option<Refusal> {
        lock(&self.violation).take()
    }

    /// From here on the bytes are another protocol's.
    pub(crate) fn switch(&self) {
        self.switched.store(true, Ordering::Release);
    }

    /// An exchange is under way until the result is dropped: no idle deadline runs.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }
}

/// See [`Watch::busy`].
pub(crate) struct Busy(Arc<Watch>);

impl Busy {
    /// As [`Watch::take_violation`].
    pub(crate) fn take_violation(&self) -> Option<Refusal> {
        self.0.take_violation()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guard {
    pub(crate) fn new(io: BoxIo, limits: HeadLimits) -> (Self, Arc<Watch>) {
        let watch = Arc::new(Watch::default());
        let guard = Self {
            io,
            limits,
            watch: Arc::clone(&watch),
            state: State::Head { seen: 0 },
            raw: BytesMut::new(),
            approved: 0,
            deadline: None,
            lingered: 0,
        };
        (guard, watch)
    }

    /// Approves what it can of the bytes at hand. `Ok(true)`: something is approved, or the state
    /// changed; `Ok(false)`: more bytes are needed.
    fn approve(&mut self) -> io::Result<bool> {
        match &mut self.state {
            State::Head { seen } => {
                if skip_empty_lines(&mut self.raw) {
                    *seen = 0;
                }
                match head::find_end(&self.raw, seen, self.limits.bytes) {
                    Ok(None) => Ok(false),
                    Ok(Some(end)) => self.judge(end),
                    Err(refusal) => self.refuse(refusal),
                }
            }
            State::Length(left) => {
                let n = self.raw.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= n as u64;
                self.approved = n;
                let over = *left == 0;
                if over {
                    self.state = State::Head { seen: 0 };
                }
                Ok(over || n > 0)
            }
            State::Chunked(chunked) => match chunked.advance(&self.raw) {
                Ok((n, over)) => {
                    self.approved = n;
                    if over {
                        self.state = State::Head { seen: 0 };
                    }
                    Ok(over || n > 0)
                }
                Err(refusal) => Err(self.break_off(refusal)),
            },
            State::Held | State::Through | State::Refused => Ok(false),
        }
    }

    /// Checks the head in `raw[..end]` and says what follows it.
    fn judge(&mut self, end: usize) -> io::Result<bool> {
        self.deadline = None;
        let framing = match head::check(&self.raw[..end]) {
            Ok(framing) => framing,
            Err(refusal) => return self.refuse(refusal),
        };
        if framing == Framing::Switch && self.raw.len() > end {
            return self.refuse(Refusal::early_data());
        }
        self.approved = end;
        self.state = match framing {
            Framing::None => State::Head { seen: 0 },
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::default()),
            Framing::Switch => State::Held,
        };
        Ok(true)
    }

    /// Puts the stand-in where the refused head was. Nothing after it is read.
    #[expect(clippy::unnecessary_wraps, reason = "the arms of `approve` all end in a result")]
    fn refuse(&mut self, refusal: Refusal) -> io::Result<bool> {
        *lock(&self.watch.refusal) = Some(refusal);
        self.raw.clear();
        self.raw.extend_from_slice(STAND_IN);
        self.approved = STAND_IN.len();
        self.state = State::Refused;
        self.deadline = None;
        Ok(true)
    }

    /// Breaks the connection off where no request is left to answer.
    fn break_off(&mut self, refusal: Refusal) -> io::Error {
        let error = io::Error::new(io::ErrorKind::InvalidData, refusal.reason.clone());
        *lock(&self.watch.violation) = Some(refusal);
        self.raw.clear();
        self.state = State::Refused;
        error
    }

    /// Runs the head's deadline; ready once it has passed on an idle connection.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.limits.time.is_zero() || self.watch.busy.load(Ordering::Relaxed) > 0 {
            self.deadline = None;
            return Poll::Pending;
        }
        let time = self.limits.time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(time)));
        deadline.as_mut().poll(cx)
    }

    /// The end of the stream, or a byte where none may be.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut self.raw))? {
            0 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(self.break_off(Refusal::early_data()))),
        }
    }
}

/// A server ignores empty lines before a request line (RFC 9112 section 2.2).
fn skip_empty_lines(raw: &mut BytesMut) -> bool {
    let before = raw.len();
    while raw.starts_with(b"\r\n") {
        raw.advance(2);
    }
    raw.len() < before
}

impl AsyncRead for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.approved > 0 {
                let n = this.approved.min(out.remaining());
                out.put_slice(&this.raw[..n]);
                this.raw.advance(n);
                this.approved -= n;
                return Poll::Ready(Ok(()));
            }
            if matches!(this.state, State::Held) && this.watch.switched.load(Ordering::Acquire) {
                this.state = State::Through;
                this.raw = BytesMut::new();
            }
            match this.state {
                State::Through => return Pin::new(&mut this.io).poll_read(cx, out),
                State::Held => return this.poll_held(cx),
                State::Refused => return Poll::Pending,
                State::Head { .. } | State::Length(_) | State::Chunked(_) => {}
            }
            if !this.raw.is_empty() && this.approve()? {
                continue;
            }
            let in_head = matches!(this.state, State::Head { .. });
            if in_head && this.poll_deadline(cx).is_ready() {
                if this.raw.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                this.refuse(Refusal::head_timeout(this.limits.time))?;
                continue;
            }
            this.raw.reserve(CHUNK);
            if ready!(poll_read_buf(Pin::new(&mut this.io), cx, &mut this.raw))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Guard {
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

    /// Closes our side, then reads on for a moment: closing over unread bytes would reset the
    /// connection and take our last answer with it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
        if matches!(this.state, State::Through) {
            return Poll::Ready(Ok(()));
        }
        if this.lingered == 0 {
            this.deadline = None;
        }
        while this.lingered < LINGER_BYTES {
            let until = this.deadline.get_or_insert_with(|| Box::pin(sleep(LINGER_TIME)));
            if until.as_mut().poll(cx).is_ready() {
                break;
            }
            this.raw.clear();
            this.raw.reserve(CHUNK);
            match ready!(poll_read_buf(Pin::new(&mut this.io), cx, &mut this.raw)) {
                Ok(0) | Err(_) => break,
                Ok(n) => this.lingered += n,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
