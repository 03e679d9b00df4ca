//! The frame level of the naive reader: heads, order, limits and Close payloads, a byte at a time.
//!
//! Keeps the whole frame and looks at all of it again at each byte.

use crate::{
    CloseCode, Error, FrameHead, Limits, Opcode, Role,
    fuzzing::frames::{Frame, FrameTranscript},
};

/// Reads the frames of `wire` byte for byte.
///
/// # Panics
///
/// Never on any input, unless by a bug of its own.
#[must_use]
pub fn read_frames(sender: Role, compressed: bool, limits: Limits, wire: &[u8]) -> FrameTranscript {
    let mut frames = Frames::new(sender, compressed, limits);
    let mut read = FrameTranscript::default();
    let mut whole = true;
    for &byte in wire {
        if frames.closed {
            break;
        }
        let step = match frames.byte(byte) {
            Ok(step) => step,
            Err(Broken { error, by_ending }) => {
                read.error = Some(error);
                read.consumed += usize::from(by_ending);
                frames.wire.truncate(frames.wire.len() - usize::from(!by_ending));
                break;
            }
        };
        read.consumed += 1;
        if frames.is_control() {
            if step.ends {
                let payload = frames.payload();
                read.frames.push(Frame::Control { opcode: frames.opcode(), payload });
            }
        } else if step.payload.is_some() || step.ends {
            if !std::mem::replace(&mut whole, step.ends) {
                read.frames.pop();
            }
            let (head, payload) = (frames.head(), frames.payload());
            read.frames.push(Frame::Data { head, payload, ends: step.ends });
        }
        if step.ends {
            frames.clear();
        }
    }
    read.frame_consumed = frames.wire.len() as u64;
    read.in_message = read.error.is_none() && frames.in_message();
    read.closed = frames.closed;
    read
}

/// A direction's frames.
pub(super) struct Frames {
    sender: Role,
    compressed: bool,
    limits: Limits,
    /// The frame under way, as on the wire.
    pub(super) wire: Vec<u8>,
    /// Where its payload begins, once that is known.
    begins: Option<usize>,
    /// Declared bytes and frames of the message under way.
    message: Option<(u64, u32)>,
    in_data_frame: bool,
    pub(super) closed: bool,
}

/// What a byte was.
#[derive(Default)]
pub(super) struct Step {
    /// The last of a head.
    pub(super) begins: bool,
    /// One of the payload, unmasked.
    pub(super) payload: Option<u8>,
    /// The last of a frame, which stays to be looked at until it is cleared.
    pub(super) ends: bool,
}

/// An error, and whether its byte was good and only nothing may end with it.
pub(super) struct Broken {
    pub(super) error: Error,
    pub(super) by_ending: bool,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self { error, by_ending: false }
    }
}

impl Frames {
    pub(super) fn new(sender: Role, compressed: bool, limits: Limits) -> Self {
        Self {
            sender,
            compressed,
            limits,
            wire: Vec::new(),
            begins: None,
            message: None,
            in_data_frame: false,
            closed: false,
        }
    }

    pub(super) fn byte(&mut self, byte: u8) -> Result<Step, Broken> {
        self.wire.push(byte);
        let mut step = Step::default();
        if let Some(begins) = self.begins {
            step.payload = Some(self.payload_byte(begins)?);
        } else {
            self.head_byte(byte)?;
            step.begins = self.begins.is_some();
        }
        if let Some(begins) = self.begins {
            step.ends = (self.wire.len() - begins) as u64 == self.declared();
        }
        if step.ends {
            self.end()?;
        }
        Ok(step)
    }

    /// Goes on to the next frame.
    pub(super) fn clear(&mut self) {
        self.wire.clear();
        self.begins = None;
    }

    pub(super) fn in_message(&self) -> bool {
        self.message.is_some() || self.in_data_frame
    }

    pub(super) fn opcode(&self) -> Opcode {
        Opcode::try_from(self.wire[0] & 0x0F).expect("the first byte was checked")
    }

    pub(super) fn fin(&self) -> bool {
        self.wire[0] & 0x80 != 0
    }

    pub(super) fn rsv1(&self) -> bool {
        self.wire[0] & 0x40 != 0
    }

    pub(super) fn is_control(&self) -> bool {
        self.wire[0] & 0x08 != 0
    }

    /// The payload so far, unmasked.
    pub(super) fn payload(&self) -> Vec<u8> {
        let Some(begins) = self.begins else { return Vec::new() };
        let mask = self.mask().unwrap_or_default();
        self.wire[begins..].iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }

    fn head(&self) -> FrameHead {
        FrameHead {
            fin: self.fin(),
            rsv1: self.rsv1(),
            opcode: self.opcode(),
            mask: self.mask(),
            len: self.declared(),
        }
    }

    fn mask(&self) -> Option<[u8; 4]> {
        let begins = self.begins?;
        match self.sender {
            Role::Client => self.wire[begins - 4..begins].try_into().ok(),
            Role::Server => None,
        }
    }

    /// How many bytes after the second say the length.
    fn length_bytes(&self) -> usize {
        match self.wire[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn declared(&self) -> u64 {
        match self.length_bytes() {
            0 => u64::from(self.wire[1] & 0x7F),
            count => self.wire[2..2 + count].iter().fold(0, |len, &b| len << 8 | u64::from(b)),
        }
    }

    fn head_byte(&mut self, byte: u8) -> Result<(), Error> {
        let have = self.wire.len();
        if have == 1 {
            return self.first(byte);
        }
        if have == 2 {
            self.second(byte)?;
        }
        let count = self.length_bytes();
        if have == 3 && count == 8 && byte >= 0x80 {
            return Err(Error::LengthHighBit);
        }
        if have == 2 + count {
            self.length(count)?;
        }
        let head = 2 + count + if self.sender == Role::Client { 4 } else { 0 };
        if have == head {
            self.begins = Some(head);
            self.enter();
        }
        Ok(())
    }

    fn first(&self, byte: u8) -> Result<(), Error> {
        let (fin, bits, opcode) = (byte >> 7, byte >> 4 & 7, byte & 0x0F);
        if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
            return Err(Error::Opcode { opcode });
        }
        let known = self.opcode();
        let may_be_compressed = self.compressed && (opcode == 1 || opcode == 2);
        if bits != 0 && !(bits == 4 && may_be_compressed) {
            return Err(Error::Rsv { bits, opcode: known });
        }
        if opcode >= 8 {
            return if fin == 0 { Err(Error::ControlFragmented { opcode: known }) } else { Ok(()) };
        }
        let fragments = match self.message {
            None if opcode == 0 => return Err(Error::ContinuationOrphan),
            Some(_) if opcode != 0 => return Err(Error::MessageInterleaved { opcode: known }),
            None => 0,
            Some((_, fragments)) => fragments,
        };
        let limit = self.limits.fragments;
        if fragments + 1 > limit { Err(Error::FragmentLimit { limit }) } else { Ok(()) }
    }

    fn second(&self, byte: u8) -> Result<(), Error> {
        match (self.sender, byte & 0x80) {
            (Role::Client, 0) => return Err(Error::MaskMissing),
            (Role::Server, 0x80) => return Err(Error::MaskUnexpected),
            _ => {}
        }
        let opcode = self.opcode();
        if self.is_control() && byte & 0x7F > 125 {
            return Err(Error::ControlLength { opcode });
        }
        if opcode == Opcode::Close && byte & 0x7F == 1 { Err(Error::CloseLength) } else { Ok(()) }
    }

    fn length(&self, count: usize) -> Result<(), Error> {
        let len = self.declared();
        if (count == 2 && len <= 125) || (count == 8 && len <= 65535) {
            return Err(Error::LengthNotMinimal { len });
        }
        if self.is_control() {
            return Ok(());
        }
        if len > self.limits.frame {
            return Err(Error::FrameLimit { len, limit: self.limits.frame });
        }
        let before = self.message.map_or(0, |(declared, _)| declared);
        if u128::from(before) + u128::from(len) > u128::from(self.limits.message) {
            return Err(Error::MessageLimit { limit: self.limits.message });
        }
        Ok(())
    }

    /// Takes note of a whole head.
    fn enter(&mut self) {
        if self.is_control() {
            return;
        }
        self.in_data_frame = true;
        let (declared, fragments) = self.message.unwrap_or_default();
        self.message = Some((declared + self.declared(), fragments + 1));
    }

    fn payload_byte(&self, begins: usize) -> Result<u8, Error> {
        let place = self.wire.len() - begins - 1;
        let said = self.payload();
        if self.opcode() == Opcode::Close && place > 0 {
            let code = u16::from_be_bytes([said[0], said[1]]);
            if !CloseCode::from(code).is_valid_on_wire() {
                return Err(Error::CloseCode { code });
            }
            check_text(&said[2..])?;
        }
        Ok(said[place])
    }

    fn end(&mut self) -> Result<(), Broken> {
        if !self.is_control() {
            self.in_data_frame = false;
            if self.fin() {
                self.message = None;
            }
            return Ok(());
        }
        if self.opcode() == Opcode::Close {
            let said = self.payload();
            let reason = said.get(2..).unwrap_or_default();
            if str::from_utf8(reason).is_err() {
                let error = Error::Utf8Unfinished { len: reason.len() as u64 };
                return Err(Broken { error, by_ending: true });
            }
            self.closed = true;
        }
        Ok(())
    }
}

/// Fails at the shortest start of `text` that no further byte could make good.
pub(super) fn check_text(text: &[u8]) -> Result<(), Error> {
    let Err(wrong) = str::from_utf8(text) else { return Ok(()) };
    if wrong.error_len().is_none() {
        return Ok(());
    }
    let good = wrong.valid_up_to();
    let hopeless =
        |end: &usize| str::from_utf8(&text[good..*end]).is_err_and(|e| e.error_len().is_some());
    let end = (good..=text.len()).find(hopeless).expect("the whole is hopeless");
    Err(Error::Utf8 { at: end as u64 - 1 })
}
