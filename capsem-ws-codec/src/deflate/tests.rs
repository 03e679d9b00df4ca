//! Inflating against zlib, over everything the extension allows.

use super::*;
use crate::fuzzing::Cut;
use flate2::{Compress, Compression, FlushCompress};

/// The room an output has: the most there is. Miri, for which this is too long, gets the least.
const ROOM: usize = if cfg!(miri) { LEAST } else { MOST };

/// Text that matches itself at every distance up to more than a window.
fn text(len: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 * 2 + 1;
    let mut words = Vec::new();
    while words.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        words.extend_from_slice(format!("{{\"delta\":{}}},", state >> 50).as_bytes());
    }
    words.truncate(len);
    words
}

impl Output for Vec<u8> {
    fn room(&mut self, wanted: usize) -> (&mut Vec<u8>, usize) {
        self.reserve(wanted);
        (self, usize::MAX)
    }

    fn made(&mut self, _: usize) -> Result<(), Error> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    context: Context,
    bits: u8,
    /// How many messages at a time end in a final block; 0 for none.
    finals: usize,
    piece: usize,
    /// The connection rests after each message.
    rests: bool,
}

fn deflate(deflater: &mut Compress, plain: &[u8], end: FlushCompress) -> Vec<u8> {
    let mut wire = Vec::with_capacity(plain.len() + 1024);
    deflater.compress_vec(plain, &mut wire, end).expect("deflates");
    wire
}

#[track_caller]
fn check(case: Case) {
    let mut deflater = Compress::new_with_window_bits(Compression::new(6), false, case.bits);
    let mut inflater = Inflater::new(case.context).expect("the feature is on");
    let smaller = if cfg!(miri) { 100 } else { 1 };
    for (at, len) in [20_000, 0, 100, 40_000, 1, 5000, 0, 3000].into_iter().enumerate() {
        let len = len / smaller;
        let plain = text(len, at % 3);
        let last = case.finals > 0 && at % case.finals == 0;
        let mut wire = if last {
            let mut wire = deflate(&mut deflater, &plain, FlushCompress::Finish);
            wire.push(0);
            wire
        } else {
            let mut wire = deflate(&mut deflater, &plain, FlushCompress::Sync);
            wire.truncate(wire.len().saturating_sub(TAIL.len()));
            wire
        };
        if wire.is_empty() {
            wire.push(0);
        }
        if last || case.context == Context::Fresh {
            deflater.reset();
        }
        let mut read = Vec::new();
        for piece in wire.chunks(case.piece) {
            let pushed = inflater.push(piece, &mut read);
            assert_eq!(pushed, Ok(()), "message {at} of {case:?}");
        }
        assert_eq!(inflater.end(), Ok(()), "message {at} of {case:?}");
        assert!(read == plain, "message {at} of {case:?}");
        if case.rests {
            inflater.release();
        }
    }
}

#[test]
fn reads_what_zlib_writes() {
    // Miri gets the first and the last of each.
    let (bits, finals): (&[u8], &[usize]) =
        if cfg!(miri) { (&[9, 15], &[0, 3]) } else { (&[9, 10, 15], &[0, 1, 3]) };
    for context in [Context::Takeover, Context::Fresh] {
        for &bits in bits {
            for &finals in finals {
                for piece in
                    [13, 4096, usize::MAX].into_iter().step_by(if cfg!(miri) { 2 } else { 1 })
                {
                    for rests in [false, true] {
                        check(Case { context, bits, finals, piece, rests });
                    }
                }
            }
        }
    }
}

/// All that a message's pieces inflate to, or the error.
fn inflate(inflater: &mut Inflater, wire: &[u8]) -> Result<Vec<u8>, Error> {
    inflate_pieces(inflater, &[wire])
}

fn inflate_pieces(inflater: &mut Inflater, pieces: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let mut read = Vec::new();
    for piece in pieces {
        inflater.push(piece, &mut read)?;
    }
    inflater.end().map(|()| read)
}

/// A sender may go on after a final block with references to what was before it.
#[test]
fn the_window_outlives_a_final_block() {
    let all: &[usize] =
        if cfg!(miri) { &[5, 100] } else { &[5, 100, 32_767, 32_768, 32_769, 200_000] };
    for &before in all {
        let mut inflater = Inflater::new(Context::Takeover).expect("the feature is on");
        let plain = text(before, 1);
        let mut deflater = Compress::new(Compression::new(6), false);
        let mut wire = deflate(&mut deflater, &plain, FlushCompress::Finish);
        // A second stream that begins with the first one's text as its dictionary.
        deflater.reset();
        // A little less than a window, as zlib refers no further back.
        let window = &plain[before.saturating_sub(32_000)..];
        deflater.set_dictionary(window).expect("a fresh stream takes a dictionary");
        let rest = deflate(&mut deflater, window, FlushCompress::Sync);
        assert!(rest.len() < window.len().div_ceil(8) + 16, "the rest refers to the window");
        wire.extend_from_slice(&rest[..rest.len() - TAIL.len()]);

        let read = inflate(&mut inflater, &wire).expect("inflates");
        assert!(read == [&plain[..], window].concat(), "{before} bytes before");

        // And across a message that ends in a final block.
        let again = Inflater::new(Context::Takeover);
        let mut inflater = again.expect("the feature is on");
        let first = wire.len() - (rest.len() - TAIL.len());
        assert!(inflate(&mut inflater, &wire[..first]) == Ok(plain.clone()));
        assert!(inflate(&mut inflater, &wire[first..]) == Ok(window.to_vec()));
    }
}

/// The start of a block's code lengths: so long that the tail may be among them.
const AMID_LENGTHS: &[u8] = b"\x04\xe0\x01";

#[test]
fn a_message_that_ends_amid_a_block_is_seen_where_the_connection_rests() {
    let end = |message: &[u8]| {
        let mut inflater = Inflater::new(Context::Takeover).expect("the feature is on");
        assert_eq!(inflate(&mut inflater, message), Ok(Vec::new()), "no output shows it");
        inflater.release();
        inflate(&mut inflater, b"\x00")
    };
    assert_eq!(end(b"\x00"), Ok(Vec::new()));
    assert_eq!(end(AMID_LENGTHS), Err(Error::InflateUnfinished));
    let mut inflater = Inflater::new(Context::Takeover).expect("the feature is on");
    assert_eq!(inflate(&mut inflater, AMID_LENGTHS), Ok(Vec::new()));
    inflater.release();
    assert_eq!(inflater.end(), Err(Error::InflateUnfinished), "even of a message without bytes");
}

#[test]
fn connections_that_rest_share_what_they_give_back() {
    let plain = [text(500, 0), text(40_000, 1)];
    let mut both = plain.each_ref().map(|plain| {
        let deflater = Compress::new(Compression::new(6), false);
        (deflater, Inflater::new(Context::Takeover).expect("the feature is on"), plain)
    });
    for round in 0..4 {
        for (deflater, inflater, plain) in &mut both {
            let wire = deflate(deflater, plain, FlushCompress::Sync);
            let read = inflate(inflater, &wire[..wire.len() - TAIL.len()]);
            assert!(read.as_ref() == Ok(*plain), "round {round} of {} bytes", plain.len());
            inflater.release();
        }
    }
}

/// One match of three bytes at the distance of 32768, the longest there is.
const FARTHEST: &[u8] = b"\x02\xde\xff\x0f\x00";

#[test]
fn the_whole_window_outlives_a_final_block() {
    let plain = text(40_000, 2);
    let level = Compression::new(if cfg!(miri) { 0 } else { 6 });
    for end in [FlushCompress::Finish, FlushCompress::Sync] {
        let mut inflater = Inflater::new(Context::Takeover).expect("the feature is on");
        let mut wire = deflate(&mut Compress::new(level, false), &plain, end);
        if end == FlushCompress::Sync {
            wire.truncate(wire.len() - TAIL.len());
        }
        assert!(inflate(&mut inflater, &wire).as_deref() == Ok(&plain));
        let far = plain.len() - WINDOW;
        assert_eq!(inflate(&mut inflater, FARTHEST).as_deref(), Ok(&plain[far..far + 3]));
    }
}

#[test]
fn examples_of_the_rfc() {
    #[track_caller]
    fn check(wire: &[u8], expected: Result<&[u8], Error>) {
        for cut in Cut::all(wire.len()) {
            let mut inflater = Inflater::new(Context::Fresh).expect("the feature is on");
            let read = inflate_pieces(&mut inflater, &cut.pieces(wire));
            assert_eq!(read.as_deref(), expected.as_ref().map(|read| *read), "{cut:?}");
        }
    }
    // Sections 7.2.3.1 to 7.2.3.6.
    check(b"\xf2\x48\xcd\xc9\xc9\x07\x00", Ok(b"Hello"));
    check(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", Ok(b"Hello"));
    check(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", Ok(b"Hello"));
    check(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", Ok(b"Hello"));
    check(b"\x00", Ok(b""));
    // A final block without the empty one after it.
    check(b"\xf3\x48\xcd\xc9\xc9\x07\x00", Ok(b"Hello"));
    // A final block whose tail was taken off.
    check(b"\x01", Ok(b""));
    // Not a message at all, cut off, block type 3, a reference to nothing, lengths that differ.
    check(b"", Err(Error::InflateUnfinished));
    check(b"\xf2\x48\xcd", Err(Error::InflateUnfinished));
    check(b"\x06", Err(Error::Inflate));
    check(b"\xf2\x00\x11\x00\x00", Err(Error::Inflate));
    check(b"\x00\x05\x00\xfa\xfe\x48", Err(Error::Inflate));
}

#[test]
fn a_fresh_message_has_no_window_even_after_a_final_block() {
    let refers = b"\x03\x00\xf2\x00\x11\x00\x00";
    for (context, expected) in
        [(Context::Takeover, Ok(b"Hello".to_vec())), (Context::Fresh, Err(Error::Inflate))]
    {
        let mut inflater = Inflater::new(context).expect("the feature is on");
        let hello = inflate(&mut inflater, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        assert_eq!(hello, Ok(b"Hello".to_vec()));
        assert_eq!(inflate(&mut inflater, refers), expected, "{context:?}");
    }
}

/// A message without a byte is not an empty one, not even right after a final block.
#[test]
fn a_message_of_no_bytes() {
    for context in [Context::Takeover, Context::Fresh] {
        for before in [&b"\x00"[..], b"\x01", b"\x03\x00"] {
            let mut inflater = Inflater::new(context).expect("the feature is on");
            assert_eq!(inflate(&mut inflater, before), Ok(Vec::new()));
            let none = inflate(&mut inflater, b"");
            assert_eq!(none, Err(Error::InflateUnfinished), "{context:?} after {before:x?}");
        }
    }
}

/// With takeover as well, what the tail would still add shows that a message was cut off.
#[test]
fn a_message_cut_off_inside_a_stored_block() {
    for context in [Context::Takeover, Context::Fresh] {
        let mut inflater = Inflater::new(context).expect("the feature is on");
        let cut_off = inflate(&mut inflater, b"\x00\x05\x00\xfa\xff\x48");
        assert_eq!(cut_off, Err(Error::InflateUnfinished), "{context:?}");
    }
}

/// The buffer fills up inside a long match, at every place in it.
#[test]
fn output_held_back_comes_out() {
    for len in (ROOM..ROOM + 300).step_by(if cfg!(miri) { 50 } else { 1 }) {
        let plain = vec![0; len];
        let mut wire =
            deflate(&mut Compress::new(Compression::best(), false), &plain, FlushCompress::Sync);
        wire.truncate(wire.len() - TAIL.len());
        let mut inflater = Inflater::new(Context::Takeover).expect("the feature is on");
        assert!(inflate(&mut inflater, &wire) == Ok(plain), "{len}");
    }
}

#[test]
fn final_blocks_are_counted() {
    let finals = |count: u32| {
        let mut inflater = Inflater::new(Context::Takeover).expect("the feature is on");
        let wire = [&b"\x03\x00".repeat(count as usize)[..], b"\x00"].concat();
        inflate(&mut inflater, &wire)
    };
    assert_eq!(finals(FINALS + 1), Err(Error::InflateFinals { limit: FINALS }));
    if cfg!(miri) {
        return; // The rest is long, and more of the same steps.
    }
    assert_eq!(finals(FINALS), Ok(Vec::new()));

    // Message by message, not over the connection.
    let mut inflater = Inflater::new(Context::Takeover).expect("the feature is on");
    for _ in 0..=FINALS {
        assert_eq!(inflate(&mut inflater, b"\x03\x00\x00"), Ok(Vec::new()));
    }
}

/// An output that stops at a limit.
struct Limited(Vec<u8>, usize);

impl Output for Limited {
    fn room(&mut self, wanted: usize) -> (&mut Vec<u8>, usize) {
        let most = self.1 + 1 - self.0.len();
        self.0.reserve(wanted.min(most));
        (&mut self.0, most)
    }

    fn made(&mut self, _: usize) -> Result<(), Error> {
        let limit = self.1;
        if self.0.len() > limit { Err(Error::InflateLimit { limit: limit as u64 }) } else { Ok(()) }
    }
}

#[test]
fn a_bomb_stops_one_byte_past_its_limit() {
    let mut deflater = Compress::new(Compression::best(), false);
    let wire = deflate(&mut deflater, &vec![0; 16 * ROOM], FlushCompress::Sync);
    for limit in [0, 1, LEAST, ROOM / 3, ROOM, ROOM + 1] {
        let mut inflater = Inflater::new(Context::Takeover).expect("the feature is on");
        let mut output = Limited(Vec::new(), limit);
        let error = Error::InflateLimit { limit: limit as u64 };
        assert_eq!(inflater.push(&wire, &mut output), Err(error));
        assert_eq!(output.0.len(), limit + 1);
    }
}

/// Any pieces leave the last 32 KiB, oldest first.
#[test]
fn a_window_is_what_came_last() {
    let text = text(if cfg!(miri) { 70_000 } else { 200_000 }, 5);
    let all: &[usize] = if cfg!(miri) {
        &[WINDOW - 1, WINDOW + 1]
    } else {
        &[1, 1000, WINDOW - 1, WINDOW, WINDOW + 1, 100_000]
    };
    for &piece in all {
        let mut window = Window::default();
        let mut came = 0;
        for piece in text.chunks(piece) {
            window.remember(piece);
            came += piece.len();
            if came % 7 == 0 || came == text.len() {
                let expected = &text[came.saturating_sub(WINDOW)..came];
                assert!(window.parts().concat() == expected, "{came} in pieces of {}", piece.len());
            }
        }
    }
}
