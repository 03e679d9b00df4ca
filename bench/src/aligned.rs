//! Bytes that start on a page, so that no implementation is lucky or unlucky with its buffer.

use std::ops::{Deref, DerefMut};

const PAGE: usize = 4096;

/// A fixed number of bytes that start on a page.
pub struct Aligned {
    bytes: Vec<u8>,
    at: usize,
    len: usize,
}

impl Aligned {
    /// Zeroes.
    pub fn zeroed(len: usize) -> Self {
        let bytes = vec![0; len + PAGE];
        let at = bytes.as_ptr().align_offset(PAGE);
        Self { bytes, at, len }
    }

    /// A copy of `bytes`.
    pub fn copy(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.copy_from_slice(bytes);
        copy
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.at..][..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.at..][..self.len]
    }
}
