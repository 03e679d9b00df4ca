//! Frame events: what comes out, that it points into the input, and where errors leave it.
//!
//! Each row of a table is read cut at every byte and at random.

use super::*;

use crate::fuzzing::{Cut, Frame, FrameTranscript, naive, read_frames, read_frames_in_place};

/// One line per whole frame.
fn lines(read: &FrameTranscript) -> Vec<String> {
    let line = |frame: &Frame| match frame {
        Frame::Data { ends: false, .. } => None,
        Frame::Data { head, payload, .. } => {
            let FrameHead { opcode, fin, .. } = head;
            let payload = payload.escape_ascii().to_string();
            Some(format!("{opcode:?} {fin} {payload:?} {}", head.wire_len()))
        }
        Frame::Control { opcode, payload } => {
            Some(format!("{opcode:?} {}", payload.escape_ascii()))
        }
    };
    read.frames.iter().filter_map(line).collect()
}

/// Decodes `wire` both ways and cut in every way; the naive reader says the same.
#[track_caller]
fn check(sender: Role, wire: &[u8], expected: &[&str], error: Option<Error>, consumed: usize) {
    let limits = Limits::default();
    let naive = naive::read_frames(sender, false, limits, wire);
    assert_eq!(lines(&naive), expected);
    assert_eq!((naive.error, naive.consumed), (error, consumed));
    for cut in Cut::all(wire.len()) {
        let decoder = || Decoder::new(sender, Compression::Off, limits);
        assert_eq!(read_frames(decoder(), wire, cut.sizes()), naive, "{cut:?}");
        assert_eq!(read_frames_in_place(decoder(), wire, cut.sizes()), naive, "{cut:?} in place");
    }
}

#[test]
fn frames_of_a_server() {
    let wire = b"\x01\x03Hel\x89\x02hi\x80\x02lo\x82\x00\x8a\x00";
    let expected = [
        "Text false \"Hel\" 5",
        "Ping hi",
        "Continuation true \"lo\" 4",
        "Binary true \"\" 2",
        "Pong ",
    ];
    check(Role::Server, wire, &expected, None, wire.len());
}

#[test]
fn frames_of_a_client() {
    let wire =
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    check(Role::Client, wire, &["Text true \"Hello\" 11", "Ping Hello"], None, wire.len());
}

#[test]
fn nothing_after_a_close_is_looked_at() {
    check(Role::Server, b"\x88\x05\x03\xe8bye\xff\xff", &["Close \\x03\\xe8bye"], None, 7);
    check(Role::Server, b"\x88\x00\x81\x01x", &["Close "], None, 2);
}

#[test]
fn an_error_leaves_the_input_at_its_byte() {
    let code = Error::CloseCode { code: 1005 };
    check(Role::Server, b"\x88\x04\x03\xedab", &[], Some(code), 3);
    check(Role::Server, b"\x88\x06\x03\xe8ab\xffc", &[], Some(Error::Utf8 { at: 2 }), 6);
    let unfinished = Error::Utf8Unfinished { len: 3 };
    check(Role::Server, b"\x88\x05\x03\xe8ab\xc3", &[], Some(unfinished), 7);
    check(Role::Server, b"\x88\x01\x03", &[], Some(Error::CloseLength), 1);
    check(Role::Server, b"\x89\x00\x83\x00", &["Ping "], Some(Error::Opcode { opcode: 3 }), 2);
    check(Role::Server, b"\x82\x7e\x00\x10", &[], Some(Error::LengthNotMinimal { len: 16 }), 3);
    check(Role::Server, b"\x82\x7f\x80\x00", &[], Some(Error::LengthHighBit), 2);
    check(Role::Server, b"\x80\x00", &[], Some(Error::ContinuationOrphan), 0);
    check(Role::Client, b"\x81\x05Hello", &[], Some(Error::MaskMissing), 1);
    let over = Error::FrameLimit { len: 1 << 32, limit: 64 << 20 };
    check(Role::Client, b"\x82\xff\0\0\0\x01\0\0\0\0abcd", &[], Some(over), 9);
}

#[test]
fn payloads_are_slices_of_the_input() {
    let wire = b"\x82\x04abcd";
    let mut decoder = Decoder::new(Role::Server, Compression::Off, Limits::default());
    for (mut input, expected, ends) in
        [(&wire[..4], Some(&wire[2..4]), false), (&wire[4..], Some(&wire[4..]), true)]
    {
        let Ok(Some(Event::Data(data))) = decoder.decode(&mut input) else { panic!("data") };
        assert_eq!((Some(data.payload), data.ends), (expected, ends));
        assert!(expected.is_some_and(|expected| std::ptr::eq(data.payload, expected)));
        assert_eq!(decoder.decode(&mut input), Ok(None));
    }
}

#[test]
fn position_between_and_inside_frames() {
    let wire = b"\x01\x02ab\x89\x01x\x80\x00";
    // After each byte: bytes of the frame under way, and whether a message is.
    let expected = [
        (1, false),
        (2, true),
        (3, true),
        (0, true),
        (1, true),
        (2, true),
        (0, true),
        (1, true),
        (0, false),
    ];
    let mut decoder = Decoder::new(Role::Server, Compression::Off, Limits::default());
    for (at, byte) in wire.iter().enumerate() {
        let mut input = std::slice::from_ref(byte);
        while decoder.decode(&mut input).expect("well formed").is_some() {}
        assert_eq!((decoder.frame_consumed(), decoder.in_message()), expected[at], "byte {at}");
    }
}
