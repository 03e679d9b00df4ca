//! Ids and token counts: no two responses of an endpoint share one, so an equal number in a
//! ledger means that this response was read.

use std::sync::atomic::{AtomicU64, Ordering};

/// The running number of an endpoint's responses.
#[derive(Default)]
pub(super) struct Numbers(AtomicU64);

impl Numbers {
    pub(super) fn next(&self) -> Number {
        Number(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// The number of one response; all that varies in it follows from this.
#[derive(Clone, Copy)]
pub(super) struct Number(u64);

impl Number {
    /// `prefix_ep0007`, `prefix_ep0007b` ...: an id for one part of the response.
    pub(super) fn id(self, prefix: &str) -> String {
        format!("{prefix}_ep{:04}", self.0)
    }

    /// Input tokens without those that came from or went to a cache.
    pub(super) fn fresh(self) -> u64 {
        1009 + 37 * self.0
    }

    pub(super) fn cached(self) -> u64 {
        128 * (1 + self.0 % 7)
    }

    pub(super) fn cache_write(self) -> u64 {
        5 + 11 * self.0
    }

    pub(super) fn reasoning(self) -> u64 {
        3 + 13 * self.0
    }

    /// Output tokens without the reasoning.
    pub(super) fn spoken(self) -> u64 {
        17 + 19 * self.0
    }

    /// A sentence of several words, with letters of one to four bytes in it.
    pub(super) fn sentence(self) -> String {
        format!(
            "Answer {} of the local endpoint: tokens counted, café open, \u{2713} done \u{1f642}.",
            self.0
        )
    }
}

/// `text` in the pieces it is streamed in: word by word.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}
