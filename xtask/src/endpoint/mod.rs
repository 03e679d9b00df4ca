//! A local model endpoint: what `demo` and `accept` put behind the proxy.
//!
//! It answers with texts and numbers of its own and keeps a [`Log`] of all it saw and sent. That
//! log is the truth a ledger is compared with. It refuses to know the proxy.

mod anthropic;
mod authority;
mod by_hand;
mod google;
mod live;
mod log;
mod numbers;
mod openai;
mod realtime;
mod routes;
mod server;
mod sockets;
mod stream;
mod trouble;

pub(crate) use authority::{Authority, NAMES};
pub(crate) use by_hand::{Arguments, by_hand};
pub(crate) use log::{Entry, Flow, Log, Response, Transport, Usage};
#[cfg(test)]
pub(crate) use log::{Provider, ToolCall, ToolResult};
pub(crate) use server::Endpoint;
pub(crate) use trouble::Trouble;
