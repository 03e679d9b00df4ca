//! Masking: XOR with a four-byte key (RFC 6455 section 5.3). Refuses to make keys.

/// Bytes one step of the loop takes: wide enough for every vector unit the compiler may use.
const LANE: usize = 32;
/// Bytes copied before they are unmasked: small enough to be in the first-level cache still.
const BLOCK: usize = 4096;

/// A key at its place in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The key, turned so that its first byte is the next one to use.
    key: [u8; 4],
}

impl Mask {
    /// `key` as the frame head has it, `phase` payload bytes into the frame.
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
        Self { key: u32::from_be_bytes(key).rotate_left(bits).to_be_bytes() }
    }

    /// The same key `count` payload bytes further on.
    #[must_use]
    pub const fn after(self, count: u64) -> Self {
        Self::new(self.key, count)
    }

    /// Masks or unmasks `data` in place.
    pub fn apply(self, data: &mut [u8]) {
        let lane = self.lane();
        let (blocks, tail) = data.as_chunks_mut::<LANE>();
        for block in blocks {
            for (byte, key) in block.iter_mut().zip(&lane) {
                *byte ^= key;
            }
        }
        for (byte, key) in tail.iter_mut().zip(&lane) {
            *byte ^= key;
        }
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

    fn lane(self) -> [u8; LANE] {
        let mut lane = [0; LANE];
        for four in lane.as_chunks_mut::<4>().0 {
            *four = self.key;
        }
        lane
    }
}

#[cfg(test)]
mod tests;
