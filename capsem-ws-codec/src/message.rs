//! Messages out of bytes: one direction's frames joined, unmasked, inflated and checked as text.
//!
//! Refuses to know what the text says and where the bytes go next.

use crate::{
    CloseFrame, Compression, Deflate, Error, FrameHead, Limits, Mask, Opcode, Role,
    decoder::{Control, Decoder, Event, Payload},
    deflate::Inflater,
    utf8::Utf8,
};

/// Bytes of payload buffer kept after a message that needed more.
const KEPT: usize = 64 * 1024;
/// Bytes unmasked at once where they are not kept: a first-level cache's share, and a multiple of
/// the key's length, so that a key needs no turning between them.
const SCRATCH: usize = 4096;

/// What one direction says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'r> {
    /// A whole message.
    Message(Message<'r>),
    /// A Ping and its payload, possibly between the fragments of a message.
    Ping(&'r [u8]),
    /// A Pong and its payload, likewise.
    Pong(&'r [u8]),
    /// A Close; the last item there is.
    Close(CloseFrame<'r>),
}

/// A whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'r> {
    /// [`Opcode::Text`] or [`Opcode::Binary`].
    pub opcode: Opcode,
    /// The start of the message, unmasked and inflated: at most
    /// [`Limits::capture`](crate::Limits::capture) bytes. Of a text it is UTF-8, except that a
    /// truncated one may end inside a character.
    pub payload: &'r [u8],
    /// The whole uncompressed length.
    pub len: u64,
    /// The bytes of its frames on the wire, heads included.
    pub wire_len: u64,
    /// Its frames.
    pub fragments: u32,
    /// Whether it came compressed.
    pub compressed: bool,
    /// Whether `payload` is shorter than the message.
    pub truncated: bool,
}

/// Running totals of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Whole frames, control frames among them.
    pub frames: u64,
    /// Whole messages.
    pub messages: u64,
    /// Uncompressed payload bytes of whole messages.
    pub message_bytes: u64,
    /// Bytes consumed.
    pub wire_bytes: u64,
}

/// The messages of one direction.
///
/// ```
/// use capsem_ws_codec::{Item, Limits, Reader, Role};
///
/// let mut reader = Reader::new(Role::Server, None, Limits::default());
/// let mut input = &b"\x01\x03Hel\x89\x00\x80\x02lo"[..];
///
/// assert_eq!(reader.read(&mut input)?, Some(Item::Ping(b"")));
/// let Some(Item::Message(message)) = reader.read(&mut input)? else { panic!("a message") };
/// assert_eq!(message.payload, b"Hello");
/// assert_eq!((message.fragments, message.wire_len), (2, 9));
/// assert_eq!(reader.read(&mut input)?, None);
/// # Ok::<(), capsem_ws_codec::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    decoder: Decoder,
    inflater: Option<Inflater>,
    assembly: Assembly,
    /// The compressed bytes of a masked frame, unmasked piece by piece.
    unmasked: Vec<u8>,
    /// The control frame last handed out.
    control: Option<Control>,
    counters: Counters,
}

impl Reader {
    /// A reader of what `sender` sends, from right after the handshake.
    ///
    /// `deflate` is what the handshake agreed on; the reader picks the parameters of its own
    /// direction. Without the crate's feature `deflate` it counts as none.
    #[must_use]
    pub fn new(sender: Role, deflate: Option<Deflate>, limits: Limits) -> Self {
        let inflater = deflate.and_then(|agreed| Inflater::new(agreed.context(sender)));
        let compression = match inflater {
            Some(_) => Compression::PerMessage,
            None => Compression::Off,
        };
        Self {
            decoder: Decoder::new(sender, compression, limits),
            inflater,
            assembly: Assembly::new(limits),
            unmasked: Vec::new(),
            control: None,
            counters: Counters::default(),
        }
    }

    /// Reads up to the next item and advances `input` past what was checked.
    ///
    /// `Ok(None)`: all of `input` is consumed and more is wanted; or, once a Close was read,
    /// nothing is consumed ever again and [`closed`](Self::closed) is true, as what follows a Close
    /// is not looked at (RFC 6455 section 5.5.1).
    ///
    /// `Err`: `input` is left at the byte that broke the rule. A compressed byte cannot be told
    /// from those it came with, so there `input` is left at the first byte of the frame's payload
    /// in `input`. A message that breaks a rule by ending leaves `input` after its last byte. Every
    /// later call gives the same error.
    pub fn read<'r>(&'r mut self, input: &mut &[u8]) -> Result<Option<Item<'r>>, Error> {
        let before = input.len();
        let step = self.step(input);
        self.counters.wire_bytes += (before - input.len()) as u64;
        Ok(match step? {
            None => None,
            Some(Step::Message) => Some(Item::Message(self.assembly.message())),
            Some(Step::Control) => self.control_item()?,
        })
    }

    /// Bytes of the frame under way that were consumed; 0 at a frame border. After an error: how
    /// far before the position of `input` the last border lies.
    #[must_use]
    pub fn frame_consumed(&self) -> u64 {
        self.decoder.frame_consumed()
    }

    /// Whether a message has begun and not ended: inside a data frame, or between fragments.
    #[must_use]
    pub fn in_message(&self) -> bool {
        self.decoder.in_message()
    }

    /// Whether a Close was read.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.decoder.closed()
    }

    /// The totals so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Frame events up to the next whole item.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Step>, Error> {
        loop {
            let (at, consumed) = (*input, self.decoder.frame_consumed());
            let Some(event) = self.decoder.decode(input)? else { return Ok(None) };
            match event {
                Event::Head(head) => self.assembly.head(&head),
                Event::Payload(payload) => {
                    if let Err((error, good)) = self.payload(&payload) {
                        *input = at.get(good..).unwrap_or_default();
                        self.decoder.fail(error, consumed + good as u64);
                        return Err(error);
                    }
                }
                Event::End { fin, wire_len } => {
                    self.assembly.wire_len += wire_len;
                    if fin && let Err(error) = self.end_message() {
                        self.decoder.fail(error, wire_len);
                        return Err(error);
                    }
                    self.counters.frames += 1;
                    if fin {
                        return Ok(Some(Step::Message));
                    }
                }
                Event::Control(control) => {
                    self.counters.frames += 1;
                    self.control = Some(control);
                    return Ok(Some(Step::Control));
                }
            }
        }
    }

    /// Takes a piece of a data frame. Fails with how many of its bytes were good.
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), (Error, usize)> {
        let Self { inflater, assembly, unmasked, .. } = self;
        match inflater {
            Some(inflater) if assembly.compressed => {
                inflate(payload, inflater, assembly, unmasked).map_err(|error| (error, 0))
            }
            _ => assembly.plain(payload),
        }
    }

    fn end_message(&mut self) -> Result<(), Error> {
        if let Some(inflater) = &mut self.inflater
            && self.assembly.compressed
        {
            inflater.end()?;
        }
        self.assembly.end()?;
        self.counters.messages += 1;
        self.counters.message_bytes += self.assembly.len;
        Ok(())
    }

    fn control_item(&self) -> Result<Option<Item<'_>>, Error> {
        let Some(control) = &self.control else { return Ok(None) };
        Ok(match control.opcode() {
            Opcode::Ping => Some(Item::Ping(control.payload())),
            Opcode::Pong => Some(Item::Pong(control.payload())),
            Opcode::Close => Some(Item::Close(control.close()?)),
            Opcode::Continuation | Opcode::Text | Opcode::Binary => None,
        })
    }
}

/// An item that is ready in the reader.
enum Step {
    Message,
    Control,
}

/// Inflates a piece into the message. An unmasked one is not copied first.
fn inflate(
    payload: &Payload<'_>,
    inflater: &mut Inflater,
    assembly: &mut Assembly,
    unmasked: &mut Vec<u8>,
) -> Result<(), Error> {
    let Some(mask) = payload.mask else {
        return inflater.push(payload.wire, |chunk| assembly.inflated(chunk));
    };
    for wire in payload.wire.chunks(SCRATCH) {
        unmasked.clear();
        mask.append(wire, unmasked);
        inflater.push(unmasked, |chunk| assembly.inflated(chunk))?;
    }
    Ok(())
}

/// The message under way, or the last one until the next begins.
#[derive(Debug)]
struct Assembly {
    limits: Limits,
    opcode: Opcode,
    compressed: bool,
    payload: Vec<u8>,
    utf8: Utf8,
    len: u64,
    wire_len: u64,
    fragments: u32,
}

impl Assembly {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            opcode: Opcode::Binary,
            compressed: false,
            payload: Vec::new(),
            utf8: Utf8::default(),
            len: 0,
            wire_len: 0,
            fragments: 0,
        }
    }

    fn head(&mut self, head: &FrameHead) {
        if head.opcode != Opcode::Continuation {
            self.opcode = head.opcode;
            self.compressed = head.rsv1;
            self.payload.clear();
            self.payload.shrink_to(KEPT);
            (self.len, self.wire_len, self.fragments) = (0, 0, 0);
        }
        self.fragments = self.fragments.saturating_add(1);
    }

    /// Takes uncompressed payload: the part that is kept with one copy, the rest through a scratch
    /// where it is text. Fails with how many bytes were good.
    fn plain(&mut self, payload: &Payload<'_>) -> Result<(), (Error, usize)> {
        let room = self.limits.capture.saturating_sub(self.payload.len());
        let (kept, rest) = payload.wire.split_at(room.min(payload.wire.len()));
        let start = self.payload.len();
        Payload { wire: kept, mask: payload.mask }.append_to(&mut self.payload);
        let copied = self.payload.get(start..).unwrap_or_default();
        check_text(self.opcode, &mut self.utf8, copied, self.len)?;
        self.len += kept.len() as u64;
        if rest.is_empty() || self.opcode != Opcode::Text {
            self.len += rest.len() as u64;
            return Ok(());
        }
        let mask = payload.mask.map(|mask| mask.after(kept.len() as u64));
        self.pass_by(rest, mask).map_err(|(error, good)| (error, kept.len() + good))
    }

    /// Checks text that is not kept.
    fn pass_by(&mut self, wire: &[u8], mask: Option<Mask>) -> Result<(), (Error, usize)> {
        let mut scratch = [0; SCRATCH];
        let mut done = 0;
        for wire in wire.chunks(SCRATCH) {
            let Some(copy) = scratch.get_mut(..wire.len()) else { break };
            copy.copy_from_slice(wire);
            if let Some(mask) = mask {
                mask.apply(copy);
            }
            check_text(self.opcode, &mut self.utf8, copy, self.len)
                .map_err(|(error, good)| (error, done + good))?;
            self.len += wire.len() as u64;
            done += wire.len();
        }
        Ok(())
    }

    /// Takes inflated payload, up to the nearer of the two limits on it.
    fn inflated(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let limit = self.limits.inflate.min(self.limits.message);
        let room = usize::try_from(limit.saturating_sub(self.len)).unwrap_or(usize::MAX);
        let within = chunk.get(..room).unwrap_or(chunk);
        check_text(self.opcode, &mut self.utf8, within, self.len).map_err(|(error, _)| error)?;
        if within.len() < chunk.len() {
            return Err(if self.limits.inflate <= self.limits.message {
                Error::InflateLimit { limit }
            } else {
                Error::MessageLimit { limit }
            });
        }
        let room = self.limits.capture.saturating_sub(self.payload.len());
        self.payload.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        self.len += chunk.len() as u64;
        Ok(())
    }

    fn end(&self) -> Result<(), Error> {
        if self.utf8.is_complete() { Ok(()) } else { Err(Error::Utf8Unfinished { len: self.len }) }
    }

    fn message(&self) -> Message<'_> {
        Message {
            opcode: self.opcode,
            payload: &self.payload,
            len: self.len,
            wire_len: self.wire_len,
            fragments: self.fragments,
            compressed: self.compressed,
            truncated: self.len > self.payload.len() as u64,
        }
    }
}

/// Checks the next bytes of a message if it is text. `before` is how many came already.
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

#[cfg(test)]
mod tests;
