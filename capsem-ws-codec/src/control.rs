//! A control frame, collected piece by piece (RFC 6455 section 5.5). Refuses to know when it may come.

use crate::{
    CloseFrame, Error, Mask, Opcode,
    close::check_code,
    head::{MAX_CONTROL, Violation},
    utf8::Utf8,
};

/// A whole control frame, its payload unmasked and held inline (RFC 6455 section 5.5).
#[derive(Clone, Copy)]
pub struct Control {
    opcode: Opcode,
    len: u8,
    bytes: [u8; MAX_CONTROL],
}

impl Control {
    pub(crate) fn new(opcode: Opcode) -> Self {
        Self { opcode, len: 0, bytes: [0; MAX_CONTROL] }
    }

    /// Close, Ping or Pong.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// The unmasked payload, at most 125 bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The payload as that of a Close frame, whatever the opcode. Never fails for a Close that a
    /// decoder handed out; for the rest as [`CloseFrame::parse`] does.
    pub fn close(&self) -> Result<CloseFrame<'_>, Error> {
        CloseFrame::parse(self.payload())
    }

    pub(crate) fn reason(&self) -> &[u8] {
        self.payload().get(2..).unwrap_or_default()
    }

    /// Takes more of the payload. A Close payload is checked up to its newest byte.
    pub(crate) fn push(
        &mut self,
        wire: &[u8],
        mask: Option<Mask>,
        reason: &mut Utf8,
    ) -> Result<(), Violation> {
        let had = usize::from(self.len);
        let Some(place) = self.bytes.get_mut(had..had + wire.len()) else { return Ok(()) };
        place.copy_from_slice(wire);
        if let Some(mask) = mask {
            mask.apply(place);
        }
        // The head was checked: a control payload is at most 125 bytes.
        self.len += u8::try_from(wire.len()).unwrap_or(0);
        if self.opcode != Opcode::Close {
            return Ok(());
        }
        if let (0..2, Some(code)) = (had, self.payload().first_chunk()) {
            check_code(*code).map_err(|error| Violation { error, at: 1 - had })?;
        }
        let checked = had.saturating_sub(2);
        let text = self.reason().get(checked..).unwrap_or_default();
        reason.push(text).map_err(|bad| {
            let at = checked + bad;
            Violation { error: Error::Utf8 { at: at as u64 }, at: at + 2 - had }
        })
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("opcode", &self.opcode)
            .field("payload", &self.payload())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Control {
    fn eq(&self, other: &Self) -> bool {
        self.opcode == other.opcode && self.payload() == other.payload()
    }
}

impl Eq for Control {}
