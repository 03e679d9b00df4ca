//! What the tests of a tunnel share: frames by hand, and what its session heard.

use capsem_mitm::ws::Ended;
use capsem_ws_codec::Role;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a session was told.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Message(Role, Vec<u8>),
    Ended(Box<Ended>),
}

/// A frame from the client, masked with zeros.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

pub(crate) async fn all(io: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// The code of the one masked Close in `bytes`.
#[track_caller]
pub(crate) fn unmasked_close(bytes: &[u8]) -> u16 {
    let [0x88, len, k0, k1, _, _, c0, c1, ..] = bytes else { panic!("{bytes:02x?}") };
    assert_eq!(usize::from(len & 0x7f) + 6, bytes.len());
    assert_eq!(len & 0x80, 0x80);
    u16::from_be_bytes([c0 ^ k0, c1 ^ k1])
}
