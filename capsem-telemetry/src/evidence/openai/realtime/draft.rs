//! What a client has put into a conversation and no response has used yet: the request of the next
//! response, as far as it has come.

use std::time::Duration;

use crate::{EvidenceReason, Initiator};

use super::super::super::call::{Call, Context};
use super::super::super::input::{Payload, Walked};
use super::super::super::json::Raw;
use super::super::item;

/// Items remembered by their ids, so that one that is deleted before it is used is taken back. A
/// turn has a few; one beyond these stays counted when it is deleted.
const MAX_ITEMS: usize = 256;

#[derive(Debug)]
pub(super) struct Draft {
    call: Call,
    items: Vec<Item>,
    /// Bytes of the messages that brought audio.
    audio: u64,
    /// When the server took the audio so far for a turn.
    committed: Option<Duration>,
}

#[derive(Debug)]
struct Item {
    id: String,
    len: u64,
    /// The tool call it brought the result of.
    answers: Option<String>,
}

impl Draft {
    pub(super) fn new(context: &Context) -> Self {
        let call = Call::new(context, Initiator::Client, Duration::ZERO);
        Self { call, items: Vec::new(), audio: 0, committed: None }
    }

    /// An item was put in.
    pub(super) fn item(&mut self, message: Payload<'_>, item: Raw<'_>, walked: Walked) {
        self.call.took(walked);
        self.call.request_bytes += message.len;
        self.call.keep_request(message);
        let answers = item::given(&mut self.call, item);
        if let (Some(id), true) =
            (item.member("id").and_then(Raw::text), self.items.len() < MAX_ITEMS)
        {
            self.items.push(Item { id, len: message.len, answers });
        }
    }

    /// An item was taken out; one that was used already has had its effect.
    pub(super) fn delete(&mut self, id: &str) {
        let Some(place) = self.items.iter().position(|item| item.id == id) else { return };
        let item = self.items.swap_remove(place);
        self.call.request_bytes = self.call.request_bytes.saturating_sub(item.len);
        if let Some(answers) = item.answers {
            self.call.forget_result(&answers);
        }
    }

    /// Audio was put in, by a message of this length.
    pub(super) fn audio(&mut self, len: u64) {
        self.audio = self.audio.saturating_add(len);
    }

    /// Takes out the audio so far for another use; its length.
    pub(super) fn take_audio(&mut self) -> u64 {
        std::mem::take(&mut self.audio)
    }

    /// The audio that was not committed yet was taken out.
    pub(super) fn clear_audio(&mut self) {
        self.audio = 0;
    }

    /// The server took the audio so far for a turn.
    pub(super) fn committed(&mut self, now: Duration) {
        self.committed = Some(now);
    }

    /// Why something of what was put in is not known.
    pub(super) fn missing(&self) -> Option<EvidenceReason> {
        self.call.missing()
    }

    pub(super) fn degrade(&mut self, reason: EvidenceReason) {
        self.call.degrade(reason);
    }

    /// Hands what was put in to a call the client asks for.
    pub(super) fn take(&mut self, context: &Context) -> Call {
        let Self { mut call, audio, .. } = std::mem::replace(self, Self::new(context));
        call.request_bytes = call.request_bytes.saturating_add(audio);
        call
    }

    /// Hands it to a call that the server has started at `now`.
    pub(super) fn answered(&mut self, context: &Context, now: Duration) -> Call {
        let committed = self.committed;
        let mut call = self.take(context);
        call.initiator = Initiator::Server;
        call.match_results(context);
        call.began(committed.unwrap_or(now));
        // Without the moment the turn ended there is nothing to count the first token from.
        call.untimed = committed.is_none();
        call
    }
}
