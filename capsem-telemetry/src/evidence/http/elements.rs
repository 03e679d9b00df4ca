//! A JSON array that comes piece by piece: its elements, each as soon as it is whole. Knows only as
//! much JSON as it takes to see where an element ends.

use crate::buffer::append;

/// Splits a body that is one array of objects. Keeps at most `limit` bytes of the element at hand.
#[derive(Debug)]
pub(super) struct Elements {
    element: Vec<u8>,
    limit: usize,
    truncated: bool,
    /// Bytes of the body since the last element.
    len: u64,
    /// Objects and arrays that are open, the outermost too.
    depth: u64,
    within: Within,
    ended: bool,
}

/// Where in the text the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Within {
    Structure,
    String,
    /// After a backslash.
    Escape,
}

/// One element.
pub(super) struct Element<'a> {
    pub(super) json: &'a [u8],
    /// It was longer than the limit.
    pub(super) truncated: bool,
    /// Bytes of the body from the end of the previous element to the end of this one.
    pub(super) len: u64,
}

impl Elements {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            element: Vec::new(),
            limit,
            truncated: false,
            len: 0,
            depth: 0,
            within: Within::Structure,
            ended: false,
        }
    }

    /// Takes the next bytes of the body and calls `each` for every element they complete.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Element<'_>)) {
        // Where in `bytes` what is to be kept of the element at hand begins.
        let mut from = (self.depth > 1).then_some(0);
        for (at, &byte) in bytes.iter().enumerate() {
            self.len += 1;
            let inside = self.depth > 1;
            match (self.within, byte) {
                (Within::Escape, _) | (Within::Structure, b'"') => self.within = Within::String,
                (Within::String, b'\\') => self.within = Within::Escape,
                (Within::String, b'"') => self.within = Within::Structure,
                (Within::Structure, b'{' | b'[') => self.depth += 1,
                (Within::Structure, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    self.ended |= self.depth == 0;
                }
                _ => {}
            }
            if !inside && self.depth <= 1 {
                continue; // what stands between elements
            }
            let begins = *from.get_or_insert(at);
            if self.depth == 1 {
                from = None;
                self.keep(&bytes[begins..=at]);
                let truncated = std::mem::take(&mut self.truncated);
                let len = std::mem::take(&mut self.len);
                each(Element { json: &self.element, truncated, len });
                self.element.clear();
                self.element.shrink_to(KEEP);
            }
        }
        if let Some(from) = from {
            self.keep(&bytes[from..]);
        }
    }

    /// From now on keeps at most `limit` bytes of an element.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Memory held.
    pub(super) fn held(&self) -> usize {
        self.element.capacity()
    }

    fn keep(&mut self, piece: &[u8]) {
        self.truncated |= append(&mut self.element, piece, self.limit);
    }

    /// Whether the array came to its end.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }
}

/// Memory held on to between elements, so that one long element does not cost its size for as long
/// as the body lasts.
const KEEP: usize = 64 * 1024;

#[cfg(test)]
mod tests;
