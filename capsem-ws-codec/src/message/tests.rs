//! Messages: tables cut at every byte, limits exact, memory bounded.

use super::*;
use crate::{
    CloseCode, encode_frame,
    fuzzing::{Cut, Seen, Transcript, naive, read_cut},
};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const TAKEOVER: Deflate = Deflate {
    client_no_context_takeover: false,
    server_no_context_takeover: false,
    client_max_window_bits: 15,
    server_max_window_bits: 15,
};

/// Frames `(fin, rsv1, opcode, payload)` as both roles send them.
fn wires(frames: &[(bool, bool, Opcode, &[u8])]) -> [(Role, Vec<u8>); 2] {
    [(Role::Client, Some(KEY)), (Role::Server, None)].map(|(role, mask)| {
        let mut wire = Vec::new();
        for &(fin, rsv1, opcode, payload) in frames {
            encode_frame(FrameHead { fin, rsv1, opcode, mask, len: 0 }, payload, &mut wire);
        }
        (role, wire)
    })
}

/// Reads `wire` whole, byte by byte, in two pieces cut anywhere and in random ones; all must be the
/// same, and what the naive reader says.
#[track_caller]
fn read_all_ways(role: Role, deflate: Option<Deflate>, limits: Limits, wire: &[u8]) -> Transcript {
    let read = |cut: Cut| read_cut(Reader::new(role, deflate, limits), wire, cut.sizes());
    let whole = read(Cut::Every(usize::MAX));
    if let Some(naive) = naive::read(role, deflate, limits, wire) {
        whole.assert_same(&naive, deflate, "the naive reader");
    } else {
        assert!(deflate.is_some(), "the naive reader reads all that is not compressed");
    }
    for cut in Cut::all(wire.len()) {
        whole.assert_same(&read(cut), deflate, cut);
    }
    whole
}

/// The items' payloads, or the error.
#[track_caller]
fn check(
    frames: &[(bool, bool, Opcode, &[u8])],
    limits: Limits,
    expected: Result<&[&[u8]], Error>,
) {
    for (role, wire) in wires(frames) {
        let transcript = read_all_ways(role, None, limits, &wire);
        match expected {
            Err(error) => assert_eq!(transcript.error, Some(error), "{role:?}"),
            Ok(payloads) => {
                assert_eq!(transcript.error, None, "{role:?}");
                assert_eq!(transcript.items.iter().map(payload).collect::<Vec<_>>(), payloads);
            }
        }
    }
}

fn payload(seen: &Seen) -> &[u8] {
    match seen {
        Seen::Message { payload, .. } | Seen::Ping(payload) | Seen::Pong(payload) => payload,
        Seen::Close { reason, .. } => reason.as_bytes(),
    }
}

use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};

#[test]
fn joined_in_order() {
    let limits = Limits::default();
    check(&[(true, false, Text, b"Hello")], limits, Ok(&[b"Hello"]));
    check(&[(true, false, Binary, b"")], limits, Ok(&[b""]));
    check(
        &[
            (false, false, Text, b"Hel"),
            (true, false, Ping, b"?"),
            (false, false, Continuation, b""),
            (true, false, Pong, b"!"),
            (true, false, Continuation, b"lo"),
            (true, false, Binary, b"\xff"),
            (true, false, Close, b"\x03\xe8bye"),
        ],
        limits,
        Ok(&[b"?", b"!", b"Hello", b"\xff", b"bye"]),
    );
}

#[test]
fn what_a_message_tells() {
    let frames = [(false, false, Text, &b"Hel"[..]), (true, false, Continuation, b"lo")];
    let [(client, masked), (server, plain)] = wires(&frames);
    for (role, wire, wire_len) in [(client, masked, 17), (server, plain, 9)] {
        let transcript = read_all_ways(role, None, Limits::default(), &wire);
        let message = Seen::Message {
            opcode: Text,
            payload: b"Hello".to_vec(),
            len: 5,
            wire_len,
            fragments: 2,
            compressed: false,
            truncated: false,
        };
        assert_eq!(transcript.items, [message]);
        let counters = Counters { frames: 2, messages: 1, message_bytes: 5, wire_bytes: wire_len };
        assert_eq!(transcript.counters, counters);
    }
}

#[test]
fn text_is_utf8() {
    let limits = Limits::default();
    let kosme = "κόσμε".as_bytes();
    check(&[(true, false, Text, kosme)], limits, Ok(&[kosme]));
    for cut in 0..=kosme.len() {
        let (a, b) = kosme.split_at(cut);
        let frames = [(false, false, Text, a), (true, false, Continuation, b)];
        check(&frames, limits, Ok(&[kosme]));
    }
    let bad = |at| Err(Error::Utf8 { at });
    check(&[(true, false, Text, b"ok \xed\xa0\x80")], limits, bad(4));
    check(
        &[(false, false, Text, b"ok \xed"), (false, false, Continuation, b"\xa0")],
        limits,
        bad(4),
    );
    check(&[(false, false, Text, b"ok"), (true, false, Continuation, b"\xff...")], limits, bad(2));
    let unfinished = |len| Err(Error::Utf8Unfinished { len });
    check(&[(true, false, Text, b"ok \xc3")], limits, unfinished(4));
    check(
        &[(false, false, Text, b"\xf0\x9f"), (true, false, Continuation, b"")],
        limits,
        unfinished(2),
    );
    check(&[(true, false, Binary, b"\xff\xfe")], limits, Ok(&[b"\xff\xfe"]));
}

#[test]
fn an_error_leaves_the_last_border_to_be_found() {
    let wire = b"\x81\x01a\x81\x04ab\xffc";
    let transcript = read_all_ways(Role::Server, None, Limits::default(), wire);
    assert_eq!(transcript.error, Some(Error::Utf8 { at: 2 }));
    assert_eq!((transcript.consumed, transcript.frame_consumed), (7, 4));

    let wire = b"\x81\x01a\x81\x02a\xc3";
    let transcript = read_all_ways(Role::Server, None, Limits::default(), wire);
    assert_eq!(transcript.error, Some(Error::Utf8Unfinished { len: 2 }));
    assert_eq!((transcript.consumed, transcript.frame_consumed), (7, 4));
}

#[test]
fn close_ends_the_reading() {
    let mut reader = Reader::new(Role::Server, None, Limits::default());
    let mut input = &b"\x88\x02\x03\xe8\x81\x01x"[..];
    let close = CloseFrame { code: Some(CloseCode::NORMAL), reason: "" };
    assert_eq!(reader.read(&mut input), Ok(Some(Item::Close(close))));
    for _ in 0..2 {
        assert_eq!(reader.read(&mut input), Ok(None));
        assert!(reader.closed());
        assert_eq!(input, b"\x81\x01x");
    }
    assert_eq!(reader.counters().wire_bytes, 4);
}

#[test]
fn limits_are_exact() {
    let frame = Limits { frame: 5, ..Limits::default() };
    check(&[(true, false, Text, b"12345")], frame, Ok(&[b"12345"]));
    let over = Error::FrameLimit { len: 6, limit: 5 };
    check(&[(true, false, Text, b"123456")], frame, Err(over));

    let message = Limits { message: 5, ..Limits::default() };
    let halves = |last| [(false, false, Binary, &b"123"[..]), (true, false, Continuation, last)];
    check(&halves(b"45"), message, Ok(&[b"12345"]));
    check(&halves(b"456"), message, Err(Error::MessageLimit { limit: 5 }));

    let fragments = Limits { fragments: 2, ..Limits::default() };
    check(&halves(b""), fragments, Ok(&[b"123"]));
    let third = [
        (false, false, Binary, &b"1"[..]),
        (false, false, Continuation, b""),
        (true, false, Continuation, b""),
    ];
    check(&third, fragments, Err(Error::FragmentLimit { limit: 2 }));
    check(&[(true, false, Binary, b"1")], Limits { fragments: 0, ..fragments }, {
        Err(Error::FragmentLimit { limit: 0 })
    });
}

#[test]
fn capture_is_exact_and_the_rest_is_checked() {
    let capture = |capture| Limits { capture, ..Limits::default() };
    let long = "é".repeat(6000);
    let text = long.as_bytes();
    for room in [0, 1, 5, 4096, text.len() - 1, text.len(), text.len() + 1] {
        for (role, wire) in wires(&[(true, false, Text, text)]) {
            let mut reader = Reader::new(role, None, capture(room));
            let mut input = &wire[..];
            let Ok(Some(Item::Message(message))) = reader.read(&mut input) else {
                panic!("{role:?}")
            };
            let kept = room.min(text.len());
            assert_eq!(message.payload, &text[..kept]);
            assert_eq!((message.len, message.truncated), (12000, kept < text.len()));
        }
    }
    check(&[(true, false, Text, b"abcd\xff")], capture(2), Err(Error::Utf8 { at: 4 }));
    check(&[(true, false, Text, b"abcd\xc3")], capture(2), Err(Error::Utf8Unfinished { len: 5 }));
    check(&[(true, false, Binary, b"abcd\xff")], capture(2), Ok(&[b"ab"]));
}

#[test]
fn memory_is_given_back() {
    let mut reader = Reader::new(Role::Client, None, Limits::default());
    let long = vec![0; if cfg!(miri) { 1 << 17 } else { 1 << 20 }];
    let frames: &[(bool, bool, Opcode, &[u8])] = &[
        (true, false, Binary, &long),
        (true, false, Binary, &long),
        (true, false, Text, b"x"),
        (true, false, Text, b"x"),
    ];
    let [(_, wire), _] = wires(frames);
    let mut input = &wire[..];
    for kept in [true, true, true, false] {
        assert!(matches!(reader.read(&mut input), Ok(Some(Item::Message(_)))));
        assert_eq!(reader.assembly.payload.capacity() > crate::assembly::KEPT, kept);
    }
}

#[test]
fn what_lies_whole_in_the_input_is_lent() {
    let lent = |wire: &[u8], size| {
        let mut reader = Reader::new(Role::Server, Some(Deflate::default()), Limits::default());
        let mut lent = Vec::new();
        for mut input in wire.chunks(size) {
            let place = input.as_ptr_range();
            while let Ok(Some(item)) = reader.read(&mut input) {
                if let Item::Message(message) = item {
                    lent.push(place.contains(&message.payload.as_ptr()));
                }
            }
        }
        lent
    };
    let wire = b"\x81\x03abc\x01\x01a\x80\x01b\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x82\x03abc";
    assert_eq!(lent(wire, wire.len()), [true, false, false, true]);
    assert_eq!(lent(wire, 3), [false, false, false, false]);
}

#[test]
fn what_was_put_together_can_be_looked_at_again() {
    let frames =
        [(false, false, Opcode::Text, &b"Hel"[..]), (true, false, Opcode::Continuation, b"lo")];
    for (role, mut wire) in wires(&frames) {
        let message = wire.len();
        encode_frame(
            FrameHead {
                fin: true,
                rsv1: false,
                opcode: Opcode::Ping,
                mask: (role == Role::Client).then_some(KEY),
                len: 0,
            },
            b"",
            &mut wire,
        );
        let mut reader = Reader::new(role, None, Limits::default());
        let (mut first, mut second) = wire.split_at(message);
        let Some(Item::Message(read)) = reader.read(&mut first).unwrap() else {
            panic!("{role:?}")
        };
        let (payload, len) = (read.payload.to_vec(), read.len);
        let again = reader.last().expect("it lies in the reader");
        assert_eq!((again.payload, again.len, again.fragments), (&*payload, len, 2), "{role:?}");
        assert_eq!(reader.read(&mut second).unwrap(), Some(Item::Ping(b"")));
        assert_eq!(reader.last(), None, "{role:?}");
    }
    let mut reader = Reader::new(Role::Server, None, Limits::default());
    assert!(reader.read(&mut &b"\x81\x02hi"[..]).unwrap().is_some());
    assert_eq!(reader.last(), None, "it was lent");
    assert!(reader.read(&mut &b"\xff"[..]).is_err());
    assert_eq!(reader.last(), None);
}

#[test]
fn a_declared_length_allocates_nothing() {
    let mut reader = Reader::new(Role::Server, None, Limits::default());
    let mut input = &b"\x82\x7f\0\0\0\0\x03\0\0\0abc"[..];
    assert_eq!(reader.read(&mut input), Ok(None));
    assert!(reader.assembly.payload.capacity() < 64);
}

/// "Hello" twice from RFC 7692 section 7.2.3.2, the second by reference to the first.
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
const AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

#[track_caller]
fn check_deflate(
    deflate: Deflate,
    frames: &[(bool, bool, Opcode, &[u8])],
    limits: Limits,
    expected: Result<&[&[u8]], Error>,
) {
    for (role, wire) in wires(frames) {
        let whole = read_all_ways(role, Some(deflate), limits, &wire);
        match expected {
            Err(error) => assert_eq!(whole.error, Some(error), "{role:?}"),
            Ok(payloads) => {
                assert_eq!(whole.error, None, "{role:?}");
                assert_eq!(whole.items.iter().map(payload).collect::<Vec<_>>(), payloads);
            }
        }
    }
}

#[test]
fn compressed_messages() {
    let limits = Limits::default();
    let fresh =
        Deflate { client_no_context_takeover: true, server_no_context_takeover: true, ..TAKEOVER };
    let both =
        [(true, true, Text, HELLO), (true, false, Text, b"plain"), (true, true, Text, AGAIN)];
    check_deflate(TAKEOVER, &both, limits, Ok(&[b"Hello", b"plain", b"Hello"]));
    check_deflate(fresh, &both, limits, Err(Error::Inflate));
    check_deflate(fresh, &[both[0], both[0]], limits, Ok(&[b"Hello", b"Hello"]));
    check_deflate(TAKEOVER, &[(true, true, Text, b"\x00")], limits, Ok(&[b""]));
    check_deflate(TAKEOVER, &[(true, true, Text, b"")], limits, Err(Error::InflateUnfinished));
    let cut = [
        (false, true, Text, &HELLO[..3]),
        (true, false, Ping, b"?"),
        (true, false, Continuation, &HELLO[3..]),
    ];
    check_deflate(TAKEOVER, &cut, limits, Ok(&[b"?", b"Hello"]));
    check_deflate(fresh, &[(true, true, Text, &HELLO[..4])], limits, Err(Error::InflateUnfinished));
    check_deflate(TAKEOVER, &[(true, true, Text, b"\x07")], limits, Err(Error::Inflate));
    // A stored block holds bytes that are not text.
    let bad = b"\x00\x03\x00\xfc\xff\x61\xff\x62\x00";
    check_deflate(TAKEOVER, &[(true, true, Text, bad)], limits, Err(Error::Utf8 { at: 1 }));
    check_deflate(TAKEOVER, &[(true, true, Binary, bad)], limits, Ok(&[b"a\xffb"]));
}

#[test]
fn inflated_limits_are_exact() {
    let hello = [(true, true, Text, HELLO)];
    let limits = |inflate, message| Limits { message, inflate, ..Limits::default() };
    check_deflate(TAKEOVER, &hello, limits(5, 100), Ok(&[b"Hello"]));
    check_deflate(TAKEOVER, &hello, limits(4, 100), Err(Error::InflateLimit { limit: 4 }));
    check_deflate(TAKEOVER, &hello, limits(100, 7), Ok(&[b"Hello"]));
    let ten = b"\x00\x0a\x00\xf5\xff0123456789\x00";
    let fits = limits(100, ten.len() as u64);
    check_deflate(TAKEOVER, &[(true, true, Text, ten)], fits, Ok(&[b"0123456789"]));
    // 26 bytes of "a" in 5 bytes of wire.
    let run = b"\x4a\x44\x05\x00\x00";
    let read = read_cut(
        Reader::new(Role::Server, Some(TAKEOVER), limits(100, 100)),
        &wires(&[(true, true, Text, run)])[1].1,
        || usize::MAX,
    );
    let len = payload(&read.items[0]).len() as u64;
    check_deflate(TAKEOVER, &[(true, true, Text, run)], limits(100, len - 1), {
        Err(Error::MessageLimit { limit: len - 1 })
    });
    check_deflate(TAKEOVER, &[(true, true, Text, run)], limits(len - 1, len - 1), {
        Err(Error::InflateLimit { limit: len - 1 })
    });
}

#[test]
fn each_direction_has_its_own_parameters() {
    let twice = [(true, true, Text, HELLO), (true, true, Text, AGAIN)];
    let only_client = Deflate { client_no_context_takeover: true, ..TAKEOVER };
    for (role, wire) in wires(&twice) {
        let read = read_cut(Reader::new(role, Some(only_client), Limits::default()), &wire, || 1);
        let expected = (role == Role::Client).then_some(Error::Inflate);
        assert_eq!(read.error, expected, "{role:?}");
    }
}
