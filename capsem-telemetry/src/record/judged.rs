//! Records of judgements beside the one an exchange begins with: of its messages, and of whoever
//! was asked. Knows no rules.

use serde::{Deserialize, Serialize};

use super::Action;
use crate::Id;
use crate::word::words;

/// `refused`: a message of an exchange was not let through. The call it asks for, if any, is a
/// `model_call` with the status `denied` beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The exchange.
    pub exchange: Id,
    /// Which way the message was going.
    pub direction: Direction,
    /// What policy said.
    pub action: Action,
    /// The rule that decided; null if the message could not be judged.
    pub rule: Option<String>,
    /// Why, as the rule or the proxy words it.
    pub reason: Option<String>,
    /// The model it names, if it names one.
    pub model: Option<String>,
    /// Bytes of the message, uncompressed, as far as it was read.
    pub bytes: u64,
}

/// `asked`: a rule asked someone, and this is the answer. That of a request comes before its
/// `decided`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The connection.
    pub conn: Id,
    /// The exchange, which may never be decided if its client does not wait.
    pub exchange: Id,
    /// What was asked about.
    pub on: Event,
    /// The rule that asked; null for the default.
    pub rule: Option<String>,
    /// The answer.
    pub answer: Answer,
    /// Milliseconds from the question to the answer.
    pub duration_ms: u64,
}

/// `detected`: a rule matched that is to be recorded, whatever was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// The exchange.
    pub exchange: Id,
    /// What it matched.
    pub on: Event,
    /// The rule.
    pub rule: String,
    /// How much it matters, in the rule's word.
    pub level: String,
    /// The rule's reason.
    pub reason: Option<String>,
}

words! {
    /// Which way a message goes.
    pub enum Direction {
        /// From the client to the server.
        ToUpstream = "to_upstream",
        /// From the server to the client.
        ToClient = "to_client",
    }
}

words! {
    /// What is judged.
    pub enum Event {
        /// A request.
        Http = "http",
        /// An upgrade to WebSocket.
        Upgrade = "upgrade",
        /// A message, or the body of a request.
        Message = "message",
    }
}

words! {
    /// What came of a question. Only one answer lets anything through.
    #[non_exhaustive]
    pub enum Answer {
        /// It may pass.
        Allow = "allow",
        /// It may not.
        Block = "block",
        /// There was none in time.
        Late = "late",
        /// There is nobody to ask.
        Nobody = "nobody",
        /// Asking failed.
        Failed = "failed",
        /// Who wanted it did not wait for the answer.
        Gone = "gone",
    }
}
