//! Frame events: what comes out, that it points into the input, and where errors leave it.
//!
//! Each row of a table is read in pieces of every size.

use super::*;

fn append(data: &Data<&[u8]>, payload: &mut Vec<u8>) {
    match data.mask() {
        Some(mask) => mask.append(data.payload, payload),
        None => payload.extend_from_slice(data.payload),
    }
}

/// One line per frame; the parts of a data frame are joined.
fn events(decoder: &mut Decoder, wire: &[u8], size: usize) -> (Vec<String>, Option<Error>, usize) {
    let (mut lines, mut payload, mut consumed) = (Vec::new(), Vec::new(), 0);
    for piece in wire.chunks(size) {
        let mut input = piece;
        loop {
            let before = input.len();
            let event = decoder.decode(&mut input);
            consumed += before - input.len();
            match event {
                Ok(None) => break,
                Ok(Some(Event::Data(data))) => {
                    assert_eq!(data.offset, payload.len() as u64);
                    append(&data, &mut payload);
                    assert_eq!(data.ends, payload.len() as u64 == data.head.len);
                    if data.ends {
                        let FrameHead { opcode, fin, .. } = data.head;
                        let shown = payload.escape_ascii().to_string();
                        lines.push(format!("{opcode:?} {fin} {shown:?} {}", data.head.wire_len()));
                        payload.clear();
                    }
                }
                Ok(Some(Event::Control(control))) => {
                    let payload = control.payload().escape_ascii();
                    lines.push(format!("{:?} {payload}", control.opcode()));
                }
                Err(error) => return (lines, Some(error), consumed),
            }
        }
    }
    (lines, None, consumed)
}

/// The same, read in place: the payloads of a frame are joined.
fn events_in_place(decoder: &mut Decoder, wire: &[u8], size: usize) -> Vec<u8> {
    let (mut wire, mut payloads) = (wire.to_vec(), Vec::new());
    for mut piece in wire.chunks_mut(size) {
        while let Ok(Some(event)) = decoder.decode_in_place(&mut piece) {
            match event {
                Event::Data(data) => payloads.extend_from_slice(data.payload),
                Event::Control(control) => payloads.extend_from_slice(control.payload()),
            }
        }
    }
    payloads
}

/// Reads `wire` in pieces of every size.
#[track_caller]
fn check(sender: Role, wire: &[u8], expected: &[&str], error: Option<Error>, consumed: usize) {
    for size in 1..=wire.len() {
        let mut decoder = Decoder::new(sender, Compression::Off, Limits::default());
        let read = events(&mut decoder, wire, size);
        let expected = expected.iter().map(ToString::to_string).collect();
        assert_eq!(read, (expected, error, consumed), "in pieces of {size}");
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
fn parts_are_unmasked_in_place_at_their_offset() {
    let wire = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x89\x82\x37\xfa\x21\x3d\x7f\x9f";
    for size in 1..=wire.len() {
        let mut decoder = Decoder::new(Role::Client, Compression::Off, Limits::default());
        assert_eq!(events_in_place(&mut decoder, wire, size), b"HelloHe", "in pieces of {size}");
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
