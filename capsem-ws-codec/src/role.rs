//! Which end of a connection sent the bytes. Knows nothing of what they say.

/// The end that sent the bytes in question.
///
/// It decides the masking rule: a client masks every frame, a server none (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// The end that opened the connection and sent the upgrade.
    Client = 0x80,
    /// The end that answered with 101.
    Server = 0,
}

impl Role {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The mask bit of its frames, where it stands in the second byte of a head.
    pub(crate) const fn mask_bit(self) -> u8 {
        self as u8
    }
}
