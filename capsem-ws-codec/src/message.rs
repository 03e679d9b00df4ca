//! Messages out of bytes: one direction's frames joined, unmasked, inflated and checked as text.
//!
//! Refuses to know what the text says and where the bytes go next.

use crate::{
    CloseFrame, Compression, Control, Data, Decoder, Deflate, Error, Event, FrameHead, Limits,
    Mask, Opcode, Role,
    assembly::{Assembly, SCRATCH},
    deflate::Inflater,
};

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

/// A whole message, and how it came.
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
    /// Its data frames, at least one.
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
    /// Bytes consumed, those of unfinished frames and of what came before an error included.
    pub wire_bytes: u64,
}

/// The messages of one direction (RFC 6455 section 5.4, RFC 7692 section 6).
///
/// Keeps the start of the message under way, up to [`Limits::capture`] bytes, and the inflater's
/// window once a compressed byte came. A reader that read nothing holds no heap memory.
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
    /// The item last given is a message that lies in `assembly`.
    lies_here: bool,
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
            lies_here: false,
        }
    }

    /// Reads up to the next item and advances `input` past what was checked.
    ///
    /// A message that is one frame, uncompressed, unmasked and whole in `input`, as most of a
    /// server's are, is lent out of `input`; any other one is put together with one copy.
    ///
    /// `Ok(None)`: all of `input` is consumed and more is wanted; or, once a Close was read,
    /// nothing is consumed ever again and [`closed`](Self::closed) is true, as what follows a Close
    /// is not looked at (RFC 6455 section 5.5.1).
    ///
    /// `Err`: `input` is left at the byte that broke the rule. A compressed byte cannot be told
    /// from those it came with, so there `input` is left at the first byte of the frame's payload
    /// in `input`. A message that breaks a rule by ending leaves `input` after its last byte. Every
    /// later call gives the same error.
    pub fn read<'r, 'i: 'r>(&'r mut self, input: &mut &'i [u8]) -> Result<Option<Item<'r>>, Error> {
        let before = input.len();
        let step = self.step(input);
        self.counters.wire_bytes += (before - input.len()) as u64;
        self.lies_here = matches!(step, Ok(Some(Step::Message)));
        Ok(match step? {
            None => None,
            Some(Step::Lent(payload)) => Some(Item::Message(self.assembly.message(payload))),
            Some(Step::Message) => {
                Some(Item::Message(self.assembly.message(&self.assembly.payload)))
            }
            Some(Step::Control) => self.control_item()?,
        })
    }

    /// The message that [`read`](Self::read) gave last, for who looks at it later: it lies here until
    /// the next call. `None` after any other item, and for a message that was lent out of the input.
    #[must_use]
    pub fn last(&self) -> Option<Message<'_>> {
        self.lies_here.then(|| self.assembly.message(&self.assembly.payload))
    }

    /// Keeps at most `bytes` of the next message and those after it, as a new
    /// [`Limits::capture`] would: for who learns that nobody reads them. Checks and totals stay.
    pub fn set_capture(&mut self, bytes: usize) {
        self.assembly.set_capture(bytes);
    }

    /// Gives back the memory of the last message, which the next one takes anew: for a connection
    /// that rests. [`last`](Self::last) gives nothing then. Does nothing inside a message; of an
    /// inflater the window stays. A compressed message that did not end between DEFLATE blocks (RFC
    /// 7692 section 7.2.1) and could not be told from one that did, is told here: what comes next fails
    /// with [`Error::InflateUnfinished`](crate::Error::InflateUnfinished).
    pub fn release(&mut self) {
        if !self.in_message() {
            self.lies_here = false;
            self.unmasked = Vec::new();
            self.assembly.payload = Vec::new();
            if let Some(inflater) = &mut self.inflater {
                inflater.release();
            }
        }
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
    fn step<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Step<'a>>, Error> {
        loop {
            let (from, consumed) = (*input, self.decoder.frame_consumed());
            let data = match self.decoder.decode(input)? {
                None => return Ok(None),
                Some(Event::Data(data)) => data,
                Some(Event::Control(control)) => {
                    self.counters.frames += 1;
                    self.control = Some(control);
                    return Ok(Some(Step::Control));
                }
            };
            if data.begins() {
                self.assembly.begin(data.head);
            }
            let lent = is_lent(data);
            let taken = if lent {
                self.assembly.lend(data.payload)
            } else {
                self.take(data.payload, data.mask())
            };
            if let Err((error, good)) = taken {
                let bad = data.payload.len() - good;
                let used = from.len() - input.len() - bad;
                *input = from.get(used..).unwrap_or_default();
                self.decoder.fail(error, consumed + used as u64);
                return Err(error);
            }
            if !data.ends {
                continue;
            }
            if data.head.fin
                && let Err(error) = self.end_message()
            {
                self.decoder.fail(error, data.head.wire_len());
                return Err(error);
            }
            self.counters.frames += 1;
            if data.head.fin {
                return Ok(Some(if lent { Step::Lent(data.payload) } else { Step::Message }));
            }
        }
    }

    /// Takes a part of a data frame. Fails with how many of its bytes were good.
    #[inline]
    fn take(&mut self, wire: &[u8], mask: Option<Mask>) -> Result<(), (Error, usize)> {
        let Self { inflater, assembly, unmasked, .. } = self;
        match inflater {
            Some(inflater) if assembly.compressed => {
                inflate(wire, mask, inflater, assembly, unmasked).map_err(|error| (error, 0))
            }
            _ => assembly.plain(wire, mask),
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

/// An item that is ready.
enum Step<'a> {
    /// In the reader.
    Message,
    /// In the input.
    Lent(&'a [u8]),
    /// In the reader.
    Control,
}

/// Whether a part is a whole message that can be shown as it is on the wire.
#[inline]
fn is_lent(data: Data<&[u8]>) -> bool {
    let FrameHead { fin, rsv1, opcode, mask, .. } = data.head;
    let plain = mask.is_none() && !rsv1 && opcode != Opcode::Continuation;
    plain && fin && data.begins() && data.ends
}

/// Inflates a piece into the message. An unmasked one is not copied first.
fn inflate(
    wire: &[u8],
    mask: Option<Mask>,
    inflater: &mut Inflater,
    assembly: &mut Assembly,
    unmasked: &mut Vec<u8>,
) -> Result<(), Error> {
    let Some(mask) = mask else {
        return inflater.push(wire, assembly);
    };
    for wire in wire.chunks(SCRATCH) {
        unmasked.clear();
        mask.append(wire, unmasked);
        inflater.push(unmasked, assembly)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
