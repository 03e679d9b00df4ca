//! Masking: XOR with a four-byte key (RFC 6455 section 5.3). Refuses to make keys.

use fearless_simd::{Level, Simd, dispatch, prelude::*};

/// From this length on the machine's widest vectors pay for the call that finds them.
const WIDE: usize = 256;
/// From this length on it pays to begin at a cache line, so that no vector lies across two.
const LONG: usize = 4096;
const CACHE_LINE: usize = 64;
/// Bytes copied before they are unmasked: small enough to be in the first-level cache still.
const BLOCK: usize = 4096;

/// A key at its place in a payload (RFC 6455 section 5.3).
///
/// Masking and unmasking are the same; a payload may be done in pieces.
///
/// ```
/// use capsem_ws_codec::Mask;
///
/// let mask = Mask::new([0x37, 0xfa, 0x21, 0x3d], 0);
/// let mut masked = Vec::new();
/// mask.append(b"Hel", &mut masked);
/// mask.after(3).append(b"lo", &mut masked);
/// assert_eq!(masked, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The key as it lies in memory, turned so that its first byte is the next one to use. A word,
    /// since four bytes beside a tag do not travel in registers.
    key: u32,
}

impl Mask {
    /// `key` as the frame head has it, to go on `phase` bytes into the frame's payload.
    ///
    /// ```
    /// use capsem_ws_codec::Mask;
    ///
    /// let mut payload = *b"Hello";
    /// Mask::new([0x37, 0xfa, 0x21, 0x3d], 0).apply(&mut payload);
    /// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    /// ```
    #[must_use]
    pub const fn new(key: [u8; 4], phase: u64) -> Self {
        // The truncation keeps the only two bits that matter, and a rotation by whole bytes turns
        // the key whatever the machine's byte order.
        let bits = (phase & 3) as u32 * 8;
        let turned = u32::from_be_bytes(key).rotate_left(bits);
        Self { key: u32::from_ne_bytes(turned.to_be_bytes()) }
    }

    /// The same key `count` payload bytes further on.
    #[must_use]
    pub const fn after(self, count: u64) -> Self {
        Self::new(self.key.to_ne_bytes(), count)
    }

    /// Masks or unmasks `data` in place.
    #[inline]
    pub fn apply(self, data: &mut [u8]) {
        if data.len() < WIDE { self.apply_words(data) } else { self.apply_wide(data) }
    }

    /// Appends `data`, masked or unmasked, to `dst`.
    pub fn append(self, data: &[u8], dst: &mut Vec<u8>) {
        dst.reserve(data.len());
        // BLOCK is a multiple of the key's length, so the key needs no turning between blocks.
        for block in data.chunks(BLOCK) {
            let start = dst.len();
            dst.extend_from_slice(block);
            if let Some(copied) = dst.get_mut(start..) {
                self.apply(copied);
            }
        }
    }

    #[inline(never)]
    fn apply_wide(self, data: &mut [u8]) {
        let lead = if data.len() < LONG { 0 } else { data.as_ptr().align_offset(CACHE_LINE) };
        // There need be no such place by what `align_offset` promises.
        let (lead, data) = data.split_at_mut(lead.min(data.len()));
        self.apply_words(lead);
        let mask = self.after(lead.len() as u64);
        dispatch!(Level::new(), simd => mask.apply_vectors(simd, data));
    }

    /// Inlined, so that it becomes code for the vectors that `simd` proves to be there.
    #[expect(clippy::inline_always, reason = "as fearless_simd asks for")]
    #[inline(always)]
    fn apply_vectors<S: Simd>(self, simd: S, data: &mut [u8]) {
        let key = S::u32s::splat(simd, self.key).bitcast::<S::u8s>();
        let mut vectors = data.chunks_exact_mut(S::u8s::LEN);
        for vector in &mut vectors {
            (S::u8s::from_slice(simd, vector) ^ key).store_slice(vector);
        }
        // A vector is a multiple of the key's length.
        self.apply_words(vectors.into_remainder());
    }

    #[inline]
    fn apply_words(self, data: &mut [u8]) {
        let key = u64::from(self.key);
        let key = key << 32 | key;
        let (words, rest) = data.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(key.to_ne_bytes()) {
            *byte ^= key;
        }
    }
}

#[cfg(test)]
mod tests;
