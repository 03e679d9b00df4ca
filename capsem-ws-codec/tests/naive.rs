//! Random sequences of frames, well formed and spoilt, read in random pieces: the same as the naive
//! reader says, byte for byte.

use capsem_ws_codec::{
    Compression::{Off, PerMessage},
    Decoder, Deflate, FrameHead, Limits, Opcode, Reader, Role, encode_frame,
    fuzzing::{naive, read_cut, read_frames, read_frames_in_place},
};
use flate2::{Compress, FlushCompress};
use proptest::{
    collection::vec, option, prelude::*, sample::select, test_runner::FileFailurePersistence,
};

/// A message and what stands between its frames.
#[derive(Clone, Debug)]
struct Sent {
    payload: Vec<u8>,
    text: bool,
    compressed: bool,
    fragments: usize,
    ping: Option<Vec<u8>>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let payload = prop_oneof![
        "\\PC{0,40}".prop_map(String::into_bytes),
        "[a-c]{0,300}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..40),
    ];
    let ping = option::of(vec(any::<u8>(), 0..=125));
    (payload, any::<bool>(), any::<bool>(), 1..4usize, ping).prop_map(
        |(payload, text, compressed, fragments, ping)| Sent {
            payload,
            text,
            compressed,
            fragments,
            ping,
        },
    )
}

/// The frames of `messages` as `role` sends them.
fn wire(role: Role, deflate: Option<Deflate>, messages: &[Sent]) -> Vec<u8> {
    let mask = (role == Role::Client).then_some([0x37, 0xFA, 0x21, 0x3D]);
    let mut deflater = Compress::new(flate2::Compression::new(6), false);
    let mut wire = Vec::new();
    for sent in messages {
        let compressed = sent.compressed && deflate.is_some();
        let payload =
            if compressed { squeeze(&mut deflater, &sent.payload) } else { sent.payload.clone() };
        if deflate.is_some_and(|agreed| agreed.client_no_context_takeover) {
            deflater.reset();
        }
        let size = payload.len().div_ceil(sent.fragments).max(1);
        let mut pieces: Vec<&[u8]> = payload.chunks(size).collect();
        pieces.resize(sent.fragments, &[]);
        for (at, piece) in pieces.iter().enumerate() {
            let opcode = match (at, sent.text) {
                (0, true) => Opcode::Text,
                (0, false) => Opcode::Binary,
                _ => Opcode::Continuation,
            };
            let (fin, rsv1) = (at + 1 == sent.fragments, compressed && at == 0);
            encode_frame(FrameHead { fin, rsv1, opcode, mask, len: 0 }, piece, &mut wire);
            if let (0, Some(ping)) = (at, &sent.ping) {
                let opcode = Opcode::Ping;
                let head = FrameHead { fin: true, rsv1: false, opcode, mask, len: 0 };
                encode_frame(head, ping, &mut wire);
            }
        }
    }
    wire
}

fn squeeze(deflater: &mut Compress, plain: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(plain.len() * 2 + 64);
    deflater.compress_vec(plain, &mut wire, FlushCompress::Sync).expect("deflates");
    wire.truncate(wire.len().saturating_sub(4));
    if wire.is_empty() {
        wire.push(0);
    }
    wire
}

fn deflate() -> impl Strategy<Value = Option<Deflate>> {
    option::of(any::<bool>().prop_map(|fresh| Deflate {
        client_no_context_takeover: fresh,
        server_no_context_takeover: fresh,
        ..Deflate::default()
    }))
}

fn limits() -> impl Strategy<Value = Limits> {
    let length = || prop_oneof![3 => Just(1 << 20), 1 => 20..200u64];
    let capture = prop_oneof![Just(1 << 20), 0..50usize];
    (length(), length(), length(), 1..5u32, capture).prop_map(
        |(frame, message, inflate, fragments, capture)| Limits {
            frame,
            message,
            fragments,
            inflate,
            capture,
        },
    )
}

proptest! {
    // A failure prints its seed and keeps it beside this file.
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn reads_what_the_naive_reader_reads(
        role in select(vec![Role::Client, Role::Server]),
        deflate in deflate(),
        limits in limits(),
        messages in vec(sent(), 0..6),
        spoilt in option::of((any::<proptest::sample::Index>(), any::<u8>())),
        pieces in vec(1..90usize, 1..20),
    ) {
        let mut wire = wire(role, deflate, &messages);
        if let (Some((at, bits)), false) = (spoilt, wire.is_empty()) {
            let at = at.index(wire.len());
            wire[at] ^= bits;
        }
        let mut pieces = pieces.into_iter().cycle();
        let reader = Reader::new(role, deflate, limits);
        let read = read_cut(reader, &wire, || pieces.next().unwrap_or(1));
        if let Some(naive) = naive::read(role, deflate, limits, &wire) {
            read.assert_same(&naive, deflate, "the naive reader");
        }
    }

    /// The same of frames, by both ways to decode.
    #[test]
    fn decodes_what_the_naive_reader_decodes(
        role in select(vec![Role::Client, Role::Server]),
        deflate in deflate(),
        limits in limits(),
        messages in vec(sent(), 0..6),
        spoilt in option::of((any::<proptest::sample::Index>(), any::<u8>())),
        pieces in vec(1..90usize, 1..20),
    ) {
        let mut wire = wire(role, deflate, &messages);
        if let (Some((at, bits)), false) = (spoilt, wire.is_empty()) {
            let at = at.index(wire.len());
            wire[at] ^= bits;
        }
        let compression = if deflate.is_some() { PerMessage } else { Off };
        let decoder = || Decoder::new(role, compression, limits);
        let naive = naive::read_frames(role, deflate.is_some(), limits, &wire);
        let piece = || {
            let mut pieces = pieces.iter().cycle();
            move || *pieces.next().unwrap_or(&1)
        };
        prop_assert_eq!(&read_frames(decoder(), &wire, piece()), &naive);
        prop_assert_eq!(&read_frames_in_place(decoder(), &wire, piece()), &naive);
    }

    /// Without spoiling and with wide limits, what was sent is what is read.
    #[test]
    fn reads_what_was_sent(
        role in select(vec![Role::Client, Role::Server]),
        deflate in deflate(),
        messages in vec(sent(), 0..6),
    ) {
        let good = |sent: &Sent| !sent.text || str::from_utf8(&sent.payload).is_ok();
        let messages: Vec<Sent> = messages.into_iter().filter(good).collect();
        let wire = wire(role, deflate, &messages);
        let read = read_cut(Reader::new(role, deflate, Limits::default()), &wire, || 17);
        prop_assert_eq!(read.error, None);
        prop_assert_eq!(read.counters.messages, messages.len() as u64);
        let bytes: usize = messages.iter().map(|sent| sent.payload.len()).sum();
        prop_assert_eq!(read.counters.message_bytes, bytes as u64);
    }
}
