//! The messages of one WebSocket: which protocol they speak, if one is known. Knows no frames and
//! no compression; what could not be decoded it is told in a word.

use std::time::Duration;

use crate::{Api, CallStatus, Evidence, EvidenceReason, ModelCall, Operation, Transport};

use super::call::Context;
use super::input::{Payload, Seen, Settings};
use super::openai::{self, Lanes};

/// Reads the model calls of one WebSocket.
///
/// ```
/// use std::time::Duration;
/// use capsem_telemetry::evidence::{Seen, Settings, WsEvidence};
/// use capsem_telemetry::{CallStatus, Id, attribute};
///
/// let attribution = attribute("api.openai.com", "/v1/responses");
/// let mut socket =
///     WsEvidence::new(Settings { exchange: Id::fresh(), attribution, capture: 1 << 20 });
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
    Responses(Box<Lanes>),
    Unknown(Opaque),
}

/// Messages nobody here can read.
#[derive(Clone, Copy, Debug, Default)]
struct Opaque {
    reason: Option<EvidenceReason>,
}

impl WsEvidence {
    /// Begins with the socket: time counts from the same moment as the exchange's.
    pub fn new(settings: Settings) -> Self {
        let reading = match settings.attribution.api {
            Some(Api::Responses) => Reading::Responses(Box::new(lanes(&settings))),
            Some(_) => Reading::Unknown(Opaque::default()),
            None => Reading::Undecided(Opaque::default()),
        };
        Self { settings, reading }
    }

    /// Reads a message the client sent, which had come whole at `now`.
    pub fn client_message(&mut self, now: Duration, message: Seen<'_>) {
        let payload = Payload::new(message.payload, message.len, message.truncated);
        if let Reading::Undecided(opaque) = self.reading {
            self.reading = if openai::is_create(payload) {
                Reading::Responses(Box::new(lanes(&self.settings)))
            } else {
                Reading::Unknown(opaque)
            };
        }
        match &mut self.reading {
            Reading::Responses(lanes) if is_json(message) => lanes.client(now, payload),
            Reading::Responses(lanes) => lanes.unreadable(strange(message)),
            Reading::Undecided(opaque) | Reading::Unknown(opaque) => opaque.note(message),
        }
    }

    /// Reads a message the server sent.
    pub fn server_message(&mut self, now: Duration, message: Seen<'_>) {
        match &mut self.reading {
            Reading::Responses(lanes) if is_json(message) => {
                lanes.server(now, Payload::new(message.payload, message.len, message.truncated));
            }
            Reading::Responses(lanes) => lanes.unreadable(strange(message)),
            Reading::Undecided(opaque) | Reading::Unknown(opaque) => opaque.note(message),
        }
    }

    /// Says that messages passed which could not be decoded, and why: an extension nobody reads, an
    /// inflater that failed. Every call open now knows only a part.
    pub fn unreadable(&mut self, reason: EvidenceReason) {
        match &mut self.reading {
            Reading::Responses(lanes) => lanes.unreadable(reason),
            Reading::Undecided(opaque) | Reading::Unknown(opaque) => {
                opaque.reason.get_or_insert(reason);
            }
        }
    }

    /// The calls that have ended since this was last asked, in the order they ended.
    pub fn take_calls(&mut self) -> Vec<ModelCall> {
        match &mut self.reading {
            Reading::Responses(lanes) => lanes.take_finished(),
            Reading::Undecided(_) | Reading::Unknown(_) => Vec::new(),
        }
    }

    /// Ends with the socket. Calls that are still open are `connection_lost` if it was `lost` in
    /// the middle, else `cancelled`: a client that goes in order gives them up.
    ///
    /// Returns the calls not yet taken, how much of the socket was read (nothing to say where no
    /// protocol was known and no message came), and how many calls there were in all.
    pub fn finish(mut self, now: Duration, lost: bool) -> (Vec<ModelCall>, Option<Evidence>, u64) {
        let open = if lost { CallStatus::ConnectionLost } else { CallStatus::Cancelled };
        match &mut self.reading {
            Reading::Responses(lanes) => {
                lanes.end_all(now, open);
                (lanes.take_finished(), Some(lanes.evidence()), lanes.total())
            }
            Reading::Undecided(opaque) | Reading::Unknown(opaque) => {
                (Vec::new(), opaque.reason.map(Evidence::none), 0)
            }
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

fn lanes(settings: &Settings) -> Lanes {
    Lanes::new(Context {
        exchange: settings.exchange,
        transport: Transport::Websocket,
        attribution: settings.attribution.clone(),
        api: Api::Responses,
        operation: Operation::Chat,
    })
}

/// Whether a message is to be read as JSON. Some servers send theirs in binary messages.
fn is_json(message: Seen<'_>) -> bool {
    message.payload.trim_ascii_start().first() == Some(&b'{')
}

/// Why a message that is no JSON of a known protocol cannot be read.
fn strange(message: Seen<'_>) -> EvidenceReason {
    if message.binary && !is_json(message) {
        EvidenceReason::Binary
    } else {
        EvidenceReason::UnknownSchema
    }
}
