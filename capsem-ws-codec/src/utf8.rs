//! UTF-8 checked piece by piece, with no copy and no heap. Refuses to know where messages end.

use fearless_simd::{Level, Simd, dispatch, prelude::*};

/// Below this length a loop over words is done before a vector unit is asked for.
const SHORT: usize = 256;
/// From this length on the machine's widest vectors find the end of what is ASCII.
const LONG: usize = 4096;
/// Vectors looked at together, so that one branch serves all of them.
const TOGETHER: usize = 8;

/// A check of one text that comes in pieces (RFC 6455 section 8.1).
///
/// Rejects what RFC 3629 does: overlong forms, surrogates, and anything above U+10FFFF; each at
/// the first byte that cannot stand where it stands, wherever the pieces are cut.
///
/// ```
/// use capsem_ws_codec::Utf8;
///
/// let mut utf8 = Utf8::default();
/// assert_eq!(utf8.push(b"caf\xc3"), Ok(()));
/// assert!(!utf8.is_complete());
/// assert_eq!(utf8.push(b"\xa9"), Ok(()));
/// assert!(utf8.is_complete());
/// assert_eq!(utf8.push(b"ab\xff"), Err(2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8 {
    /// Continuation bytes the character under way still needs.
    missing: u8,
    /// What the next of them may be.
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Takes the next piece. Fails with the index in `bytes` of the first bad one; the check must
    /// not be used again then.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), usize> {
        // The usual piece begins and ends between characters and is good.
        let short = bytes.len() < SHORT && is_ascii(bytes);
        if self.missing == 0 && (short || is_whole(bytes)) {
            return Ok(());
        }
        self.push_any(bytes)
    }

    #[inline(never)]
    fn push_any(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while self.missing > 0 {
            let Some(&byte) = bytes.get(at) else { return Ok(()) };
            self.step(byte).map_err(|()| at)?;
            at += 1;
        }
        let Some(rest) = bytes.get(at..) else { return Ok(()) };
        let (whole, tail) = rest.split_at(rest.len() - cut_off(rest));
        if simdutf8::basic::from_utf8(whole).is_err() {
            return Err(at + first_bad(whole));
        }
        at += whole.len();
        for (index, &byte) in tail.iter().enumerate() {
            self.step(byte).map_err(|()| at + index)?;
        }
        Ok(())
    }

    /// Whether the text may end here: not inside a character.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.missing == 0
    }

    fn step(&mut self, byte: u8) -> Result<(), ()> {
        if self.missing > 0 {
            if !(self.low..=self.high).contains(&byte) {
                return Err(());
            }
            *self = Self { missing: self.missing - 1, low: 0x80, high: 0xBF };
            return Ok(());
        }
        let (missing, low, high) = match byte {
            0x00..=0x7F => (0, 0, 0),
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF), // below is overlong
            0xE1..=0xEC | 0xEE..=0xEF => (2, 0x80, 0xBF),
            0xED => (2, 0x80, 0x9F), // above is a surrogate
            0xF0 => (3, 0x90, 0xBF), // below is overlong
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            0xF4 => (3, 0x80, 0x8F), // above is past U+10FFFF
            _ => return Err(()),
        };
        *self = Self { missing, low, high };
        Ok(())
    }
}

/// Whether every byte is below 0x80, by words that may overlap.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return bytes.iter().all(u8::is_ascii);
    };
    let mut any = u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last);
    if bytes.len() > 2 * first.len() {
        let (words, _) = bytes.as_chunks();
        any = words.iter().fold(any, |any, word| any | u64::from_ne_bytes(*word));
    }
    any & 0x8080_8080_8080_8080 == 0
}

/// Whether this is good text that ends with a character of one byte.
#[inline]
fn is_whole(bytes: &[u8]) -> bool {
    let ascii = if bytes.len() < LONG { 0 } else { ascii_prefix(bytes) };
    let rest = bytes.get(ascii..).unwrap_or_default();
    bytes.last().is_some_and(u8::is_ascii) && simdutf8::basic::from_utf8(rest).is_ok()
}

/// Bytes at the start that are ASCII for sure.
#[inline(never)]
fn ascii_prefix(bytes: &[u8]) -> usize {
    dispatch!(Level::new(), simd => ascii_vectors(simd, bytes))
}

/// Inlined, so that it becomes code for the vectors that `simd` proves to be there.
#[expect(clippy::inline_always, reason = "as fearless_simd asks for")]
#[inline(always)]
fn ascii_vectors<S: Simd>(simd: S, bytes: &[u8]) -> usize {
    let limit = S::u8s::splat(simd, 0x80);
    let mut ascii = 0;
    for block in bytes.chunks_exact(TOGETHER * S::u8s::LEN) {
        let vectors = block.chunks_exact(S::u8s::LEN).map(|it| S::u8s::from_slice(simd, it));
        let any = vectors.fold(S::u8s::splat(simd, 0), |any, vector| any | vector);
        if any.simd_ge(limit).any_true() {
            break;
        }
        ascii += block.len();
    }
    ascii
}

/// How many bytes at the end begin a character that is not all there.
fn cut_off(bytes: &[u8]) -> usize {
    for (back, &byte) in bytes.iter().rev().take(3).enumerate() {
        let needs = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0.. => 4,
            0x00..=0x7F => 1,
        };
        return if needs > back + 1 { back + 1 } else { 0 };
    }
    0
}

/// The first bad byte of what is known to be bad: past the end, if what ends inside a character is
/// followed by the start of another.
fn first_bad(bytes: &[u8]) -> usize {
    let good = simdutf8::compat::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
    let mut utf8 = Utf8::default();
    let bad = bytes.iter().skip(good).position(|&byte| utf8.step(byte).is_err());
    bad.map_or(bytes.len(), |bad| good + bad)
}

#[cfg(test)]
mod tests;
