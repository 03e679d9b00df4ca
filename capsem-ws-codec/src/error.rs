//! Every way frames can break RFC 6455, RFC 7692 or a limit, with its Close code and its class.
//!
//! Refuses to know what is done about it.

use crate::{CloseCode, Opcode};

/// A violation by the sender of the bytes, with its numbers.
///
/// The same bytes give the same error however they are cut, as soon as the bytes that make it one
/// are there. A length and a code count as there with their last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A client's frame without a mask (RFC 6455 section 5.1).
    #[error("a client's frame is not masked")]
    MaskMissing,
    /// A server's frame with a mask (RFC 6455 section 5.1).
    #[error("a server's frame is masked")]
    MaskUnexpected,
    /// A reserved bit nobody agreed on, or RSV1 on a frame that may not carry it (RFC 6455 section
    /// 5.2, RFC 7692 section 6.1).
    #[error("reserved bits {bits:#05b} are set on a {opcode:?} frame")]
    Rsv {
        /// RSV1, RSV2 and RSV3 as the bits 4, 2 and 1.
        bits: u8,
        /// The frame's opcode.
        opcode: Opcode,
    },
    /// A reserved opcode (RFC 6455 section 5.2).
    #[error("opcode {opcode:#x} is reserved")]
    Opcode {
        /// The value on the wire.
        opcode: u8,
    },
    /// A control frame without FIN (RFC 6455 section 5.5).
    #[error("a {opcode:?} frame is fragmented")]
    ControlFragmented {
        /// The frame's opcode.
        opcode: Opcode,
    },
    /// A control frame that declares more than 125 bytes (RFC 6455 section 5.5).
    #[error("a {opcode:?} frame is longer than 125 bytes")]
    ControlLength {
        /// The frame's opcode.
        opcode: Opcode,
    },
    /// A payload length written in more bytes than it needs (RFC 6455 section 5.2).
    #[error("the length {len} is not written in its shortest form")]
    LengthNotMinimal {
        /// The length the frame declares.
        len: u64,
    },
    /// A 64-bit payload length with its highest bit set (RFC 6455 section 5.2).
    #[error("the highest bit of a 64-bit length is set")]
    LengthHighBit,
    /// A continuation where no message is under way (RFC 6455 section 5.4).
    #[error("a continuation frame continues nothing")]
    ContinuationOrphan,
    /// A new message inside another one (RFC 6455 section 5.4).
    #[error("a {opcode:?} frame starts inside an unfinished message")]
    MessageInterleaved {
        /// The frame's opcode.
        opcode: Opcode,
    },
    /// A text message or a Close reason has a byte that cannot be UTF-8 (RFC 6455 section 8.1).
    #[error("byte {at} of the text is not UTF-8")]
    Utf8 {
        /// The offset of the first bad byte in the uncompressed text.
        at: u64,
    },
    /// A text message or a Close reason ends inside a character (RFC 6455 section 8.1).
    #[error("the text ends inside a character, after {len} bytes")]
    Utf8Unfinished {
        /// The length of the uncompressed text.
        len: u64,
    },
    /// A Close frame whose payload is a single byte (RFC 6455 section 5.5.1).
    #[error("a Close frame has half a code")]
    CloseLength,
    /// A Close code that must not be sent (RFC 6455 section 7.4).
    #[error("the Close code {code} must not be sent")]
    CloseCode {
        /// The code on the wire.
        code: u16,
    },
    /// A frame declares more than [`Limits::frame`](crate::Limits::frame).
    #[error("a frame of {len} bytes is over the limit of {limit}")]
    FrameLimit {
        /// The length the frame declares.
        len: u64,
        /// The limit.
        limit: u64,
    },
    /// The fragments of a message declare, or inflate to, more than
    /// [`Limits::message`](crate::Limits::message).
    #[error("a message is over the limit of {limit} bytes")]
    MessageLimit {
        /// The limit.
        limit: u64,
    },
    /// A message has more frames than [`Limits::fragments`](crate::Limits::fragments).
    #[error("a message has more than {limit} fragments")]
    FragmentLimit {
        /// The limit.
        limit: u32,
    },
    /// The compressed data is not DEFLATE, or refers to what was never sent (RFC 7692 section 7.2.2).
    #[error("compressed data is corrupt")]
    Inflate,
    /// A compressed message ends inside a DEFLATE block (RFC 7692 section 7.2.1).
    ///
    /// With context takeover, one that the four bytes every reader appends make nothing of (section
    /// 7.2.2) is read as those readers do: what is wrong shows in the next message.
    #[error("a compressed message ends inside a block")]
    InflateUnfinished,
    /// A message inflates to more than [`Limits::inflate`](crate::Limits::inflate).
    #[error("a message inflates to more than {limit} bytes")]
    InflateLimit {
        /// The limit.
        limit: u64,
    },
    /// A message has more final DEFLATE blocks than any sender has a use for; each costs its
    /// reader a window.
    #[error("a message has more than {limit} final blocks")]
    InflateFinals {
        /// The limit.
        limit: u32,
    },
}

impl Error {
    /// The Close code that tells the sender: 1002, 1007 or 1009 (RFC 6455 section 7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::MaskMissing
            | Self::MaskUnexpected
            | Self::Rsv { .. }
            | Self::Opcode { .. }
            | Self::ControlFragmented { .. }
            | Self::ControlLength { .. }
            | Self::LengthNotMinimal { .. }
            | Self::LengthHighBit
            | Self::ContinuationOrphan
            | Self::MessageInterleaved { .. }
            | Self::CloseLength
            | Self::CloseCode { .. } => CloseCode::PROTOCOL,
            Self::Utf8 { .. }
            | Self::Utf8Unfinished { .. }
            | Self::Inflate
            | Self::InflateUnfinished => CloseCode::INVALID_DATA,
            Self::FrameLimit { .. }
            | Self::MessageLimit { .. }
            | Self::FragmentLimit { .. }
            | Self::InflateLimit { .. }
            | Self::InflateFinals { .. } => CloseCode::TOO_BIG,
        }
    }

    /// The violation's class, one word of a closed list, for records and metrics.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::MaskMissing | Self::MaskUnexpected => "mask",
            Self::Rsv { .. } => "rsv",
            Self::Opcode { .. } => "opcode",
            Self::ControlFragmented { .. } | Self::ControlLength { .. } => "control",
            Self::LengthNotMinimal { .. } | Self::LengthHighBit => "length",
            Self::ContinuationOrphan | Self::MessageInterleaved { .. } => "interleave",
            Self::Utf8 { .. } | Self::Utf8Unfinished { .. } => "utf8",
            Self::CloseLength | Self::CloseCode { .. } => "close_code",
            Self::FrameLimit { .. } => "frame_limit",
            Self::MessageLimit { .. } => "message_limit",
            Self::FragmentLimit { .. } => "fragment_limit",
            Self::Inflate | Self::InflateUnfinished => "inflate",
            Self::InflateLimit { .. } | Self::InflateFinals { .. } => "inflate_limit",
        }
    }
}

#[cfg(test)]
mod tests;
