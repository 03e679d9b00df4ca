//! The check against `str::from_utf8`, over every cut.

use super::*;
use crate::fuzzing::Cut;

/// `Err` is the first bad byte; `Ok` says whether the text is complete.
fn by_library(text: &[u8]) -> Result<bool, usize> {
    for end in 0..=text.len() {
        if let Err(error) = str::from_utf8(&text[..end])
            && error.error_len().is_some()
        {
            return Err(end - 1);
        }
    }
    Ok(str::from_utf8(text).is_ok())
}

fn by_pieces(pieces: &[&[u8]]) -> Result<bool, usize> {
    let mut utf8 = Utf8::default();
    let mut before = 0;
    for piece in pieces {
        utf8.push(piece).map_err(|at| before + at)?;
        before += piece.len();
    }
    Ok(utf8.is_complete())
}

#[track_caller]
fn check(text: &[u8]) {
    check_cuts(text, Cut::all(text.len()));
}

#[track_caller]
fn check_cuts(text: &[u8], cuts: impl Iterator<Item = Cut>) {
    let expected = by_library(text);
    for cut in cuts {
        assert_eq!(by_pieces(&cut.pieces(text)), expected, "{text:x?} cut {cut:?}");
    }
}

#[test]
fn texts() {
    for text in [
        &b""[..],
        b"ascii",
        "κόσμε".as_bytes(),
        "\u{10FFFF}\u{10000}\u{FFFF}\u{800}\u{7FF}\u{80}\u{7F}\0".as_bytes(),
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xe0\xa0\x80",
        b"\xed\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xee\x80\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xf0\x90\x80\x80",
        b"\xf4\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xff",
        b"\x80",
        b"a\xe2\x82",
        b"a\xf0\x9f\x92",
        b"a\xf0\x28\x8c\x28",
        // Short, not ASCII, and with an ASCII byte last.
        b"\x80\x80a",
        b"\x80\x80\x80\x80\x80\x80\x80\x80a",
        b"\x80aaaaaaa\x80aaaaaaaa",
    ] {
        check(text);
    }
}

/// Every pair of bytes where it matters: after nothing, and inside longer characters; in one piece
/// and in two, which is all there is to a pair.
#[test]
fn all_pairs() {
    for first in (0x7F..=0xFFu8).step_by(if cfg!(miri) { 3 } else { 1 }) {
        for second in (0..=0xFFu8).step_by(if cfg!(miri) { 17 } else { 1 }) {
            let cuts = [Cut::Every(usize::MAX), Cut::Every(1)].into_iter();
            check_cuts(&[first, second], cuts.clone());
            let cuts = cuts.chain((1..5).map(Cut::At));
            check_cuts(&[b'a', first, second, 0x80, 0x80], cuts);
        }
    }
}

/// Longer than the library's fast path takes to begin with.
#[test]
fn a_bad_byte_anywhere_in_a_long_text() {
    let good = "aé€😀".repeat(20);
    let text = good.as_bytes();
    assert_eq!(by_pieces(&[text]), Ok(true));
    for at in (0..text.len()).step_by(if cfg!(miri) { 13 } else { 1 }) {
        let mut bad = text.to_vec();
        bad[at] = 0xFF;
        assert_eq!(by_pieces(&[&bad]), by_library(&bad), "0xff at {at}");
        assert_eq!(by_pieces(&[&text[..at]]), by_library(&text[..at]), "cut off at {at}");
    }
}

/// Longer than the widest vectors take to begin with: what is not ASCII, anywhere among what is.
#[test]
fn the_end_of_ascii_anywhere_in_a_long_text() {
    let ascii = vec![b'a'; LONG + 1024];
    let step = if cfg!(miri) { 509 } else { 1 };
    for at in (0..ascii.len() - 2).step_by(step) {
        let with = |bytes: &[u8]| {
            let mut text = ascii.clone();
            text[at..at + bytes.len()].copy_from_slice(bytes);
            by_pieces(&[&text])
        };
        assert_eq!(with("\u{e9}".as_bytes()), Ok(true), "at {at}");
        assert_eq!(with(b"\x80"), Err(at), "at {at}");
        assert_eq!(with(b"\xc3"), Err(at + 1), "at {at}");
    }
}
