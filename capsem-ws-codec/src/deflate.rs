//! Inflating one direction's messages, bounded (RFC 7692 section 7.2.2).
//!
//! Refuses to know frames, opcodes and what the bytes mean. The one file that knows the library.

use crate::{Error, extension::Context};
use flate2::{Decompress, FlushDecompress, Status};
use std::cell::Cell;

/// What every sender takes off the end of a message.
const TAIL: &[u8] = &[0x00, 0x00, 0xff, 0xff];
/// The same and an empty final block: it ends the library's stream exactly where the message stood
/// between blocks, and nowhere else.
const TAIL_AND_FINAL: &[u8] = &[0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
/// What ends the library's stream after the tail.
const FINAL: &[u8] = TAIL_AND_FINAL.split_at(TAIL.len()).1;
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
    /// None while the connection rests: what it remembers is in the window too.
    library: Option<Decompress>,
    window: Window,
    /// A final block was read: the library has ended and must be set up again to go on.
    ended: bool,
    /// Final blocks of the message under way that were followed by more.
    finals: u32,
    /// The message under way has compressed bytes. One without any is not even empty.
    begun: bool,
    /// The last message did not end between blocks, which was seen too late to refuse it.
    amid_block: bool,
}

thread_local! {
    /// The library's state of a connection that rests, for the next one on this thread.
    static SPARE: Cell<Option<Decompress>> = const { Cell::new(None) };
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

    /// Between messages: gives back all but the window, which the library is given anew when more
    /// comes. A message that did not end between blocks, and was followed so far by nothing that
    /// shows it, fails what comes next.
    pub(crate) fn release(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        if self.context == Context::Fresh {
            stream.window = Window::default();
        }
        stream.rest(self.context);
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
            library: None,
            window: Window::default(),
            ended: false,
            finals: 0,
            begun: false,
            amid_block: false,
        }
    }

    /// Gives the library's state to the next connection that needs one.
    fn rest(&mut self, context: Context) {
        let Some(mut library) = self.library.take() else { return };
        if context == Context::Takeover && !self.ended {
            let status = library.decompress(FINAL, &mut [0; 8], FlushDecompress::None);
            self.amid_block = !matches!(status, Ok(Status::StreamEnd));
        }
        SPARE.set(Some(library));
    }

    /// The library as the last message left it.
    fn library(&mut self) -> Result<&mut Decompress, Error> {
        if self.amid_block {
            return Err(Error::InflateUnfinished);
        }
        match &mut self.library {
            Some(library) => Ok(library),
            none @ None => {
                let library = none.insert(SPARE.take().unwrap_or_else(|| Decompress::new(false)));
                library.reset(false);
                if !self.ended {
                    self.window.teach(library)?;
                }
                Ok(library)
            }
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
        let library = match self.library() {
            Ok(library) => library,
            Err(error) => return (0, 0, false, Err(error)),
        };
        let (buffer, most) = output.room(wanted);
        let had = buffer.len();
        let (taken, gave) = (library.total_in(), library.total_out());
        let spare = buffer.capacity() - had;
        let room = if spare < most { spare } else { most.min(wanted) };
        let status = if spare < most {
            library.decompress_vec(input, buffer, FlushDecompress::None)
        } else {
            // The limit is near: not a byte more than it takes to see it passed, and no more of them
            // cleared than so little input may fill.
            buffer.resize(had + room, 0);
            let place = buffer.get_mut(had..).unwrap_or_default();
            library.decompress(input, place, FlushDecompress::None)
        };
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let used = count(library.total_in(), taken);
        let made = count(library.total_out(), gave);
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
        self.library()?.reset(false);
        self.ended = false;
        self.library.as_mut().map_or(Ok(()), |library| self.window.teach(library))
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
        let library = self.library()?;
        let (taken, had) = (library.total_in(), library.total_out());
        let status = library.decompress(tail, &mut [0; 8], FlushDecompress::None);
        let (used, made) = (library.total_in() - taken, library.total_out() - had);
        self.ended = matches!(status, Ok(Status::StreamEnd));
        // The message itself may end in the header of a final block, which the tail completes.
        let whole = used == tail.len() as u64 || (self.ended && used == TAIL.len() as u64);
        let ended = self.ended || tail == TAIL;
        if status.is_ok() && whole && made == 0 && ended {
            Ok(())
        } else {
            Err(Error::InflateUnfinished)
        }
    }

    /// Begins anew, as if nothing had been read, with the memory it has.
    fn forget(&mut self) {
        if let Some(library) = &mut self.library {
            library.reset(false);
        }
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
        let len = self.ring.len() + fill.len();
        if len > self.ring.capacity() {
            let grown = len.max(2 * self.ring.capacity()).min(WINDOW);
            self.ring.reserve_exact(grown - self.ring.len());
        }
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

    /// Has the library refer to it as to what it has made itself.
    fn teach(&self, library: &mut Decompress) -> Result<(), Error> {
        for part in self.parts().into_iter().filter(|part| !part.is_empty()) {
            library.set_dictionary(part).map_err(|_| Error::Inflate)?;
        }
        Ok(())
    }

    /// Oldest first.
    fn parts(&self) -> [&[u8]; 2] {
        let (newest, oldest) = self.ring.split_at(self.oldest);
        [oldest, newest]
    }
}

#[cfg(test)]
mod tests;
