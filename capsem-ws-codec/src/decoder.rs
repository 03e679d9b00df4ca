//! Frames out of bytes: slices of what it was given, no copy, no heap.
//!
//! Checks heads, order, limits and Close payloads. Refuses to know what messages say: UTF-8 and
//! compression are `message`'s.

use crate::{
    CloseFrame, Compression, Error, FrameHead, Limits, Mask, Opcode, Role,
    close::check_code,
    head::{self, MAX_CONTROL, Violation},
    sequence::{Next, Sequence},
    utf8::Utf8,
};

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A data frame begins. Its payload follows in any number of pieces, then [`End`](Self::End).
    Head(FrameHead),
    /// The next bytes of the data frame, never none.
    Payload(Payload<'a>),
    /// A control frame, whole. It may come between the frames of a message, never inside one.
    Control(Control),
    /// The data frame ends.
    End {
        /// Whether its message ends with it.
        fin: bool,
        /// The frame's bytes on the wire, head and payload.
        wire_len: u64,
    },
}

/// A piece of a data frame's payload, as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The bytes, masked if the frame is.
    pub wire: &'a [u8],
    /// What unmasks them, at its place; `None` for a server's frame.
    pub mask: Option<Mask>,
}

impl Payload<'_> {
    /// Appends the unmasked bytes to `dst`.
    pub fn append_to(&self, dst: &mut Vec<u8>) {
        match self.mask {
            Some(mask) => mask.append(self.wire, dst),
            None => dst.extend_from_slice(self.wire),
        }
    }
}

/// A whole control frame, its payload unmasked and held inline.
#[derive(Clone, Copy)]
pub struct Control {
    opcode: Opcode,
    len: u8,
    bytes: [u8; MAX_CONTROL],
}

impl Control {
    fn new(opcode: Opcode) -> Self {
        Self { opcode, len: 0, bytes: [0; MAX_CONTROL] }
    }

    /// Close, Ping or Pong.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// The unmasked payload, at most 125 bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The payload as that of a Close frame.
    pub fn close(&self) -> Result<CloseFrame<'_>, Error> {
        CloseFrame::parse(self.payload())
    }

    fn reason(&self) -> &[u8] {
        self.payload().get(2..).unwrap_or_default()
    }

    /// Takes more of the payload. A Close payload is checked up to its newest byte.
    fn push(
        &mut self,
        wire: &[u8],
        mask: Option<Mask>,
        reason: &mut Utf8,
    ) -> Result<(), Violation> {
        let had = usize::from(self.len);
        let Some(place) = self.bytes.get_mut(had..had + wire.len()) else { return Ok(()) };
        place.copy_from_slice(wire);
        if let Some(mask) = mask {
            mask.apply(place);
        }
        // The head was checked: a control payload is at most 125 bytes.
        self.len += u8::try_from(wire.len()).unwrap_or(0);
        if self.opcode != Opcode::Close {
            return Ok(());
        }
        if let (0..2, Some(code)) = (had, self.payload().first_chunk()) {
            check_code(*code).map_err(|error| Violation { error, at: 1 - had })?;
        }
        let checked = had.saturating_sub(2);
        let text = self.reason().get(checked..).unwrap_or_default();
        reason.push(text).map_err(|bad| {
            let at = checked + bad;
            Violation { error: Error::Utf8 { at: at as u64 }, at: at + 2 - had }
        })
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("opcode", &self.opcode)
            .field("payload", &self.payload())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Control {
    fn eq(&self, other: &Self) -> bool {
        self.opcode == other.opcode && self.payload() == other.payload()
    }
}

impl Eq for Control {}

/// The frames of one direction.
///
/// ```
/// use capsem_ws_codec::{Compression, Decoder, Event, Limits, Role};
///
/// let mut decoder = Decoder::new(Role::Server, Compression::Off, Limits::default());
/// let mut input = &b"\x81\x05Hello"[..];
/// let mut text = Vec::new();
/// while let Some(event) = decoder.decode(&mut input)? {
///     if let Event::Payload(payload) = event {
///         payload.append_to(&mut text);
///     }
/// }
/// assert_eq!(text, b"Hello");
/// # Ok::<(), capsem_ws_codec::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    sender: Role,
    compression: Compression,
    limits: Limits,
    sequence: Sequence,
    state: State,
    /// Bytes of the frame under way that were consumed.
    consumed: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a head; these of its bytes came with earlier input.
    Head { bytes: [u8; FrameHead::MAX_WIRE_LEN], have: u8 },
    /// In a data frame, with this much payload still to come.
    Data { mask: Option<Mask>, left: u64, fin: bool },
    /// In a control frame.
    Control { mask: Option<Mask>, left: u64, control: Control, reason: Utf8 },
    /// A Close frame was the last frame.
    Closed,
    /// A rule was broken.
    Failed(Error),
}

const AT_BORDER: State = State::Head { bytes: [0; FrameHead::MAX_WIRE_LEN], have: 0 };

impl Decoder {
    /// A decoder of what `sender` sends, from right after the handshake.
    #[must_use]
    pub fn new(sender: Role, compression: Compression, limits: Limits) -> Self {
        let sequence = Sequence::Between;
        Self { sender, compression, limits, sequence, state: AT_BORDER, consumed: 0 }
    }

    /// Reads up to the next event and advances `input` past it.
    ///
    /// `Ok(None)`: all of `input` is consumed and more is wanted; or, once a Close frame was read,
    /// nothing is consumed ever again, as what follows a Close is not looked at (RFC 6455 section
    /// 5.5.1). `Err`: `input` is left at the byte that broke the rule, or after its end if the rule
    /// was broken by ending; every later call gives the same error.
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Error> {
        let event = match &self.state {
            State::Head { .. } => match self.head(input) {
                Ok(None) => self.control(input),
                event => event,
            },
            State::Data { .. } => Ok(self.data(input)),
            State::Control { .. } => self.control(input),
            State::Closed => Ok(None),
            State::Failed(error) => Err(*error),
        };
        if let Err(error) = event {
            self.state = State::Failed(error);
        }
        event
    }

    /// Bytes of the frame under way that were consumed; 0 at a frame border.
    #[must_use]
    pub fn frame_consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub fn in_message(&self) -> bool {
        self.sequence != Sequence::Between || matches!(self.state, State::Data { .. })
    }

    /// Whether a Close frame was read.
    #[must_use]
    pub fn closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Ends in an error that a reader of messages found, with `consumed` bytes of its frame good.
    pub(crate) fn fail(&mut self, error: Error, consumed: u64) {
        self.state = State::Failed(error);
        self.consumed = consumed;
    }

    fn head<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Error> {
        if self.consumed == 0 { self.whole_head(input) } else { self.rest_of_head(input) }
    }

    /// The usual case: a head that lies whole in `input`.
    fn whole_head<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Error> {
        match self.scan(input) {
            Ok(Some((head, used))) => {
                self.advance(input, used);
                Ok(self.begin(&head))
            }
            Ok(None) => {
                let mut bytes = [0; FrameHead::MAX_WIRE_LEN];
                for (place, byte) in bytes.iter_mut().zip(*input) {
                    *place = *byte;
                }
                // A head that is not whole is shorter than the array.
                let have = u8::try_from(input.len()).unwrap_or(0);
                self.state = State::Head { bytes, have };
                self.advance(input, usize::from(have));
                Ok(None)
            }
            Err(Violation { error, at }) => {
                self.advance(input, at);
                Err(error)
            }
        }
    }

    /// A head that was cut: byte for byte, so that a violation leaves `input` at its byte.
    fn rest_of_head<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Error> {
        while let (Some(&byte), State::Head { bytes, have }) = (input.first(), &mut self.state) {
            if let Some(place) = bytes.get_mut(usize::from(*have)) {
                *place = byte;
                *have += 1;
            }
            let (bytes, have) = (*bytes, usize::from(*have));
            let parsed = self.scan(bytes.get(..have).unwrap_or_default());
            let parsed = parsed.map_err(|violation| violation.error)?;
            self.advance(input, 1);
            if let Some((head, _)) = parsed {
                return Ok(self.begin(&head));
            }
        }
        Ok(None)
    }

    #[inline]
    fn scan(&self, bytes: &[u8]) -> Result<Option<(FrameHead, usize)>, Violation> {
        head::scan(bytes, self.sender, self.compression, &Next(self.sequence, &self.limits))
    }

    /// Enters a frame. An empty control frame is over at once; another one has no event yet.
    #[inline]
    fn begin<'a>(&mut self, head: &FrameHead) -> Option<Event<'a>> {
        self.sequence.advance(head);
        let mask = head.mask.map(|key| Mask::new(key, 0));
        if !head.opcode.is_control() {
            self.state = State::Data { mask, left: head.len, fin: head.fin };
            return Some(Event::Head(*head));
        }
        let control = Control::new(head.opcode);
        if head.len == 0 {
            return Some(self.end_control(control));
        }
        self.state = State::Control { mask, left: head.len, control, reason: Utf8::default() };
        None
    }

    fn data<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let State::Data { mask, left, fin } = &mut self.state else { return None };
        if *left == 0 {
            let end = Event::End { fin: *fin, wire_len: self.consumed };
            self.state = AT_BORDER;
            self.consumed = 0;
            return Some(end);
        }
        let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
        let wire = input.get(..count).filter(|wire| !wire.is_empty())?;
        let payload = Payload { wire, mask: *mask };
        *left -= count as u64;
        *mask = mask.map(|mask| mask.after(count as u64));
        self.advance(input, count);
        Some(Event::Payload(payload))
    }

    /// Collects a control frame; does nothing outside one.
    fn control<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Error> {
        let State::Control { mask, left, control, reason } = &mut self.state else {
            return Ok(None);
        };
        let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
        let wire = input.get(..count).unwrap_or_default();
        let good = control.push(wire, *mask, reason);
        *mask = mask.map(|mask| mask.after(count as u64));
        *left -= count as u64;
        let whole = (*left == 0).then_some((*control, *reason));
        if let Err(Violation { error, at }) = good {
            self.advance(input, at);
            return Err(error);
        }
        self.advance(input, count);
        let Some((control, reason)) = whole else { return Ok(None) };
        if !reason.is_complete() {
            let len = control.reason().len() as u64;
            return Err(Error::Utf8Unfinished { len });
        }
        Ok(Some(self.end_control(control)))
    }

    fn end_control<'a>(&mut self, control: Control) -> Event<'a> {
        self.state = if control.opcode == Opcode::Close { State::Closed } else { AT_BORDER };
        self.consumed = 0;
        Event::Control(control)
    }

    #[inline]
    fn advance(&mut self, input: &mut &[u8], count: usize) {
        *input = input.get(count..).unwrap_or_default();
        self.consumed += count as u64;
    }
}

#[cfg(test)]
mod tests;
