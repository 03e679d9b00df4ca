//! All that can be seen of a reader over one input, to compare two readings.

use crate::{Counters, Deflate, Error, Item, Opcode, Reader};
use std::fmt::Debug;

/// An [`Item`] that owns what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Message` and `CloseFrame`")]
pub enum Seen {
    /// A message.
    Message {
        opcode: Opcode,
        payload: Vec<u8>,
        len: u64,
        wire_len: u64,
        fragments: u32,
        compressed: bool,
        truncated: bool,
    },
    /// A Ping.
    Ping(Vec<u8>),
    /// A Pong.
    Pong(Vec<u8>),
    /// A Close.
    Close { code: Option<u16>, reason: String },
}

impl From<Item<'_>> for Seen {
    fn from(item: Item<'_>) -> Self {
        match item {
            Item::Message(message) => Self::Message {
                opcode: message.opcode,
                payload: message.payload.to_vec(),
                len: message.len,
                wire_len: message.wire_len,
                fragments: message.fragments,
                compressed: message.compressed,
                truncated: message.truncated,
            },
            Item::Ping(payload) => Self::Ping(payload.to_vec()),
            Item::Pong(payload) => Self::Pong(payload.to_vec()),
            Item::Close(close) => {
                Self::Close { code: close.code.map(u16::from), reason: close.reason.to_owned() }
            }
        }
    }
}

/// What a reading came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The items in order.
    pub items: Vec<Seen>,
    /// The violation that ended it.
    pub error: Option<Error>,
    /// Bytes consumed.
    pub consumed: usize,
    /// Of them, those after the last frame border.
    pub frame_consumed: u64,
    /// Whether a message is under way.
    pub in_message: bool,
    /// Whether a Close was read.
    pub closed: bool,
    /// The totals.
    pub counters: Counters,
}

impl Transcript {
    /// Both readings of one input must be equal, but for what an error inside compressed data
    /// leaves open: how many of the bytes it came with were consumed. `of` says how the other was
    /// read.
    ///
    /// # Panics
    ///
    /// If they are not.
    #[track_caller]
    pub fn assert_same(&self, other: &Self, deflate: Option<Deflate>, of: impl Debug) {
        let inside = matches!(
            self.error,
            Some(
                Error::Inflate
                    | Error::InflateLimit { .. }
                    | Error::InflateFinals { .. }
                    | Error::MessageLimit { .. }
                    | Error::Utf8 { .. }
            )
        );
        if inside && deflate.is_some() {
            assert_eq!(self.coarse(), other.coarse(), "{of:?}");
        } else {
            assert_eq!(self, other, "{of:?}");
        }
    }

    fn coarse(&self) -> Self {
        let counters = Counters { wire_bytes: 0, ..self.counters };
        Self { consumed: 0, frame_consumed: 0, counters, ..self.clone() }
    }
}

/// Reads `wire` cut into pieces; `piece` says how long the next one is, at least 1.
///
/// # Panics
///
/// If the reader breaks one of its own promises about `input`, errors and Close.
pub fn read_cut(mut reader: Reader, wire: &[u8], mut piece: impl FnMut() -> usize) -> Transcript {
    let (mut items, mut error, mut consumed) = (Vec::new(), None, 0);
    'pieces: while consumed < wire.len() && !reader.closed() {
        let end = consumed.saturating_add(piece().max(1)).min(wire.len());
        let mut input = &wire[consumed..end];
        loop {
            let before = input.len();
            let read = reader.read(&mut input).map(|item| item.map(Seen::from));
            consumed += before - input.len();
            match read {
                Ok(Some(item)) => items.push(item),
                Ok(None) => {
                    assert!(input.is_empty() || reader.closed(), "more was to be read");
                    break;
                }
                Err(violation) => {
                    error = Some(violation);
                    let left = input.len();
                    assert_eq!(reader.read(&mut input), Err(violation), "an error stays");
                    assert_eq!(input.len(), left, "an error consumes nothing");
                    break 'pieces;
                }
            }
        }
    }
    let counters = reader.counters();
    assert_eq!(counters.wire_bytes, consumed as u64, "every consumed byte is counted");
    Transcript {
        items,
        error,
        consumed,
        frame_consumed: reader.frame_consumed(),
        in_message: error.is_none() && reader.in_message(),
        closed: reader.closed(),
        counters,
    }
}
