//! One end of a tunnel in memory: what a script has it send and take, and what it was sent.
//!
//! Refuses to know frames. Nothing of it moves by itself, so a script decides all there is to decide.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How a peer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It sends no more, and still reads.
    Half,
    /// The same without the goodbye TLS asks for.
    Torn,
    /// It sends no more and takes no more; what it sent is there to be read.
    Gone,
    /// Both directions fail at once.
    Reset,
}

impl End {
    pub(super) const ALL: [Self; 4] = [Self::Half, Self::Torn, Self::Gone, Self::Reset];

    /// Whether the peer takes nothing any more.
    pub(super) fn is_deaf(self) -> bool {
        matches!(self, Self::Gone | Self::Reset)
    }
}

/// The peer; its clones are one.
#[derive(Clone)]
pub(super) struct Peer(Arc<Mutex<State>>);

struct State {
    /// What it sends, the first `taken` bytes of which were read.
    sends: Vec<u8>,
    taken: usize,
    end: Option<End>,
    /// What it was sent.
    got: Vec<u8>,
    /// Whether it was told that no more comes.
    told_end: bool,
    /// Bytes it takes yet; `None`: as many as come.
    room: Option<usize>,
    /// Bytes that are read or written at once.
    piece: Box<dyn FnMut() -> usize + Send>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Peer {
    pub(super) fn new(piece: impl FnMut() -> usize + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(State {
            sends: Vec::new(),
            taken: 0,
            end: None,
            got: Vec::new(),
            told_end: false,
            room: None,
            piece: Box::new(piece),
            reader: None,
            writer: None,
        })))
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.sends.extend_from_slice(bytes);
        state.wake();
    }

    /// Ends it, if it has not ended.
    pub(super) fn end(&self, end: End) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        state.wake();
    }

    pub(super) fn take(&self, room: Option<usize>) {
        let mut state = self.state();
        state.room = room;
        state.wake();
    }

    /// How many of its bytes were read.
    pub(super) fn taken(&self) -> usize {
        self.state().taken
    }

    pub(super) fn got(&self) -> Vec<u8> {
        self.state().got.clone()
    }

    pub(super) fn told_end(&self) -> bool {
        self.state().told_end
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// How many of `most` bytes it takes now.
    fn poll_room(&mut self, cx: &Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        if self.end.is_some_and(End::is_deaf) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        match self.room {
            Some(0) => {
                self.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room.unwrap_or(most).min(most))),
        }
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if state.end == Some(End::Reset) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let waiting = state.sends.len() - state.taken;
        if waiting == 0 {
            return match state.end {
                None => {
                    state.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
                Some(End::Torn) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Some(End::Half | End::Gone | End::Reset) => Poll::Ready(Ok(())),
            };
        }
        let some = waiting.min(out.remaining()).min((state.piece)());
        out.put_slice(&state.sends[state.taken..state.taken + some]);
        state.taken += some;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        assert!(!state.told_end, "written to after the end of what it is sent");
        let piece = (state.piece)().min(bytes.len());
        state.poll_room(cx, piece).map_ok(|some| {
            state.got.extend_from_slice(&bytes[..some]);
            state.room = state.room.map(|room| room - some);
            some
        })
    }

    /// A stream that has no room holds what it was given last.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state().poll_room(cx, 0).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        state.poll_room(cx, 0).map_ok(|_| state.told_end = true)
    }
}
