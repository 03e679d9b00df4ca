//! The names by which conditions and hosts ask for facts. Refuses to know who asks.

use crate::{Direction, Facts, Message, On};
use std::borrow::Cow;

/// The header fields that rules can read, and no other: none of them holds a credential.
pub const HEADERS: [&str; 14] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "anthropic-beta",
    "anthropic-version",
    "content-encoding",
    "content-length",
    "content-type",
    "openai-beta",
    "origin",
    "originator",
    "sec-websocket-version",
    "user-agent",
    "x-goog-api-client",
];

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number; what is over its range stands at its end.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// Texts.
    List(&'a [&'a str]),
}

impl Facts<'_> {
    /// A fact by its dotted name, as conditions write it: `http.host`, `model.request.tools`,
    /// `http.header["user-agent"]`. `None` for what is not known of this event, and for any other
    /// name.
    ///
    /// ```
    /// use capsem_policy::{Facts, On, Value};
    /// let facts = Facts::new(On::Http, "api.openai.com", 443);
    /// assert_eq!(facts.get("http.host"), Some(Value::Text("api.openai.com".into())));
    /// assert_eq!(facts.get("http.port"), Some(Value::Int(443)));
    /// assert_eq!(facts.get("model.name"), None);
    /// ```
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        let field = match name.strip_prefix("http.header[\"").and_then(|it| it.strip_suffix("\"]"))
        {
            Some(header) => Field::header(header)?,
            None => Field::named(name)?,
        };
        field.of(self)
    }
}

/// The type of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Bool,
    List,
}

/// Where a fact is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of a request, and of each message of its exchange alike.
    Exchange,
    /// Of each event anew.
    Event,
    /// Of messages alone.
    Message,
}

/// One fact that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    HttpHost,
    HttpMethod,
    HttpPath,
    HttpQuery,
    HttpPort,
    HttpScheme,
    HttpUpgrade,
    /// One of [`HEADERS`].
    HttpHeader(&'static str),
    WsSubprotocols,
    WsExtensions,
    WsDirection,
    WsOpcode,
    WsSize,
    ModelProvider,
    ModelProtocol,
    ModelName,
    ModelRequestTools,
    ModelRequestToolCalls,
    ModelRequestToolResults,
    ModelRequestBody,
    ModelResponseToolCalls,
    ModelResponseBody,
    ProcessName,
    ConnMessages,
    ConnBytes,
    ConnModelCalls,
    ConnTokens,
    // Capsem's alone: whether an event has a part at all.
    HttpValid,
    ModelValid,
    ModelRequestValid,
    ModelResponseValid,
    ModelToolCallValid,
}

/// Every field but the headers.
const FIELDS: [(&str, Field, Kind, Scope); 26] = [
    ("http.host", Field::HttpHost, Kind::Text, Scope::Exchange),
    ("http.method", Field::HttpMethod, Kind::Text, Scope::Exchange),
    ("http.path", Field::HttpPath, Kind::Text, Scope::Exchange),
    ("http.query", Field::HttpQuery, Kind::Text, Scope::Exchange),
    ("http.port", Field::HttpPort, Kind::Int, Scope::Exchange),
    ("http.scheme", Field::HttpScheme, Kind::Text, Scope::Exchange),
    ("http.upgrade", Field::HttpUpgrade, Kind::Bool, Scope::Exchange),
    ("ws.subprotocols", Field::WsSubprotocols, Kind::List, Scope::Event),
    ("ws.extensions", Field::WsExtensions, Kind::List, Scope::Event),
    ("ws.direction", Field::WsDirection, Kind::Text, Scope::Message),
    ("ws.opcode", Field::WsOpcode, Kind::Text, Scope::Message),
    ("ws.size", Field::WsSize, Kind::Int, Scope::Message),
    ("model.provider", Field::ModelProvider, Kind::Text, Scope::Exchange),
    ("model.protocol", Field::ModelProtocol, Kind::Text, Scope::Exchange),
    ("model.name", Field::ModelName, Kind::Text, Scope::Message),
    ("model.request.tools", Field::ModelRequestTools, Kind::List, Scope::Message),
    ("model.request.tool_calls", Field::ModelRequestToolCalls, Kind::List, Scope::Message),
    ("model.request.tool_results", Field::ModelRequestToolResults, Kind::List, Scope::Message),
    ("model.request.body", Field::ModelRequestBody, Kind::Text, Scope::Message),
    ("model.response.tool_calls", Field::ModelResponseToolCalls, Kind::List, Scope::Message),
    ("model.response.body", Field::ModelResponseBody, Kind::Text, Scope::Message),
    ("process.name", Field::ProcessName, Kind::Text, Scope::Exchange),
    ("conn.messages", Field::ConnMessages, Kind::Int, Scope::Event),
    ("conn.bytes", Field::ConnBytes, Kind::Int, Scope::Event),
    ("conn.model_calls", Field::ConnModelCalls, Kind::Int, Scope::Event),
    ("conn.tokens", Field::ConnTokens, Kind::Int, Scope::Event),
];

/// What Capsem's rules can ask for beside these.
const CAPSEM_FIELDS: [(&str, Field, Kind, Scope); 5] = [
    ("http.valid", Field::HttpValid, Kind::Bool, Scope::Exchange),
    ("model.valid", Field::ModelValid, Kind::Bool, Scope::Exchange),
    ("model.request.valid", Field::ModelRequestValid, Kind::Bool, Scope::Message),
    ("model.response.valid", Field::ModelResponseValid, Kind::Bool, Scope::Message),
    ("model.tool_call.valid", Field::ModelToolCallValid, Kind::Bool, Scope::Message),
];

impl Field {
    /// The field that Capsem's rules know by this dotted name.
    pub(crate) fn of_capsem(name: &str) -> Option<Self> {
        if name == "tcp.port" {
            return Some(Self::HttpPort);
        }
        let own = CAPSEM_FIELDS.iter().find(|(known, ..)| *known == name);
        own.map(|(_, field, ..)| *field).or_else(|| Self::named(name))
    }

    /// The field of this dotted name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(known, ..)| *known == name).map(|(_, field, ..)| *field)
    }

    /// The field of this header, by its name in lower case.
    pub(crate) fn header(name: &str) -> Option<Self> {
        HEADERS.iter().find(|known| **known == name).map(|known| Self::HttpHeader(known))
    }

    /// The dotted names that exist.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().map(|(name, ..)| *name)
    }

    pub(crate) fn name(self) -> &'static str {
        self.entry().map_or("http.header", |(name, ..)| name)
    }

    pub(crate) fn kind(self) -> Kind {
        self.entry().map_or(Kind::Text, |(_, _, kind, _)| *kind)
    }

    pub(crate) fn scope(self) -> Scope {
        self.entry().map_or(Scope::Exchange, |(.., scope)| *scope)
    }

    fn entry(self) -> Option<&'static (&'static str, Self, Kind, Scope)> {
        FIELDS.iter().chain(&CAPSEM_FIELDS).find(|(_, field, ..)| *field == self)
    }

    /// Its value, if it is known.
    pub(crate) fn of<'f>(self, facts: &'f Facts<'_>) -> Option<Value<'f>> {
        match self {
            Self::HttpHost => text(facts.host),
            Self::HttpMethod => text(facts.method),
            Self::HttpPath => text(facts.path),
            Self::HttpQuery => text(facts.query?),
            Self::HttpPort => Some(Value::Int(facts.port.into())),
            Self::HttpScheme => text(facts.scheme),
            Self::HttpUpgrade => {
                Some(Value::Bool(facts.on == On::Upgrade || facts.scheme.starts_with("ws")))
            }
            Self::HttpHeader(name) => header(facts, name),
            Self::WsSubprotocols => list(web_socket(facts).then_some(facts.subprotocols)),
            Self::WsExtensions => list(web_socket(facts).then_some(facts.extensions)),
            Self::WsDirection => text(facts.message?.direction.as_str()),
            Self::WsOpcode => text(facts.message?.opcode?.as_str()),
            Self::WsSize => int(facts.message?.size),
            Self::ModelProvider => text(is_a_model(facts).then_some(facts.provider)?),
            Self::ModelProtocol => text(facts.protocol?),
            Self::ModelName => text(facts.message?.model?),
            Self::ModelRequestTools => list(going(facts, Direction::ToUpstream).map(|it| it.tools)),
            Self::ModelRequestToolCalls => {
                list(going(facts, Direction::ToUpstream).map(|it| it.tool_calls))
            }
            Self::ModelRequestToolResults => {
                list(going(facts, Direction::ToUpstream).map(|it| it.tool_results))
            }
            Self::ModelRequestBody => text(going(facts, Direction::ToUpstream)?.body?),
            Self::ModelResponseToolCalls => {
                list(going(facts, Direction::ToClient).map(|it| it.tool_calls))
            }
            Self::ModelResponseBody => text(going(facts, Direction::ToClient)?.body?),
            Self::ProcessName => text(facts.process?),
            Self::ConnMessages => int(facts.counters.messages),
            Self::ConnBytes => int(facts.counters.bytes),
            Self::ConnModelCalls => int(facts.counters.model_calls),
            Self::ConnTokens => int(facts.counters.tokens),
            Self::HttpValid => Some(Value::Bool(true)),
            Self::ModelValid => is_a_model(facts).then_some(Value::Bool(true)),
            Self::ModelRequestValid => {
                let message = going(facts, Direction::ToUpstream)?;
                Some(Value::Bool(message.body.is_some() || !message.tool_calls.is_empty()))
            }
            Self::ModelResponseValid => {
                Some(Value::Bool(going(facts, Direction::ToClient)?.body.is_some()))
            }
            Self::ModelToolCallValid => Some(Value::Bool(!facts.message?.tool_calls.is_empty())),
        }
    }
}

#[allow(clippy::unnecessary_wraps, reason = "each field is one expression of one type")]
fn text(text: &str) -> Option<Value<'_>> {
    Some(Value::Text(Cow::Borrowed(text)))
}

#[allow(clippy::unnecessary_wraps, reason = "each field is one expression of one type")]
fn int(number: u64) -> Option<Value<'static>> {
    Some(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn list<'f>(list: Option<&'f [&'f str]>) -> Option<Value<'f>> {
    list.map(Value::List)
}

/// Whether host or path is a model's.
fn is_a_model(facts: &Facts<'_>) -> bool {
    facts.provider != "unknown" || facts.protocol.is_some()
}

fn web_socket(facts: &Facts<'_>) -> bool {
    match facts.on {
        On::Http => false,
        On::Upgrade => true,
        On::Message => facts.message.is_some_and(|message| message.opcode.is_some()),
    }
}

fn going<'f>(facts: &'f Facts<'_>, direction: Direction) -> Option<&'f Message<'f>> {
    facts.message.as_ref().filter(|message| message.direction == direction)
}

/// The lines of one header field, joined as RFC 9110 section 5.3 allows.
fn header<'f>(facts: &'f Facts<'_>, name: &str) -> Option<Value<'f>> {
    let mut lines = facts.headers.iter().filter(|(known, _)| *known == name).map(|(_, line)| *line);
    let first = lines.next()?;
    let rest: Vec<&str> = lines.collect();
    Some(Value::Text(if rest.is_empty() {
        Cow::Borrowed(first)
    } else {
        Cow::Owned(format!("{first}, {}", rest.join(", ")))
    }))
}

#[cfg(test)]
mod tests;
