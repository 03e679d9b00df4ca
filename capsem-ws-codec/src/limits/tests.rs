//! Each limit at its number and one below: both roles, plain and compressed, cut in every way.

use super::*;
use crate::{
    Compression, Decoder, Deflate, Error, FrameHead, Opcode, Reader, Role, encode_frame,
    fuzzing::{Cut, Seen, Transcript, naive, read_cut, read_frames, read_frames_in_place},
};

const FRESH: Deflate = Deflate {
    client_no_context_takeover: true,
    server_no_context_takeover: true,
    client_max_window_bits: 15,
    server_max_window_bits: 15,
};

/// One message in three frames.
#[derive(Clone, Copy)]
struct Sent<'a> {
    plain: &'a [u8],
    /// The frames' payloads.
    frames: [&'a [u8]; 3],
    compressed: bool,
}

impl Sent<'_> {
    fn wire(&self, role: Role) -> Vec<u8> {
        let mask = (role == Role::Client).then_some([0x37, 0xFA, 0x21, 0x3D]);
        let mut wire = Vec::new();
        for (at, payload) in self.frames.iter().enumerate() {
            let opcode = if at == 0 { Opcode::Binary } else { Opcode::Continuation };
            let (fin, rsv1) = (at == 2, at == 0 && self.compressed);
            encode_frame(FrameHead { fin, rsv1, opcode, mask, len: 0 }, payload, &mut wire);
        }
        wire
    }

    fn sent(&self) -> u64 {
        self.frames.iter().map(|frame| frame.len() as u64).sum()
    }

    fn longest(&self) -> u64 {
        self.frames.iter().map(|frame| frame.len() as u64).max().unwrap_or(0)
    }
}

/// Reads in all ways, by all readers, and says how it ended.
#[track_caller]
fn read(sent: &Sent<'_>, role: Role, limits: Limits) -> Transcript {
    let (wire, deflate) = (sent.wire(role), sent.compressed.then_some(FRESH));
    let whole = read_cut(Reader::new(role, deflate, limits), &wire, || usize::MAX);
    let naive = naive::read(role, deflate, limits, &wire).expect("an end it can judge");
    whole.assert_same(&naive, deflate, "the naive reader");
    let naive = naive::read_frames(role, sent.compressed, limits, &wire);
    for cut in Cut::all(wire.len()) {
        let reader = Reader::new(role, deflate, limits);
        whole.assert_same(&read_cut(reader, &wire, cut.sizes()), deflate, cut);
        let compression = if sent.compressed { Compression::PerMessage } else { Compression::Off };
        let decoder = || Decoder::new(role, compression, limits);
        assert_eq!(read_frames(decoder(), &wire, cut.sizes()), naive, "{cut:?}");
        assert_eq!(read_frames_in_place(decoder(), &wire, cut.sizes()), naive, "{cut:?} in place");
    }
    whole
}

/// With `limits` the message is read; `over`, the same with one limit one lower, fails with `error`.
#[track_caller]
fn check(sent: &Sent<'_>, limits: Limits, over: Limits, error: Error) {
    for role in [Role::Client, Role::Server] {
        let within = read(sent, role, limits);
        assert_eq!((within.error, within.counters.messages), (None, 1), "{role:?}");
        assert_eq!(within.counters.message_bytes, sent.plain.len() as u64, "{role:?}");
        let beyond = read(sent, role, over);
        assert_eq!((beyond.error, beyond.counters.messages), (Some(error), 0), "{role:?}");
    }
}

/// What is kept of the message with this capture, and whether it says that it is cut.
#[track_caller]
fn check_capture(sent: &Sent<'_>, capture: usize) {
    for role in [Role::Client, Role::Server] {
        let read = read(sent, role, Limits { capture, ..Limits::default() });
        let Some(Seen::Message { payload, len, truncated, .. }) = read.items.first() else {
            panic!("a message: {read:?}");
        };
        let kept = capture.min(sent.plain.len());
        assert_eq!(payload, &sent.plain[..kept], "{role:?}");
        assert_eq!((*len, *truncated), (sent.plain.len() as u64, kept < sent.plain.len()));
    }
}

/// The limits that both kinds of message have.
#[track_caller]
fn check_common(sent: &Sent<'_>) {
    let limits = Limits::default();
    let (longest, total) = (sent.longest(), sent.sent().max(sent.plain.len() as u64));
    check(
        sent,
        Limits { frame: longest, ..limits },
        Limits { frame: longest - 1, ..limits },
        Error::FrameLimit { len: longest, limit: longest - 1 },
    );
    check(
        sent,
        Limits { message: total, ..limits },
        Limits { message: total - 1, ..limits },
        Error::MessageLimit { limit: total - 1 },
    );
    check(
        sent,
        Limits { fragments: 3, ..limits },
        Limits { fragments: 2, ..limits },
        Error::FragmentLimit { limit: 2 },
    );
    let len = sent.plain.len();
    for capture in [0, 1, len - 1, len, len + 1] {
        check_capture(sent, capture);
    }
}

#[test]
fn plain() {
    let sent = Sent {
        plain: b"0123456789abcdef",
        frames: [b"012345", b"6789abc", b"def"],
        compressed: false,
    };
    check_common(&sent);
    // What is not compressed does not inflate.
    for role in [Role::Client, Role::Server] {
        assert_eq!(read(&sent, role, Limits { inflate: 0, ..Limits::default() }).error, None);
    }
}

/// A stored block is longer than what it holds: the declared lengths meet the limit.
#[test]
fn stored() {
    let frames: [&[u8]; 3] = [b"\x00\x08\x00\xf7\xff01", b"23456", b"7\x00"];
    let sent = Sent { plain: b"01234567", frames, compressed: true };
    check_common(&sent);
    check_inflate(&sent);
}

/// A match is shorter than what it stands for: what it inflates to meets the limit.
#[test]
fn squeezed() {
    // "a", then more of it from one back.
    let frames: [&[u8]; 3] = [b"\x4a", b"\x44\x05", b"\x00\x00"];
    let plain =
        read(&Sent { plain: b"", frames, compressed: true }, Role::Server, Limits::default());
    let Some(Seen::Message { payload, .. }) = plain.items.first() else { panic!("{plain:?}") };
    let sent = Sent { plain: payload, frames, compressed: true };
    assert!(payload.iter().all(|byte| *byte == b'a'));
    assert!(sent.plain.len() as u64 > sent.sent());
    check_common(&sent);
    check_inflate(&sent);
}

#[track_caller]
fn check_inflate(sent: &Sent<'_>) {
    let len = sent.plain.len() as u64;
    let limits = Limits::default();
    check(
        sent,
        Limits { inflate: len, ..limits },
        Limits { inflate: len - 1, ..limits },
        Error::InflateLimit { limit: len - 1 },
    );
    // Where both limits are met at once, the one on inflating is named.
    let both = Limits { inflate: len, message: len.max(sent.sent()), ..limits };
    check(sent, both, Limits { inflate: len - 1, ..both }, Error::InflateLimit { limit: len - 1 });
}
