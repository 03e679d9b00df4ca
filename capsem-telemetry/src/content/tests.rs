//! Codings, whole and cut at every byte, broken and hostile.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

const CAPTURE: usize = 1024 * 1024;

const PLAIN: &[u8] = b"data: {\"type\":\"one\"}\n\ndata: {\"type\":\"two\"}\n\n";

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn raw(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// [`PLAIN`] as brotli's own encoder writes it.
const BROTLI: &[u8] = &[
    27, 43, 0, 248, 157, 7, 182, 139, 181, 205, 172, 52, 233, 20, 239, 228, 249, 90, 68, 135, 172,
    111, 43, 128, 184, 237, 233, 178, 55, 56, 58, 117, 151, 151, 26, 8, 34, 85, 89, 80, 66, 14,
    185, 135, 24, 14, 107, 2,
];

/// [`PLAIN`] as the `zstd` tool writes it.
const ZSTD: &[u8] = &[
    40, 181, 47, 253, 36, 44, 29, 1, 0, 232, 100, 97, 116, 97, 58, 32, 123, 34, 116, 121, 112, 101,
    34, 58, 34, 111, 110, 101, 34, 125, 10, 10, 116, 119, 111, 34, 125, 10, 10, 1, 0, 178, 155, 77,
    173, 82, 219, 74,
];

/// 64 MiB of zeros in brotli.
const BOMB: &[u8] = &[
    203, 255, 255, 63, 248, 39, 0, 226, 177, 64, 32, 247, 254, 143, 255, 255, 127, 240, 79, 0, 196,
    97, 17, 128, 238, 253, 31, 255, 255, 255, 224, 159, 0, 136, 195, 2, 0, 221, 251, 63, 254, 255,
    255, 193, 63, 1, 16, 135, 5, 0, 186, 247, 127, 252, 255, 255, 131, 127, 2, 32, 14, 11, 0, 116,
    239, 255, 248, 255, 255, 7, 255, 4, 64, 28, 22, 0, 232, 222, 255, 241, 255, 255, 15, 254, 9,
    128, 56, 44, 0, 208, 189, 255, 227, 255, 255, 31, 252, 19, 0, 113, 88, 0, 160, 123, 255, 55,
];

fn decode(coding: Option<&str>, pieces: &[&[u8]]) -> (Vec<u8>, Option<EvidenceReason>) {
    let mut decoder = Decoder::new(coding, CAPTURE);
    let mut plain = Vec::new();
    let mut keep = |bytes: &[u8], _: usize| {
        plain.extend_from_slice(bytes);
        plain.len()
    };
    for piece in pieces {
        decoder.push(piece, &mut keep);
    }
    decoder.finish(&mut keep);
    assert_eq!(decoder.plain_bytes(), plain.len() as u64);
    (plain, decoder.failed())
}

#[track_caller]
fn check(coding: Option<&str>, encoded: &[u8], plain: &[u8]) {
    for cut in 0..=encoded.len() {
        let (head, tail) = encoded.split_at(cut);
        assert_eq!(decode(coding, &[head, tail]), (plain.to_vec(), None), "cut at {cut}");
    }
    let bytes: Vec<_> = encoded.chunks(1).collect();
    assert_eq!(decode(coding, &bytes), (plain.to_vec(), None), "byte by byte");
}

#[test]
fn every_coding() {
    check(None, PLAIN, PLAIN);
    check(Some("identity"), PLAIN, PLAIN);
    check(Some(" Identity , GZIP"), &gzip(PLAIN), PLAIN);
    check(Some("x-gzip"), &gzip(PLAIN), PLAIN);
    check(Some("deflate"), &zlib(PLAIN), PLAIN);
    check(Some("deflate"), &raw(PLAIN), PLAIN);
    check(Some("gzip"), &[gzip(b"one "), gzip(b"two")].concat(), b"one two");
    check(Some("br"), BROTLI, PLAIN);
    check(Some("zstd"), ZSTD, PLAIN);
    check(Some("zstd"), &[ZSTD, b"\x50\x2a\x4d\x18\x02\0\0\0xx", ZSTD].concat(), &PLAIN.repeat(2));
    check(Some("gzip"), b"", b"");
    check(Some("br"), b"", b"");
    check(Some("zstd"), b"", b"");
    check(Some("gzip"), &gzip(b""), b"");
}

#[test]
fn plain_bytes_come_as_soon_as_they_are_sent() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut decoder = Decoder::new(Some("gzip"), CAPTURE);
    for event in [b"data: 1\n\n", b"data: 2\n\n"] {
        encoder.write_all(event).unwrap();
        encoder.flush().unwrap();
        let mut plain = Vec::new();
        decoder.push(&std::mem::take(encoder.get_mut()), &mut |bytes, _| {
            plain.extend_from_slice(bytes);
            0
        });
        assert_eq!(plain, event);
    }
}

#[test]
fn what_fails_says_why_and_keeps_what_came_before() {
    #[track_caller]
    fn check(coding: &str, encoded: &[u8], reason: EvidenceReason) {
        assert_eq!(decode(Some(coding), &[encoded]).1, Some(reason));
    }
    check("gzip", b"this is no gzip", EvidenceReason::InflateFailed);
    check("gzip", &gzip(PLAIN)[..20], EvidenceReason::InflateFailed);
    check("deflate", b"x", EvidenceReason::InflateFailed);
    check("deflate", &[0xff; 40], EvidenceReason::InflateFailed);
    check("br", &BROTLI[..30], EvidenceReason::InflateFailed);
    check("br", b"this is no brotli", EvidenceReason::InflateFailed);
    check("zstd", &ZSTD[..30], EvidenceReason::InflateFailed);
    check("zstd", b"this is no zstd", EvidenceReason::InflateFailed);
    check("zstd", b"\x50\x2a\x4d\x18\xff\xff\xff\xff", EvidenceReason::InflateFailed);
    check("br", BOMB, EvidenceReason::CaptureLimit);
    check("compress", PLAIN, EvidenceReason::UnsupportedExtension);
    check("gzip, gzip", PLAIN, EvidenceReason::UnsupportedExtension);

    let mut encoded = gzip(PLAIN);
    encoded.extend_from_slice(b"garbage");
    assert_eq!(
        decode(Some("gzip"), &[&encoded]),
        (PLAIN.to_vec(), Some(EvidenceReason::InflateFailed))
    );
}

#[test]
fn a_bomb_ends_at_the_limit_in_small_pieces() {
    #[track_caller]
    fn check(coding: &str, bomb: &[u8], piece: usize) {
        const LIMIT: u64 = 1024 * 1024;
        let mut decoder = Decoder::new(Some(coding), 16 * CAPTURE);
        decoder.max_plain = LIMIT;
        let (mut largest, mut sum) = (0, 0);
        decoder.push(bomb, &mut |plain, _| {
            largest = largest.max(plain.len());
            sum += plain.len() as u64;
            0
        });
        assert_eq!(decoder.failed(), Some(EvidenceReason::CaptureLimit), "{coding}");
        assert!(largest <= piece, "{coding}: {largest}");
        assert_eq!(decoder.plain_bytes(), sum, "{coding}");
        assert!((LIMIT + 1..=LIMIT + piece as u64).contains(&sum), "{coding}: {sum}");
    }
    check("gzip", &gzip(&vec![0; 3 * 1024 * 1024]), 32 * 1024);
    check("br", BOMB, 16 * 1024);
    // A window of 8 MiB, and a hundred blocks of one byte, each repeated 128 KiB long.
    let block = (128 * 1024_u32 * 8 + 2).to_le_bytes();
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    for _ in 0..100 {
        bomb.extend_from_slice(&[block[0], block[1], block[2], b'x']);
    }
    check("zstd", &bomb, 128 * 1024);
}
