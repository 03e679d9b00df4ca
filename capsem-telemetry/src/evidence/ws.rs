//! The messages of one WebSocket: which protocol they speak, if one is known. Knows no frames and
//! no compression; what could not be decoded it is told in a word.

use std::time::Duration;

use crate::{CallError, CallStatus, Evidence, EvidenceReason, ModelCall, RateLimits, ToolUse};

use super::call::Finished;
use super::input::{Payload, ResponseHead, Seen, Settings};
use super::log::Interpreter;
use super::{json, shape};

/// Reads the model calls of one WebSocket.
///
/// ```
/// use std::time::Duration;
/// use capsem_telemetry::evidence::{Seen, Settings, WsEvidence};
/// use capsem_telemetry::{CallStatus, Id, attribute};
///
/// let attribution = attribute("api.openai.com", "/v1/responses");
/// let mut socket = WsEvidence::new(Settings::new(Id::fresh(), attribution, 1 << 20));
/// let text = |json: &'static str| Seen {
///     payload: json.as_bytes(),
///     binary: false,
///     truncated: false,
///     len: json.len() as u64,
/// };
/// socket.client_message(
///     Duration::from_millis(5),
///     text(r#"{"type":"response.create","model":"m-1","input":"hello"}"#),
/// );
/// socket.server_message(
///     Duration::from_millis(9),
///     text(r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed"}}"#),
/// );
/// let calls = socket.take_calls();
/// assert_eq!(calls[0].status, CallStatus::Completed);
/// assert_eq!(calls[0].duration_ms, 4);
/// ```
#[derive(Debug)]
pub struct WsEvidence {
    settings: Settings,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    /// The path says nothing; the client's first message may.
    Undecided(Opaque),
    Known(Box<dyn Interpreter>),
    Unknown(Opaque),
}

/// Bytes that tell JSON from what is none, and as many as are copied with no loss of time.
const GLANCE: usize = 1024;

/// Messages nobody here can read.
#[derive(Clone, Copy, Debug, Default)]
struct Opaque {
    reason: Option<EvidenceReason>,
}

impl WsEvidence {
    /// Begins with the socket: time counts from the same moment as the exchange's.
    pub fn new(settings: Settings) -> Self {
        let reading = match settings.attribution.api {
            None => Reading::Undecided(Opaque::default()),
            Some(api) => shape::interpreter(api, settings.clone())
                .map_or(Reading::Unknown(Opaque::default()), Reading::Known),
        };
        Self { settings, reading }
    }

    /// How many bytes of the client's next message are looked at, at most; of those after it too, until
    /// one was read.
    pub fn reads_of_client(&self) -> usize {
        match self.reading {
            Reading::Known(_) | Reading::Undecided(_) => usize::MAX,
            Reading::Unknown(_) => GLANCE,
        }
    }

    /// The same of the server's messages.
    pub fn reads_of_server(&self) -> usize {
        match self.reading {
            Reading::Known(_) => usize::MAX,
            Reading::Undecided(_) | Reading::Unknown(_) => GLANCE,
        }
    }

    /// Reads a message the client sent, which had come whole at `now`.
    pub fn client_message(&mut self, now: Duration, message: Seen<'_>) {
        let payload = Payload::new(message.payload, message.len, message.truncated);
        self.decide(payload);
        match &mut self.reading {
            Reading::Known(interpreter) if is_json(message) => interpreter.client(now, payload),
            Reading::Known(interpreter) => interpreter.unreadable(strange(message)),
            Reading::Undecided(opaque) | Reading::Unknown(opaque) => opaque.note(message),
        }
    }

    /// Reads a message the server sent.
    pub fn server_message(&mut self, now: Duration, message: Seen<'_>) {
        match &mut self.reading {
            Reading::Known(interpreter) if is_json(message) => {
                let payload = Payload::new(message.payload, message.len, message.truncated);
                interpreter.server(now, payload);
            }
            Reading::Known(interpreter) => interpreter.unreadable(strange(message)),
            Reading::Undecided(opaque) | Reading::Unknown(opaque) => opaque.note(message),
        }
    }

    /// Reads a message of the client that was not let through, and why: what it asks for leaves a
    /// record with the status `denied`. `false` if it asks for nothing that is known.
    pub fn denied_message(&mut self, now: Duration, message: Seen<'_>, why: &CallError) -> bool {
        let payload = Payload::new(message.payload, message.len, message.truncated);
        self.decide(payload);
        match &mut self.reading {
            Reading::Known(interpreter) if is_json(message) => {
                interpreter.denied(now, payload, why)
            }
            Reading::Known(_) | Reading::Undecided(_) | Reading::Unknown(_) => false,
        }
    }

    /// Reads the head of the response to the upgrade. The model it names is that of responses which
    /// name none.
    pub fn response_head(&mut self, head: ResponseHead<'_>) {
        if let Reading::Known(interpreter) = &mut self.reading {
            let log = interpreter.log();
            log.limits.answered(head.status);
            log.context.model_served = head.openai_model.map(|it| json::bounded(it).to_owned());
        }
    }

    /// Reads the headers of the response to the upgrade, after its head, for what they say of rate
    /// limits. What else is among them is passed over.
    pub fn response_headers<'h>(&mut self, headers: impl IntoIterator<Item = (&'h str, &'h str)>) {
        if let Reading::Known(interpreter) = &mut self.reading {
            interpreter.log().limits.headers(headers);
        }
    }

    /// Says that messages passed which could not be decoded, and why: an extension nobody reads, an
    /// inflater that failed. Every call open now knows only a part.
    pub fn unreadable(&mut self, reason: EvidenceReason) {
        match &mut self.reading {
            Reading::Known(interpreter) => interpreter.unreadable(reason),
            Reading::Undecided(opaque) | Reading::Unknown(opaque) => {
                opaque.reason.get_or_insert(reason);
            }
        }
    }

    /// Whether a call or a tool use has ended, or something was said of rate limits, that was not yet
    /// taken.
    pub fn has_ended(&mut self) -> bool {
        match &mut self.reading {
            Reading::Known(interpreter) => interpreter.log().has_ended(),
            Reading::Undecided(_) | Reading::Unknown(_) => false,
        }
    }

    /// The calls that have ended since this was last asked, in the order they ended.
    pub fn take_calls(&mut self) -> Vec<ModelCall> {
        self.take_finished().into_iter().map(|finished| finished.call).collect()
    }

    /// The same with the bytes they were read from, where [`Settings::raw`] asks for them.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        match &mut self.reading {
            Reading::Known(interpreter) => interpreter.log().take_finished(),
            Reading::Undecided(_) | Reading::Unknown(_) => Vec::new(),
        }
    }

    /// The tool uses that have ended since this was last asked; only MCP has any.
    pub fn take_tool_uses(&mut self) -> Vec<ToolUse> {
        match &mut self.reading {
            Reading::Known(interpreter) => interpreter.log().take_tool_uses(),
            Reading::Undecided(_) | Reading::Unknown(_) => Vec::new(),
        }
    }

    /// What the service said of rate limits since this was last asked.
    pub fn take_rate_limits(&mut self) -> Vec<RateLimits> {
        match &mut self.reading {
            Reading::Known(interpreter) => interpreter.log().limits.take(),
            Reading::Undecided(_) | Reading::Unknown(_) => Vec::new(),
        }
    }

    /// Ends what is open, so that the last of it can be taken before [`finish`](Self::finish).
    /// Calls are `connection_lost` if the socket was `lost` in the middle, else `cancelled`: a
    /// client that goes in order gives them up.
    pub fn end(&mut self, now: Duration, lost: bool) {
        let status = if lost { CallStatus::ConnectionLost } else { CallStatus::Cancelled };
        if let Reading::Known(interpreter) = &mut self.reading {
            interpreter.end_all(now, status);
        }
    }

    /// Ends with the socket, as [`end`](Self::end) does.
    ///
    /// Returns the calls not yet taken, how much of the socket was read (nothing to say where no
    /// protocol was known and no message came), and how many calls there were in all.
    pub fn finish(mut self, now: Duration, lost: bool) -> (Vec<ModelCall>, Option<Evidence>, u64) {
        self.end(now, lost);
        let calls = self.take_calls();
        match &mut self.reading {
            Reading::Known(interpreter) => {
                let log = interpreter.log();
                (calls, Some(log.evidence()), log.total())
            }
            Reading::Undecided(opaque) | Reading::Unknown(opaque) => {
                (calls, opaque.reason.map(Evidence::none), 0)
            }
        }
    }

    /// The client's first message tells the protocol, if it ever does.
    fn decide(&mut self, first: Payload<'_>) {
        if let Reading::Undecided(opaque) = self.reading {
            let settings = || self.settings.clone();
            self.reading = shape::recognise(first)
                .and_then(|api| shape::interpreter(api, settings()))
                .map_or(Reading::Unknown(opaque), Reading::Known);
        }
    }
}

impl Opaque {
    /// Any text or JSON makes the schema the unknown; only messages that are neither are `binary`.
    fn note(&mut self, message: Seen<'_>) {
        if matches!(self.reason, None | Some(EvidenceReason::Binary)) {
            self.reason = Some(strange(message));
        }
    }
}

/// Whether a message is to be read as JSON: an object, or a batch of them. Some servers send theirs in binary messages.
fn is_json(message: Seen<'_>) -> bool {
    matches!(message.payload.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Why a message that is no JSON of a known protocol cannot be read.
fn strange(message: Seen<'_>) -> EvidenceReason {
    if message.binary && !is_json(message) {
        EvidenceReason::Binary
    } else {
        EvidenceReason::UnknownSchema
    }
}
