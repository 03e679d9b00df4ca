//! Target `against_tungstenite`: two readers of RFC 6455 that share no code read any bytes alike, but
//! for a closed list of differences.
//!
//! Refuses to know extensions, and which of several broken rules is named first.

use capsem_ws_codec::{
    CloseCode, Error, Limits, Reader, Role,
    fuzzing::{Seen, Transcript, read_cut},
};
use std::io::{Cursor, Read, Result as Io, Write};
use tungstenite::{
    Error as TheirError, Message,
    error::ProtocolError,
    protocol::{Role as TheirRole, WebSocket, WebSocketConfig},
};

/// Bytes looked at.
const MOST: usize = 8192;
/// Payload bytes of a frame and of a message, to both.
const LIMIT: usize = 1 << 12;

/// Where the two may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// A violation in a head, a text or a Close is reported by us at its byte; by the other once the
    /// frame is whole. When to fail is open (section 7.1.7).
    WholeFrame,
    /// A length that is not in its shortest form, which section 5.2 requires, is read by the other.
    LengthNotMinimal,
    /// A Close code that must not be sent (sections 7.4.1 and 7.4.2) is an error to us; the other
    /// shows a Close of 1002 in its place.
    CloseCodeReplaced,
    /// 1014, registered after the RFC (section 11.7), is read by us and replaced by the other.
    CloseCode1014,
}

impl Difference {
    /// Every difference there may be.
    pub const ALL: [Self; 4] =
        [Self::WholeFrame, Self::LengthNotMinimal, Self::CloseCodeReplaced, Self::CloseCode1014];
}

/// Reads `data` with both. Returns the differences met.
///
/// # Panics
///
/// If they differ otherwise.
pub fn against_tungstenite(data: &[u8]) -> Vec<Difference> {
    let Some((&setup, wire)) = data.split_first() else { return Vec::new() };
    let sender = if setup & 1 == 0 { Role::Client } else { Role::Server };
    let mut wire = wire[..wire.len().min(MOST)].to_vec();
    let mut met = Vec::new();
    let theirs = their_reading(sender, &wire);
    // What only we refuse is mended, so that all behind it is compared too.
    let mut ours = our_reading(sender, &wire);
    while let Some(len) = not_minimal(&wire, &ours) {
        met.push(Difference::LengthNotMinimal);
        shorten(&mut wire, border(&ours), len);
        ours = our_reading(sender, &wire);
    }
    met.extend(compare(&wire, ours, &theirs));
    met
}

/// What the other reader came to.
#[derive(Debug)]
struct Theirs {
    items: Vec<Item>,
    /// `None`: it waits for more, or a Close was read.
    error: Option<TheirError>,
}

/// What both readers show of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

fn our_reading(sender: Role, wire: &[u8]) -> Transcript {
    let limits = Limits {
        frame: LIMIT as u64,
        message: LIMIT as u64,
        // The other reader counts no fragments.
        fragments: u32::MAX,
        ..Limits::default()
    };
    read_cut(Reader::new(sender, None, limits), wire, || usize::MAX)
}

fn their_reading(sender: Role, wire: &[u8]) -> Theirs {
    let role = match sender {
        Role::Client => TheirRole::Server,
        Role::Server => TheirRole::Client,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT))
        .read_buffer_size(256);
    let mut socket = WebSocket::from_raw_socket(Wire(Cursor::new(wire)), role, Some(config));
    let mut items = Vec::new();
    loop {
        items.push(match socket.read() {
            Ok(Message::Text(text)) => Item::Text(text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => Item::Binary(bytes.to_vec()),
            Ok(Message::Ping(bytes)) => Item::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Item::Pong(bytes.to_vec()),
            Ok(Message::Close(close)) => {
                let close = close.map(|close| (close.code.into(), close.reason.to_string()));
                items.push(Item::Close(close));
                return Theirs { items, error: None };
            }
            Ok(Message::Frame(frame)) => panic!("a raw frame is never read: {frame:?}"),
            Err(TheirError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return Theirs { items, error: None };
            }
            Err(error) => return Theirs { items, error: Some(error) },
        });
    }
}

/// Bytes to read; what is written is forgotten.
struct Wire<'a>(Cursor<&'a [u8]>);

impl Read for Wire<'_> {
    fn read(&mut self, room: &mut [u8]) -> Io<usize> {
        self.0.read(room)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> Io<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Io<()> {
        Ok(())
    }
}

impl From<Seen> for Item {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Message { opcode, payload, .. } => match opcode {
                capsem_ws_codec::Opcode::Text => Self::Text(payload),
                _ => Self::Binary(payload),
            },
            Seen::Ping(payload) => Self::Ping(payload),
            Seen::Pong(payload) => Self::Pong(payload),
            Seen::Close { code, reason } => Self::Close(code.map(|code| (code, reason))),
        }
    }
}

/// The differences; panics at one that is not in the list.
#[track_caller]
fn compare(wire: &[u8], ours: Transcript, theirs: &Theirs) -> Option<Difference> {
    let border = border(&ours);
    let items: Vec<Item> = ours.items.into_iter().map(Item::from).collect();
    let replaced = Item::Close(Some((1002, "Protocol violation".to_owned())));
    let context = || format!("ours: {items:?}, then {:?}; theirs: {theirs:?}", ours.error);

    let Some(error) = ours.error else {
        assert!(theirs.error.is_none(), "only they refuse it; {}", context());
        if items == theirs.items {
            return None;
        }
        let (last, before) = items.split_last().expect("what differs is there");
        let is_1014 = matches!(last, Item::Close(Some((code, _))) if *code == u16::from(CloseCode::BAD_GATEWAY));
        assert!(is_1014 && theirs.items == [before, &[replaced]].concat(), "{}", context());
        return Some(Difference::CloseCode1014);
    };
    if let Some(theirs_error) = &theirs.error {
        assert_eq!(items, theirs.items, "before both refuse; {}", context());
        assert!(is_violation(theirs_error), "{}", context());
        return None;
    }
    if let Error::CloseCode { .. } = error
        && theirs.items == [&items[..], &[replaced]].concat()
    {
        return Some(Difference::CloseCodeReplaced);
    }
    assert_eq!(items, theirs.items, "only we refuse it; {}", context());
    assert!(!is_whole(&wire[border..]), "only we refuse it; {}", context());
    Some(Difference::WholeFrame)
}

/// Where the frame under way begins.
fn border(ours: &Transcript) -> usize {
    ours.consumed - usize::try_from(ours.frame_consumed).expect("a part of what was consumed")
}

/// Whether the other reader failed by a rule, not by a fault of its own.
fn is_violation(error: &TheirError) -> bool {
    matches!(error, TheirError::Protocol(_) | TheirError::Capacity(_) | TheirError::Utf8(_))
}

/// The length we refuse for its form. Of a control frame the longer forms are all too long to us.
fn not_minimal(wire: &[u8], ours: &Transcript) -> Option<u64> {
    match ours.error? {
        Error::LengthNotMinimal { len } => Some(len),
        Error::ControlLength { .. } => declared(&wire[border(ours)..]).filter(|len| *len <= 125),
        _ => None,
    }
}

/// Whether a frame is all there, whatever its head is worth.
fn is_whole(frame: &[u8]) -> bool {
    let (Some(len), Some((count, mask))) = (declared(frame), length_bytes(frame)) else {
        return false;
    };
    let here = frame.len() as u64;
    here.checked_sub((2 + count + mask) as u64).is_some_and(|payload| payload >= len)
}

/// The length a frame declares, in whatever form.
fn declared(frame: &[u8]) -> Option<u64> {
    let (count, _) = length_bytes(frame)?;
    match frame.get(2..2 + count)? {
        [] => Some(u64::from(frame[1] & 0x7F)),
        bytes => Some(bytes.iter().fold(0, |len, byte| len << 8 | u64::from(*byte))),
    }
}

/// How many bytes after the second say the length, and how many are a key.
fn length_bytes(frame: &[u8]) -> Option<(usize, usize)> {
    let second = frame.get(1)?;
    let count = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    Some((count, if second & 0x80 == 0 { 0 } else { 4 }))
}

/// Writes the length of the frame at `border` in its shortest form.
fn shorten(wire: &mut Vec<u8>, border: usize, len: u64) {
    let (count, _) = length_bytes(&wire[border..]).expect("its length was read");
    let masked = wire[border + 1] & 0x80;
    let shortest = match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..=125), _) => vec![masked | len],
        (_, Ok(len)) => [&[masked | 126][..], &len.to_be_bytes()].concat(),
        (_, Err(_)) => panic!("{len} needs all eight bytes"),
    };
    wire.splice(border + 1..border + 2 + count, shortest);
}

#[cfg(test)]
mod tests;
