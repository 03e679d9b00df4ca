//! Records of one exchange: a request, or an upgraded socket from its request to its end. Knows
//! nothing of rules, heads or frames; it names what came of them.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Evidence, Side, Transport};
use crate::word::words;
use crate::{Api, Id, Protocol, Provider};

/// `decided`: a verdict, before any name is resolved or address dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The connection the request came on.
    pub conn: Id,
    /// The exchange this opens.
    pub exchange: Id,
    /// [`Transport::Websocket`] for an upgrade, else [`Transport::Http`].
    pub transport: Transport,
    /// Request method; null for a head that could not be read.
    pub method: Option<String>,
    /// `http`, `https`, `ws` or `wss`; null where the authority is in doubt.
    pub scheme: Option<String>,
    /// Canonical host: lower case, no userinfo; null where it is in doubt.
    pub host: Option<String>,
    /// Port of the authority; null where it is in doubt.
    pub port: Option<u16>,
    /// Path as sent, without the query; null for a head that could not be read.
    pub path: Option<String>,
    /// Query, redacted by [`crate::redact::query`]; null if there was none.
    pub query: Option<String>,
    /// Who serves the host.
    pub provider: Provider,
    /// The wire family spoken, if known.
    pub protocol: Option<Protocol>,
    /// The model API asked for, if known.
    pub api: Option<Api>,
    /// What came of the verdict.
    pub decision: Decision,
    /// What policy said; null if it could not say anything.
    pub action: Option<Action>,
    /// The rule that decided; null for the default.
    pub rule: Option<String>,
    /// Why, as the rule or the proxy words it.
    pub reason: Option<String>,
    /// The client's process, if known.
    pub process: Option<String>,
    /// Reference of the credential put on the upstream request; never the credential.
    pub credential_ref: Option<String>,
    /// Subprotocols offered, redacted by [`crate::redact::subprotocols`].
    pub subprotocols: Vec<String>,
}

/// `responded`: a response head was sent to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Responded {
    /// The exchange.
    pub exchange: Id,
    /// Status code.
    pub status: u16,
    /// Whose response it is: [`Side::Upstream`] or [`Side::Proxy`].
    pub by: Side,
    /// `Sec-WebSocket-Extensions` agreed on; null if none.
    pub extensions: Option<String>,
    /// `Sec-WebSocket-Protocol` agreed on, redacted; null if none.
    pub subprotocol: Option<String>,
    /// The address dialled; null if none was.
    pub upstream_addr: Option<SocketAddr>,
}

/// `ended`: an exchange is over; exactly once per [`Decided`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The exchange.
    pub exchange: Id,
    /// How it ended.
    pub close: Close,
    /// What went to the upstream; null where the proxy did not live to count it.
    pub to_upstream: Option<Flow>,
    /// What went to the client; null likewise.
    pub to_client: Option<Flow>,
    /// Model calls recorded for it.
    pub model_calls: u64,
    /// Milliseconds since it was decided; where the proxy died, up to its last record.
    pub duration_ms: u64,
    /// How much of it could be read; null where there was nothing to read.
    pub evidence: Option<Evidence>,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// In one word.
    pub kind: CloseKind,
    /// Who ended it; null if nobody did.
    pub by: Option<Side>,
    /// Close code of RFC 6455 section 7.4; null without a Close frame.
    pub code: Option<u16>,
    /// Close reason, or the proxy's own words.
    pub reason: Option<String>,
}

/// What went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Bytes on the wire within TLS: heads, framing and payload.
    pub wire_bytes: u64,
    /// Frames, control frames included; 0 for HTTP.
    pub frames: u64,
    /// Messages of the WebSocket, or 1 for an HTTP body that was not empty.
    pub messages: u64,
    /// Payload bytes of those messages as sent: compressed if they were.
    pub message_bytes: u64,
}

words! {
    /// What came of a verdict.
    pub enum Decision {
        /// The exchange may go on.
        Allowed = "allowed",
        /// The exchange was refused.
        Denied = "denied",
        /// No verdict could be reached; the exchange was refused.
        Error = "error",
    }
}

words! {
    /// What policy said.
    pub enum Action {
        /// Let it pass.
        Allow = "allow",
        /// Ask someone first.
        Ask = "ask",
        /// Refuse it.
        Block = "block",
    }
}

words! {
    /// How an exchange ended, in one word.
    pub enum CloseKind {
        /// As both sides meant it to.
        Normal = "normal",
        /// Policy refused it or a message of it.
        Policy = "policy",
        /// A side left without the ending its protocol asks for.
        Peer = "peer",
        /// A deadline passed.
        Timeout = "timeout",
        /// A fault; a `fault` record names it.
        Error = "error",
    }
}
