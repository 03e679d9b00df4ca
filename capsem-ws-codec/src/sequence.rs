//! The order of frames and the sums over a message: fragments, lengths (RFC 6455 section 5.4).
//!
//! Refuses to know a frame's bytes; it is told of heads.

use crate::{Error, FrameHead, Limits, Opcode, head::Rules};

/// Where one direction stands between heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    /// No message is under way.
    Between,
    /// A message has begun, and its last head was without FIN.
    Within {
        /// Payload bytes its heads declared.
        len: u64,
        /// Its heads so far.
        fragments: u32,
    },
}

impl Sequence {
    /// Takes note of a head that kept the rules.
    pub(crate) fn advance(&mut self, head: &FrameHead) {
        if head.opcode.is_control() {
            return;
        }
        *self = if head.fin {
            Self::Between
        } else {
            let (len, fragments) = self.so_far();
            Self::Within {
                len: len.saturating_add(head.len),
                fragments: fragments.saturating_add(1),
            }
        };
    }

    fn so_far(self) -> (u64, u32) {
        match self {
            Self::Between => (0, 0),
            Self::Within { len, fragments } => (len, fragments),
        }
    }
}

/// The rules for the next head of a sequence.
pub(crate) struct Next<'a>(pub(crate) Sequence, pub(crate) &'a Limits);

impl Rules for Next<'_> {
    #[inline]
    fn first(&self, opcode: Opcode) -> Result<(), Error> {
        if opcode.is_control() {
            return Ok(());
        }
        match (self.0, opcode.begins_message()) {
            (Sequence::Between, false) => return Err(Error::ContinuationOrphan),
            (Sequence::Within { .. }, true) => return Err(Error::MessageInterleaved { opcode }),
            (Sequence::Between, true) | (Sequence::Within { .. }, false) => {}
        }
        let limit = self.1.fragments;
        if self.0.so_far().1 >= limit { Err(Error::FragmentLimit { limit }) } else { Ok(()) }
    }

    #[inline]
    fn length(&self, opcode: Opcode, len: u64) -> Result<(), Error> {
        if opcode.is_control() {
            return Ok(());
        }
        let Limits { frame, message, .. } = *self.1;
        if len > frame {
            return Err(Error::FrameLimit { len, limit: frame });
        }
        if self.0.so_far().0.saturating_add(len) > message {
            return Err(Error::MessageLimit { limit: message });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
