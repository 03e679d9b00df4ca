//! Target `head`: a second parser agrees, prefixes agree, and encoding gives the bytes back.

use super::role;
use crate::{Compression, Error, FrameHead, Opcode, Role};

/// # Panics
///
/// If a promise of [`FrameHead::parse`] or [`FrameHead::encode`] does not hold.
pub fn head(data: &[u8]) {
    let Some((&setup, wire)) = data.split_first() else { return };
    let sender = role(setup);
    let compression = if setup & 2 == 0 { Compression::Off } else { Compression::PerMessage };

    let mut decided = None;
    for end in 0..=wire.len().min(FrameHead::MAX_WIRE_LEN) {
        let parsed = FrameHead::parse(&wire[..end], sender, compression);
        assert_eq!(parsed, reference(&wire[..end], sender, compression), "of {end} bytes");
        match decided {
            Some(before) => assert_eq!(parsed, before, "more bytes change nothing"),
            None if parsed != Ok(None) => decided = Some(parsed),
            None => {}
        }
    }
    if let Some(Ok(Some((head, used)))) = decided {
        let (bytes, len) = head.encode();
        assert_eq!(&bytes[..len], &wire[..used], "encoding gives the bytes back");
    }
}

type Parsed = Result<Option<(FrameHead, usize)>, Error>;

/// The rules one by one, in wire order, each with the bytes it needs.
fn reference(wire: &[u8], sender: Role, compression: Compression) -> Parsed {
    let Some(first) = wire.first() else { return Ok(None) };
    let opcode = Opcode::try_from(first % 16)?;
    let bits = first / 16 % 8;
    let data = opcode == Opcode::Text || opcode == Opcode::Binary;
    let compressed = bits == 4 && data && compression == Compression::PerMessage;
    if bits != 0 && !compressed {
        return Err(Error::Rsv { bits, opcode });
    }
    let control = !data && opcode != Opcode::Continuation;
    let fin = *first >= 128;
    if control && !fin {
        return Err(Error::ControlFragmented { opcode });
    }
    let Some(second) = wire.get(1) else { return Ok(None) };
    if sender == Role::Client && *second < 128 {
        return Err(Error::MaskMissing);
    }
    if sender == Role::Server && *second >= 128 {
        return Err(Error::MaskUnexpected);
    }
    let short = second % 128;
    if control && short > 125 {
        return Err(Error::ControlLength { opcode });
    }
    if opcode == Opcode::Close && short == 1 {
        return Err(Error::CloseLength);
    }
    let count = [0, 2, 8][usize::from(short.max(125) - 125)];
    if count == 8 && wire.get(2).is_some_and(|byte| *byte >= 128) {
        return Err(Error::LengthHighBit);
    }
    let Some(long) = wire.get(2..2 + count) else { return Ok(None) };
    let len = match count {
        0 => u64::from(short),
        _ => long.iter().fold(0, |len, byte| len * 256 + u64::from(*byte)),
    };
    if (count == 2 && len < 126) || (count == 8 && len < 65536) {
        return Err(Error::LengthNotMinimal { len });
    }
    let mut used = 2 + count;
    let mut mask = None;
    if sender == Role::Client {
        let Some(&[a, b, c, d]) = wire.get(used..used + 4) else { return Ok(None) };
        mask = Some([a, b, c, d]);
        used += 4;
    }
    Ok(Some((FrameHead { fin, rsv1: compressed, opcode, mask, len }, used)))
}
