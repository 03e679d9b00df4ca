//! Heads by hand, with every check of RFC 6455 section 5.2, order included.

/// A head that passed.
pub struct Head {
    /// FIN, RSV and opcode as they came.
    pub first: u8,
    /// The masking key; zeroes without one.
    pub key: [u8; 4],
    /// Bytes of the head.
    pub used: usize,
    /// Bytes of the payload.
    pub len: usize,
}

/// What the first byte of a frame may be, by its value: one load instead of five comparisons.
const FIRST: [First; 256] = {
    let mut table = [First::Bad; 256];
    let mut byte = 0;
    while byte < 256 {
        let fin = byte & 0x80 != 0;
        table[byte] = match (byte & 0x7F, fin) {
            (0x0, _) => First::Continuation,
            (0x1 | 0x2, _) => First::Data,
            (0x8..=0xA, true) => First::Control,
            _ => First::Bad, // reserved bits, reserved opcodes, a fragmented control frame
        };
        byte += 1;
    }
    table
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Data,
    Continuation,
    Control,
    Bad,
}

/// Reads the head at the start of `wire`. `open` is whether a message is under way.
#[inline(always)]
pub fn walk<const MASKED: bool>(wire: &[u8], open: &mut bool) -> Option<Head> {
    let &[first, second, ..] = wire else { return None };
    let class = FIRST[usize::from(first)];
    let short = second & 0x7F;
    if (second & 0x80 != 0) != MASKED {
        return None;
    }
    match class {
        First::Data if !*open => *open = first & 0x80 == 0,
        First::Continuation if *open => *open = first & 0x80 == 0,
        First::Control if short <= 125 && (first != 0x88 || short != 1) => {}
        _ => return None,
    }
    let (len, used) = match short {
        126 => {
            let len = u16::from_be_bytes(*wire.get(2..4)?.first_chunk()?);
            (len >= 126).then_some((usize::from(len), 4))?
        }
        127 => {
            let len = u64::from_be_bytes(*wire.get(2..10)?.first_chunk()?);
            let fits = len > 0xFFFF && len >> 63 == 0;
            (usize::try_from(len).ok().filter(|_| fits)?, 10)
        }
        len => (usize::from(len), 2),
    };
    if !MASKED {
        return Some(Head { first, key: [0; 4], used, len });
    }
    let key = *wire.get(used..used + 4)?.first_chunk()?;
    Some(Head { first, key, used: used + 4, len })
}

/// Writes the head of a final binary frame; its length.
#[inline(always)]
pub fn write(len: usize, key: Option<[u8; 4]>, head: &mut [u8; 14]) -> usize {
    let bit = if key.is_some() { 0x80 } else { 0 };
    head[0] = 0x82;
    #[expect(clippy::cast_possible_truncation, reason = "matched")]
    let used = match len {
        ..126 => {
            head[1] = bit | len as u8;
            2
        }
        126..0x1_0000 => {
            head[1] = bit | 0x7E;
            head[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            4
        }
        _ => {
            head[1] = bit | 0x7F;
            head[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            10
        }
    };
    let Some(key) = key else { return used };
    head[used..used + 4].copy_from_slice(&key);
    used + 4
}
