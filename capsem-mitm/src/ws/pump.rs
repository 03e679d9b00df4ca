//! One direction of a tunnel: read a chunk, check it, show its messages, write the same bytes.
//!
//! All state is in the struct and every await is cancel safe, so the session may stop a pump at any
//! point, look at what it holds, and run it on.

use super::{
    close::Cause,
    config::Config,
    fill::{CHUNK, RECORD, poll_fill},
    gate::Holder,
    hooks::Hooks,
    slice::{Stop, check_slice, close_len},
};
use capsem_ws_codec::{Counters, Deflate, Message, Opcode, Reader, Role};
use std::{
    future::{Future, poll_fn},
    io, mem,
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    task::yield_now,
    time::{Instant, timeout},
};

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
    /// Bytes of a message that are kept, at most.
    capture: usize,
    /// What reading on gives, where that is known already.
    ahead: Option<io::Result<usize>>,
    /// Read bytes; `held[sent..good]` wait to be written, `held[checked..]` to be checked.
    held: Vec<u8>,
    sent: usize,
    good: usize,
    checked: usize,
    /// Most bytes checked without a look at the clock.
    slice: usize,
    /// Whether what is written and to be written ends inside a frame.
    amid_frame: bool,
    /// Holds messages back, from the first one that was to be held.
    holder: Option<Holder>,
    /// What the holder let go, to be written after the good bytes: from `let_go` on.
    released: Vec<u8>,
    let_go: usize,
    deflate: Option<Deflate>,
    unflushed: bool,
    /// Who said the large message in the reader that is yet to be shown.
    unshown: Option<Role>,
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
    /// What was read and went on.
    pub(super) fn counters(&self) -> Counters {
        let read = self.reader.counters();
        if let Some(holder) = &self.holder {
            return holder.passed(read);
        }
        // Of a frame at fault nothing goes on.
        let kept = (self.checked - self.good) as u64;
        Counters { wire_bytes: read.wire_bytes.saturating_sub(kept), ..read }
    }

    /// The large message that is yet to be shown, if there is one; it is shown with this.
    pub(super) fn take_unshown(&mut self) -> Option<(Role, Message<'_>)> {
        let from = self.unshown.take()?;
        self.reader.last().map(|message| (from, message))
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
            capture: config.limits.capture,
            ahead: None,
            held: Vec::new(),
            sent: 0,
            good: 0,
            checked: 0,
            slice: if deflate.is_some() { SLICE } else { CHUNK },
            amid_frame: false,
            holder: None,
            released: Vec::new(),
            let_go: 0,
            deflate,
            unflushed: false,
            unshown: None,
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
        loop {
            if let Err(cause) = self.write_good().await {
                return Err(self.over(cause));
            }
            // What has ended says so; it is at no border of its own.
            if self.rests_at(border) && !matches!(self.progress, Progress::Ending(_)) {
                return Ok(());
            }
            self.step(hooks).await?;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Over)
    }

    pub(super) fn rests_at(&self, border: Border) -> bool {
        let written = self.sent == self.good && self.released.is_empty() && !self.amid_frame;
        let nothing_left = self.is_over() || self.checked == self.held.len();
        // What waits for a verdict has not gone on, and neither has anything behind it.
        let waiting = self.holder.as_ref().is_some_and(Holder::is_waiting);
        match border {
            Border::Frame => written && (nothing_left || waiting),
            Border::Message => written && nothing_left && !waiting && !self.reader.in_message(),
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

    /// Has frames of our own written next, where this direction rests at a message border.
    pub(super) fn say(&mut self, frames: Vec<u8>) {
        debug_assert!(self.takes_a_frame());
        self.released = frames;
    }

    /// Ends the writing half: the peer sees the end of the stream after all it was sent.
    pub(super) async fn shut(&mut self) {
        // A peer that is gone already cannot be told, and need not be.
        let _ = self.sink.shutdown().await;
    }

    /// Reads and drops what still comes until the source ends, so that closing does not reset a
    /// peer that has yet to read its Close.
    pub(super) async fn discard(&mut self) {
        self.held.resize(RECORD, 0);
        while matches!(self.source.read(&mut self.held).await, Ok(n) if n > 0) {}
    }

    /// One chunk: write what is checked, read on, check. Cancel safe at every await.
    async fn step(&mut self, hooks: &Hooks<'_>) -> Result<(), Cause> {
        if let Err(cause) = self.write_good().await {
            return Err(self.over(cause));
        }
        if let Some((from, message)) = self.take_unshown() {
            hooks.message(from, &message);
        }
        match mem::replace(&mut self.progress, Progress::Over) {
            Progress::Ending(cause) => return Err(cause),
            before => self.progress = before,
        }
        hooks.pause().await;
        if let Some(holder) = &self.holder {
            if holder.is_waiting() {
                return self.wait(hooks).await;
            }
            // The other direction makes the room.
            if self.from == Role::Client {
                hooks.room().await;
            }
        }
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

    /// Waits for a verdict. Pings and pongs pass meanwhile; what ends the direction comes after it.
    /// Cancel safe.
    async fn wait(&mut self, hooks: &Hooks<'_>) -> Result<(), Cause> {
        let before = self.checked;
        self.check(hooks);
        if self.checked > before {
            return Ok(());
        }
        let Self { from, source, held, ahead, holder: Some(holder), .. } = self else {
            return Ok(());
        };
        let from = *from;
        let end = if self.checked < held.len() || ahead.is_some() {
            holder.judged(hooks).await
        } else {
            held.clear();
            (self.sent, self.good, self.checked) = (0, 0, 0);
            held.reserve(RECORD);
            tokio::select! {
                end = holder.judged(hooks) => end,
                read = source.read_buf(held) => match read {
                    Ok(n) if n > 0 => None,
                    Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                        Some(Cause::Lost { by: from, error })
                    }
                    end => {
                        *ahead = Some(end);
                        None
                    }
                },
            }
        };
        holder.take(&mut self.released);
        hooks.touch();
        match end {
            Some(cause) => self.progress = Progress::Ending(cause),
            None => self.check(hooks),
        }
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
        while self.let_go < self.released.len() {
            let write = self.sink.write(&self.released[self.let_go..]);
            match within(self.stall, write).await {
                Some(Ok(0)) => return Err(lost(io::ErrorKind::WriteZero.into())),
                Some(Ok(n)) => self.let_go += n,
                Some(Err(error)) => return Err(lost(error)),
                None => return Err(Cause::Stalled { by: to, after: self.stall }),
            }
            self.unflushed = true;
        }
        if self.let_go > 0 {
            // Nothing of a long message stays behind it.
            (self.released, self.let_go) = (Vec::new(), 0);
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
        let Self { source, reader, held, ahead, .. } = self;
        let amid = reader.frame_consumed() > 0;
        let read = poll_fn(|cx| poll_fill(source, reader, held, ahead, cx));
        let got = if amid {
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
        let mut turn = None;
        let mut stop = None;
        while stop.is_none() && self.checked < self.held.len() {
            let before = self.checked;
            self.look_ahead(hooks);
            let most = self.held.len().min(self.checked + self.slice);
            let mut slice = &self.held[self.checked..most];
            stop = match &mut self.holder {
                None => check_slice(self.from, &mut self.reader, self.capture, &mut slice, hooks),
                Some(holder) => holder.read(&mut self.reader, &mut slice, hooks).map(Stop::End),
            };
            self.checked = most - slice.len();
            if matches!(stop, Some(Stop::Hold)) {
                stop = None;
                self.approve(None);
                continue;
            }
            let late = self.checked < self.held.len()
                && turn.get_or_insert_with(Instant::now).elapsed() > TURN;
            if self.checked == before || late {
                break;
            }
        }
        let end = match stop {
            Some(Stop::End(cause)) => Some(cause),
            Some(Stop::Large) => {
                self.unshown = Some(self.from);
                None
            }
            Some(Stop::Hold) | None => None,
        };
        let end = match &mut self.holder {
            None => self.approve(end),
            Some(holder) => {
                if let Some(len) = end.as_ref().and_then(|end| close_len(self.from, end)) {
                    self.closed = self.closing == Closing::Relayed || !holder.keep_back(len);
                }
                holder.take(&mut self.released);
                self.amid_frame = holder.amid_frame();
                end
            }
        };
        if let Some(cause) = end {
            self.progress = Progress::Ending(cause);
        }
    }

    /// Between two messages: begins to hold them back, if the next is to be held, or keeps no more
    /// of it than is looked at.
    fn look_ahead(&mut self, hooks: &Hooks<'_>) {
        let between = !self.reader.in_message() && self.reader.frame_consumed() == 0;
        if self.holder.is_some() || !between {
            return;
        }
        let next = hooks.next(self.from);
        if !next.held {
            return self.reader.set_capture(next.reads.min(self.capture));
        }
        self.approve(None);
        self.reader.set_capture(self.capture);
        // Whether compressed messages refer to the ones before them.
        let takeover = self.deflate.is_some_and(|agreed| match self.from {
            Role::Client => !agreed.client_no_context_takeover,
            Role::Server => !agreed.server_no_context_takeover,
        });
        self.holder = Some(Holder::new(self.from, takeover));
    }

    /// Lets what was checked go on as it came. What ends the direction with it.
    fn approve(&mut self, mut end: Option<Cause>) -> Option<Cause> {
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
        end
    }

    /// Where the Close frame begins that is to be kept back; `None` while there is none, and where
    /// its beginning has gone on already.
    fn close_to_keep(&self, border: usize, amid: usize, end: Option<&Cause>) -> Option<usize> {
        if self.closing == Closing::Relayed {
            return None;
        }
        let begins = match end {
            Some(end @ Cause::Closed { .. }) => {
                self.checked.checked_sub(close_len(self.from, end)?)?
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

/// `None` when `limit` passed first; a zero limit is none. What is done at once costs no timer.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let at_once = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    });
    match at_once.await {
        None if limit.is_zero() => Some(future.await),
        None => timeout(limit, future).await.ok(),
        done => done,
    }
}
