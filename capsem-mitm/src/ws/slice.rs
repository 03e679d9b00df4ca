//! Reading the messages of a slice, and why that stops.

use super::{close::Cause, fill::CHUNK, hooks::Hooks};
use capsem_ws_codec::{Item, Reader, Role};

/// A message longer than this has gone on before it is shown: to look at it may take longer than a
/// turn, and its own bytes wait for nobody's look.
const LARGE: usize = 128 * 1024;
// A message that is lent out of a chunk cannot be shown later.
const _: () = assert!(CHUNK < LARGE);

/// The length of the Close frame that an end came with.
pub(super) fn close_len(from: Role, end: &Cause) -> Option<usize> {
    let Cause::Closed { code, reason, .. } = end else { return None };
    let mask = if from == Role::Client { 4 } else { 0 };
    Some(2 + mask + if code.is_some() { 2 + reason.len() } else { 0 })
}

/// Why a slice was not read to its end.
pub(super) enum Stop {
    /// Its direction ends.
    End(Cause),
    /// The next message is to be held.
    Hold,
    /// A large message, which lies in the reader, is to be shown when it has gone on.
    Large,
}

/// Reads a slice to its end, to what ends its direction, or to a message that is to be held.
pub(super) fn check_slice(
    from: Role,
    reader: &mut Reader,
    capture: usize,
    slice: &mut &[u8],
    hooks: &Hooks<'_>,
) -> Option<Stop> {
    loop {
        match reader.read(slice) {
            Ok(Some(Item::Message(message))) if message.payload.len() > LARGE => {
                return Some(Stop::Large);
            }
            Ok(Some(Item::Message(message))) => {
                let next = hooks.message(from, &message);
                if next.held {
                    return Some(Stop::Hold);
                }
                reader.set_capture(next.reads.min(capture));
            }
            Ok(Some(Item::Close(close))) => {
                // Nothing after a Close is relayed (RFC 6455 section 5.5.1).
                let (code, reason) = (close.code.map(u16::from), close.reason.to_owned());
                return Some(Stop::End(Cause::Closed { by: from, code, reason }));
            }
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(Stop::End(Cause::Violation { by: from, error })),
        }
    }
}
