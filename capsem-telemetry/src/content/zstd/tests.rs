//! Frames cut at every byte against the decoder's answer to the whole, and hostile ones.

use super::*;

/// [`events`], each flushed, as libzstd writes them at level 19 with a window of 1 KiB, which their
/// plain text fills four times, and with a checksum.
const EVENTS: &[u8] = include_bytes!("../testdata/events.zst");

/// [`far`] as the `zstd` tool writes it with a window of 1 KiB: most of it refers a thousand bytes back.
const FAR: &[u8] = include_bytes!("../testdata/far.zst");

/// The same thousand bytes five times.
fn far() -> Vec<u8> {
    let noise = |n: u32| {
        let n = n.wrapping_mul(0x9E37_79B9);
        let n = (n ^ n >> 15).wrapping_mul(0x85EB_CA6B);
        (n ^ n >> 13).to_le_bytes()[0]
    };
    (0..1000).map(noise).collect::<Vec<_>>().repeat(5)
}

fn events() -> Vec<Vec<u8>> {
    let event = |n: u32| {
        format!(
            "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\
             \"sequence_number\":{n},\"delta\":\" word{}\"}}\n\n",
            n * n * 7919 % 1000
        )
    };
    (0..40).map(|n| event(n).into_bytes()).collect()
}

/// What came of each call, and how it ended.
fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, Result<(), EvidenceReason>) {
    let (mut frames, mut plain) = (Frames::default(), Vec::new());
    for piece in pieces {
        let pushed = push(&mut frames, piece, 64 << 20, &mut |bytes| plain.push(bytes.to_vec()));
        if pushed.is_err() {
            return (plain, pushed);
        }
    }
    (plain, frames.finish())
}

/// Decodes a piece for a reader that keeps nothing.
fn push(
    frames: &mut Frames,
    piece: &[u8],
    capture: usize,
    each: &mut dyn FnMut(&[u8]),
) -> Result<(), EvidenceReason> {
    let reader: &mut crate::content::Reader<'_> = &mut |bytes, _| {
        each(bytes);
        0
    };
    let (kept, plain) = (&mut 0, &mut 0);
    frames.push(piece, &mut Out { reader, capture, kept, plain, most: u64::MAX })
}

/// The answer to the whole.
fn whole(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(32 * 1024);
    FrameDecoder::new().decode_all_to_vec(encoded, &mut plain).ok()?;
    Some(plain)
}

#[track_caller]
fn check(encoded: &[u8]) {
    let plain = whole(encoded).expect("well formed");
    for cut in 0..=encoded.len() {
        let (head, tail) = encoded.split_at(cut);
        let (pieces, ended) = decode([head, tail]);
        assert!(pieces.concat() == plain && ended == Ok(()), "cut at {cut}: {ended:?}");
    }
    let (pieces, ended) = decode(encoded.chunks(1));
    assert!(pieces.concat() == plain && ended == Ok(()), "byte by byte: {ended:?}");
}

#[test]
fn cut_at_every_byte() {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    check(EVENTS);
    assert_eq!(whole(EVENTS), Some(events().concat()));
    check(FAR);
    assert_eq!(whole(FAR), Some(far()));
    let skipped = b"\x5f\x2a\x4d\x18\x02\0\0\0xx";
    check(&[EVENTS, skipped, EVENTS, b"\x50\x2a\x4d\x18\0\0\0\0"].concat());
    for level in [CompressionLevel::Uncompressed, CompressionLevel::Fastest] {
        check(&compress_to_vec(events().concat().as_slice(), level));
    }
}

#[test]
fn windows_are_left_behind() {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    let noise = |n: u32| n.wrapping_mul(0x9E37_79B9).to_le_bytes();
    let plain: Vec<u8> = (0..500_000).flat_map(|n| noise(n / 3)).collect();
    let encoded = compress_to_vec(plain.as_slice(), CompressionLevel::Fastest);
    for size in [1000, encoded.len()] {
        let (pieces, ended) = decode(encoded.chunks(size));
        assert!(pieces.concat() == plain && ended == Ok(()), "{ended:?}");
    }
}

#[test]
fn what_a_block_says_comes_with_its_last_byte() {
    let (pieces, ended) = decode(EVENTS.chunks(1));
    assert_eq!((pieces, ended), (events(), Ok(())));
    // Each needs nothing that comes after it.
    for cut in 0..EVENTS.len() {
        let (pieces, ended) = decode([&EVENTS[..cut]]);
        assert_eq!(pieces, events()[..pieces.len()], "cut at {cut}");
        assert_eq!(ended.is_ok(), cut == 0, "cut at {cut}");
    }
}

#[test]
fn hostile_frames_say_why() {
    #[track_caller]
    fn check(encoded: &[u8], reason: EvidenceReason) {
        assert_eq!(decode([encoded]).1, Err(reason), "at once");
        assert_eq!(decode(encoded.chunks(1)).1, Err(reason), "byte by byte");
    }
    use EvidenceReason::{CaptureLimit, InflateFailed};
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let frame = |rest: &[u8]| [&magic, rest].concat();
    check(b"what is this", InflateFailed);
    check(&magic[..3], InflateFailed);
    check(b"\x50\x2a\x4d\x18\xff\xff\xff\xff", InflateFailed);
    check(&[EVENTS, b"garbage"].concat(), InflateFailed);
    check(&frame(&[0x00, 13 << 3 | 1]), CaptureLimit); // a window of 9 MiB
    check(&frame(&[0x00, 0xff]), CaptureLimit); // of 3.75 TiB
    check(&frame(&[0xa0, 1, 0, 0, 16]), CaptureLimit); // a segment of 256 MiB and a byte
    check(&frame(&[[0xe0].as_slice(), &[0xff; 8]].concat()), CaptureLimit);
    check(&frame(&[0x01, 0, 7]), InflateFailed); // a dictionary nobody has
    check(&frame(&[0x00, 0, 6, 0, 0]), InflateFailed); // a reserved block
    check(&frame(&[0x00, 0, 0xf8, 0xff, 0xff]), InflateFailed); // a block of 2 MiB
    check(&frame(&[0x00, 0, 2, 0x20, 0, b'x']), InflateFailed); // one longer than the window
    check(&frame(&[0x20, 0, 9, 0, 0, b'x']), InflateFailed); // content where none was promised
}

#[test]
fn damaged_frames_end() {
    for at in 0..EVENTS.len() {
        for flip in [0x01, 0xc0] {
            let mut damaged = EVENTS.to_vec();
            damaged[at] ^= flip;
            let at_once = decode([damaged.as_slice()]);
            assert_eq!(decode(damaged.chunks(1)), at_once, "byte {at} ^ {flip:#x}");
            if let ((pieces, Ok(())), Some(plain)) = (at_once, whole(&damaged)) {
                assert_eq!(pieces.concat(), plain, "byte {at} ^ {flip:#x}");
            }
        }
    }
}

/// Frames on and on after their last block, which the decoder's documentation does not promise.
#[test]
fn the_decoder_goes_on_after_a_last_block() {
    let mut decoder = FrameDecoder::new();
    decoder.init([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0].as_slice()).unwrap();
    for block in [&LAST[..], &[16, 0, 0, b'a', b'b'], &LAST, &[0x1a, 0, 0, b'c']] {
        decoder.decode_blocks(block, BlockDecodingStrategy::UptoBlocks(1)).unwrap();
    }
    assert!(decoder.is_finished());
    let mut seen = Vec::new();
    decoder.collect_to_writer(Keep(&mut seen)).unwrap();
    decoder.collect_to_writer(Keep(&mut seen)).unwrap();
    assert_eq!(seen, b"abcccabccc", "what a writer does not take is still there");
    assert_eq!(decoder.collect().unwrap(), b"abccc");

    struct Keep<'a>(&'a mut Vec<u8>);
    impl Write for Keep<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(0)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

/// Blocks of one byte each, 128 KiB long when they are undone.
fn long_blocks(header: &[u8], count: usize) -> Vec<u8> {
    let block = (128 * 1024_u32 * 8 + 2).to_le_bytes();
    let block = [block[0], block[1], block[2], b'x'];
    [&[0x28, 0xb5, 0x2f, 0xfd], header, &block.repeat(count)].concat()
}

#[test]
fn the_decoder_takes_the_memory_that_is_asked_for() {
    #[track_caller]
    fn check(header: &[u8], count: usize) {
        let frame = long_blocks(header, count);
        let mut asked = 0;
        let info = allocation_counter::measure(|| {
            let mut frames = Frames::default();
            for block in frame.chunks(4) {
                push(&mut frames, block, usize::MAX, &mut |_| ()).unwrap();
                let Next::Block(frame) = &frames.next else { continue };
                asked = asked.max(frame.ring);
            }
        });
        // While it grows the old memory is there too, and the tables beside it.
        let peak = usize::try_from(info.bytes_max).unwrap();
        assert!(peak <= asked * 2 + MAX_BLOCK * 2, "{asked} asked, {peak} taken");
        assert!(asked <= peak.max(MAX_BLOCK * 4 + 1), "{asked} asked, {peak} taken");
        assert!(info.bytes_current == 0, "{info:?}");
    }
    for count in [1, 3, 9, 17, 33, 70] {
        check(&[0x00, 13 << 3], count); // a window of 8 MiB
        check(&[0x00, 8 << 3], count); // of 256 KiB
    }
}

#[test]
fn a_window_that_does_not_fit_ends_the_reading() {
    const CAPTURE: usize = 4 << 20;
    let frame = long_blocks(&[0x00, 13 << 3], 1000);
    let (mut plain, mut ended) = (0, Ok(()));
    let info = allocation_counter::measure(|| {
        let mut frames = Frames::default();
        for block in frame.chunks(4) {
            ended = push(&mut frames, block, CAPTURE, &mut |bytes| plain += bytes.len());
            if ended.is_err() {
                break;
            }
        }
    });
    assert_eq!(ended, Err(EvidenceReason::CaptureLimit));
    assert!((2 << 20..8 << 20).contains(&plain), "{plain}");
    assert!(info.bytes_max < CAPTURE as u64 + (1 << 20), "{info:?}");
}
