//! Tables of heads: what each means, after how many bytes it is known, and the way back.

use super::*;
use Compression::{Off, PerMessage};
use Role::{Client, Server};

/// Parses every prefix: nothing is known before `known` bytes, and from there on all is.
#[track_caller]
fn check(
    wire: &[u8],
    (sender, compression): (Role, Compression),
    known: usize,
    expected: Result<(Opcode, u64), Error>,
) {
    for end in 0..=wire.len() {
        let parsed = FrameHead::parse(&wire[..end], sender, compression);
        if end < known {
            assert_eq!(parsed, Ok(None), "of {end} bytes");
            continue;
        }
        match (parsed, expected) {
            (Ok(Some((head, used))), Ok((opcode, len))) => {
                assert_eq!((head.opcode, head.len, used), (opcode, len, known), "of {end} bytes");
                let (bytes, count) = head.encode();
                assert_eq!(&bytes[..count], &wire[..known], "encoded again");
            }
            (parsed, expected) => assert_eq!(parsed, expected.map(|_| None), "of {end} bytes"),
        }
    }
}

#[test]
fn good_heads() {
    let server = (Server, Off);
    check(b"\x81\x05Hello", server, 2, Ok((Opcode::Text, 5)));
    check(b"\x00\x00", server, 2, Ok((Opcode::Continuation, 0)));
    check(b"\x82\x7d", server, 2, Ok((Opcode::Binary, 125)));
    check(b"\x82\x7e\x00\x7e", server, 4, Ok((Opcode::Binary, 126)));
    check(b"\x82\x7e\xff\xff", server, 4, Ok((Opcode::Binary, 65535)));
    check(b"\x82\x7f\0\0\0\0\0\x01\0\0", server, 10, Ok((Opcode::Binary, 65536)));
    let longest = b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";
    check(longest, server, 10, Ok((Opcode::Binary, u64::MAX >> 1)));
    check(b"\x88\x00", server, 2, Ok((Opcode::Close, 0)));
    check(b"\x88\x02", server, 2, Ok((Opcode::Close, 2)));
    check(b"\x89\x7d", server, 2, Ok((Opcode::Ping, 125)));
    check(b"\x8a\x00", server, 2, Ok((Opcode::Pong, 0)));
    check(b"\xc1\x05", (Server, PerMessage), 2, Ok((Opcode::Text, 5)));
    check(b"\x42\x05", (Server, PerMessage), 2, Ok((Opcode::Binary, 5)));

    let client = (Client, Off);
    check(b"\x81\x85\x37\xfa\x21\x3d\x7f", client, 6, Ok((Opcode::Text, 5)));
    check(b"\x82\xfe\x01\x00abcd", client, 8, Ok((Opcode::Binary, 256)));
    check(b"\x82\xff\0\0\0\0\0\x01\0\0abcd", client, 14, Ok((Opcode::Binary, 65536)));
}

#[test]
fn length_on_the_wire() {
    for len in [0, 1, 125, 126, 127, 65535, 65536, u64::MAX >> 1] {
        for mask in [None, Some([1, 2, 3, 4])] {
            for (fin, rsv1) in [(true, false), (false, true)] {
                let head = FrameHead { fin, rsv1, opcode: Opcode::Binary, mask, len };
                let (bytes, used) = head.encode();
                assert_eq!(head.wire_len(), used as u64 + len, "{head:?}");
                let sender = if mask.is_some() { Client } else { Server };
                let parsed = FrameHead::parse(&bytes[..used], sender, PerMessage);
                assert_eq!(parsed, Ok(Some((head, used))));
            }
        }
    }
}

#[test]
fn first_byte() {
    for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        check(&[0x80 | opcode, 0], (Server, Off), 1, Err(Error::Opcode { opcode }));
        check(&[0xF0 | opcode, 0], (Server, Off), 1, Err(Error::Opcode { opcode }));
    }
    let rsv = |bits, opcode| Err(Error::Rsv { bits, opcode });
    check(b"\xc1\x00", (Server, Off), 1, rsv(4, Opcode::Text));
    check(b"\xa1\x00", (Server, PerMessage), 1, rsv(2, Opcode::Text));
    check(b"\x91\x00", (Server, PerMessage), 1, rsv(1, Opcode::Text));
    check(b"\xf2\x00", (Server, PerMessage), 1, rsv(7, Opcode::Binary));
    check(b"\xc0\x00", (Server, PerMessage), 1, rsv(4, Opcode::Continuation));
    check(b"\xc9\x00", (Server, PerMessage), 1, rsv(4, Opcode::Ping));
    check(b"\xc8\x00", (Server, PerMessage), 1, rsv(4, Opcode::Close));
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        let wire = [u8::from(opcode), 0];
        check(&wire, (Server, Off), 1, Err(Error::ControlFragmented { opcode }));
    }
}

#[test]
fn second_byte() {
    check(b"\x81\x05", (Client, Off), 2, Err(Error::MaskMissing));
    check(b"\x81\x85", (Server, Off), 2, Err(Error::MaskUnexpected));
    check(b"\x89\x7e", (Client, Off), 2, Err(Error::MaskMissing));
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        let error = Error::ControlLength { opcode };
        check(&[0x80 | u8::from(opcode), 126, 0, 126], (Server, Off), 2, Err(error));
        check(&[0x80 | u8::from(opcode), 0xFF, 0], (Client, Off), 2, Err(error));
    }
    check(b"\x88\x01\x03", (Server, Off), 2, Err(Error::CloseLength));
    check(b"\x88\x81abcd\x03", (Client, Off), 2, Err(Error::CloseLength));
}

#[test]
fn length_bytes() {
    let long = |len| Err(Error::LengthNotMinimal { len });
    check(b"\x82\x7e\x00\x7d", (Server, Off), 4, long(125));
    check(b"\x82\x7e\x00\x00", (Server, Off), 4, long(0));
    check(b"\x82\xfe\x00\x7dabcd", (Client, Off), 4, long(125));
    check(b"\x82\x7f\0\0\0\0\0\0\xff\xff", (Server, Off), 10, long(65535));
    check(b"\x82\x7f\0\0\0\0\0\0\0\0", (Server, Off), 10, long(0));
    check(b"\x82\x7f\x80\0\0\0\0\0\0\0", (Server, Off), 3, Err(Error::LengthHighBit));
    check(b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", (Client, Off), 3, Err(Error::LengthHighBit));
}

/// The heads `scan` takes that `Single::find` must find, and no other: messages of one frame that
/// lie whole in the input.
#[track_caller]
fn check_single(wire: &[u8], sender: Role, compression: Compression) {
    let whole = |(head, used): (FrameHead, usize)| {
        let ends = used.checked_add(usize::try_from(head.len).ok()?)?;
        let single = head.fin && head.opcode.begins_message() && ends <= wire.len();
        single.then_some((head, head.len, used, ends))
    };
    let scanned = scan(wire, sender, compression, &Alone).ok().flatten().and_then(whole);
    let found = Single::find(wire, sender, compression)
        .map(|single| (single.head(wire), single.len, single.begins, single.ends));
    let shown = &wire[..wire.len().min(FrameHead::MAX_WIRE_LEN)];
    assert_eq!(found, scanned, "{shown:x?} of {} bytes, {sender:?}, {compression:?}", wire.len());
}

/// Every pair of first bytes, with every form of length around its edges, whole and one byte short.
#[test]
fn the_fast_path_agrees() {
    let mut wire = vec![0x5A; FrameHead::MAX_WIRE_LEN + (1 << 16) + 1];
    for (sender, compression) in
        [(Client, Off), (Client, PerMessage), (Server, Off), (Server, PerMessage)]
    {
        // Miri gets messages alone, and of the lengths within the head the outermost.
        for first in (0..=0xFF).filter(|first| !cfg!(miri) || matches!(first & 0x3F, 1 | 2)) {
            let all = (0..=0xFF).filter(|second| !cfg!(miri) || matches!(second & 0x7C, 0 | 0x7C));
            for second in all {
                wire[..2].copy_from_slice(&[first, second]);
                let key = if second & MASKED == 0 { 0 } else { 4 };
                let longs: &[u64] = match second & !MASKED {
                    LONG_16 => &[0, 125, 126, 255, 256, 0xFFFF],
                    LONG_64 => &[0, 126, 0xFFFF, 1 << 16, (1 << 16) + 1, 1 << 62, 1 << 63, !0],
                    _ => &[0],
                };
                for &long in longs {
                    let (count, len) = match second & !MASKED {
                        LONG_16 => (2, long),
                        LONG_64 => (8, long),
                        short => (0, u64::from(short)),
                    };
                    wire[2..2 + count].copy_from_slice(&long.to_be_bytes()[8 - count..]);
                    let ends = usize::try_from(len).unwrap_or(usize::MAX);
                    let ends = ends.saturating_add(2 + count + key).min(wire.len());
                    check_single(&wire[..ends], sender, compression);
                    check_single(&wire[..ends - 1], sender, compression);
                    wire[2..10].fill(0x5A);
                }
            }
        }
    }
    for end in 0..FrameHead::MAX_WIRE_LEN {
        check_single(&b"\x82\xff\0\0\0\0\0\x01\0\0abcd"[..end], Client, Off);
    }
}
