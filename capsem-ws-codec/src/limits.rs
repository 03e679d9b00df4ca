//! What a peer can make a reader do at most. Refuses to know how the numbers were configured.

/// Bounds of one direction of a connection.
///
/// Lengths are judged as soon as they are declared, each limit itself still being allowed. Control
/// frames have their own limit, 125 bytes, and count in none of these. The defaults fit a proxy for
/// model traffic; an end that keeps whole messages sets `message` and `capture` to one number.
///
/// ```
/// let limits = capsem_ws_codec::Limits { message: 1 << 20, ..Default::default() };
/// assert_eq!(limits.fragments, 8192);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Payload bytes one data frame may declare.
    ///
    /// 64 MiB: four times what the strictest client in use takes, so no frame a real peer sends
    /// is cut, and far from any arithmetic edge.
    pub frame: u64,
    /// Payload bytes the frames of one message may declare together, and bytes a compressed
    /// message may inflate to.
    ///
    /// 256 MiB: nothing of a message but `capture` is kept, so this bounds time and not memory;
    /// uploads of base64 media go to tens of megabytes.
    pub message: u64,
    /// Data frames one message may have.
    ///
    /// 8192: a model's streaming needs one; a sender that flushes every 32 KiB reaches `message`
    /// with these. It bounds what empty fragments, which no length limit counts, can cost.
    pub fragments: u32,
    /// Bytes one compressed message may inflate to.
    ///
    /// 256 MiB: the same as `message`, so that compression neither loosens nor tightens it; a
    /// bomb of the best possible ratio, 1032 to 1, stops after 254 KiB of wire.
    pub inflate: u64,
    /// Bytes of one message that are kept and handed out. The rest is checked and counted.
    ///
    /// 10 MiB: the longest request of an agent with a full context and some images, and the only
    /// limit that is memory.
    pub capture: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 64 << 20,
            message: 256 << 20,
            fragments: 8192,
            inflate: 256 << 20,
            capture: 10 << 20,
        }
    }
}
