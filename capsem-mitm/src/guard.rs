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

use self::{
    chunked::Chunked,
    head::{Framing, Search},
};
use crate::{answer::Refusal, http::forward, ws::BoxIo};
use bytes::{Buf as _, BufMut as _, BytesMut};
use capsem_telemetry::FaultClass;
use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use tokio_util::io::poll_read_buf;

/// Reads whose bytes are dropped after our side has closed, so that a late writer is not reset before
/// it has read our answer. Counted in reads, as a client that writes byte by
/// byte costs by the read.
const LINGER_READS: usize = 256;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(1);
/// Most bytes read at once.
const CHUNK: usize = 16 * 1024;

/// A request no client of ours would send, in place of one that was refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n\r\n";

/// What a client may take of a connection that speaks HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a head, request line and fields together.
    pub(crate) head: usize,
    /// How long a head may be awaited, from the end of what was before it.
    pub(crate) head_time: Duration,
    /// How long a body may stand still, or an answer not be taken.
    pub(crate) stall: Duration,
}

/// A client's HTTP/1 byte stream, checked.
pub(crate) struct Guard {
    io: BoxIo,
    bounds: Bounds,
    watch: Arc<Watch>,
    state: State,
    /// Bytes read; the first `approved` of them may go to hyper.
    raw: BytesMut,
    approved: usize,
    /// When reading is late.
    deadline: Option<Pin<Box<Sleep>>>,
    /// When writing is late.
    write_deadline: Option<Pin<Box<Sleep>>>,
    /// Once our side is closed: when reading on ends, and how often was read.
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

enum State {
    /// Collecting a head.
    Head(Search),
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
    /// The guard's task, while it waits for an exchange to be over.
    waiting: Mutex<Option<Waker>>,
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

    /// An exchange is under way until the result is dropped: no next head is handed on, and none is
    /// late.
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
        if self.0.busy.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(waiting) = lock(&self.0.waiting).take()
        {
            waiting.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guard {
    pub(crate) fn new(io: BoxIo, bounds: Bounds) -> (Self, Arc<Watch>) {
        let watch = Arc::new(Watch::default());
        let guard = Self {
            io,
            bounds,
            watch: Arc::clone(&watch),
            state: State::Head(Search::default()),
            raw: BytesMut::new(),
            approved: 0,
            deadline: None,
            write_deadline: None,
            linger: None,
        };
        (guard, watch)
    }

    /// Approves what it can of the bytes at hand. `Ok(true)`: something is approved, or the state
    /// changed; `Ok(false)`: more bytes are needed.
    fn approve(&mut self) -> io::Result<bool> {
        match &mut self.state {
            State::Head(search) => {
                while self.raw.starts_with(b"\r\n") {
                    self.raw.advance(2);
                    if let Err(refusal) = search.skip() {
                        return self.refuse(refusal);
                    }
                }
                match search.end(&self.raw, self.bounds.head) {
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
                    self.next_head();
                }
                Ok(over || n > 0)
            }
            State::Chunked(chunked) => match chunked.advance(&self.raw) {
                Ok((n, over)) => {
                    self.approved = n;
                    if over {
                        self.next_head();
                    }
                    Ok(over || n > 0)
                }
                Err(refusal) => Err(self.break_off(refusal)),
            },
            State::Held | State::Through | State::Refused => Ok(false),
        }
    }

    fn next_head(&mut self) {
        self.state = State::Head(Search::default());
        self.deadline = None;
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
            Framing::None => State::Head(Search::default()),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::default()),
            Framing::Switch => State::Held,
        };
        Ok(true)
    }

    /// Puts the stand-in where the refused head was. Nothing after it is read.
    #[expect(clippy::unnecessary_wraps, reason = "its callers' other arms can fail")]
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

    /// Whether an exchange is under way; if so, this task is woken when it is over.
    fn is_busy(&self, cx: &Context<'_>) -> bool {
        *lock(&self.watch.waiting) = Some(cx.waker().clone());
        self.watch.busy.load(Ordering::Acquire) > 0
    }

    /// While an exchange is under way the next head waits here, out of hyper's sight, so that hyper
    /// goes on looking for the end of the client.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.deadline = None;
        while self.raw.len() < self.bounds.head {
            if ready!(self.poll_fill(cx, self.bounds.head - self.raw.len()))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Reads at most so many bytes, and no more than a chunk.
    fn poll_fill(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let room = most.clamp(1, CHUNK);
        self.raw.reserve(room);
        poll_read_buf(Pin::new(&mut self.io), cx, &mut (&mut self.raw).limit(room))
    }

    /// Reads more. `Ready(Ok(true))`: the stream goes on, or its state changed.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let in_head = matches!(self.state, State::Head(_));
        // One byte beyond a head's limit says that it is too long.
        let most =
            if in_head { (self.bounds.head + 1).saturating_sub(self.raw.len()) } else { CHUNK };
        if let Poll::Ready(read) = self.poll_fill(cx, most) {
            if !in_head {
                self.deadline = None;
            }
            if in_head && !self.raw.is_empty() && !matches!(read, Ok(1..)) {
                let class =
                    read.as_ref().err().map_or(FaultClass::Eof, |error| forward::class_of(error));
                return Poll::Ready(Err(
                    self.break_off(Refusal::broken_head(class, self.raw.len()))
                ));
            }
            return Poll::Ready(read.map(|n| n > 0));
        }
        let limit = if in_head { self.bounds.head_time } else { self.bounds.stall };
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(match (in_head, self.raw.is_empty()) {
            // Silence between exchanges is no fault.
            (true, true) => Ok(false),
            (true, false) => self.refuse(Refusal::head_timeout(limit)),
            (false, _) => Err(self.break_off(Refusal::stall("sent nothing of its body", limit))),
        })
    }

    /// Ends a connection whose client takes nothing of what it is sent.
    fn on_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        // A tunnel has deadlines of its own.
        if matches!(self.state, State::Through) {
            return Poll::Pending;
        }
        let limit = self.bounds.stall;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(self.break_off(Refusal::stall("took nothing of its answer", limit))))
    }

    /// The end of the stream, or a byte where none may be.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.poll_fill(cx, 1))? {
            0 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(self.break_off(Refusal::early_data()))),
        }
    }
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
                State::Head(_) | State::Length(_) | State::Chunked(_) => {}
            }
            if matches!(this.state, State::Head(_)) && this.is_busy(cx) {
                return this.poll_gone(cx);
            }
            if !this.raw.is_empty() && this.approve()? {
                continue;
            }
            if !ready!(this.poll_more(cx))? {
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
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.on_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.on_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.on_time(cx, flushed)
    }

    /// Closes our side, then reads on for a moment: closing over unread bytes would reset the
    /// connection and take our last answer with it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.io).poll_shutdown(cx);
        ready!(this.on_time(cx, shut))?;
        if matches!(this.state, State::Through) {
            return Poll::Ready(Ok(()));
        }
        let (until, reads) = this.linger.get_or_insert_with(|| (Box::pin(sleep(LINGER_TIME)), 0));
        while *reads < LINGER_READS && until.as_mut().poll(cx).is_pending() {
            this.raw.clear();
            this.raw.reserve(CHUNK);
            match ready!(poll_read_buf(Pin::new(&mut this.io), cx, &mut this.raw)) {
                Ok(0) | Err(_) => break,
                Ok(_) => *reads += 1,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
