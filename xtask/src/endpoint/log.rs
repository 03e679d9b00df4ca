//! What the endpoint saw and sent, entry by entry, in the contract's words.
//!
//! Usage is already normalised (caches count as input, reasoning as output), so that it can be
//! laid beside a ledger number for number. Refuses to know where the numbers come from.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The shared log of one endpoint; clones write to the same one.
#[derive(Clone, Default)]
pub(crate) struct Log {
    entries: Arc<Mutex<Vec<Entry>>>,
    printed: bool,
}

impl Log {
    /// A log that also prints each entry on stdout as a line of JSON.
    pub(crate) fn printed() -> Self {
        Self { printed: true, ..Self::default() }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn push(&self, entry: Entry) {
        if self.printed {
            println!("{}", serde_json::json!(entry));
        }
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A TCP connection was accepted.
    Accepted { connection: u64 },
    /// A TLS handshake was not finished; a client that trusts another CA ends so.
    TlsRefused { connection: u64, why: String },
    /// A response head was sent.
    Answered {
        connection: u64,
        host: String,
        method: String,
        path: String,
        upgrade: bool,
        status: u16,
    },
    /// A model response was sent to its end.
    Response(Response),
    /// A WebSocket ended.
    Socket { connection: u64, path: String, compressed: bool, received: Flow, sent: Flow },
}

/// One model response as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Response {
    pub(crate) connection: u64,
    pub(crate) provider: Provider,
    pub(crate) transport: Transport,
    /// Empty where the API names no response; it does not name the model then either (Live).
    pub(crate) id: String,
    pub(crate) previous: Option<String>,
    pub(crate) model: String,
    pub(crate) warmup: bool,
    /// The words of it, as a client should have put them together.
    pub(crate) text: String,
    pub(crate) usage: Usage,
    pub(crate) tool_calls: Vec<ToolCall>,
    /// The tool results its request carried.
    pub(crate) tool_results: Vec<ToolResult>,
}

/// Whose API it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Provider {
    #[default]
    Openai,
    Anthropic,
    Google,
}

/// What carried the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    #[default]
    Websocket,
    Sse,
    Http,
}

/// Token counts; null where the API has no such number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
pub(crate) struct Usage {
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cached_input_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
    pub(crate) reasoning_tokens: Option<u64>,
}

/// A tool the endpoint asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ToolCall {
    pub(crate) call_id: String,
    pub(crate) name: String,
}

/// A tool result a client sent back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ToolResult {
    pub(crate) call_id: String,
    pub(crate) output: String,
}

/// What went over a WebSocket in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) wire_bytes: u64,
    pub(crate) frames: u64,
    pub(crate) messages: u64,
    pub(crate) message_bytes: u64,
}

impl Provider {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
        }
    }
}

impl Transport {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Sse => "sse",
            Self::Http => "http",
        }
    }
}
