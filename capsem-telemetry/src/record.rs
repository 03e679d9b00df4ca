//! What is written down: one value per thing that happened. Knows no sink, and nothing of how the
//! facts were come by.
//!
//! Field names and words are a contract with whoever reads a ledger: they may be added to, never
//! renamed. Every field is always present; what is unknown is null, never zero or empty.

mod call;
mod connection;
mod content;
mod edit;
mod evidence;
mod exchange;
mod fault;
mod judged;
mod limits;
mod line;
mod tool_use;

pub use call::{
    CallError, CallStatus, Initiator, ModelCall, ServerTiming, ToolCall, ToolResult, Transport,
    Usage,
};
pub use connection::{Closed, Listener, Opened};
pub use content::Content;
pub use evidence::{Evidence, EvidenceReason, EvidenceState};
pub use exchange::{Action, Close, CloseKind, Decided, Decision, Ended, Flow, Responded};
pub use fault::{Fault, FaultClass, Side};
pub use judged::{Answer, Asked, Detected, Direction, Event, Refused};
pub use limits::{Amount, LimitSource, RateLimit, RateLimits};
pub use tool_use::ToolUse;

use serde::{Deserialize, Serialize, Serializer};

use crate::{Error, Timestamp};

/// One thing that happened. The variant is the record's `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// A connection was accepted.
    Opened(Opened),
    /// A verdict was reached; nothing has been resolved or dialled yet.
    Decided(Box<Decided>),
    /// A response head was sent to the client.
    Responded(Responded),
    /// A model response ended, failed, was refused or was lost.
    ModelCall(Box<ModelCall>),
    /// A tool was called over MCP, and has answered, failed, or was refused or lost.
    ToolUse(Box<ToolUse>),
    /// A service said how much of an allowance is left.
    RateLimits(Box<RateLimits>),
    /// A message of an exchange was not let through.
    Refused(Box<Refused>),
    /// A rule asked someone.
    Asked(Box<Asked>),
    /// A rule matched that is to be recorded.
    Detected(Box<Detected>),
    /// A rule of the protocol, a limit or a peer broke.
    Fault(Fault),
    /// An exchange is over; exactly once per `decided`.
    Ended(Box<Ended>),
    /// A connection is over; exactly once per `opened`.
    Closed(Closed),
}

impl Record {
    /// The word for the record's kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Decided(_) => "decided",
            Self::Responded(_) => "responded",
            Self::ModelCall(_) => "model_call",
            Self::ToolUse(_) => "tool_use",
            Self::RateLimits(_) => "rate_limits",
            Self::Refused(_) => "refused",
            Self::Asked(_) => "asked",
            Self::Detected(_) => "detected",
            Self::Fault(_) => "fault",
            Self::Ended(_) => "ended",
            Self::Closed(_) => "closed",
        }
    }
}

/// A record with its place in the ledger and its time.
///
/// As JSON it is one flat object: `{"v":1,"seq":7,"at":"2026-11-23T10:00:00.000000Z",
/// "kind":"closed",..}`. [`to_json`](Self::to_json) escapes every control character and line
/// separator, so it is one line whatever the strings hold.
///
/// ```
/// use capsem_telemetry::{Closed, Id, Record, Stamped, Timestamp};
///
/// let record = Record::Closed(Closed { conn: Id::fresh(), exchanges: 1, duration_ms: 20 });
/// let stamped = Stamped { seq: 7, at: Timestamp::now(), record };
/// let line = stamped.to_json();
/// assert!(line.starts_with(r#"{"v":1,"seq":7,"at":""#));
/// assert_eq!(Stamped::from_json(&line)?, stamped);
/// # Ok::<(), capsem_telemetry::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Line")]
pub struct Stamped {
    /// Place in the ledger: 1, 2, 3 and on, without a gap.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub record: Record,
}

/// The version of the record format, `v`. It rises only if a field changes its meaning.
const VERSION: u32 = 1;

impl Stamped {
    /// The record as one line of JSON, without the line's end.
    pub fn to_json(&self) -> String {
        // Strings, integers and unit enums only: there is nothing in a record JSON cannot hold.
        line::to_line(self).ok().and_then(|line| String::from_utf8(line).ok()).unwrap_or_default()
    }

    /// Reads what [`to_json`](Self::to_json) wrote; keys it does not know are left aside.
    ///
    /// Fails with [`Error::BadRecord`] if the text is not a whole record of this version.
    pub fn from_json(line: &str) -> Result<Self, Error> {
        serde_json::from_str(line).map_err(|source| Error::BadRecord { source })
    }
}

impl Serialize for Stamped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u32,
            seq: u64,
            at: Timestamp,
            #[serde(flatten)]
            record: &'a Record,
        }
        let Self { seq, at, record } = self;
        Line { v: VERSION, seq: *seq, at: *at, record }.serialize(serializer)
    }
}

/// A line as it is read, before its version is checked.
#[derive(Deserialize)]
struct Line {
    v: u32,
    seq: u64,
    at: Timestamp,
    #[serde(flatten)]
    record: Record,
}

impl TryFrom<Line> for Stamped {
    type Error = Error;

    fn try_from(line: Line) -> Result<Self, Error> {
        let Line { v, seq, at, record } = line;
        if v == VERSION {
            Ok(Self { seq, at, record })
        } else {
            Err(Error::BadVersion { found: v })
        }
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
