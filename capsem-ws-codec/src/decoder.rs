//! Frames out of bytes: slices of what it was given, no copy, no heap.
//!
//! Checks heads, order, limits and Close payloads. Refuses to know what messages say: UTF-8 and
//! compression are `message`'s.

use crate::{
    Compression, Control, Data, Error, Event, FrameHead, Limits, Mask, Opcode, Role,
    event::Bytes,
    head::{self, Single, Violation},
    sequence::{Next, Sequence},
    utf8::Utf8,
};

/// The frames of one direction (RFC 6455 section 5).
///
/// Knows the rules of heads, their order, the [`Limits`] on them, and the payload of a Close. Text
/// and compressed payloads go through unread. Of the limits, `inflate` and `capture` do not apply.
///
/// A clone goes on from where the original stands.
///
/// ```
/// use capsem_ws_codec::{Compression, Decoder, Event, Limits, Role};
///
/// let mut decoder = Decoder::new(Role::Server, Compression::Off, Limits::default());
/// let mut input = &b"\x81\x05Hello"[..];
/// let Some(Event::Data(data)) = decoder.decode(&mut input)? else { panic!("a data frame") };
/// assert_eq!((data.payload, data.begins(), data.ends), (&b"Hello"[..], true, true));
/// assert_eq!(decoder.decode(&mut input)?, None);
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
    /// A message of one frame may come now if it is shorter than this; 0 while anything is under
    /// way. What the limits and the state say, in one number.
    single_below: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between frames.
    Border,
    /// In a head; these of its bytes came with earlier input.
    Head { bytes: [u8; FrameHead::MAX_WIRE_LEN], have: u8 },
    /// In a data frame, with this much of its payload handed out.
    Data { head: FrameHead, offset: u64 },
    /// In a control frame.
    Control { mask: Option<Mask>, left: u64, control: Control, reason: Utf8 },
    /// A Close frame was the last frame.
    Closed,
    /// A rule was broken.
    Failed(Error),
}

/// What a step found in the bytes it consumed.
enum Found {
    /// A data frame's part: all that was consumed but the first `skip` bytes.
    Data {
        head: FrameHead,
        offset: u64,
        skip: usize,
        ends: bool,
    },
    Control(Control),
    /// No event yet.
    Nothing,
}

impl Decoder {
    /// A decoder of what `sender` sends, from right after the handshake.
    #[must_use]
    pub fn new(sender: Role, compression: Compression, limits: Limits) -> Self {
        Self {
            sender,
            compression,
            limits,
            sequence: Sequence::Between,
            state: State::Border,
            consumed: 0,
            single_below: single_below(&limits),
        }
    }

    /// Reads up to the next event and advances `input` past it.
    ///
    /// `Ok(None)`: all of `input` is consumed and more is wanted; or, once a Close frame was read,
    /// nothing is consumed ever again, as what follows a Close is not looked at (RFC 6455 section
    /// 5.5.1). `Err`: `input` is left at the byte that broke the rule, or after its end if the rule
    /// was broken by ending; every later call gives the same error.
    #[inline]
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<&'a [u8]>>, Error> {
        self.next(input)
    }

    /// Reads as [`decode`](Self::decode) does, and unmasks payloads where they lie.
    ///
    /// ```
    /// use capsem_ws_codec::{Compression, Decoder, Event, Limits, Role};
    ///
    /// let mut decoder = Decoder::new(Role::Client, Compression::Off, Limits::default());
    /// let mut wire = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    /// let mut input = &mut wire[..];
    /// let Some(Event::Data(data)) = decoder.decode_in_place(&mut input)? else { panic!() };
    /// assert_eq!(data.payload, b"Hello");
    /// # Ok::<(), capsem_ws_codec::Error>(())
    /// ```
    #[expect(clippy::mut_mut, reason = "the slice is advanced, its bytes are unmasked")]
    #[inline]
    pub fn decode_in_place<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<&'a mut [u8]>>, Error> {
        self.next(input)
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
        self.single_below = 0;
    }

    /// The next event. The usual one is a message of one frame that lies whole in the input; all
    /// others are apart, so that its code is small enough to become part of the caller's loop.
    #[expect(clippy::inline_always, reason = "head and payload stay in registers")]
    #[inline(always)]
    fn next<B: Bytes>(&mut self, input: &mut B) -> Result<Option<Event<B>>, Error> {
        if let Some(single) = self.single(input) {
            let head = single.head(input);
            let payload = input.advance(single.ends).payload(single.begins, &head, 0);
            return Ok(Some(Event::Data(Data { head, offset: 0, payload, ends: true })));
        }
        if input.is_empty() && matches!(self.state, State::Border) {
            return Ok(None);
        }
        let (used, found) = self.other(input);
        let taken = input.advance(used);
        Ok(match found? {
            Found::Data { head, offset, skip, ends } => {
                let payload = taken.payload(skip, &head, offset);
                Some(Event::Data(Data { head, offset, payload, ends }))
            }
            Found::Control(control) => Some(Event::Control(control)),
            Found::Nothing => None,
        })
    }

    /// A message of one frame that lies whole in `input` and may come now. It leaves no trace in
    /// the state.
    #[expect(clippy::inline_always, reason = "head and payload stay in registers")]
    #[inline(always)]
    fn single(&self, input: &[u8]) -> Option<Single> {
        Single::find(input, self.sender, self.compression)
            .filter(|single| single.len < self.single_below)
    }

    /// How many bytes of `input` are consumed, and what they hold.
    #[inline(never)]
    fn other(&mut self, input: &[u8]) -> (usize, Result<Found, Error>) {
        let step = self.step(input);
        let at_rest = matches!(self.state, State::Border) && self.sequence == Sequence::Between;
        self.single_below = if at_rest { single_below(&self.limits) } else { 0 };
        step
    }

    fn step(&mut self, input: &[u8]) -> (usize, Result<Found, Error>) {
        match self.state {
            State::Data { head, offset } => self.data(head, offset, 0, input.len()),
            State::Head { bytes, have } => self.rest_of_head(bytes, have, input),
            State::Control { .. } => self.control(0, input),
            State::Closed => (0, Ok(Found::Nothing)),
            State::Failed(error) => (0, Err(error)),
            State::Border => match self.scan(input) {
                Ok(Some((head, skip))) => self.begin(&head, skip, input),
                Ok(None) => self.rest_of_head([0; FrameHead::MAX_WIRE_LEN], 0, input),
                Err(Violation { error, at }) => self.violated(error, at),
            },
        }
    }

    #[expect(clippy::inline_always, reason = "what it finds must not go through memory")]
    #[inline(always)]
    fn scan(&self, bytes: &[u8]) -> Result<Option<(FrameHead, usize)>, Violation> {
        head::scan(bytes, self.sender, self.compression, &Next(self.sequence, &self.limits))
    }

    /// A head that is cut: byte for byte, so that a violation leaves the input at its byte.
    fn rest_of_head(
        &mut self,
        mut bytes: [u8; FrameHead::MAX_WIRE_LEN],
        mut have: u8,
        input: &[u8],
    ) -> (usize, Result<Found, Error>) {
        for (at, &byte) in input.iter().enumerate() {
            if let Some(place) = bytes.get_mut(usize::from(have)) {
                *place = byte;
                have += 1;
            }
            match self.scan(bytes.get(..usize::from(have)).unwrap_or_default()) {
                Ok(None) => {}
                Ok(Some((head, _))) => return self.begin(&head, at + 1, input),
                Err(Violation { error, .. }) => return self.violated(error, at),
            }
        }
        self.state = State::Head { bytes, have };
        self.consumed += input.len() as u64;
        (input.len(), Ok(Found::Nothing))
    }

    /// Enters a frame whose head ends `skip` bytes into `input`.
    fn begin(
        &mut self,
        head: &FrameHead,
        skip: usize,
        input: &[u8],
    ) -> (usize, Result<Found, Error>) {
        if !head.opcode.is_control() {
            self.sequence.advance(head);
            return self.data(*head, 0, skip, input.len());
        }
        self.state = State::Control {
            mask: head.mask.map(|key| Mask::new(key, 0)),
            left: head.len,
            control: Control::new(head.opcode),
            reason: Utf8::default(),
        };
        self.control(skip, input)
    }

    /// Takes what is there of a data frame, `skip` bytes into an input of `len`.
    fn data(
        &mut self,
        head: FrameHead,
        offset: u64,
        skip: usize,
        len: usize,
    ) -> (usize, Result<Found, Error>) {
        let (left, here) = (head.len - offset, (len - skip) as u64);
        let (ends, count) = (left <= here, left.min(here));
        // Not more than is in the input, so it fits.
        let used = skip + usize::try_from(count).unwrap_or(0);
        if ends {
            self.state = State::Border;
            self.consumed = 0;
        } else {
            self.state = State::Data { head, offset: offset + count };
            self.consumed += used as u64;
        }
        if count == 0 && !ends {
            return (used, Ok(Found::Nothing));
        }
        (used, Ok(Found::Data { head, offset, skip, ends }))
    }

    /// Collects a control frame, `skip` bytes into `input`.
    fn control(&mut self, skip: usize, input: &[u8]) -> (usize, Result<Found, Error>) {
        let State::Control { mask, left, control, reason } = &mut self.state else {
            return (skip, Ok(Found::Nothing));
        };
        let wire = input.get(skip..).unwrap_or_default();
        let count = usize::try_from(*left).unwrap_or(usize::MAX).min(wire.len());
        let wire = wire.get(..count).unwrap_or_default();
        let good = control.push(wire, *mask, reason);
        *mask = mask.map(|mask| mask.after(count as u64));
        *left -= count as u64;
        let whole = (*left == 0).then_some((*control, *reason));
        let used = skip + count;
        if let Err(Violation { error, at }) = good {
            return self.violated(error, skip + at);
        }
        let Some((control, reason)) = whole else {
            self.consumed += used as u64;
            return (used, Ok(Found::Nothing));
        };
        if !reason.is_complete() {
            let len = control.reason().len() as u64;
            return self.violated(Error::Utf8Unfinished { len }, used);
        }
        self.state = match control.opcode() {
            Opcode::Close => State::Closed,
            _ => State::Border,
        };
        self.consumed = 0;
        (used, Ok(Found::Control(control)))
    }

    /// Ends in an error, with `used` bytes of the input good.
    fn violated(&mut self, error: Error, used: usize) -> (usize, Result<Found, Error>) {
        self.fail(error, self.consumed + used as u64);
        (used, Err(error))
    }
}

/// Messages of one frame must be shorter.
fn single_below(limits: &Limits) -> u64 {
    match limits.fragments {
        0 => 0,
        1.. => limits.frame.min(limits.message).saturating_add(1),
    }
}

#[cfg(test)]
mod tests;
