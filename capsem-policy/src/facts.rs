//! What is known of an event when it is judged. Refuses to know how it was learnt.

use std::fmt;

/// What kind of event is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum On {
    /// An HTTP request that asks for no upgrade.
    Http,
    /// An HTTP request that asks for a WebSocket (RFC 6455 section 4.1).
    Upgrade,
    /// A whole message of an exchange that was allowed: a data message of a WebSocket, or the body
    /// of a request to a model.
    Message,
}

impl On {
    /// The word of the rule file: `http`, `upgrade` or `message`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Upgrade => "upgrade",
            Self::Message => "message",
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToUpstream,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// The word of the rule file: `to_upstream` or `to_client`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToUpstream => "to_upstream",
            Self::ToClient => "to_client",
        }
    }
}

/// How the payload of a WebSocket message is to be read (RFC 6455 section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

impl Opcode {
    /// The word of a condition: `text` or `binary`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// The facts of one event, borrowed from whoever holds it.
///
/// Rules compare bytes, so the caller must hand in canonical forms, and must send upstream exactly
/// what it handed in: a host in another spelling, or a path that is rewritten afterwards, was not
/// judged. What is not known is left out, and then no rule that asks for it matches.
///
/// ```
/// use capsem_policy::{Facts, On};
/// let facts = Facts::new(On::Http, "api.anthropic.com", 443)
///     .method("POST")
///     .path("/v1/messages")
///     .provider("anthropic");
/// assert_eq!(facts.scheme, "https");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// What kind of event this is.
    pub on: On,
    /// `https`, `http`, `wss` or `ws`.
    pub scheme: &'a str,
    /// The host in canonical form: lower case, A-labels, no trailing dot; an IPv4 address as four
    /// decimal numbers; an IPv6 address as in RFC 5952, without brackets.
    pub host: &'a str,
    /// The port, never left to the scheme.
    pub port: u16,
    /// The method as sent; methods are case-sensitive (RFC 9110 section 9.1).
    pub method: &'a str,
    /// The path as sent, without the query.
    pub path: &'a str,
    /// The query as sent, without the `?`.
    pub query: Option<&'a str>,
    /// The header fields as sent, names in lower case; rules can read those of
    /// [`HEADERS`](crate::HEADERS) alone, whatever is handed in.
    pub headers: &'a [(&'a str, &'a str)],
    /// Whose model API this is: `openai`, `anthropic`, `google`, another word, or `unknown`.
    pub provider: &'a str,
    /// Which API of the provider, such as `responses`.
    pub protocol: Option<&'a str>,
    /// The name of the client's program.
    pub process: Option<&'a str>,
    /// The subprotocols of a WebSocket: offered on an upgrade, the one agreed on in messages.
    /// Without those that are secrets.
    pub subprotocols: &'a [&'a str],
    /// The names of the extensions of a WebSocket: offered on an upgrade, agreed on in messages.
    pub extensions: &'a [&'a str],
    /// What went over the connection before this event.
    pub counters: Counters,
    /// The message that is judged.
    pub message: Option<Message<'a>>,
}

impl<'a> Facts<'a> {
    /// A `GET` of `/` over `https`, of an unknown provider; the methods below say otherwise.
    pub fn new(on: On, host: &'a str, port: u16) -> Self {
        Self {
            on,
            scheme: "https",
            host,
            port,
            method: "GET",
            path: "/",
            query: None,
            headers: &[],
            provider: "unknown",
            protocol: None,
            process: None,
            subprotocols: &[],
            extensions: &[],
            counters: Counters::default(),
            message: None,
        }
    }

    /// The same with this scheme.
    #[must_use]
    pub fn scheme(self, scheme: &'a str) -> Self {
        Self { scheme, ..self }
    }

    /// The same with this method.
    #[must_use]
    pub fn method(self, method: &'a str) -> Self {
        Self { method, ..self }
    }

    /// The same with this path.
    #[must_use]
    pub fn path(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    /// The same with this query.
    #[must_use]
    pub fn query(self, query: Option<&'a str>) -> Self {
        Self { query, ..self }
    }

    /// The same with these header fields.
    #[must_use]
    pub fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    /// The same with this provider.
    #[must_use]
    pub fn provider(self, provider: &'a str) -> Self {
        Self { provider, ..self }
    }

    /// The same with this protocol of a model.
    #[must_use]
    pub fn protocol(self, protocol: Option<&'a str>) -> Self {
        Self { protocol, ..self }
    }

    /// The same with this program as the client.
    #[must_use]
    pub fn process(self, process: Option<&'a str>) -> Self {
        Self { process, ..self }
    }

    /// The same with these subprotocols.
    #[must_use]
    pub fn subprotocols(self, subprotocols: &'a [&'a str]) -> Self {
        Self { subprotocols, ..self }
    }

    /// The same with these extensions.
    #[must_use]
    pub fn extensions(self, extensions: &'a [&'a str]) -> Self {
        Self { extensions, ..self }
    }

    /// The same after this much.
    #[must_use]
    pub fn counters(self, counters: Counters) -> Self {
        Self { counters, ..self }
    }

    /// The facts of a message of this exchange.
    #[must_use]
    pub fn message(self, message: Message<'a>) -> Self {
        Self { on: On::Message, message: Some(message), ..self }
    }
}

/// What went over a connection so far, both directions together and without the event that is
/// judged. A rule on them is a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Whole data messages.
    pub messages: u64,
    /// Bytes of their payloads, decompressed.
    pub bytes: u64,
    /// Responses of a model that ended.
    pub model_calls: u64,
    /// Tokens these responses were billed for, in and out, as far as the provider said.
    pub tokens: u64,
}

/// One whole message, decompressed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Message<'a> {
    /// Which way it goes.
    pub direction: Direction,
    /// How it is to be read; `None` when it is no message of a WebSocket.
    pub opcode: Option<Opcode>,
    /// Its length in bytes.
    pub size: u64,
    /// The model it names: as written, but without the `models/` and what stands before it in a name
    /// of Google's, which names the same model in a path without it.
    pub model: Option<&'a str>,
    /// The names of the tools it offers to the model.
    pub tools: &'a [&'a str],
    /// The names of the tools it calls, or whose calls it repeats.
    pub tool_calls: &'a [&'a str],
    /// The ids of the calls whose results it holds.
    pub tool_results: &'a [&'a str],
    /// The message itself, if it is text.
    pub body: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// A message of which nothing else is known; the methods below add to it.
    pub fn new(direction: Direction, opcode: Option<Opcode>, size: u64) -> Self {
        Self {
            direction,
            opcode,
            size,
            model: None,
            tools: &[],
            tool_calls: &[],
            tool_results: &[],
            body: None,
        }
    }

    /// The same, naming this model.
    #[must_use]
    pub fn model(self, model: Option<&'a str>) -> Self {
        Self { model: model.map(bare_model), ..self }
    }

    /// The same, offering these tools.
    #[must_use]
    pub fn tools(self, tools: &'a [&'a str]) -> Self {
        Self { tools, ..self }
    }

    /// The same, calling these tools.
    #[must_use]
    pub fn tool_calls(self, tool_calls: &'a [&'a str]) -> Self {
        Self { tool_calls, ..self }
    }

    /// The same, with the results of these calls.
    #[must_use]
    pub fn tool_results(self, tool_results: &'a [&'a str]) -> Self {
        Self { tool_results, ..self }
    }

    /// The same with this text.
    #[must_use]
    pub fn body(self, body: Option<&'a str>) -> Self {
        Self { body, ..self }
    }
}

/// A model's name without the resource it is in: `models/m`, `publishers/google/models/m`.
pub(crate) fn bare_model(name: &str) -> &str {
    const WITHIN: &str = "models/";
    match name.rfind(WITHIN) {
        Some(at) if name[..at].is_empty() || name[..at].ends_with('/') => {
            &name[at + WITHIN.len()..]
        }
        _ => name,
    }
}
