//! What the interpreters are told: about an exchange, a message, a head. Knows no way of reading it.

use crate::{Attribution, EvidenceReason, Id};

use super::json::{self, Raw};
use super::tools::ToolMemory;

/// What an interpreter must know before the first byte.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The exchange whose calls are read.
    pub exchange: Id,
    /// Whose API it is, from [`attribute`](crate::attribute).
    pub attribution: Attribution,
    /// Bytes of one HTTP body or event kept for reading; what is longer is read up to here, and the
    /// evidence says `capture_limit`. Messages of a WebSocket come cut by who feeds them in.
    pub capture: usize,
    /// Tool calls known so far. Exchanges that share it match a result to its call across sockets
    /// and requests, and report each result once.
    pub tools: ToolMemory,
    /// Bytes of each call's request, and as many of its events, handed out as they came in
    /// [`Finished::raw`](super::Finished::raw); 0 for none. They are not redacted.
    pub raw: usize,
    /// Bytes of each call's request, and as many of its response, that go into its record,
    /// redacted; 0 for none.
    pub content: usize,
}

impl Settings {
    /// An exchange that shares nothing with others and keeps no content.
    pub fn new(exchange: Id, attribution: Attribution, capture: usize) -> Self {
        Self { exchange, attribution, capture, tools: ToolMemory::default(), raw: 0, content: 0 }
    }
}

/// One whole data message of a WebSocket, unmasked, put together and inflated.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The payload, or the start of it if `truncated`.
    pub payload: &'a [u8],
    /// It was a binary message.
    pub binary: bool,
    /// The message was longer than what is kept for reading.
    pub truncated: bool,
    /// Bytes of the whole payload, uncompressed.
    pub len: u64,
}

/// The head of a request, as far as reading its exchange needs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a str,
    /// The value of `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The value of `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
}

/// The head of a response, as far as reading its exchange needs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The value of `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// The value of `openai-model`: the model that serves, where a gateway says so.
    pub openai_model: Option<&'a str>,
}

/// A message or body as text, with what is missing of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload<'a> {
    pub(super) text: &'a str,
    /// Bytes of all of it.
    pub(super) len: u64,
    pub(super) missing: Option<EvidenceReason>,
}

/// What became of reading an object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    /// At least one member was read.
    pub(super) any: bool,
    /// Why not all of them were.
    pub(super) missing: Option<EvidenceReason>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(payload: &'a [u8], len: u64, truncated: bool) -> Self {
        let whole = json::text_prefix(payload);
        let text = json::shallow(whole);
        let missing = if truncated || text.len() < whole.len() {
            Some(EvidenceReason::CaptureLimit)
        } else if whole.len() < payload.len() {
            Some(EvidenceReason::Unparsable)
        } else {
            None
        };
        Self { text, len, missing }
    }

    pub(super) fn raw(self) -> Raw<'a> {
        Raw::new(self.text)
    }

    /// Calls `each` for the members that can be read of the object this should be.
    pub(super) fn members(self, mut each: impl FnMut(&str, Raw<'a>)) -> Walked {
        let mut any = false;
        let whole = self.raw().members(|key, value| {
            any = true;
            each(key, value);
        });
        self.walked(any, whole)
    }

    /// What became of reading this, if `any` of it was read and it was `whole` JSON.
    pub(super) fn walked(self, any: bool, whole: bool) -> Walked {
        let broken = (!whole).then_some(EvidenceReason::Unparsable);
        Walked { any, missing: self.missing.or(broken) }
    }
}
