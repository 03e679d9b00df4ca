//! The record of one tool call over MCP, which no model response contains. Knows no JSON-RPC.

use serde::{Deserialize, Serialize};

use super::{CallError, CallStatus, Content, Evidence, Transport};
use crate::Id;

/// `tool_use`: a tool was called over MCP, and has answered, failed, or was refused or lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUse {
    /// The exchange it was part of.
    pub exchange: Id,
    /// What carried it.
    pub transport: Transport,
    /// The tool use itself.
    pub call: Id,
    /// The server's name of itself.
    pub server: Option<String>,
    /// The id of the request, unique on its connection while it is open.
    pub request_id: Option<String>,
    /// The tool.
    pub name: Option<String>,
    /// How it ended.
    pub status: CallStatus,
    /// Whether the tool says that it failed; null if it gave no result.
    pub is_error: Option<bool>,
    /// What failed, if the server gave an error in place of a result.
    pub error: Option<CallError>,
    /// Payload bytes of the request.
    pub request_bytes: u64,
    /// Payload bytes of the response.
    pub response_bytes: u64,
    /// Milliseconds from the request to its end.
    pub duration_ms: u64,
    /// What was said; null where content is not recorded.
    #[serde(default)]
    pub content: Option<Content>,
    /// How much of it could be read.
    pub evidence: Evidence,
}
