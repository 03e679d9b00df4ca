//! Every violation: found at the byte that makes it one and not before, with its Close code, the same
//! for every cut.

use super::*;
use crate::{
    Deflate, Limits, Reader, Role,
    fuzzing::{Cut, Transcript, naive, read_cut},
};
use std::collections::BTreeSet;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame of a server: its head and its payload.
type Frame<'a> = (&'a [u8], &'a [u8]);

/// Where the last byte given decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    /// Before a key would come.
    Head,
    Payload,
}

/// The frames as `sender` sends them.
fn wire(sender: Role, frames: &[Frame<'_>], decided: In) -> Vec<u8> {
    let mut wire = Vec::new();
    for (at, (head, payload)) in frames.iter().enumerate() {
        let start = wire.len();
        wire.extend_from_slice(head);
        let keyless = decided == In::Head && at + 1 == frames.len();
        if sender == Role::Server {
            wire.extend_from_slice(payload);
            continue;
        }
        if let Some(second) = wire.get_mut(start + 1) {
            *second |= 0x80;
        }
        if !keyless {
            wire.extend_from_slice(&KEY);
            wire.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
    }
    wire
}

fn read(
    sender: Role,
    deflate: Option<Deflate>,
    limits: Limits,
    wire: &[u8],
    cut: Cut,
) -> Transcript {
    read_cut(Reader::new(sender, deflate, limits), wire, cut.sizes())
}

/// Whether some other byte in place of the last is still good: then nothing before it decided.
fn undecided(sender: Role, deflate: Option<Deflate>, limits: Limits, wire: &[u8]) -> bool {
    let mut other = wire.to_vec();
    let last = wire.len() - 1;
    (0..=0xFF).any(|byte| {
        other[last] = byte;
        read(sender, deflate, limits, &other, Cut::Every(usize::MAX)).error.is_none()
    })
}

/// Checks one wire, whose last byte decides.
#[track_caller]
fn check_wire(sender: Role, deflate: Option<Deflate>, limits: Limits, wire: &[u8], error: Error) {
    let whole = |wire: &[u8]| read(sender, deflate, limits, wire, Cut::Every(usize::MAX));
    let shorter = &wire[..wire.len() - 1];
    assert_eq!(whole(shorter).error, None, "{sender:?}: one byte less");
    assert_eq!(whole(wire).error, Some(error), "{sender:?}");
    // Of a thousand final blocks each way to read takes long, and the naive reader's for ever.
    let long = wire.len() > 1000;
    if !long {
        let naive = naive::read(sender, deflate, limits, wire).expect("an end it can judge");
        assert_eq!(naive.error, Some(error), "{sender:?}: the naive reader");
    }
    // A length is waited for whole, and what a block will inflate to is not foretold.
    let waits = matches!(
        error,
        Error::LengthNotMinimal { len: 65535 }
            | Error::InflateFinals { .. }
            | Error::InflateLimit { .. }
    );
    assert!(waits || undecided(sender, deflate, limits, wire), "{sender:?}: could be told before");
    if long && cfg!(miri) {
        return; // Whole is long enough.
    }
    let longer = [wire, &[0; 20]].concat();
    for wire in [wire, &longer] {
        let first = whole(wire);
        for cut in Cut::all(wire.len()).step_by(if long { 50 } else { 1 }) {
            let read = read(sender, deflate, limits, wire, cut);
            assert_eq!(read.error, Some(error), "{sender:?} cut {cut:?}");
            first.assert_same(&read, deflate, cut);
        }
    }
}

/// The table: each row's last byte decides, whoever sends it.
#[derive(Default)]
struct Table {
    seen: BTreeSet<usize>,
    deflate: Option<Deflate>,
    limits: Limits,
}

impl Table {
    #[track_caller]
    fn check(&mut self, decided: In, frames: &[Frame<'_>], error: Error, code: CloseCode) {
        for sender in [Role::Client, Role::Server] {
            self.check_from(sender, &wire(sender, frames, decided), error, code);
        }
    }

    #[track_caller]
    fn check_from(&mut self, sender: Role, wire: &[u8], error: Error, code: CloseCode) {
        assert_eq!(error.close_code(), code);
        check_wire(sender, self.deflate, self.limits, wire, error);
        self.seen.insert(variant(&error));
    }

    fn with(&mut self, deflate: Option<Deflate>, limits: Limits) {
        (self.deflate, self.limits) = (deflate, limits);
    }
}

/// A number for each variant. A new one belongs into the table below.
fn variant(error: &Error) -> usize {
    match error {
        Error::MaskMissing => 0,
        Error::MaskUnexpected => 1,
        Error::Rsv { .. } => 2,
        Error::Opcode { .. } => 3,
        Error::ControlFragmented { .. } => 4,
        Error::ControlLength { .. } => 5,
        Error::LengthNotMinimal { .. } => 6,
        Error::LengthHighBit => 7,
        Error::ContinuationOrphan => 8,
        Error::MessageInterleaved { .. } => 9,
        Error::Utf8 { .. } => 10,
        Error::Utf8Unfinished { .. } => 11,
        Error::CloseLength => 12,
        Error::CloseCode { .. } => 13,
        Error::FrameLimit { .. } => 14,
        Error::MessageLimit { .. } => 15,
        Error::FragmentLimit { .. } => 16,
        Error::Inflate => 17,
        Error::InflateUnfinished => 18,
        Error::InflateLimit { .. } => 19,
        Error::InflateFinals { .. } => 20,
    }
}
const VARIANTS: usize = 21;

#[test]
fn as_soon_as_its_bytes_are_there() {
    let mut table = Table::default();
    heads(&mut table);
    payloads(&mut table);
    limits(&mut table);
    compressed(&mut table);
    assert!(table.seen.into_iter().eq(0..VARIANTS), "every variant has a row");
}

fn heads(table: &mut Table) {
    use In::Head;
    const PROTOCOL: CloseCode = CloseCode::PROTOCOL;
    let (text, ping) = (Opcode::Text, Opcode::Ping);
    table.check_from(Role::Client, b"\x81\x05", Error::MaskMissing, PROTOCOL);
    table.check_from(Role::Server, b"\x81\x85", Error::MaskUnexpected, PROTOCOL);
    for (first, bits) in [(0xC1, 4), (0xA1, 2), (0x91, 1), (0xF1, 7)] {
        table.check(Head, &[(&[first], b"")], Error::Rsv { bits, opcode: text }, PROTOCOL);
    }
    for opcode in [0x3, 0x7, 0xB, 0xF] {
        table.check(Head, &[(&[0x80 | opcode], b"")], Error::Opcode { opcode }, PROTOCOL);
    }
    table.check(Head, &[(b"\x09", b"")], Error::ControlFragmented { opcode: ping }, PROTOCOL);
    table.check(Head, &[(b"\x89\x7e", b"")], Error::ControlLength { opcode: ping }, PROTOCOL);
    table.check(Head, &[(b"\x89\x7f", b"")], Error::ControlLength { opcode: ping }, PROTOCOL);
    let long = |len| Error::LengthNotMinimal { len };
    table.check(Head, &[(b"\x82\x7e\x00\x7d", b"")], long(125), PROTOCOL);
    table.check(Head, &[(b"\x82\x7f\0\0\0\0\0\0\xff\xff", b"")], long(65535), PROTOCOL);
    table.check(Head, &[(b"\x82\x7f\x80", b"")], Error::LengthHighBit, PROTOCOL);
    table.check(Head, &[(b"\x80", b"")], Error::ContinuationOrphan, PROTOCOL);
    let within = Error::MessageInterleaved { opcode: text };
    table.check(Head, &[(b"\x02\x01", b"a"), (b"\x81", b"")], within, PROTOCOL);
    table.check(Head, &[(b"\x88\x01", b"")], Error::CloseLength, PROTOCOL);
}

fn payloads(table: &mut Table) {
    use In::Payload;
    let invalid = CloseCode::INVALID_DATA;
    let code = Error::CloseCode { code: 1005 };
    table.check(Payload, &[(b"\x88\x04", b"\x03\xed")], code, CloseCode::PROTOCOL);
    let bad = |at| Error::Utf8 { at };
    table.check(Payload, &[(b"\x88\x06", b"\x03\xe8ok\xff")], bad(2), invalid);
    table.check(Payload, &[(b"\x81\x09", b"ok \xed\xa0")], bad(4), invalid);
    table.check(Payload, &[(b"\x01\x01", b"\xe0"), (b"\x00\x05", b"\x9f")], bad(1), invalid);
    let unfinished = |len| Error::Utf8Unfinished { len };
    table.check(Payload, &[(b"\x81\x02", b"a\xc3")], unfinished(2), invalid);
    table.check(Payload, &[(b"\x88\x04", b"\x03\xe8a\xc3")], unfinished(2), invalid);
}

fn limits(table: &mut Table) {
    use In::Head;
    let too_big = CloseCode::TOO_BIG;
    table.with(None, Limits { frame: 300, message: 400, fragments: 2, ..Limits::default() });
    let frame = |len| Error::FrameLimit { len, limit: 300 };
    table.check(Head, &[(b"\x82\x7e\x01\x2d", b"")], frame(301), too_big);
    table.with(None, Limits { frame: 1 << 32, message: 1 << 32, ..Limits::default() });
    let len = (1 << 32) + 1;
    let frame = Error::FrameLimit { len, limit: 1 << 32 };
    table.check(Head, &[(b"\x82\x7f\0\0\0\x01\0\0\0\x01", b"")], frame, too_big);
    table.with(None, Limits { frame: 20, message: 20, fragments: 2, ..Limits::default() });
    let message = Error::MessageLimit { limit: 20 };
    let half = (&b"\x02\x0a"[..], &[7; 10][..]);
    table.check(Head, &[half, (b"\x00\x0b", b"")], message, too_big);
    let third = [half, (b"\x00\x00", b""), (b"\x80", b"")];
    table.check(Head, &third, Error::FragmentLimit { limit: 2 }, too_big);
}

fn compressed(table: &mut Table) {
    use In::{Head, Payload};
    let (invalid, too_big) = (CloseCode::INVALID_DATA, CloseCode::TOO_BIG);
    table.with(Some(Deflate::default()), Limits::default());
    let rsv = Error::Rsv { bits: 4, opcode: Opcode::Ping };
    table.check(Head, &[(b"\xc9", b"")], rsv, CloseCode::PROTOCOL);
    // Block type 3; a reference to nothing.
    table.check(Payload, &[(b"\xc1\x05", b"\x06")], Error::Inflate, invalid);
    table.check(Payload, &[(b"\xc1\x05", b"\xf2\x00\x11")], Error::Inflate, invalid);
    // A stored block of a byte that is not text; a final one that ends inside a character.
    let bad = b"\x00\x03\x00\xfc\xff\x61\xff";
    table.check(Payload, &[(b"\xc1\x09", bad)], Error::Utf8 { at: 1 }, invalid);
    let cut_off = b"\x01\x02\x00\xfd\xff\x61\xc3";
    let unfinished = Error::Utf8Unfinished { len: 2 };
    table.check(Payload, &[(b"\xc1\x07", cut_off)], unfinished, invalid);
    let finals = b"\x03\x00".repeat(1025);
    let finals = [(&b"\x41\x7e\x08\x02"[..], &finals[..]), (b"\x80\x01", b"\x03")];
    table.check(Payload, &finals, Error::InflateFinals { limit: 1024 }, too_big);

    let fresh = Deflate {
        client_no_context_takeover: true,
        server_no_context_takeover: true,
        ..Deflate::default()
    };
    table.with(Some(fresh), Limits::default());
    table.check(Payload, &[(b"\xc1\x01", b"\x02")], Error::InflateUnfinished, invalid);

    let three = b"\x00\x05\x00\xfa\xff123";
    table.with(table.deflate, Limits { inflate: 2, ..Limits::default() });
    table.check(Payload, &[(b"\xc1\x0b", three)], Error::InflateLimit { limit: 2 }, too_big);
    let five = b"\xc2\x07";
    let hello = &b"\xf2\x48\xcd\xc9\xc9\x07"[..5];
    table.with(table.deflate, Limits { inflate: 3, ..Limits::default() });
    table.check(Payload, &[(five, hello)], Error::InflateLimit { limit: 3 }, too_big);
}
