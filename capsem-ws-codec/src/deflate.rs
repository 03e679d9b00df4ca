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
/// The window and as much again, so that keeping the window costs one copy of each byte.
const ROOM: usize = 2 * WINDOW;
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
    /// What was inflated last; its final `WINDOW` bytes are the window.
    recent: Vec<u8>,
    /// A final block was read: the library has ended and must be set up again to go on.
    ended: bool,
    /// Final blocks of the message under way that were followed by more.
    finals: u32,
    /// The message under way has compressed bytes. One without any is not even empty.
    begun: bool,
}

impl Inflater {
    /// `None` where this build cannot inflate.
    #[expect(clippy::unnecessary_wraps, reason = "the build without the library has the same face")]
    pub(crate) fn new(context: Context) -> Option<Self> {
        Some(Self { context, stream: None })
    }

    /// Inflates the next piece of a message, and hands what comes out to `sink` chunk by chunk.
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        sink: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.stream.get_or_insert_with(Stream::new).push(input, sink)
    }

    /// Ends the message.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        let stream = self.stream.get_or_insert_with(Stream::new);
        match self.context {
            Context::Takeover => stream.end(TAIL),
            Context::Fresh => stream.end(TAIL_AND_FINAL).map(|()| stream.forget()),
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
            recent: Vec::with_capacity(ROOM),
            ended: false,
            finals: 0,
            begun: false,
        }
    }

    fn push(
        &mut self,
        mut input: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.begun |= !input.is_empty();
        // A full buffer may mean that the library holds output back.
        let mut full = false;
        while !input.is_empty() || full {
            if self.ended {
                self.go_on()?;
            }
            let (used, made, result) = self.step(input);
            input = input.get(used..).unwrap_or_default();
            sink(self.recent.get(self.recent.len() - made..).unwrap_or_default())?;
            result?;
            full = !self.ended && self.recent.len() == self.recent.capacity();
            if used == 0 && made == 0 && !full && !self.ended {
                break;
            }
        }
        // The library takes all it is given unless it has no room.
        if input.is_empty() { Ok(()) } else { Err(Error::Inflate) }
    }

    /// One call of the library: bytes taken, bytes made, and whether they were well.
    fn step(&mut self, input: &[u8]) -> (usize, usize, Result<(), Error>) {
        self.make_room();
        let (taken, had) = (self.library.total_in(), self.recent.len());
        let status = self.library.decompress_vec(input, &mut self.recent, FlushDecompress::None);
        let used = self.library.total_in() - taken;
        let used = usize::try_from(used).unwrap_or(usize::MAX);
        let result = match status {
            Ok(Status::Ok | Status::BufError) => Ok(()),
            Ok(Status::StreamEnd) => {
                self.ended = true;
                Ok(())
            }
            Err(_) => Err(Error::Inflate),
        };
        (used, self.recent.len() - had, result)
    }

    /// Drops what lies before the window once the buffer is full.
    fn make_room(&mut self) {
        let had = self.recent.len();
        if had == self.recent.capacity() {
            self.recent.copy_within(had - WINDOW.min(had).., 0);
            self.recent.truncate(WINDOW);
        }
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
        let window = self.recent.get(self.recent.len().saturating_sub(WINDOW)..);
        match window {
            None | Some([]) => Ok(()),
            Some(window) => {
                self.library.set_dictionary(window).map(|_| ()).map_err(|_| Error::Inflate)
            }
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
        let (used, made, result) = self.step(tail);
        // The message itself may end in the header of a final block, which the tail completes.
        let whole = used == tail.len() || (self.ended && used == TAIL.len());
        let ended = self.ended || tail == TAIL;
        if result.is_ok() && whole && made == 0 && ended {
            Ok(())
        } else {
            Err(Error::InflateUnfinished)
        }
    }

    /// Begins anew, as if nothing had been read.
    fn forget(&mut self) {
        self.library.reset(false);
        self.recent.clear();
        self.ended = false;
    }
}

#[cfg(test)]
mod tests;
