//! All that can be seen of a decoder over one input, to compare two readings.

use crate::{Control, Data, Decoder, Error, Event, FrameHead, Opcode};

/// A frame, its payload joined and unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Data` and `Control`")]
pub enum Frame {
    /// A data frame, or what came of it.
    Data { head: FrameHead, payload: Vec<u8>, ends: bool },
    /// A control frame.
    Control { opcode: Opcode, payload: Vec<u8> },
}

/// What a reading came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameTranscript {
    /// The frames in order.
    pub frames: Vec<Frame>,
    /// The violation that ended it.
    pub error: Option<Error>,
    /// Bytes consumed.
    pub consumed: usize,
    /// Of them, those after the last frame border.
    pub frame_consumed: u64,
    /// Whether a message is under way.
    pub in_message: bool,
    /// Whether a Close was read.
    pub closed: bool,
}

/// Reads `wire` with [`Decoder::decode`], cut into pieces; `piece` says how long the next one is,
/// at least 1.
///
/// # Panics
///
/// If the decoder breaks one of its own promises about parts, `input`, errors and Close.
pub fn read_frames(
    mut decoder: Decoder,
    wire: &[u8],
    mut piece: impl FnMut() -> usize,
) -> FrameTranscript {
    let mut read = FrameTranscript::default();
    while read.error.is_none() && read.consumed < wire.len() && !decoder.closed() {
        let end = read.consumed.saturating_add(piece().max(1)).min(wire.len());
        let mut input = &wire[read.consumed..end];
        loop {
            let (from, before) = (input, input.len());
            let event = decoder.decode(&mut input);
            read.consumed += before - input.len();
            if let Ok(Some(Event::Data(data))) = &event {
                assert!(
                    from.as_ptr_range().contains(&data.payload.as_ptr()) || data.payload.is_empty()
                );
            }
            let unmasked = event.map(|event| event.map(unmask));
            if !read.take(unmasked, input.is_empty() || decoder.closed()) {
                break;
            }
        }
        if let Some(error) = read.error {
            let left = input.len();
            assert_eq!(decoder.decode(&mut input), Err(error), "an error stays");
            assert_eq!(input.len(), left, "an error consumes nothing");
        }
    }
    read.end(&decoder)
}

/// The same with [`Decoder::decode_in_place`].
///
/// # Panics
///
/// As [`read_frames`].
pub fn read_frames_in_place(
    mut decoder: Decoder,
    wire: &[u8],
    mut piece: impl FnMut() -> usize,
) -> FrameTranscript {
    let mut read = FrameTranscript::default();
    while read.error.is_none() && read.consumed < wire.len() && !decoder.closed() {
        let end = read.consumed.saturating_add(piece().max(1)).min(wire.len());
        let mut copy = wire[read.consumed..end].to_vec();
        let mut input = &mut copy[..];
        loop {
            let before = input.len();
            let event = decoder.decode_in_place(&mut input);
            read.consumed += before - input.len();
            let owned = event.map(|event| event.map(own));
            let left = &wire[read.consumed..end];
            assert_eq!(input, left, "what was not consumed is not touched");
            if !read.take(owned, left.is_empty() || decoder.closed()) {
                break;
            }
        }
        if let Some(error) = read.error {
            let left = input.len();
            assert_eq!(decoder.decode_in_place(&mut input), Err(error), "an error stays");
            assert_eq!(input.len(), left, "an error consumes nothing");
        }
    }
    read.end(&decoder)
}

fn unmask(event: Event<&[u8]>) -> Event<Vec<u8>> {
    match event {
        Event::Control(control) => Event::Control(control),
        Event::Data(data) => {
            let mut payload = data.payload.to_vec();
            if let Some(mask) = data.mask() {
                mask.apply(&mut payload);
            }
            let Data { head, offset, ends, .. } = data;
            Event::Data(Data { head, offset, payload, ends })
        }
    }
}

fn own(event: Event<&mut [u8]>) -> Event<Vec<u8>> {
    match event {
        Event::Control(control) => Event::Control(control),
        Event::Data(Data { head, offset, payload, ends }) => {
            Event::Data(Data { head, offset, payload: payload.to_vec(), ends })
        }
    }
}

impl FrameTranscript {
    /// Takes note of an event; whether there may be more. `done` says that nothing is left to read.
    fn take(&mut self, event: Result<Option<Event<Vec<u8>>>, Error>, done: bool) -> bool {
        match event {
            Ok(Some(Event::Control(control))) => self.control(&control),
            Ok(Some(Event::Data(data))) => self.part(data),
            Ok(None) => {
                assert!(done, "more was to be read");
                return false;
            }
            Err(error) => {
                self.error = Some(error);
                return false;
            }
        }
        true
    }

    fn control(&mut self, control: &Control) {
        let payload = control.payload().to_vec();
        self.frames.push(Frame::Control { opcode: control.opcode(), payload });
    }

    /// Joins a part to its frame.
    fn part(&mut self, data: Data<Vec<u8>>) {
        assert_eq!(
            data.payload.is_empty(),
            data.head.len == 0,
            "only an empty frame's part is empty"
        );
        assert_eq!(data.begins(), data.offset == 0);
        if data.begins() {
            let Data { head, payload, ends, .. } = data;
            assert!(!matches!(self.frames.last(), Some(Frame::Data { ends: false, .. })));
            self.frames.push(Frame::Data { head, payload, ends });
            return;
        }
        let Some(Frame::Data { head, payload, ends: ends @ false }) = self.frames.last_mut() else {
            panic!("a part of no frame: {data:?}");
        };
        assert_eq!((*head, payload.len() as u64), (data.head, data.offset));
        payload.extend_from_slice(&data.payload);
        *ends = data.ends;
    }

    fn end(mut self, decoder: &Decoder) -> Self {
        self.frame_consumed = decoder.frame_consumed();
        self.in_message = self.error.is_none() && decoder.in_message();
        self.closed = decoder.closed();
        self
    }
}
