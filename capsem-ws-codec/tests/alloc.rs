//! Reading at steady state allocates nothing: not per frame, not per message.

use allocation_counter::measure;
use capsem_ws_codec::{
    Compression, Decoder, Deflate, Event, FrameHead, Item, Limits, Opcode, Reader, Role,
    encode_frame,
};
use flate2::{Compress, FlushCompress};

const KEY: [u8; 4] = [1, 2, 3, 4];

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
        for deflate in [None, Some(Deflate::default())] {
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
fn a_reader_that_read_nothing_holds_nothing() {
    let made = measure(|| {
        let _ = Reader::new(Role::Client, Some(Deflate::default()), Limits::default());
    });
    assert_eq!(made.count_total, 0);
}
