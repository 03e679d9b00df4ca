//! Compressed messages over the whole matrix of what the extension allows, each held against a
//! one-shot raw inflate by another library (RFC 7692 section 7.2).

use capsem_ws_codec::{
    Deflate, FrameHead, Limits, Opcode, Reader, Role, encode_frame,
    fuzzing::{Seen, read_cut},
};
use flate2::{Compress, Compression, FlushCompress};
use miniz_oxide::inflate::decompress_to_vec;

/// What a sender takes off the end of a message.
const TAIL: &[u8] = &[0x00, 0x00, 0xFF, 0xFF];
/// An empty final block.
const FINAL: &[u8] = &[0x01, 0x00, 0x00, 0xFF, 0xFF];

#[derive(Clone, Copy, Debug)]
struct Case {
    takeover: bool,
    bits: u8,
    /// 0 stores the bytes as they are.
    level: u32,
    /// Each how many messages one ends in a final block; 0 for none.
    finals: usize,
    /// An uncompressed message follows each compressed one.
    plain_between: bool,
    fragments: usize,
}

#[test]
fn whole_matrix() {
    for takeover in [true, false] {
        for bits in 8..=15 {
            for level in [0, 1, 6, 9] {
                for finals in [0, 1, 2] {
                    for (plain_between, fragments) in [(false, 1), (true, 1), (false, 3), (true, 3)]
                    {
                        check(Case { takeover, bits, level, finals, plain_between, fragments });
                    }
                }
            }
        }
    }
}

#[track_caller]
fn check(case: Case) {
    // Empty messages in a row and at the end, and one that is longer than the window.
    let lengths = [700, 0, 0, (1 << case.bits) + 300, 1, 50, 700, 0];
    let messages: Vec<Vec<u8>> =
        lengths.into_iter().enumerate().map(|(at, len)| text(len, at % 3)).collect();
    let mut sender = Sender::new(case);
    let payloads: Vec<Vec<u8>> = messages.iter().map(|plain| sender.deflate(plain)).collect();
    let streams = sender.streams();
    let inflated: Vec<u8> =
        streams.iter().flat_map(|stream| decompress_to_vec(stream).expect("whole")).collect();
    assert!(inflated == messages.concat(), "the one-shot inflate of {case:?}");

    for role in [Role::Client, Role::Server] {
        let wire = wire(role, case, &messages, &payloads);
        let agreed = Deflate {
            client_no_context_takeover: !case.takeover,
            server_no_context_takeover: !case.takeover,
            client_max_window_bits: case.bits,
            server_max_window_bits: case.bits,
        };
        let reader = Reader::new(role, Some(agreed), Limits::default());
        let read = read_cut(reader, &wire, || 1000);
        assert_eq!(read.error, None, "{role:?} {case:?}");
        let (squeezed, plain): (Vec<_>, Vec<_>) =
            read.items.iter().map(payload).partition(|(compressed, _)| *compressed);
        let joined: Vec<u8> = squeezed.iter().flat_map(|(_, payload)| *payload).copied().collect();
        assert!(joined == inflated, "{role:?} {case:?}");
        let same = |read: &[(bool, &[u8])]| {
            read.iter().map(|(_, payload)| *payload).eq(messages.iter().map(Vec::as_slice))
        };
        assert!(same(&squeezed), "{role:?} {case:?}");
        assert!(if case.plain_between { same(&plain) } else { plain.is_empty() });
    }
}

/// Whether an item came compressed, and what it says.
fn payload(seen: &Seen) -> (bool, &[u8]) {
    match seen {
        Seen::Message { payload, compressed, truncated: false, .. } => (*compressed, payload),
        other => panic!("a whole message: {other:?}"),
    }
}

/// Text that matches itself near and far.
fn text(len: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 * 2 + 1;
    let mut words = Vec::new();
    while words.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        words.extend_from_slice(format!("{{\"delta\":{}}},", state >> 52).as_bytes());
    }
    words.truncate(len);
    words
}

/// One who deflates messages, and keeps what was sent as raw streams.
struct Sender {
    case: Case,
    library: Compress,
    sent: usize,
    /// Each stream so far, the last one still open.
    streams: Vec<Vec<u8>>,
}

impl Sender {
    fn new(case: Case) -> Self {
        let bits = case.bits.max(9);
        let library = Compress::new_with_window_bits(Compression::new(case.level), false, bits);
        Self { case, library, sent: 0, streams: vec![Vec::new()] }
    }

    /// The payload of the next message.
    fn deflate(&mut self, plain: &[u8]) -> Vec<u8> {
        let Case { takeover, finals, .. } = self.case;
        let ends = finals > 0 && self.sent.is_multiple_of(finals);
        let bare = ends && self.sent.is_multiple_of(2);
        self.sent += 1;
        let mut wire =
            self.blocks(plain, if ends { FlushCompress::Finish } else { FlushCompress::Sync });
        let Some(stream) = self.streams.last_mut() else { return wire };
        stream.extend_from_slice(&wire);
        if ends {
            // The empty block that follows may be left out.
            wire.extend_from_slice(if bare { &[] } else { &[0] });
        } else if wire.is_empty() {
            // Nothing to flush: an empty block, all of whose bytes but the first are the tail.
            wire.push(0);
            stream.extend_from_slice(&[&[0], TAIL].concat());
        } else {
            assert!(wire.ends_with(TAIL), "a sync flush ends so");
            wire.truncate(wire.len() - TAIL.len());
        }
        if !takeover && !ends {
            stream.extend_from_slice(FINAL);
        }
        if ends || !takeover {
            self.library.reset();
            self.streams.push(Vec::new());
        }
        wire
    }

    fn blocks(&mut self, plain: &[u8], end: FlushCompress) -> Vec<u8> {
        let mut wire = Vec::with_capacity(2 * plain.len() + 1024);
        let mut rest = plain;
        // The library has no window of 256 bytes: what it may refer to is dropped in time.
        while self.case.bits == 8 && rest.len() > 200 {
            let (piece, left) = rest.split_at(200);
            self.put(piece, &mut wire, FlushCompress::Full);
            rest = left;
        }
        if self.case.bits == 8 && end == FlushCompress::Sync {
            self.put(rest, &mut wire, FlushCompress::Full);
        } else {
            self.put(rest, &mut wire, end);
        }
        wire
    }

    fn put(&mut self, plain: &[u8], wire: &mut Vec<u8>, flush: FlushCompress) {
        let before = self.library.total_in();
        self.library.compress_vec(plain, wire, flush).expect("a deflater takes any bytes");
        assert_eq!(self.library.total_in() - before, plain.len() as u64, "there is room");
    }

    /// The raw streams, each ended.
    fn streams(mut self) -> Vec<Vec<u8>> {
        match self.streams.pop() {
            Some(open) if !open.is_empty() => self.streams.push([&open, FINAL].concat()),
            Some(_) | None => {}
        }
        self.streams
    }
}

/// The frames of all messages.
fn wire(role: Role, case: Case, messages: &[Vec<u8>], payloads: &[Vec<u8>]) -> Vec<u8> {
    let mask = (role == Role::Client).then_some([0x37, 0xFA, 0x21, 0x3D]);
    let mut wire = Vec::new();
    let mut put = |payload: &[u8], rsv1: bool| {
        let size = payload.len().div_ceil(case.fragments).max(1);
        let mut pieces: Vec<&[u8]> = payload.chunks(size).collect();
        pieces.resize(case.fragments, &[]);
        for (at, piece) in pieces.iter().enumerate() {
            let opcode = if at == 0 { Opcode::Text } else { Opcode::Continuation };
            let (fin, rsv1) = (at + 1 == case.fragments, rsv1 && at == 0);
            encode_frame(FrameHead { fin, rsv1, opcode, mask, len: 0 }, piece, &mut wire);
        }
    };
    for (plain, payload) in messages.iter().zip(payloads) {
        put(payload, true);
        if case.plain_between {
            put(plain, false);
        }
    }
    wire
}
