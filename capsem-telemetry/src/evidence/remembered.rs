//! Ids of responses that have ended, so that what comes after an end is not taken for another call.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// Ids remembered. A socket lives an hour; what was said before the last few thousand responses is
/// not repeated.
const MAX_REMEMBERED: usize = 4096;

/// A bounded set of ids that forgets the oldest. It keeps hashes under a key of its own, so its
/// size does not depend on the ids.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    key: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Remembered {
    pub(super) fn contains(&self, id: &str) -> bool {
        self.known.contains(&self.key.hash_one(id))
    }

    /// Adds an id.
    pub(super) fn insert(&mut self, id: &str) {
        let hash = self.key.hash_one(id);
        if !self.known.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
