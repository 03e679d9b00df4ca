//! Frames by hand, so that no codec under test is trusted to check itself.

/// A whole text message.
pub const TEXT: u8 = 0x1;
/// A whole binary message.
pub const BINARY: u8 = 0x2;
/// The end of a conversation.
pub const CLOSE: u8 = 0x8;

/// A message, as one end says it and the other must hear it.
pub struct Message {
    /// [`TEXT`] or [`BINARY`].
    pub opcode: u8,
    /// Whether `payload` is compressed.
    pub deflated: bool,
    /// What follows the head.
    pub payload: Vec<u8>,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Ends a message.
    pub fin: bool,
    /// Compressed.
    pub rsv1: bool,
    /// What it is; 0 goes on with a message.
    pub opcode: u8,
    /// What the payload is masked with.
    pub key: Option<[u8; 4]>,
    /// Bytes of payload.
    pub len: usize,
}

impl Head {
    /// The head `bytes` begin with, and its length; none if there is more to come of it.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let &[first, second, ..] = bytes else { return None };
        let (len, mut at) = match second & 0x7F {
            126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
            len => (u64::from(len), 2),
        };
        let mut key = None;
        if second & 0x80 != 0 {
            key = Some(*bytes.get(at..)?.first_chunk()?);
            at += 4;
        }
        let len = usize::try_from(len).ok()?;
        let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
        Some((Self { fin, rsv1, opcode: first & 0xF, key, len }, at))
    }
}

/// In the place of a length: that it follows in two bytes, and in eight.
const MIDDLE: u8 = 0x7E;
const LONG: u8 = 0x7F;

/// Appends a message as one frame; a `key` masks it.
pub fn write(message: &Message, key: Option<[u8; 4]>, to: &mut Vec<u8>) {
    let (rsv1, masked) = (u8::from(message.deflated) << 6, u8::from(key.is_some()) << 7);
    to.push(0x80 | rsv1 | message.opcode);
    let len = message.payload.len();
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short @ ..MIDDLE), _) => to.push(masked | short),
        (_, Ok(middle)) => {
            to.push(masked | MIDDLE);
            to.extend(middle.to_be_bytes());
        }
        _ => {
            to.push(masked | LONG);
            to.extend((len as u64).to_be_bytes());
        }
    }
    let from = to.len() + key.map_or(0, |key| key.len());
    to.extend(key.into_iter().flatten());
    to.extend(&message.payload);
    mask(&mut to[from..], key.unwrap_or_default(), 0);
}

/// Masks or unmasks what is `at` bytes into a payload.
pub fn mask(bytes: &mut [u8], key: [u8; 4], at: usize) {
    let key: [u8; 8] = std::array::from_fn(|index| key[(at + index) % 4]);
    let word = u64::from_ne_bytes(key);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}
