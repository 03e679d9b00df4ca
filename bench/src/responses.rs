//! A model's answer as a server sends it: one event a message, compressed with context takeover.

use flate2::{Compress, Compression, FlushCompress};

use crate::random::Random;

const WORDS: [&str; 16] = [
    " the", " a", " stream", " of", " frames", " is", " read", " once", ",", ".", " and",
    " written", " as", " it", " came", "\\n",
];

/// What zlib puts at the end of a message and a sender takes off (RFC 7692 section 7.2.1).
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// `response.output_text.delta` events without end, each about `size` bytes and its compressed form.
///
/// The text of one event is as long as `size` asks: a few tokens in 256 bytes, else many.
pub fn events(size: usize) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let mut random = Random::new();
    let mut deflate = Compress::new(Compression::default(), false);
    (0_u64..).map(move |number| {
        let plain = event(number, size, &mut random).into_bytes();
        let mut deflated = Vec::with_capacity(plain.len() + 256);
        deflate
            .compress_vec(&plain, &mut deflated, FlushCompress::Sync)
            .expect("there is room for all of it");
        assert!(deflated.ends_with(&TAIL), "flushed to a byte");
        deflated.truncate(deflated.len() - TAIL.len());
        (plain, deflated)
    })
}

fn event(number: u64, size: usize, random: &mut Random) -> String {
    let mut text = format!(
        "{{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\
         \"item_id\":\"msg_0c1f6d2ab48e7f930068f0c2a1d49c8190b7e35a6c2d4e8f01\",\"output_index\":0,\"content_index\":0,\
         \"logprobs\":[],\"obfuscation\":\"{:08x}\",\"delta\":\"",
        random.next() & 0xFFFF_FFFF
    );
    loop {
        text.push_str(WORDS[usize::try_from(random.next() % 16).expect("below 16")]);
        if text.len() + "\"}".len() >= size {
            break;
        }
    }
    text.push_str("\"}");
    text
}
