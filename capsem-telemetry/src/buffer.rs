//! Appending within a limit that the memory keeps to as well. Knows nothing of what is appended.

/// Bytes that count as nothing beside a capture limit: what a buffer may hold, or an allocation
/// take, before anybody asks whose share it is.
pub(crate) const SMALL: usize = 512 * 1024;

/// Most that is taken at once; a larger limit is come to by doubling.
const AT_ONCE: usize = 64 * 1024 * 1024;

/// Appends what fits below `limit`, and says whether anything did not.
///
/// A buffer doubles while it is small. Past that it takes at once all it may ever take: each
/// doubling would hold two buffers, the old and the new, that are more than the limit together.
/// What is never written to costs addresses, not memory.
pub(crate) fn append(buffer: &mut Vec<u8>, bytes: &[u8], limit: usize) -> bool {
    let room = limit.saturating_sub(buffer.len());
    let fits = bytes.get(..room).unwrap_or(bytes);
    let len = buffer.len() + fits.len();
    if len > buffer.capacity() && len > SMALL {
        buffer.reserve_exact(room.min(AT_ONCE.saturating_sub(buffer.len())));
    }
    buffer.extend_from_slice(fits);
    bytes.len() > room
}
