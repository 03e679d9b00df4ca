//! Transcriptions of what a client said. Each is a run of another model than the voice's, billed by
//! itself, and done when it is done: a call of its own, whose tokens no response is given.

use std::time::Duration;

use crate::{CallStatus, EvidenceReason, Initiator, Operation};

use super::super::super::call::{Call, Context, call_error, set};
use super::super::super::input::Payload;
use super::super::super::json::Raw;
use super::super::super::log::Log;
use super::super::super::remembered::Remembered;
use super::super::usage;
use super::draft::Draft;
use super::event::Event;

/// What the types of the events about them begin with.
pub(super) const EVENTS: &str = "conversation.item.input_audio_transcription.";

/// Turns of the client that may wait for their transcription. A service is a few behind; of older
/// ones it is forgotten when they began.
const MAX_OPEN: usize = 64;

/// Follows the transcriptions of one socket.
#[derive(Debug)]
pub(super) struct Transcriptions {
    /// The model is none that the path, the query or the session names for the voice.
    context: Context,
    /// The model the server says it transcribes with.
    model: Option<String>,
    /// There is no voice, so that all audio is for this.
    only: bool,
    open: Vec<Turn>,
    /// Turns that the client has ended itself and the server has not taken up.
    commits: u64,
    ended: Remembered,
}

/// One turn of the client.
#[derive(Debug)]
struct Turn {
    item: Option<String>,
    call: Call,
    /// Something was transcribed; before, it may never be.
    begun: bool,
}

impl Transcriptions {
    pub(super) fn new(context: &Context) -> Self {
        let mut context = context.clone();
        context.operation = Operation::Transcription;
        context.attribution.model = None;
        let (open, ended) = (Vec::new(), Remembered::default());
        Self { context, model: None, only: false, open, commits: 0, ended }
    }

    /// The client asks for a session such as this.
    pub(super) fn asked(&mut self, session: Option<Raw<'_>>) {
        set(&mut self.context.attribution.model, session.and_then(model));
        self.only |= session.is_some_and(is_transcription);
    }

    /// The server says what the session is.
    pub(super) fn session(&mut self, session: Option<Raw<'_>>) {
        set(&mut self.model, session.and_then(model));
        self.only |= session.is_some_and(is_transcription);
    }

    /// The client ends a turn.
    pub(super) fn commit(&mut self) {
        self.commits = self.commits.saturating_add(1);
    }

    /// The server takes up a turn: the item it becomes.
    pub(super) fn committed(&mut self, now: Duration, item: Option<&str>, draft: &mut Draft) {
        let by = if self.commits > 0 { Initiator::Client } else { Initiator::Server };
        self.commits = self.commits.saturating_sub(1);
        let Some(item) = item else { return };
        if self.open.len() >= MAX_OPEN {
            let oldest = self.open.iter().position(|turn| !turn.begun);
            let Some(oldest) = oldest else { return };
            self.open.remove(oldest);
        }
        let mut call = Call::new(&self.context, by, now);
        if self.only {
            call.request_bytes = draft.take_audio();
        }
        self.open.push(Turn { item: Some(item.to_owned()), call, begun: false });
    }

    /// Reads an event about one of them.
    pub(super) fn event(
        &mut self,
        log: &mut Log,
        event: &Event<'_>,
        now: Duration,
        message: Payload<'_>,
    ) {
        let part = event.part.as_deref().unwrap_or("0");
        let name = event.item_id.as_ref().map(|item| format!("{item}/{part}"));
        if name.as_deref().is_some_and(|name| self.ended.contains(name)) {
            return; // said twice
        }
        let Some(place) = self.place(event.item_id.as_deref(), now) else {
            return log.degrade(Some(EvidenceReason::CaptureLimit));
        };
        let Turn { call, begun, .. } = &mut self.open[place];
        *begun = true;
        call.took(message.members(|_, _| ()));
        call.response_bytes += message.len;
        call.keep_event(message);
        let status = match event.kind.strip_prefix(EVENTS) {
            Some("delta" | "segment") => return call.delta(now),
            Some("completed") => {
                call.usage = event.spent.and_then(usage::usage);
                CallStatus::Completed
            }
            Some("failed") => {
                call.error = event.error.map(call_error);
                call.stop_reason = call.error.as_ref().and_then(|error| error.code.clone());
                CallStatus::Failed
            }
            _ => return,
        };
        if let Some(name) = name {
            self.ended.insert(&name);
        }
        self.end(place, log, now, status);
    }

    pub(super) fn degrade(&mut self, reason: EvidenceReason) {
        self.open.iter_mut().for_each(|turn| turn.call.degrade(reason));
    }

    /// Ends what has begun; of the others nobody knows whether they were to be transcribed.
    pub(super) fn end_all(&mut self, log: &mut Log, now: Duration, status: CallStatus) {
        self.open.retain(|turn| turn.begun);
        while !self.open.is_empty() {
            self.end(0, log, now, status);
        }
    }

    /// Where the turn of an item stands; begins one for an item that came another way.
    fn place(&mut self, item: Option<&str>, now: Duration) -> Option<usize> {
        let named = self.open.iter().position(|turn| turn.item.as_deref() == item);
        if named.is_some() {
            return named;
        }
        if self.open.len() >= MAX_OPEN {
            let oldest = self.open.iter().position(|turn| !turn.begun)?;
            self.open.remove(oldest);
        }
        let mut call = Call::new(&self.context, Initiator::Server, now);
        call.untimed = true;
        self.open.push(Turn { item: item.map(str::to_owned), call, begun: false });
        Some(self.open.len() - 1)
    }

    fn end(&mut self, place: usize, log: &mut Log, now: Duration, status: CallStatus) {
        let Turn { item, mut call, .. } = self.open.remove(place);
        call.response_id = item;
        call.model.clone_from(&self.model);
        log.ended(call.end(&self.context, now, status));
    }
}

/// The model a session transcribes with, as it says today or said in the beta.
fn model(session: Raw<'_>) -> Option<String> {
    let audio = session.member("audio").and_then(|audio| audio.member("input"));
    let today = audio.and_then(|input| input.member("transcription"));
    let settings = today.or_else(|| session.member("input_audio_transcription"))?;
    settings.member("model").and_then(Raw::text)
}

fn is_transcription(session: Raw<'_>) -> bool {
    session.member("type").and_then(Raw::str).as_deref() == Some("transcription")
}
