//! Close codes and the payload of a Close frame. Refuses to know when to close.

use crate::Error;

/// A Close code (RFC 6455 section 7.4 and its IANA registry). An open set: any `u16` fits.
///
/// ```
/// use capsem_ws_codec::CloseCode;
///
/// assert!(CloseCode::NORMAL.is_valid_on_wire());
/// assert!(CloseCode::from(4000).is_valid_on_wire());
/// assert!(!CloseCode::from(1005).is_valid_on_wire());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose was fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: an end goes away: a server stops, a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: the peer sent a kind of data that is not taken.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: a message's data does not fit its type: text that is not UTF-8, corrupt compression.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message broke a policy.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the server did not agree to an extension the client needs.
    pub const EXTENSION: Self = Self(1010);
    /// 1011: the sender failed.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: the service restarts.
    pub const RESTART: Self = Self(1012);
    /// 1013: try again later.
    pub const TRY_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from its upstream.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Whether a Close frame may carry this code: 1000 to 1003, 1007 to 1014, 3000 to 4999.
    #[must_use]
    pub const fn is_valid_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a Close frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why; `None` for an empty payload, which an API shows as 1005.
    pub code: Option<CloseCode>,
    /// Text for people, at most 123 bytes in a frame; empty where the sender gave none.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Reads an unmasked payload (RFC 6455 section 5.5.1).
    ///
    /// Fails with [`Error::CloseLength`] for half a code, [`Error::CloseCode`] for one that must not
    /// be sent, [`Error::Utf8`] or [`Error::Utf8Unfinished`] for a reason that is not UTF-8.
    ///
    /// ```
    /// use capsem_ws_codec::{CloseCode, CloseFrame};
    ///
    /// let close = CloseFrame::parse(b"\x03\xe8bye")?;
    /// assert_eq!(close.code, Some(CloseCode::NORMAL));
    /// assert_eq!(close.reason, "bye");
    /// # Ok::<(), capsem_ws_codec::Error>(())
    /// ```
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() {
                Ok(Self { code: None, reason: "" })
            } else {
                Err(Error::CloseLength)
            };
        };
        let code = check_code(*code)?;
        let reason = str::from_utf8(reason).map_err(|_| utf8_error(reason))?;
        Ok(Self { code: Some(code), reason })
    }
}

/// Reads the two bytes of a code.
pub(crate) fn check_code(bytes: [u8; 2]) -> Result<CloseCode, Error> {
    let code = CloseCode(u16::from_be_bytes(bytes));
    if code.is_valid_on_wire() { Ok(code) } else { Err(Error::CloseCode { code: code.0 }) }
}

/// Names the first bad byte of a reason the way a stream of its bytes would.
fn utf8_error(reason: &[u8]) -> Error {
    let mut utf8 = crate::utf8::Utf8::default();
    match utf8.push(reason) {
        Err(at) => Error::Utf8 { at: at as u64 },
        Ok(()) => Error::Utf8Unfinished { len: reason.len() as u64 },
    }
}

#[cfg(test)]
mod tests;
