//! The bytes of one call as they came, up to a limit. Knows no protocol.

use std::mem::size_of;

use super::input::Payload;
use super::room::Share;
use crate::record::Content;
use crate::redact;

/// The request and the events of one call, as a host's own parsers want them: decoded, whole, in
/// order and not redacted. Audio is left out.
#[derive(Clone, Debug)]
pub struct RawCall {
    limit: usize,
    request: Vec<u8>,
    events: Vec<u8>,
    /// Where each event ends in `events`.
    ends: Vec<usize>,
    /// An event was left out.
    full: bool,
    truncated: bool,
}

impl RawCall {
    /// Keeps up to `limit` bytes of the request, and as many of the events.
    pub(super) fn new(limit: usize) -> Self {
        let (request, events, ends) = (Vec::new(), Vec::new(), Vec::new());
        Self { limit, request, events, ends, full: false, truncated: false }
    }

    /// The request. Where several messages made it, as in Realtime, each stands on a line.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The payloads of the response: messages, the data of server-sent events, or the one body.
    pub fn events(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.events.get(start..*end))
    }

    /// Whether something is missing of either.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Keeps a payload of the request as far as this and the exchange have room for it.
    pub(super) fn push_request(&mut self, payload: Payload<'_>, share: &mut Share) {
        let before = self.request.len();
        let most = before + self.limit.saturating_sub(before).min(share.left());
        self.truncated |= payload.missing.is_some() || payload.text.len() + 1 > most - before;
        if !self.request.is_empty() && most > before {
            self.request.push(b'\n');
        }
        let room = most - self.request.len();
        self.request.extend_from_slice(start(payload.text, room).as_bytes());
        share.take(self.request.len() - before);
    }

    /// An event that does not fit whole is left out, and all after it: a gap would look whole.
    pub(super) fn push_event(&mut self, payload: Payload<'_>, share: &mut Share) {
        let used = self.events.len() + self.ends.len() * size_of::<usize>();
        let size = payload.text.len() + size_of::<usize>();
        self.full |= size > self.limit.saturating_sub(used) || !(self.full || share.take(size));
        self.truncated |= payload.missing.is_some() || self.full;
        if !self.full {
            self.events.extend_from_slice(payload.text.as_bytes());
            self.ends.push(self.events.len());
        }
    }

    /// What of this may be written down, up to `limit` bytes each way.
    pub(super) fn content(&self, limit: usize) -> Content {
        let mut cut = self.truncated;
        let mut redacted = |text: &[u8], room: usize| {
            let (text, whole) = redact::body(&String::from_utf8_lossy(text), room);
            cut |= !whole;
            text
        };
        let request = redacted(&self.request, limit);
        let mut response = String::new();
        for event in self.events() {
            if !response.is_empty() {
                response.push('\n');
            }
            let room = limit.saturating_sub(response.len());
            response.push_str(&redacted(event, room));
            if response.len() >= limit {
                cut = true;
                break;
            }
        }
        Content { request, response, cut }
    }
}

fn start(text: &str, room: usize) -> &str {
    text.get(..text.floor_char_boundary(room)).unwrap_or_default()
}
