//! The bodies of an exchange: kept whole up to a limit, or taken apart as they come. Knows formats, and
//! nothing of what is said in them.

use crate::buffer::append;
use crate::content::Decoder;
use crate::sse::{self, Splitter};

use super::super::input::Payload;
use super::elements::Elements;

/// A request body on its way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) decoder: Decoder,
    pub(super) body: Kept,
}

/// The format of the response's body.
#[derive(Debug)]
pub(super) enum Format {
    /// The first byte will tell, among these.
    Undecided {
        events: bool,
        array: bool,
        /// The head says that it is events, which it also does of errors that are not.
        told: bool,
        /// The last byte passed over was a blank within a line.
        indented: bool,
    },
    Events(Splitter),
    /// One JSON array whose elements are the events.
    Array(Elements),
    Whole(Kept),
}

/// A body that is read when it is whole, kept up to a limit.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    truncated: bool,
}

impl Request {
    pub(super) fn new(coding: Option<&str>, capture: usize) -> Self {
        Self { decoder: Decoder::new(coding, capture), body: Kept::default() }
    }
}

impl Format {
    /// Nothing has come yet, and it may be any of these.
    pub(super) fn undecided(events: bool, array: bool, told: bool) -> Self {
        Self::Undecided { events, array, told, indented: false }
    }

    /// Tells an event stream by how one can begin: with a field name, a comment or a mark. `most`
    /// bytes may be kept from now on. Gives what is to be read: blanks before all else are passed over,
    /// in whatever pieces they come.
    pub(super) fn decide<'p>(&mut self, plain: &'p [u8], most: usize) -> &'p [u8] {
        match self {
            Self::Events(splitter) => splitter.set_limit(most),
            Self::Array(elements) => elements.set_limit(most),
            Self::Undecided { .. } | Self::Whole(_) => {}
        }
        let Self::Undecided { events, array, told, indented } = self else { return plain };
        let rest = plain.trim_ascii_start();
        if let Some(blank) = plain[..plain.len() - rest.len()].last() {
            *indented = !matches!(blank, b'\n' | b'\r');
        }
        let Some(first) = rest.first() else { return rest };
        // A blank before a field's name makes another field of it.
        let splitter = if *indented { Splitter::within_a_line } else { Splitter::new };
        *self = match first {
            b'd' | b'e' | b'i' | b'r' | b':' | 0xef if *events => Self::Events(splitter(most)),
            b'[' if *array => Self::Array(Elements::new(most)),
            b'{' | b'[' | b'<' => Self::Whole(Kept::default()),
            _ if *told => Self::Events(splitter(most)),
            _ => Self::Whole(Kept::default()),
        };
        rest
    }

    /// Memory held.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Undecided { .. } => 0,
            Self::Events(splitter) => splitter.held(),
            Self::Array(elements) => elements.held(),
            Self::Whole(body) => body.bytes.capacity(),
        }
    }
}

impl Kept {
    /// Keeps what fits in `most` bytes; the memory held.
    pub(super) fn push(&mut self, plain: &[u8], most: usize) -> usize {
        self.truncated |= append(&mut self.bytes, plain, most);
        self.bytes.capacity()
    }

    pub(super) fn payload(&self, len: u64) -> Payload<'_> {
        Payload::new(&self.bytes, len, self.truncated)
    }
}

/// The data of a server-sent event.
pub(super) fn data(event: sse::Event<'_>) -> Payload<'_> {
    Payload::new(event.data, event.len, event.truncated)
}

/// The media type of a body, without its parameters and in lower case.
pub(super) fn media(content_type: Option<&str>) -> String {
    let media = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    media.trim().to_ascii_lowercase()
}
