//! Numbers that look random and are the same in every run. Refuses to be unpredictable.

/// A xorshift generator; about a nanosecond a number.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// A generator from a fixed seed.
    pub fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A masking key.
    #[inline]
    pub fn key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next().to_ne_bytes();
        [a, b, c, d]
    }
}
