//! One direction of a tunnel: read a chunk, check it, show its messages, write the same bytes.
//!
//! All state is in the struct and every await is cancel safe, so the session may stop a pump at any
//! point, look at what it holds, and run it on.

use super::{close::Cause, config::Config, session::Hooks};
use capsem_ws_codec::{Counters, Deflate, Item, Opcode, Reader, Role};
use std::{future::Future, io, mem, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    task::yield_now,
    time::{Instant, timeout},
};

/// Bytes read at once: one full TLS record, so that it goes on as one.
const CHUNK: usize = 16 * 1024;
/// Compressed bytes checked at once: they inflate to a mebibyte at most.
const SLICE: usize = 1024;
/// The opcode of a Close frame.
const CLOSE: u8 = Opcode::Close as u8;
/// How long a chunk is checked before other connections have their turn.
const TURN: Duration = Duration::from_micros(500);

/// A place in one direction at which it may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// No frame is under way.
    Frame,
    /// No message is under way.
    Message,
}

#[derive(Debug)]
pub(super) struct Pump<R, W> {
    from: Role,
    source: R,
    sink: W,
    reader: Reader,
    /// Read bytes; `held[sent..good]` wait to be written, `held[checked..]` to be checked.
    held: Vec<u8>,
    sent: usize,
    good: usize,
    checked: usize,
    /// Most bytes checked without a look at the clock.
    slice: usize,
    /// Whether the bytes up to `good` end inside a frame.
    amid_frame: bool,
    unflushed: bool,
    progress: Progress,
    closing: Closing,
    /// A Close went on: nothing may follow it.
    closed: bool,
    stall: Duration,
}

/// What becomes of this direction's Close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Relayed,
    KeptBack,
}

#[derive(Debug)]
enum Progress {
    Flowing,
    /// Ends with this cause once the good bytes are written.
    Ending(Cause),
    Over,
}

impl<R, W> Pump<R, W> {
    pub(super) fn counters(&self) -> Counters {
        self.reader.counters()
    }
}

impl<R, W> Pump<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    pub(super) fn new(
        from: Role,
        source: R,
        sink: W,
        deflate: Option<Deflate>,
        config: &Config,
    ) -> Self {
        Self {
            from,
            source,
            sink,
            reader: Reader::new(from, deflate, config.limits),
            held: Vec::new(),
            sent: 0,
            good: 0,
            checked: 0,
            slice: if deflate.is_some() { SLICE } else { CHUNK },
            amid_frame: false,
            unflushed: false,
            progress: Progress::Flowing,
            closing: Closing::Relayed,
            closed: false,
            stall: config.stall_timeout,
        }
    }

    /// Runs this direction to its end.
    pub(super) async fn run(&mut self, hooks: &Hooks<'_>) -> Cause {
        loop {
            if let Err(cause) = self.step(hooks).await {
                return cause;
            }
        }
    }

    /// Runs this direction to its end, without its Close: what it has yet to say goes on, and a
    /// frame border is left for a Close of our own.
    pub(super) async fn last_words(&mut self, hooks: &Hooks<'_>) -> Cause {
        self.closing = Closing::KeptBack;
        self.run(hooks).await
    }

    /// Runs this direction until it rests at a border; at once when it does.
    pub(super) async fn settle(&mut self, hooks: &Hooks<'_>, border: Border) -> Result<(), Cause> {
        if let Err(cause) = self.write_good().await {
            return Err(self.over(cause));
        }
        while !self.rests_at(border) {
            self.step(hooks).await?;
        }
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Over)
    }

    pub(super) fn rests_at(&self, border: Border) -> bool {
        let nothing_left =
            self.sent == self.good && (self.is_over() || self.checked == self.held.len());
        let between_frames = nothing_left && !self.amid_frame;
        match border {
            Border::Frame => between_frames,
            Border::Message => between_frames && !self.reader.in_message(),
        }
    }

    /// Whether a frame of our own may go out here.
    pub(super) fn takes_a_frame(&self) -> bool {
        !self.closed && self.rests_at(Border::Frame)
    }

    /// Writes a frame of our own, where one may go out.
    pub(super) async fn inject(&mut self, frame: &[u8]) -> io::Result<()> {
        debug_assert!(self.takes_a_frame());
        self.sink.write_all(frame).await?;
        self.sink.flush().await
    }

    /// Ends the writing half: the peer sees the end of the stream after all it was sent.
    pub(super) async fn shut(&mut self) {
        // A peer that is gone already cannot be told, and need not be.
        let _ = self.sink.shutdown().await;
    }

    /// Reads and drops what still comes until the source ends, so that closing does not reset a
    /// peer that has yet to read its Close.
    pub(super) async fn discard(&mut self) {
        self.held.resize(CHUNK, 0);
        while matches!(self.source.read(&mut self.held).await, Ok(n) if n > 0) {}
    }

    /// One chunk: write what is checked, read on, check. Cancel safe at every await.
    async fn step(&mut self, hooks: &Hooks<'_>) -> Result<(), Cause> {
        if let Err(cause) = self.write_good().await {
            return Err(self.over(cause));
        }
        match mem::replace(&mut self.progress, Progress::Over) {
            Progress::Ending(cause) => return Err(cause),
            before => self.progress = before,
        }
        hooks.pause().await;
        if self.checked < self.held.len() {
            yield_now().await;
        } else if let Err(cause) = self.read_chunk().await {
            return Err(self.over(cause));
        } else {
            hooks.touch();
        }
        self.check(hooks);
        Ok(())
    }

    fn over(&mut self, cause: Cause) -> Cause {
        self.progress = Progress::Over;
        cause
    }

    async fn write_good(&mut self) -> Result<(), Cause> {
        let to = self.from.peer();
        let lost = |error| Cause::Lost { by: to, error };
        while self.sent < self.good {
            let write = self.sink.write(&self.held[self.sent..self.good]);
            match within(self.stall, write).await {
                Some(Ok(0)) => return Err(lost(io::ErrorKind::WriteZero.into())),
                Some(Ok(n)) => self.sent += n,
                Some(Err(error)) => return Err(lost(error)),
                None => return Err(Cause::Stalled { by: to, after: self.stall }),
            }
            self.unflushed = true;
        }
        if self.unflushed {
            match within(self.stall, self.sink.flush()).await {
                Some(Ok(())) => self.unflushed = false,
                Some(Err(error)) => return Err(lost(error)),
                None => return Err(Cause::Stalled { by: to, after: self.stall }),
            }
        }
        Ok(())
    }

    async fn read_chunk(&mut self) -> Result<(), Cause> {
        self.held.clear();
        (self.sent, self.good, self.checked) = (0, 0, 0);
        self.held.reserve(CHUNK);
        let read = self.source.read_buf(&mut self.held);
        let got = if self.amid_frame {
            match within(self.stall, read).await {
                Some(got) => got,
                None => return Err(Cause::Stalled { by: self.from, after: self.stall }),
            }
        } else {
            read.await
        };
        match got {
            Ok(0) => Err(self.eof()),
            // TLS calls an end without close_notify an error; frames have ends of their own.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.eof()),
            Err(error) => Err(Cause::Lost { by: self.from, error }),
            Ok(_) => Ok(()),
        }
    }

    fn eof(&self) -> Cause {
        Cause::Eof {
            by: self.from,
            amid: self.reader.frame_consumed() > 0 || self.reader.in_message(),
        }
    }

    /// Checks the chunk, or as much of it as a turn allows, and shows its messages.
    fn check(&mut self, hooks: &Hooks<'_>) {
        let turn = Instant::now();
        let mut end = None;
        while end.is_none() && self.checked < self.held.len() {
            let most = self.held.len().min(self.checked + self.slice);
            let mut slice = &self.held[self.checked..most];
            end = check_slice(self.from, &mut self.reader, &mut slice, hooks);
            self.checked = most - slice.len();
            if turn.elapsed() > TURN {
                break;
            }
        }
        let amid = usize::try_from(self.reader.frame_consumed()).unwrap_or(usize::MAX);
        let border = self.checked.saturating_sub(amid);
        if matches!(end, Some(Cause::Violation { .. })) {
            // Of the frame at fault nothing more goes on; where none of it has, nothing.
            self.amid_frame = amid > self.checked || border < self.sent;
            self.good = border.max(self.sent);
        } else if let Some(close) = self.close_to_keep(border, amid, end.as_ref()) {
            self.amid_frame = false;
            self.good = close;
            end = end.or(Some(Cause::Closed { by: self.from, code: None, reason: String::new() }));
        } else {
            self.amid_frame = amid > 0;
            self.good = self.checked;
            self.closed = matches!(end, Some(Cause::Closed { .. }));
        }
        if let Some(cause) = end {
            self.progress = Progress::Ending(cause);
        }
    }

    /// Where the Close frame begins that is to be kept back; `None` while there is none, and where
    /// its beginning has gone on already.
    fn close_to_keep(&self, border: usize, amid: usize, end: Option<&Cause>) -> Option<usize> {
        if self.closing == Closing::Relayed {
            return None;
        }
        let begins = match end {
            Some(Cause::Closed { code, reason, .. }) => {
                let mask = if self.from == Role::Client { 4 } else { 0 };
                let payload = if code.is_some() { 2 + reason.len() } else { 0 };
                self.checked.checked_sub(2 + mask + payload)?
            }
            // Inside a frame: its first byte says what it is.
            None if (1..=self.checked).contains(&amid) && self.held[border] & 0x0f == CLOSE => {
                border
            }
            Some(_) | None => return None,
        };
        (begins >= self.sent).then_some(begins)
    }
}

/// Reads a slice to its end, or to what ends its direction.
fn check_slice(
    from: Role,
    reader: &mut Reader,
    slice: &mut &[u8],
    hooks: &Hooks<'_>,
) -> Option<Cause> {
    loop {
        match reader.read(slice) {
            Ok(Some(Item::Message(message))) => hooks.message(from, &message),
            Ok(Some(Item::Close(close))) => {
                // Nothing after a Close is relayed (RFC 6455 section 5.5.1).
                let (code, reason) = (close.code.map(u16::from), close.reason.to_owned());
                return Some(Cause::Closed { by: from, code, reason });
            }
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(Cause::Violation { by: from, error }),
        }
    }
}

/// `None` when `limit` passed first; a zero limit is none.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    if limit.is_zero() { Some(future.await) } else { timeout(limit, future).await.ok() }
}
