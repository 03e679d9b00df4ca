//! The one message of a direction that is being put together. Refuses to know frames and inflating.

#[cfg(feature = "deflate")]
use crate::deflate::{self, Output};
use crate::{Error, FrameHead, Limits, Mask, Message, Opcode, utf8::Utf8};

/// Bytes of payload buffer kept once a message has needed no more, so that long messages in a row do
/// not make a new buffer each: 64 KiB and some room, as an inflater that filled all it was given
/// asks for more.
pub(crate) const KEPT: usize = 64 * 1024 + 512;
/// Bytes up to which a payload buffer doubles. Past that it takes at once all it may take: each
/// doubling would hold two buffers, the old and the new, that are more than the limit together.
/// What is never written to costs addresses, not memory.
const DOUBLED: usize = 512 * 1024;
/// Most that is taken at once; a larger limit is come to by doubling.
const AT_ONCE: usize = 64 << 20;
/// Bytes unmasked at once where they are not kept: a first-level cache's share, and a multiple of
/// the key's length, so that a key needs no turning between them.
pub(crate) const SCRATCH: usize = 4096;

/// The message under way, or the last one until the next begins.
#[derive(Debug)]
pub(crate) struct Assembly {
    limits: Limits,
    /// [`Limits::capture`] of the next message.
    capture: usize,
    opcode: Opcode,
    pub(crate) compressed: bool,
    pub(crate) payload: Vec<u8>,
    utf8: Utf8,
    pub(crate) len: u64,
    wire_len: u64,
    fragments: u32,
}

impl Assembly {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            capture: limits.capture,
            opcode: Opcode::Binary,
            compressed: false,
            payload: Vec::new(),
            utf8: Utf8::default(),
            len: 0,
            wire_len: 0,
            fragments: 0,
        }
    }

    /// From the next message on.
    pub(crate) fn set_capture(&mut self, bytes: usize) {
        self.capture = bytes;
    }

    /// Begins a frame, and with its first one a message.
    #[inline]
    pub(crate) fn begin(&mut self, head: FrameHead) {
        if head.opcode != Opcode::Continuation {
            self.opcode = head.opcode;
            self.compressed = head.rsv1;
            self.limits.capture = self.capture;
            self.payload.clear();
            if self.payload.capacity() > KEPT && self.len <= KEPT as u64 {
                self.payload.shrink_to(KEPT);
            }
            (self.len, self.wire_len, self.fragments) = (0, 0, 0);
        }
        self.wire_len = self.wire_len.saturating_add(head.wire_len());
        self.fragments = self.fragments.saturating_add(1);
    }

    /// Takes a whole message that stays where it is.
    #[inline]
    pub(crate) fn lend(&mut self, wire: &[u8]) -> Result<(), (Error, usize)> {
        check_text(self.opcode, &mut self.utf8, wire, 0)?;
        self.len = wire.len() as u64;
        Ok(())
    }

    /// Takes uncompressed payload: the part that is kept with one copy, the rest through a scratch
    /// where it is text. Fails with how many bytes were good.
    #[inline]
    pub(crate) fn plain(&mut self, wire: &[u8], mask: Option<Mask>) -> Result<(), (Error, usize)> {
        let room = self.limits.capture.saturating_sub(self.payload.len());
        let (kept, rest) = wire.split_at(room.min(wire.len()));
        self.grow(kept.len(), 0);
        let start = self.payload.len();
        match mask {
            Some(mask) => mask.append(kept, &mut self.payload),
            None => self.payload.extend_from_slice(kept),
        }
        let copied = self.payload.get(start..).unwrap_or_default();
        check_text(self.opcode, &mut self.utf8, copied, self.len)?;
        self.len += kept.len() as u64;
        if rest.is_empty() || self.opcode != Opcode::Text {
            self.len += rest.len() as u64;
            return Ok(());
        }
        let mask = mask.map(|mask| mask.after(kept.len() as u64));
        self.pass_by(rest, mask).map_err(|(error, good)| (error, kept.len() + good))
    }

    /// Makes room for `more` bytes of payload, where `beside` may come beside what is kept.
    #[inline]
    fn grow(&mut self, more: usize, beside: usize) {
        let len = self.payload.len() + more;
        if len > self.payload.capacity() && len > DOUBLED {
            let most = self.limits.capture.min(AT_ONCE) + beside;
            self.payload.reserve_exact(most.saturating_sub(self.payload.len()));
        }
    }

    /// Checks text that is not kept.
    fn pass_by(&mut self, wire: &[u8], mask: Option<Mask>) -> Result<(), (Error, usize)> {
        let Some(mask) = mask else {
            check_text(self.opcode, &mut self.utf8, wire, self.len)?;
            self.len += wire.len() as u64;
            return Ok(());
        };
        let mut scratch = [0; SCRATCH];
        let mut done = 0;
        for wire in wire.chunks(SCRATCH) {
            let Some(copy) = scratch.get_mut(..wire.len()) else { break };
            copy.copy_from_slice(wire);
            mask.apply(copy);
            check_text(self.opcode, &mut self.utf8, copy, self.len)
                .map_err(|(error, good)| (error, done + good))?;
            self.len += wire.len() as u64;
            done += wire.len();
        }
        Ok(())
    }

    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.utf8.is_complete() { Ok(()) } else { Err(Error::Utf8Unfinished { len: self.len }) }
    }

    pub(crate) fn message<'a>(&self, payload: &'a [u8]) -> Message<'a> {
        let payload = payload.get(..self.limits.capture).unwrap_or(payload);
        Message {
            opcode: self.opcode,
            payload,
            len: self.len,
            wire_len: self.wire_len,
            fragments: self.fragments,
            compressed: self.compressed,
            truncated: self.len > payload.len() as u64,
        }
    }
}

/// Takes inflated payload, up to the nearer of the two limits on it.
#[cfg(feature = "deflate")]
impl Output for Assembly {
    fn room(&mut self, wanted: usize) -> (&mut Vec<u8>, usize) {
        let left = self.limits.inflate.min(self.limits.message).saturating_sub(self.len);
        let most = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1);
        // What is kept is used up first, or the next message would give back what this one took.
        let wanted = match KEPT.saturating_sub(self.payload.len()) {
            0 => wanted.min(most),
            kept => wanted.min(most).min(kept),
        };
        self.grow(wanted, deflate::MOST);
        self.payload.reserve(wanted);
        (&mut self.payload, most)
    }

    fn made(&mut self, made: usize) -> Result<(), Error> {
        let Limits { inflate, message, capture, .. } = self.limits;
        let limit = inflate.min(message);
        let chunk = self.payload.get(self.payload.len() - made..).unwrap_or_default();
        let room = usize::try_from(limit - self.len).unwrap_or(usize::MAX);
        let within = chunk.get(..room).unwrap_or(chunk);
        check_text(self.opcode, &mut self.utf8, within, self.len).map_err(|(error, _)| error)?;
        if within.len() < chunk.len() {
            return Err(if inflate <= message {
                Error::InflateLimit { limit }
            } else {
                Error::MessageLimit { limit }
            });
        }
        self.len += made as u64;
        self.payload.truncate(capture);
        Ok(())
    }
}

/// Checks the next bytes of a message if it is text. `before` is how many came already.
#[inline]
fn check_text(
    opcode: Opcode,
    utf8: &mut Utf8,
    bytes: &[u8],
    before: u64,
) -> Result<(), (Error, usize)> {
    if opcode != Opcode::Text {
        return Ok(());
    }
    utf8.push(bytes).map_err(|good| (Error::Utf8 { at: before + good as u64 }, good))
}
