//! The head of a frame: parse with every check, and encode (RFC 6455 section 5.2).
//!
//! Refuses to know what came before the frame; order is `sequence`'s.

use crate::{Error, Opcode, Role};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV: u8 = 0x70;
const MASKED: u8 = 0x80;
/// The first byte of a text message in one frame.
const TEXT: u8 = FIN | Opcode::Text as u8;
/// The same of one of bytes.
const BINARY: u8 = FIN | Opcode::Binary as u8;
/// In place of a length: 16 bits of it follow.
const LONG_16: u8 = 0x7E;
/// In place of a length: 64 bits of it follow.
const LONG_64: u8 = 0x7F;
/// The longest payload a control frame may have.
pub(crate) const MAX_CONTROL: usize = 125;

/// Whether permessage-deflate was agreed on, so that RSV1 has a meaning (RFC 7692 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Compression {
    /// No extension: every reserved bit must be zero.
    Off = 0,
    /// RSV1 on the first frame of a message says that the message is compressed.
    PerMessage = RSV1,
}

impl Compression {
    /// The reserved bit that may be set, where it stands in the first byte of a head.
    const fn rsv1(self) -> u8 {
        self as u8
    }
}

/// The first bytes of a frame, decoded (RFC 6455 section 5.2).
///
/// ```
/// use capsem_ws_codec::{Compression, FrameHead, Opcode, Role};
///
/// let wire = [0x82, 0x7e, 0x01, 0x00];
/// let parsed = FrameHead::parse(&wire, Role::Server, Compression::Off)?;
/// let (head, used) = parsed.expect("all four bytes are there");
/// assert_eq!((head.opcode, head.len, used), (Opcode::Binary, 256, 4));
///
/// // A reserved opcode is known after one byte.
/// assert!(FrameHead::parse(&[0x83], Role::Server, Compression::Off).is_err());
/// # Ok::<(), capsem_ws_codec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether the frame is the last of its message.
    pub fin: bool,
    /// Whether the message is compressed (RFC 7692 section 6); on its first frame only.
    pub rsv1: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The masking key, which a client's frame has and a server's has not.
    pub mask: Option<[u8; 4]>,
    /// The payload's length in bytes, below 2^63.
    pub len: u64,
}

impl FrameHead {
    /// The longest a head gets: two bytes, a 64-bit length, a key.
    pub const MAX_WIRE_LEN: usize = 14;

    /// Reads a head from the start of `input`: the head and its own length in bytes.
    ///
    /// Knows the rules that one head can break alone: reserved bits and opcodes, the mask, the form
    /// of the length, and what a control frame may be. Order and limits are a
    /// [`Decoder`](crate::Decoder)'s.
    ///
    /// `Ok(None)` asks for more bytes; the next call gets the old ones again. A violation is
    /// reported as soon as its byte is there.
    #[inline]
    pub fn parse(
        input: &[u8],
        sender: Role,
        compression: Compression,
    ) -> Result<Option<(Self, usize)>, Error> {
        scan(input, sender, compression, &Alone).map_err(|violation| violation.error)
    }

    /// The frame's bytes on the wire, head and payload.
    #[must_use]
    #[inline]
    pub const fn wire_len(&self) -> u64 {
        let key = if self.mask.is_some() { 4 } else { 0 };
        let head = match self.len {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        };
        key + head + self.len
    }

    /// The head on the wire: an array and how many of its bytes count.
    ///
    /// The length takes its shortest form. Whether a receiver takes the head, as with a length of
    /// 2^63 or more or a fragmented Ping, is not checked.
    ///
    /// ```
    /// use capsem_ws_codec::{FrameHead, Opcode};
    ///
    /// let opcode = Opcode::Binary;
    /// let head = FrameHead { fin: true, rsv1: false, opcode, mask: None, len: 300 };
    /// let (bytes, used) = head.encode();
    /// assert_eq!(bytes[..used], [0x82, 0x7e, 0x01, 0x2c]);
    /// assert_eq!(head.wire_len(), 304);
    /// ```
    #[must_use]
    #[inline]
    pub fn encode(&self) -> ([u8; Self::MAX_WIRE_LEN], usize) {
        let fin = if self.fin { FIN } else { 0 };
        let rsv1 = if self.rsv1 { RSV1 } else { 0 };
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        let first = fin | rsv1 | u8::from(self.opcode);
        let (key, key_len) = match self.mask {
            Some(key) => (u64::from(u32::from_le_bytes(key)), key.len()),
            None => (0, 0),
        };
        let start = |short| u64::from(u16::from_le_bytes([first, masked | short]));
        // One number whose lowest byte is the first on the wire: no byte is stored by itself.
        let (wire, len) = match (u8::try_from(self.len), u16::try_from(self.len)) {
            (Ok(len @ ..LONG_16), _) => (u128::from(start(len) | key << 16), 2),
            (_, Ok(len)) => {
                let len = u64::from(u16::from_le_bytes(len.to_be_bytes()));
                (u128::from(start(LONG_16) | len << 16 | key << 32), 4)
            }
            (_, Err(_)) => {
                let len = u128::from(u64::from_le_bytes(self.len.to_be_bytes()));
                (u128::from(start(LONG_64)) | len << 16 | u128::from(key) << 80, 10)
            }
        };
        let [wire @ .., _, _] = wire.to_le_bytes();
        (wire, len + key_len)
    }
}

/// What a head must obey beyond its own form. Each rule is asked as soon as its bytes are there.
pub(crate) trait Rules {
    /// After the first byte.
    fn first(&self, opcode: Opcode) -> Result<(), Error>;
    /// After the length bytes.
    fn length(&self, opcode: Opcode, len: u64) -> Result<(), Error>;
}

/// The rules of a head that is looked at alone: none.
struct Alone;

impl Rules for Alone {
    #[inline]
    fn first(&self, _: Opcode) -> Result<(), Error> {
        Ok(())
    }

    #[inline]
    fn length(&self, _: Opcode, _: u64) -> Result<(), Error> {
        Ok(())
    }
}

/// An error and the index of the byte that makes it one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) error: Error,
    pub(crate) at: usize,
}

/// Reads a head, byte for byte in wire order, so that the first violation in that order is the one
/// reported whatever else is wrong further on.
#[expect(clippy::inline_always, reason = "what it finds must not go through memory")]
#[inline(always)]
pub(crate) fn scan(
    input: &[u8],
    sender: Role,
    compression: Compression,
    rules: &impl Rules,
) -> Result<Option<(FrameHead, usize)>, Violation> {
    let Some(&first) = input.first() else { return Ok(None) };
    let opcode = check_first(first, compression)
        .and_then(|opcode| rules.first(opcode).map(|()| opcode))
        .map_err(|error| Violation { error, at: 0 })?;

    let Some(&second) = input.get(1) else { return Ok(None) };
    check_second(second, opcode, sender).map_err(|error| Violation { error, at: 1 })?;

    let Some((len, used)) = read_length(second & !MASKED, input)? else { return Ok(None) };
    rules.length(opcode, len).map_err(|error| Violation { error, at: used - 1 })?;

    let (mask, used) = match sender {
        Role::Server => (None, used),
        Role::Client => match input.get(used..).and_then(<[u8]>::first_chunk) {
            Some(key) => (Some(*key), used + key.len()),
            None => return Ok(None),
        },
    };
    let (fin, rsv1) = (first & FIN != 0, first & RSV1 != 0);
    Ok(Some((FrameHead { fin, rsv1, opcode, mask, len }, used)))
}

/// A message of one frame that keeps every rule of its form and lies whole in some bytes.
///
/// Plain numbers, and the head made of them late: a head that passes through an `Option` costs
/// more than finding it.
#[derive(Clone, Copy)]
pub(crate) struct Single {
    pub(crate) len: u64,
    /// Where the payload begins.
    pub(crate) begins: usize,
    /// Where it ends.
    pub(crate) ends: usize,
}

impl Single {
    /// Whatever else is in `input` gives `None`, and is [`scan`]'s to name.
    #[expect(clippy::inline_always, reason = "what it finds must not go through memory")]
    #[inline(always)]
    pub(crate) fn find(input: &[u8], sender: Role, compression: Compression) -> Option<Self> {
        let [first, second, ..] = *input else { return None };
        let known = first & !compression.rsv1();
        let masked = second & MASKED;
        if !matches!(known, TEXT | BINARY) || masked != sender.mask_bit() {
            return None;
        }
        let masked = masked != 0;
        let (len, used) = read_length(second & !MASKED, input).ok()??;
        let begins = if masked { used + 4 } else { used };
        let ends = usize::try_from(len).ok()?.checked_add(begins)?;
        (ends <= input.len()).then_some(Self { len, begins, ends })
    }

    /// The head, out of the bytes it was found in.
    #[inline]
    pub(crate) fn head(self, input: &[u8]) -> FrameHead {
        let head = input.get(..self.begins).unwrap_or_default();
        let (first, second) = match head {
            [first, second, ..] => (*first, *second),
            _ => (0, 0),
        };
        let masked = second & MASKED != 0;
        FrameHead {
            fin: true,
            rsv1: first & RSV1 != 0,
            opcode: if first & !RSV1 == TEXT { Opcode::Text } else { Opcode::Binary },
            mask: if masked { head.last_chunk().copied() } else { None },
            len: self.len,
        }
    }
}

#[inline]
fn check_first(first: u8, compression: Compression) -> Result<Opcode, Error> {
    let opcode = Opcode::try_from(first & 0x0F)?;
    let allowed = if opcode.begins_message() { compression.rsv1() } else { 0 };
    if first & RSV & !allowed != 0 {
        return Err(Error::Rsv { bits: (first & RSV) >> 4, opcode });
    }
    if opcode.is_control() && first & FIN == 0 {
        return Err(Error::ControlFragmented { opcode });
    }
    Ok(opcode)
}

#[inline]
fn check_second(second: u8, opcode: Opcode, sender: Role) -> Result<(), Error> {
    match (sender, second & MASKED != 0) {
        (Role::Client, false) => return Err(Error::MaskMissing),
        (Role::Server, true) => return Err(Error::MaskUnexpected),
        (Role::Client, true) | (Role::Server, false) => {}
    }
    let len = second & !MASKED;
    if opcode.is_control() && usize::from(len) > MAX_CONTROL {
        return Err(Error::ControlLength { opcode });
    }
    if opcode == Opcode::Close && len == 1 {
        return Err(Error::CloseLength);
    }
    Ok(())
}

/// The payload's length and how many bytes of the head end with it.
#[inline]
fn read_length(short: u8, input: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    let long = input.get(2..).unwrap_or_default();
    let not_minimal = |len, at| Err(Violation { error: Error::LengthNotMinimal { len }, at });
    match short {
        LONG_16 => match long.first_chunk().map(|bytes| u64::from(u16::from_be_bytes(*bytes))) {
            None => Ok(None),
            Some(len @ 126..) => Ok(Some((len, 4))),
            Some(len) => not_minimal(len, 3),
        },
        LONG_64 => match long.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) {
            Some(len @ 0x1_0000..=0x7FFF_FFFF_FFFF_FFFF) => Ok(Some((len, 10))),
            // The highest bit is known before the rest is there.
            _ if long.first().is_some_and(|byte| byte & 0x80 != 0) => {
                Err(Violation { error: Error::LengthHighBit, at: 2 })
            }
            Some(len) => not_minimal(len, 9),
            None => Ok(None),
        },
        len => Ok(Some((u64::from(len), 2))),
    }
}

#[cfg(test)]
mod tests;
