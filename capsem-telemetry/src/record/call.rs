//! The record of one model response. Knows the words all providers are brought to, and no
//! provider's own.

use serde::{Deserialize, Serialize};

use super::{Content, Evidence};
use crate::word::words;
use crate::{Api, Id, Operation, Protocol, Provider};

/// `model_call`: a model response ended, failed, was refused or was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCall {
    /// The exchange it was part of.
    pub exchange: Id,
    /// What carried it.
    pub transport: Transport,
    /// The call itself.
    pub call: Id,
    /// Who served it.
    pub provider: Provider,
    /// The wire family spoken.
    pub protocol: Option<Protocol>,
    /// The model API used.
    pub api: Option<Api>,
    /// What was asked for.
    pub operation: Operation,
    /// The model the request named.
    pub model_requested: Option<String>,
    /// The model the response named.
    pub model: Option<String>,
    /// The provider's id of the response.
    pub response_id: Option<String>,
    /// The response this one continues.
    pub previous_response_id: Option<String>,
    /// The lane of a multiplexed socket.
    pub stream_id: Option<String>,
    /// Who started it.
    pub initiator: Initiator,
    /// It only warmed the connection up and is no inference.
    pub warmup: bool,
    /// How it ended.
    pub status: CallStatus,
    /// Why the model stopped, in the provider's word.
    pub stop_reason: Option<String>,
    /// What failed.
    pub error: Option<CallError>,
    /// Tokens; null if the provider did not say.
    pub usage: Option<Usage>,
    /// Tools the model called, in order.
    pub tool_calls: Vec<ToolCall>,
    /// Results of earlier tool calls that the request carried.
    pub tool_results: Vec<ToolResult>,
    /// Uncompressed payload bytes of the request.
    pub request_bytes: u64,
    /// Uncompressed payload bytes of the response.
    pub response_bytes: u64,
    /// Milliseconds from the request's last byte to the first piece of output.
    pub time_to_first_token_ms: Option<u64>,
    /// Milliseconds from the request's first byte to the response's end.
    pub duration_ms: u64,
    /// What the service says of its own time; beside ours, never in its place.
    #[serde(default)]
    pub server_timing: Option<ServerTiming>,
    /// What the service says of the request's safety, in its words: the verifications it
    /// recommends, and `safety_buffering` where it held output back for a check.
    #[serde(default)]
    pub safety: Vec<String>,
    /// What was said; null where content is not recorded.
    #[serde(default)]
    pub content: Option<Content>,
    /// How much of this call could be read.
    pub evidence: Evidence,
}

/// Tokens of one call, brought to one meaning: the totals include their parts.
///
/// What the provider did not say is null. `input_tokens` includes cache reads and writes,
/// `output_tokens` includes reasoning, whatever the provider counts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All input.
    pub input_tokens: Option<u64>,
    /// All output.
    pub output_tokens: Option<u64>,
    /// Input read from a cache.
    pub cached_input_tokens: Option<u64>,
    /// Input written to a cache.
    pub cache_write_tokens: Option<u64>,
    /// Output spent on reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Input that was audio.
    pub audio_input_tokens: Option<u64>,
    /// Output that was audio.
    pub audio_output_tokens: Option<u64>,
    /// Milliseconds, where the provider counts time in place of tokens: of audio transcribed, of a
    /// session held.
    #[serde(default)]
    pub time_ms: Option<u64>,
}

/// A service's own figures of one response, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerTiming {
    /// Its engine, until the first token, over all runs of the response.
    pub time_to_first_token_ms: Option<u64>,
    /// Its engine in all.
    pub engine_ms: Option<u64>,
    /// What it took beside its engine and the client's tools.
    pub overhead_ms: Option<u64>,
    /// From the request to the response's head.
    pub processing_ms: Option<u64>,
}

/// A tool the model called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id of the call; its result names it again.
    pub call_id: Option<String>,
    /// The tool.
    pub name: Option<String>,
    /// The provider's word for the kind of call, such as `function_call` or `server_tool_use`.
    pub kind: String,
    /// The model took the call back before it was answered.
    #[serde(default)]
    pub cancelled: bool,
}

/// The result of a tool call that a request carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call it answers.
    pub call_id: Option<String>,
    /// Whether the tool failed; null if the protocol does not say.
    pub is_error: Option<bool>,
    /// The tool that was called, where its call was seen.
    #[serde(default)]
    pub name: Option<String>,
    /// The model call that called it.
    #[serde(default)]
    pub answers: Option<Id>,
}

/// What a provider or the proxy said went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallError {
    /// Its code or type.
    pub code: Option<String>,
    /// Its message.
    pub message: Option<String>,
}

words! {
    /// What carried an exchange or a call.
    pub enum Transport {
        /// A WebSocket.
        Websocket = "websocket",
        /// An HTTP response as server-sent events; only of calls.
        Sse = "sse",
        /// HTTP.
        Http = "http",
    }
}

words! {
    /// Who started a model response.
    pub enum Initiator {
        /// A request of the client.
        Client = "client",
        /// The server, unasked.
        Server = "server",
    }
}

words! {
    /// How a model response ended.
    pub enum CallStatus {
        /// The model finished.
        Completed = "completed",
        /// The model was stopped by a limit or a filter.
        Incomplete = "incomplete",
        /// The provider reported an error.
        Failed = "failed",
        /// Someone cancelled it.
        Cancelled = "cancelled",
        /// Policy refused it.
        Denied = "denied",
        /// The connection ended first.
        ConnectionLost = "connection_lost",
    }
}
