//! The key of an upgrade and its answer (RFC 6455 section 1.3). Proves that the other end speaks
//! WebSocket, and nothing about who it is.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use sha1::{Digest as _, Sha1};

/// What every server appends to the key before hashing.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Padding is a must; spare bits of the last character are not looked at, as the key is answered as
/// text and the example key of RFC 6455 section 4.1 has some set.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The `Sec-WebSocket-Accept` that answers `key`, the text of a `Sec-WebSocket-Key`.
///
/// ```
/// use capsem_ws_codec::handshake::accept_for;
///
/// assert_eq!(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_for(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    BASE64.encode(digest)
}

/// The text of a key.
pub(super) fn encode(nonce: [u8; 16]) -> String {
    BASE64.encode(nonce)
}

/// Whether `key` is base64 of 16 bytes.
pub(super) fn is_valid(key: &str) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && matches!(BASE64.decode_slice(key, &mut bytes), Ok(16))
}
