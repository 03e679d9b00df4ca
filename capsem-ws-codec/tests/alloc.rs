//! At steady state nothing allocates: not per frame, not per message, reading or writing.

use allocation_counter::measure;
use capsem_ws_codec::{
    CloseCode, CloseFrame, Compression, Decoder, Deflate, Event, FrameHead, Item, Limits, Mask,
    Opcode, Reader, Role, Utf8, encode_close, encode_data, encode_frame, encode_ping, encode_pong,
};
use flate2::{Compress, FlushCompress};

const KEY: [u8; 4] = [1, 2, 3, 4];
const FRESH: Deflate = Deflate {
    client_no_context_takeover: true,
    server_no_context_takeover: true,
    client_max_window_bits: 15,
    server_max_window_bits: 15,
};

/// Frames of all kinds as `role` sends them: whole, fragmented, control, and compressed ones if
/// there is a deflater.
fn frames(role: Role, deflater: Option<&mut Compress>) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut put = |fin, rsv1, opcode, payload: &[u8]| {
        let mask = (role == Role::Client).then_some(KEY);
        encode_frame(FrameHead { fin, rsv1, opcode, mask, len: 0 }, payload, &mut wire);
    };
    let text = "{\"type\":\"response.output_text.delta\",\"delta\":\"é\"}".repeat(200);
    for len in [1, 125, 126, 4000] {
        put(true, false, Opcode::Text, &vec![b'x'; len]);
    }
    put(false, false, Opcode::Text, text.as_bytes());
    put(true, false, Opcode::Ping, &[7; 125]);
    put(true, false, Opcode::Continuation, text.as_bytes());
    put(true, false, Opcode::Binary, &[0xFF; 3000]);
    if let Some(deflater) = deflater {
        for _ in 0..20 {
            // Reads the same with and without context takeover.
            deflater.reset();
            let mut squeezed = Vec::with_capacity(text.len() + 64);
            deflater
                .compress_vec(text.as_bytes(), &mut squeezed, FlushCompress::Sync)
                .expect("fits");
            squeezed.truncate(squeezed.len() - 4);
            put(true, true, Opcode::Text, &squeezed);
        }
    }
    wire
}

/// Reads all of `wire` in pieces, and how many items there were.
fn read(reader: &mut Reader, wire: &[u8], size: usize) -> usize {
    let mut items = 0;
    for mut piece in wire.chunks(size) {
        while let Some(item) = reader.read(&mut piece).expect("well formed") {
            items += 1;
            assert!(!matches!(item, Item::Close(_)));
        }
    }
    items
}

#[test]
fn reader() {
    for role in [Role::Client, Role::Server] {
        for deflate in [None, Some(Deflate::default()), Some(FRESH)] {
            let mut deflater = deflate.map(|_| Compress::new(flate2::Compression::fast(), false));
            let rounds: Vec<_> = (0..4).map(|_| frames(role, deflater.as_mut())).collect();
            let mut reader = Reader::new(role, deflate, Limits::default());
            for (round, wire) in rounds.iter().enumerate() {
                let size = [16 * 1024, 16 * 1024, 1000, 3][round];
                let mut items = 0;
                let counted = measure(|| items = read(&mut reader, wire, size));
                assert_eq!(items, if deflate.is_some() { 27 } else { 7 });
                // The first round makes the buffers.
                let allocated = counted.count_total;
                assert!(round == 0 || allocated == 0, "{allocated} in round {round} of {role:?}");
            }
        }
    }
}

/// Messages as long as may cost nothing, compressed and not, whole in the input and in pieces.
#[test]
fn reader_of_long_messages() {
    const LONGEST: usize = 64 * 1024;
    let numbers = (0..65_536_u32).map(|number| format!("{:x},", number.wrapping_mul(0x9E37_79B9)));
    let text: String = numbers.collect();
    for (role, deflate, size) in [
        (Role::Client, Deflate::default(), 16 * 1024),
        (Role::Server, Deflate::default(), 16 * 1024),
        (Role::Server, Deflate::default(), usize::MAX),
        (Role::Server, FRESH, usize::MAX),
    ] {
        let text = &text.as_bytes()[..LONGEST];
        let mask = (role == Role::Client).then_some(KEY);
        let head = |rsv1| FrameHead { fin: true, rsv1, opcode: Opcode::Text, mask, len: 0 };
        let mut deflater = Compress::new(flate2::Compression::fast(), false);
        let mut squeezed = Vec::with_capacity(2 * LONGEST);
        deflater.compress_vec(text, &mut squeezed, FlushCompress::Sync).expect("fits");
        squeezed.truncate(squeezed.len() - 4);
        let mut wire = Vec::new();
        encode_frame(head(true), &squeezed, &mut wire);
        encode_frame(head(false), text, &mut wire);
        let mut reader = Reader::new(role, Some(deflate), Limits::default());
        for round in 0..4 {
            let mut items = 0;
            let counted = measure(|| items = read(&mut reader, &wire, size));
            assert_eq!(items, 2);
            // The first round makes the buffers.
            let allocated = counted.count_total;
            assert!(round == 0 || allocated == 0, "{allocated} in round {round} of {role:?}");
        }
    }
}

#[test]
fn decoder() {
    for role in [Role::Client, Role::Server] {
        let wire = frames(role, None);
        let mut decoder = Decoder::new(role, Compression::Off, Limits::default());
        let mut ends = 0;
        let counted = measure(|| {
            for mut piece in wire.chunks(777) {
                while let Some(event) = decoder.decode(&mut piece).expect("well formed") {
                    ends += usize::from(matches!(event, Event::Data(data) if data.ends));
                }
            }
        });
        assert_eq!((ends, counted.count_total), (7, 0));
    }
}

#[test]
fn decoder_in_place() {
    for role in [Role::Client, Role::Server] {
        let mut wire = frames(role, None);
        let mut decoder = Decoder::new(role, Compression::Off, Limits::default());
        let (mut ends, mut controls) = (0, 0);
        let counted = measure(|| {
            for mut piece in wire.chunks_mut(777) {
                while let Some(event) = decoder.decode_in_place(&mut piece).expect("well formed") {
                    match event {
                        Event::Data(data) => ends += usize::from(data.ends),
                        Event::Control(control) => controls += control.payload().len(),
                    }
                }
            }
        });
        assert_eq!((ends, controls, counted.count_total), (7, 125, 0));
    }
}

#[test]
fn an_error() {
    let counted = measure(|| {
        for wire in [&b"\x83\x00"[..], b"\x81\x02a\xff", b"\x88\x02\x03\xed", b"\x81\x85abcd"] {
            let mut input = wire;
            let mut reader = Reader::new(Role::Server, None, Limits::default());
            while let Ok(Some(_)) = reader.read(&mut input) {}
            assert!(reader.read(&mut input).is_err());
        }
    });
    // Text is put together, or lent; what is refused has no buffer.
    assert_eq!(counted.count_total, 0);
}

#[test]
fn encoding_into_a_buffer_with_room() {
    let payload = vec![b'x'; 70_000];
    let mut wire = Vec::with_capacity(payload.len() + FrameHead::MAX_WIRE_LEN);
    for (role, mask) in [(Role::Client, Some(KEY)), (Role::Server, None)] {
        let counted = measure(|| {
            for len in [0, 1, 125, 126, 4096, 65_535, 65_536, payload.len()] {
                wire.clear();
                encode_data(role, Opcode::Binary, &payload[..len], mask, &mut wire);
                wire.clear();
                let opcode = Opcode::Continuation;
                let head = FrameHead { fin: false, rsv1: false, opcode, mask, len: 0 };
                encode_frame(head, &payload[..len], &mut wire);
            }
            wire.clear();
            encode_ping(role, &payload[..125], mask, &mut wire).expect("short enough");
            encode_pong(role, b"", mask, &mut wire).expect("short enough");
            encode_close(role, CloseCode::NORMAL, "a reason", mask, &mut wire);
        });
        assert_eq!(counted.count_total, 0, "{role:?}");
    }
}

#[test]
fn the_parts() {
    let text = "aé€😀".repeat(2000);
    let mut masked = text.clone().into_bytes();
    let mut appended = Vec::with_capacity(masked.len());
    let head = FrameHead { fin: true, rsv1: false, opcode: Opcode::Text, mask: Some(KEY), len: 9 };
    let counted = measure(|| {
        let mut utf8 = Utf8::default();
        for piece in text.as_bytes().chunks(7).chain([text.as_bytes()]) {
            utf8.push(piece).expect("is UTF-8");
        }
        assert!(utf8.is_complete());
        let mask = Mask::new(KEY, 0);
        mask.apply(&mut masked);
        mask.after(3).apply(&mut masked[..100]);
        mask.append(&masked, &mut appended);
        let (bytes, used) = head.encode();
        let parsed = FrameHead::parse(&bytes[..used], Role::Client, Compression::Off);
        assert_eq!(parsed, Ok(Some((head, used))));
        let close = CloseFrame::parse(b"\x03\xe8bye").expect("well formed");
        assert_eq!(close.reason, "bye");
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_reader_that_read_nothing_holds_nothing() {
    let made = measure(|| {
        let _ = Reader::new(Role::Client, Some(Deflate::default()), Limits::default());
    });
    assert_eq!(made.count_total, 0);
}
