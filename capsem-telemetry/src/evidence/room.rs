//! How many bytes the open calls of one exchange may hold between them, so that many calls are no
//! way around what one may hold. Knows no bytes, only how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that are left. Clones are of the same room.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<AtomicUsize>);

/// What one holder has taken of a room; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Room,
    held: usize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// A share of nothing yet.
    pub(super) fn share(&self) -> Share {
        Share { room: self.clone(), held: 0 }
    }
}

impl Share {
    /// Bytes that can still be taken.
    pub(super) fn left(&self) -> usize {
        self.room.0.load(Ordering::Relaxed)
    }

    /// Takes so many bytes, or none of them and says so. An exchange is read by one thread at a
    /// time, so nothing can come in between.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let Some(left) = self.left().checked_sub(bytes) else { return false };
        self.room.0.store(left, Ordering::Relaxed);
        self.held += bytes;
        true
    }

    /// Gives some of it back.
    pub(super) fn give(&mut self, bytes: usize) {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.room.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let room = Room::new(10);
        let (mut one, mut other) = (room.share(), room.share());
        assert!(one.take(6) && !other.take(5) && other.take(4) && !one.take(1) && one.take(0));
        one.give(2);
        assert_eq!(other.left(), 2);
        one.give(100);
        assert_eq!(other.left(), 6);
        drop(other);
        assert_eq!(one.left(), 10);
    }
}
