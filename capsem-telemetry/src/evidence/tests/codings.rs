//! The same exchange with its bodies in every coding.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::evidence::{HttpEvidence, RequestHead, ResponseHead, Settings};
use crate::{CallStatus, Evidence, Id, ModelCall, Transport, attribute};

const REQUEST: &[u8] = br#"{"model":"m-1","input":"hello","stream":true}"#;
const ANSWER: [&[u8]; 2] = [
    b"data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n",
    b"data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_a\"}}\n\n",
];

fn call(coding: Option<&str>, encode: impl Fn(&[&[u8]]) -> Vec<Vec<u8>>) -> ModelCall {
    let attribution = attribute("chatgpt.com", "/backend-api/codex/responses");
    let settings = Settings::new(Id::fresh(), attribution, 4096);
    let head = RequestHead { method: "POST", content_encoding: coding, ..RequestHead::default() };
    let mut exchange = HttpEvidence::new(settings, head);
    let at = Duration::from_millis;
    for piece in encode(&[REQUEST]) {
        exchange.request_data(at(1), &piece);
    }
    exchange.request_end(at(2));
    exchange.response_head(ResponseHead {
        status: 200,
        content_type: Some("text/event-stream"),
        content_encoding: coding,
        openai_model: None,
    });
    for (when, piece) in (10..).zip(encode(&ANSWER)) {
        exchange.response_data(at(when), &piece);
    }
    let mut calls = exchange.take_calls();
    calls.extend(exchange.finish(at(20), true).0);
    assert_eq!(calls.len(), 1);
    calls.remove(0)
}

#[track_caller]
fn check(
    coding: Option<&str>,
    first_token: Option<u64>,
    encode: impl Fn(&[&[u8]]) -> Vec<Vec<u8>>,
) {
    let call = call(coding, encode);
    assert_eq!(call.model_requested.as_deref(), Some("m-1"));
    assert_eq!(call.response_id.as_deref(), Some("resp_a"));
    assert_eq!(call.status, CallStatus::Completed);
    assert_eq!(call.transport, Transport::Sse);
    assert_eq!(call.evidence, Evidence::FULL);
    assert_eq!(call.request_bytes, REQUEST.len() as u64);
    assert_eq!(call.response_bytes, ANSWER.concat().len() as u64);
    assert_eq!(call.time_to_first_token_ms, first_token);
}

#[test]
fn every_coding_gives_the_same_call() {
    check(None, Some(8), |pieces| pieces.iter().map(|piece| piece.to_vec()).collect());
    check(Some("gzip"), Some(8), |pieces| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let flushed = |piece: &&[u8]| {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
            std::mem::take(encoder.get_mut())
        };
        let mut pieces: Vec<_> = pieces.iter().map(flushed).collect();
        pieces.push(encoder.finish().unwrap());
        pieces
    });
    check(Some("deflate"), Some(8), |pieces| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&pieces.concat()).unwrap();
        vec![encoder.finish().unwrap()]
    });
    check(Some("br"), Some(8), brotli);
    check(Some("zstd"), Some(8), zstd);
    // In one block, all of it comes at once.
    check(Some("zstd"), Some(8), |pieces| {
        vec![compress_to_vec(pieces.concat().as_slice(), CompressionLevel::Fastest)]
    });
}

/// Zstd in blocks that are not compressed (RFC 8878, section 3.1.1.2), an empty last one, and the
/// place of a checksum.
fn zstd(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let block = |piece: &&[u8]| {
        let head = u32::try_from(piece.len()).unwrap() << 3;
        [&head.to_le_bytes()[..3], piece].concat()
    };
    let mut coded: Vec<_> = pieces.iter().map(block).collect();
    coded[0].splice(0..0, [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0]);
    coded.push(vec![1, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa]);
    coded
}

/// Brotli without compression, which needs no encoder (RFC 7932, section 9.2): each piece is a
/// meta-block that is stored, and an empty last one follows.
fn brotli(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut coded = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        // Not the last, four nibbles of length, the length less one, stored; then up to a byte.
        let head = u32::try_from(piece.len() - 1).unwrap() << 3 | 1 << 19;
        // The stream begins with a bit for a window of 64 KiB.
        let head = if at == 0 { head << 1 } else { head };
        coded.push([&head.to_le_bytes()[..3], piece].concat());
    }
    coded.push(vec![0b11]);
    coded
}
