//! Frames of our own, read back.

use super::*;
use crate::{Item, Limits, Reader};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Encodes as either role, and reads it back as one item.
#[track_caller]
fn check(encode: impl Fn(Role, Option<[u8; 4]>, &mut Vec<u8>), expected: impl Fn(Item<'_>)) {
    for (role, mask) in [(Role::Client, Some(KEY)), (Role::Server, None)] {
        let mut wire = Vec::new();
        encode(role, mask, &mut wire);
        let mut reader = Reader::new(role, None, Limits::default());
        let mut input = &wire[..];
        expected(reader.read(&mut input).expect("well formed").expect("one item"));
        assert!(input.is_empty());
    }
}

#[test]
fn messages() {
    let all: &[usize] =
        if cfg!(miri) { &[0, 1, 125, 126] } else { &[0, 1, 125, 126, 65535, 65536] };
    for &len in all {
        let payload = vec![b'x'; len];
        for opcode in [Opcode::Text, Opcode::Binary] {
            check(
                |role, mask, dst| encode_data(role, opcode, &payload, mask, dst),
                |item| {
                    let Item::Message(message) = item else { panic!("{item:?}") };
                    assert_eq!((message.opcode, message.payload), (opcode, &payload[..]));
                },
            );
        }
    }
}

#[test]
fn pings_and_pongs() {
    for len in [0, 1, 125] {
        let payload = vec![7; len];
        check(
            |role, mask, dst| encode_ping(role, &payload, mask, dst).expect("short"),
            |item| assert_eq!(item, Item::Ping(&payload)),
        );
        check(
            |role, mask, dst| encode_pong(role, &payload, mask, dst).expect("short"),
            |item| assert_eq!(item, Item::Pong(&payload)),
        );
    }
    let mut wire = Vec::new();
    let error = Err(Error::ControlLength { opcode: Opcode::Ping });
    assert_eq!(encode_ping(Role::Server, &[0; 126], None, &mut wire), error);
    assert!(wire.is_empty());
}

#[test]
fn closes() {
    #[track_caller]
    fn closes(code: Option<CloseCode>, reason: &str, expected: (Option<CloseCode>, &str)) {
        check(
            |role, mask, dst| encode_close(role, code, reason, mask, dst),
            |item| {
                let Item::Close(close) = item else { panic!("{item:?}") };
                assert_eq!((close.code, close.reason), expected);
            },
        );
    }
    let normal = Some(CloseCode::NORMAL);
    closes(None, "unsaid", (None, ""));
    closes(normal, "", (normal, ""));
    closes(normal, "bye", (normal, "bye"));
    closes(Some(CloseCode::from(1005)), "unsaid", (None, ""));
    closes(normal, &"x".repeat(123), (normal, &"x".repeat(123)));
    closes(normal, &"x".repeat(124), (normal, &"x".repeat(123)));
    closes(normal, &("x".repeat(122) + "é"), (normal, &"x".repeat(122)));
}
