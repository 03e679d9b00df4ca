//! Frames of our own into bytes. Refuses to make masking keys and to know when a frame may go.

use crate::{CloseCode, Error, FrameHead, Mask, Opcode, Role, head::MAX_CONTROL};

/// Appends a frame: `head` with the length of `payload` in place of its own, then the payload,
/// masked if `head` has a key.
///
/// The one function for fragments and compressed messages. No rule is checked, neither of order
/// nor of what a control frame may be.
///
/// ```
/// use capsem_ws_codec::{FrameHead, Opcode, encode_frame};
///
/// let head = FrameHead { fin: false, rsv1: false, opcode: Opcode::Text, mask: None, len: 0 };
/// let mut wire = Vec::new();
/// encode_frame(head, b"Hel", &mut wire);
/// assert_eq!(wire, b"\x01\x03Hel");
/// ```
pub fn encode_frame(head: FrameHead, payload: &[u8], dst: &mut Vec<u8>) {
    let (bytes, used) = FrameHead { len: payload.len() as u64, ..head }.encode();
    let start = dst.len();
    dst.reserve(bytes.len() + payload.len());
    // All of the array, whose length is known, and then off with what is no head.
    dst.extend_from_slice(&bytes);
    dst.truncate(start + used);
    match head.mask {
        Some(key) => Mask::new(key, 0).append(payload, dst),
        None => dst.extend_from_slice(payload),
    }
}

/// Appends a whole uncompressed message in one frame. `opcode` is Text or Binary; of a Text the
/// payload is UTF-8. Neither is checked.
///
/// `role` is the sender's. A [`Role::Client`] gives a fresh unpredictable `mask` for each frame (RFC
/// 6455 section 10.3), a [`Role::Server`] gives none; a debug build panics if that is mixed up.
///
/// ```
/// use capsem_ws_codec::{Opcode, Role, encode_data};
///
/// let mut wire = Vec::new();
/// encode_data(Role::Server, Opcode::Text, b"Hello", None, &mut wire);
/// assert_eq!(wire, b"\x81\x05Hello");
/// ```
pub fn encode_data(
    role: Role,
    opcode: Opcode,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    dst: &mut Vec<u8>,
) {
    whole(role, opcode, payload, mask, dst);
}

/// Appends a Ping (RFC 6455 section 5.5.2). `role` and `mask` as in [`encode_data`].
///
/// Fails with [`Error::ControlLength`] for a payload of more than 125 bytes, and appends nothing.
pub fn encode_ping(
    role: Role,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    dst: &mut Vec<u8>,
) -> Result<(), Error> {
    control(role, Opcode::Ping, payload, mask, dst)
}

/// Appends a Pong (RFC 6455 section 5.5.3). `role` and `mask` as in [`encode_data`].
///
/// Fails with [`Error::ControlLength`] for a payload of more than 125 bytes, and appends nothing.
///
/// ```
/// use capsem_ws_codec::{Role, encode_pong};
///
/// let mut wire = Vec::new();
/// encode_pong(Role::Client, b"?", Some([1, 2, 3, 4]), &mut wire)?;
/// assert_eq!(wire, [0x8a, 0x81, 1, 2, 3, 4, b'?' ^ 1]);
/// # Ok::<(), capsem_ws_codec::Error>(())
/// ```
pub fn encode_pong(
    role: Role,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    dst: &mut Vec<u8>,
) -> Result<(), Error> {
    control(role, Opcode::Pong, payload, mask, dst)
}

/// Appends a Close (RFC 6455 section 5.5.1). `role` and `mask` as in [`encode_data`].
///
/// Without a code, or with one that must not be sent, the payload is empty. A reason of more than
/// 123 bytes is cut at a character.
///
/// ```
/// use capsem_ws_codec::{CloseCode, Role, encode_close};
///
/// let mut wire = Vec::new();
/// encode_close(Role::Server, CloseCode::GOING_AWAY, "bye", None, &mut wire);
/// assert_eq!(wire, b"\x88\x05\x03\xe9bye");
/// ```
pub fn encode_close(
    role: Role,
    code: impl Into<Option<CloseCode>>,
    reason: &str,
    mask: Option<[u8; 4]>,
    dst: &mut Vec<u8>,
) {
    let mut payload = [0; MAX_CONTROL];
    let code = code.into().filter(|code| code.is_valid_on_wire());
    let (place, rest) = payload.split_at_mut(2);
    let len = match code {
        None => 0,
        Some(code) => {
            place.copy_from_slice(&u16::from(code).to_be_bytes());
            let cut = reason.floor_char_boundary(rest.len());
            for (place, byte) in rest.iter_mut().zip(reason.bytes().take(cut)) {
                *place = byte;
            }
            2 + cut
        }
    };
    whole(role, Opcode::Close, payload.get(..len).unwrap_or_default(), mask, dst);
}

fn control(
    role: Role,
    opcode: Opcode,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    dst: &mut Vec<u8>,
) -> Result<(), Error> {
    if payload.len() > MAX_CONTROL {
        return Err(Error::ControlLength { opcode });
    }
    whole(role, opcode, payload, mask, dst);
    Ok(())
}

fn whole(role: Role, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>, dst: &mut Vec<u8>) {
    debug_assert_eq!(mask.is_some(), role == Role::Client, "a client masks, a server does not");
    encode_frame(FrameHead { fin: true, rsv1: false, opcode, mask, len: 0 }, payload, dst);
}

#[cfg(test)]
mod tests;
