//! Inflating one direction's messages, bounded (RFC 7692 section 7.2.2).
//!
//! Refuses to know frames, opcodes and what the bytes mean. The one file that knows the library.

use crate::{Error, extension::Context};
use flate2::{Decompress, FlushDecompress, Status};

/// What every sender takes off the end of a message.
const TAIL: &[u8] = &[0x00, 0x00, 0xff, 0xff];
/// The same and an empty final block: it ends the library's stream exactly where the message stood
/// between blocks, and nowhere else.
const TAIL_AND_FINAL: &[u8] = &[0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
/// The longest distance a match may reach back.
const WINDOW: usize = 32 * 1024;
/// Output asked for at once: at least so much, and at most.
const LEAST: usize = 512;
pub(crate) const MOST: usize = 256 * 1024;
/// Output expected of a byte of input; more comes in further calls.
const RATIO: usize = 6;

/// Final blocks one message may have.
///
/// A sender has a use for one, at the end. Each makes the reader set up a new window of 32 KiB, for
/// two bytes on the wire; this bounds that to 32 MiB of copying a message.
const FINALS: u32 = 1024;

/// Inflates the messages of one direction.
///
/// Reads every window size: the library is always given the largest one, as a smaller one's
/// matches are among its own. Once it has failed it must not be used again.
pub(crate) struct Inflater {
    context: Context,
    /// Made at the first compressed byte.
    stream: Option<Stream>,
}

struct Stream {
    library: Decompress,
    window: Window,
    /// A final block was read: the library has ended and must be set up again to go on.
    ended: bool,
    /// Final blocks of the message under way that were followed by more.
    finals: u32,
    /// The message under way has compressed bytes. One without any is not even empty.
    begun: bool,
}

/// Where the bytes of messages go.
pub(crate) trait Output {
    /// What is appended to, with room for as many bytes as are wanted or for less, and how many it
    /// may take; one beyond a limit is enough to see that it is passed.
    fn room(&mut self, wanted: usize) -> (&mut Vec<u8>, usize);
    /// The last `made` bytes appended are new.
    fn made(&mut self, made: usize) -> Result<(), Error>;
}

impl Inflater {
    /// `None` where this build cannot inflate.
    #[expect(clippy::unnecessary_wraps, reason = "the build without the library has the same face")]
    pub(crate) fn new(context: Context) -> Option<Self> {
        Some(Self { context, stream: None })
    }

    /// Inflates the next piece of a message.
    pub(crate) fn push(&mut self, input: &[u8], output: &mut impl Output) -> Result<(), Error> {
        self.stream.get_or_insert_with(Stream::new).push(input, output)
    }

    /// Ends the message.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        let stream = self.stream.get_or_insert_with(Stream::new);
        match self.context {
            Context::Takeover => stream.end(TAIL),
            Context::Fresh => stream.end(TAIL_AND_FINAL).map(|()| stream.forget()),
        }
    }

    /// Between messages: gives back what is quickly made anew and holds nothing of use.
    pub(crate) fn release(&mut self) {
        if let (Context::Fresh, Some(stream)) = (self.context, &mut self.stream) {
            stream.window = Window::default();
        }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("context", &self.context).finish_non_exhaustive()
    }
}

impl Stream {
    fn new() -> Self {
        Self {
            library: Decompress::new(false),
            window: Window::default(),
            ended: false,
            finals: 0,
            begun: false,
        }
    }

    fn push(&mut self, mut input: &[u8], output: &mut impl Output) -> Result<(), Error> {
        self.begun |= !input.is_empty();
        // Full room may mean that the library holds output back.
        let mut full = false;
        while !input.is_empty() || full {
            if self.ended {
                self.go_on()?;
            }
            let (used, made, result);
            (used, made, full, result) = self.step(input, output);
            input = input.get(used..).unwrap_or_default();
            output.made(made)?;
            result?;
            full &= !self.ended;
            if used == 0 && made == 0 && !full && !self.ended {
                break;
            }
        }
        // The library takes all it is given unless it has no room.
        if input.is_empty() { Ok(()) } else { Err(Error::Inflate) }
    }

    /// One call of the library: bytes taken, bytes made, whether they filled the room, and whether
    /// they were well.
    fn step(
        &mut self,
        input: &[u8],
        output: &mut impl Output,
    ) -> (usize, usize, bool, Result<(), Error>) {
        let wanted = input.len().saturating_mul(RATIO).clamp(LEAST, MOST);
        let (buffer, most) = output.room(wanted);
        let had = buffer.len();
        let (taken, gave) = (self.library.total_in(), self.library.total_out());
        let spare = buffer.capacity() - had;
        let room = if spare < most { spare } else { most.min(wanted) };
        let status = if spare < most {
            self.library.decompress_vec(input, buffer, FlushDecompress::None)
        } else {
            // The limit is near: not a byte more than it takes to see it passed, and no more of them
            // cleared than so little input may fill.
            buffer.resize(had + room, 0);
            let place = buffer.get_mut(had..).unwrap_or_default();
            self.library.decompress(input, place, FlushDecompress::None)
        };
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let used = count(self.library.total_in(), taken);
        let made = count(self.library.total_out(), gave);
        buffer.truncate(had + made);
        self.window.remember(buffer.get(had..).unwrap_or_default());
        self.ended = matches!(status, Ok(Status::StreamEnd));
        (used, made, made == room, status.map(drop).map_err(|_| Error::Inflate))
    }

    /// Reads on after a final block: the next starts at the next byte, and may refer to all that
    /// was before (RFC 7692 section 7.2.3.4).
    fn go_on(&mut self) -> Result<(), Error> {
        if self.finals >= FINALS {
            return Err(Error::InflateFinals { limit: FINALS });
        }
        self.finals += 1;
        self.ended = false;
        self.library.reset(false);
        match self.window.bytes() {
            [] => Ok(()),
            window => self.library.set_dictionary(window).map(drop).map_err(|_| Error::Inflate),
        }
    }

    /// Ends a message: between blocks `tail` is taken whole and makes nothing.
    fn end(&mut self, tail: &[u8]) -> Result<(), Error> {
        self.finals = 0;
        if !std::mem::take(&mut self.begun) {
            return Err(Error::InflateUnfinished);
        }
        if self.ended {
            // A final block may be the last byte of a message; there is nothing to complete then.
            return Ok(());
        }
        // Anything that comes out here was not part of the message.
        let (taken, had) = (self.library.total_in(), self.library.total_out());
        let status = self.library.decompress(tail, &mut [0; 8], FlushDecompress::None);
        let used = self.library.total_in() - taken;
        self.ended = matches!(status, Ok(Status::StreamEnd));
        // The message itself may end in the header of a final block, which the tail completes.
        let whole = used == tail.len() as u64 || (self.ended && used == TAIL.len() as u64);
        let ended = self.ended || tail == TAIL;
        if status.is_ok() && whole && self.library.total_out() == had && ended {
            Ok(())
        } else {
            Err(Error::InflateUnfinished)
        }
    }

    /// Begins anew, as if nothing had been read, with the memory it has.
    fn forget(&mut self) {
        self.library.reset(false);
        self.window.forget();
        self.ended = false;
    }
}

/// What was inflated last, as far back as a match may reach.
///
/// The library has a window of its own, but none that outlives a final block.
#[derive(Default)]
struct Window {
    ring: Vec<u8>,
    /// Where the oldest byte is, once the ring is full.
    oldest: usize,
}

impl Window {
    fn remember(&mut self, made: &[u8]) {
        let made = made.get(made.len().saturating_sub(WINDOW)..).unwrap_or_default();
        let (fill, over) = made.split_at(made.len().min(WINDOW - self.ring.len()));
        self.ring.extend_from_slice(fill);
        let (before_end, from_start) = over.split_at(over.len().min(WINDOW - self.oldest));
        for (at, bytes) in [(self.oldest, before_end), (0, from_start)] {
            if let Some(place) = self.ring.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
        self.oldest = (self.oldest + over.len()) % WINDOW;
    }

    fn forget(&mut self) {
        self.ring.clear();
        self.oldest = 0;
    }

    /// Oldest first.
    fn bytes(&mut self) -> &[u8] {
        self.ring.rotate_left(self.oldest);
        self.oldest = 0;
        &self.ring
    }
}

#[cfg(test)]
mod tests;
