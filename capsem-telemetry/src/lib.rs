//! Records of what happened on the proxy's connections, the model-call evidence read from decoded
//! messages, and the sinks records go to.
//!
//! - [`Record`] and its parts: what is written down.
//! - [`attribute`]: whose API a request is for.
//! - [`redact`]: what must not be written down.
//! - [`evidence`]: model calls read from messages and bodies.
//! - [`genai`]: a call as OpenTelemetry's attributes.
//! - [`Ledger`] and [`sink`]: where records go. [`read`]: how they come back.
//! - `otlp`, behind the feature of that name: calls as spans, in batches for a collector.
//!
//! It refuses to know sockets, frames and TLS. No other crate turns a record into text.

mod attribute;
mod buffer;
mod content;
mod error;
pub mod evidence;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod genai;
mod id;
mod ledger;
#[cfg(feature = "otlp")]
pub mod otlp;
mod percent;
pub mod read;
mod record;
pub mod redact;
pub mod sink;
pub mod sse;
mod time;
mod word;

pub use attribute::{Api, Attribution, Operation, Protocol, Provider, attribute};
pub use error::{Cause, Error};
pub use id::Id;
pub use ledger::{Ledger, LedgerTask, Mode, Summary};
pub use record::{
    Action, Amount, Answer, Asked, CallError, CallStatus, Close, CloseKind, Closed, Content,
    Decided, Decision, Detected, Direction, Ended, Event, Evidence, EvidenceReason, EvidenceState,
    Fault, FaultClass, Flow, Initiator, LimitSource, Listener, ModelCall, Opened, RateLimit,
    RateLimits, Record, Refused, Responded, ServerTiming, Side, Stamped, ToolCall, ToolResult,
    ToolUse, Transport, Usage,
};
pub use time::Timestamp;
