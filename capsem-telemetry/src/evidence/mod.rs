//! Model calls read from what went over the wire: decoded messages and bodies in, one
//! [`ModelCall`](crate::ModelCall) per model response out, when that response ends.
//!
//! Everything here is a pure state machine. Time is an argument, counted from the start of the
//! exchange; nothing reads a clock, a socket or a file. What is fed in may be hostile: nothing
//! panics, memory is bounded by [`Settings::capture`] and named limits, and what could not be read
//! is said in [`Evidence`](crate::Evidence), never guessed.
//!
//! - [`WsEvidence`]: the messages of a WebSocket.
//! - [`HttpEvidence`]: the two bodies of an HTTP exchange, as JSON or as server-sent events.
//!
//! Both hand out the tools called over MCP as [`ToolUse`](crate::ToolUse), and what the service says of
//! rate limits, in headers and events, as [`RateLimits`](crate::RateLimits): once, and again when it
//! changes.
//!
//! A host that has parsers of its own asks for the bytes of each call ([`Settings::raw`]) and takes
//! calls with [`WsEvidence::take_finished`].

mod anthropic;
mod call;
mod dialect;
mod facts;
mod form;
mod gemini;
mod gemini_live;
mod http;
mod input;
mod json;
mod limits;
mod log;
mod mcp;
mod openai;
mod raw;
mod refusal;
mod remembered;
mod room;
mod shape;
mod tools;
mod ws;

pub use call::Finished;
pub use facts::MessageFacts;
pub use http::HttpEvidence;
pub use input::{RequestHead, ResponseHead, Seen, Settings};
pub use raw::RawCall;
pub use refusal::{refusal, refused_event};
pub use tools::ToolMemory;
pub use ws::WsEvidence;

pub(crate) use json::{broken, string};

#[cfg(test)]
mod tests;
