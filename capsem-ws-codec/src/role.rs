//! Which end of a connection sent the bytes. Knows nothing of what they say.

/// The end that sent the bytes in question.
///
/// It decides the masking rule: a client masks every frame, a server none (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that opened the connection and sent the upgrade.
    Client,
    /// The end that answered with 101.
    Server,
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
}
