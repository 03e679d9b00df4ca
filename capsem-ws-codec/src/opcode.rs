//! The six opcodes of RFC 6455. Refuses to know the order they may come in.

use crate::Error;

/// What a frame carries (RFC 6455 section 5.2). The ten reserved values have no variant.
///
/// ```
/// use capsem_ws_codec::Opcode;
///
/// assert_eq!(Opcode::try_from(0x9)?, Opcode::Ping);
/// assert!(Opcode::Ping.is_control());
/// assert!(Opcode::try_from(0x3).is_err());
/// # Ok::<(), capsem_ws_codec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message under way.
    Continuation = 0x0,
    /// The first or only fragment of a UTF-8 message.
    Text = 0x1,
    /// The first or only fragment of a message of bytes.
    Binary = 0x2,
    /// The last frame of its sender.
    Close = 0x8,
    /// Asks for a Pong with the same payload.
    Ping = 0x9,
    /// Answers a Ping, or is a heartbeat nobody asked for.
    Pong = 0xA,
}

impl Opcode {
    /// Whether frames of this opcode stand outside messages: Close, Ping and Pong.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    /// Whether a frame of this opcode is the first of its message: Text and Binary.
    #[must_use]
    pub const fn begins_message(self) -> bool {
        self as u8 & 0x3 != 0 && !self.is_control()
    }
}

impl From<Opcode> for u8 {
    fn from(opcode: Opcode) -> Self {
        opcode as Self
    }
}

impl TryFrom<u8> for Opcode {
    type Error = Error;

    /// Fails with [`Error::Opcode`] for a reserved value and for any above `0xF`.
    fn try_from(value: u8) -> Result<Self, Error> {
        Ok(match value {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            opcode => return Err(Error::Opcode { opcode }),
        })
    }
}
