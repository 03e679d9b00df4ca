//! What a rule may ask of one message before it goes on: the model it names, the tools it offers
//! and calls, the results it brings. One reading for all APIs, as the names of their members agree
//! or do not collide; knows no order of messages and no connection.

use crate::buffer::append;
use crate::content::Decoder;
use crate::{Api, EvidenceReason};

use super::input::Payload;
use super::json::Raw;
use super::shape;

use names::{is_folded, is_misspelt, once};

mod names;

/// Names and ids of one kind that are looked at. A message with more counts as one that could not
/// be read.
const MAX_NAMES: usize = 4096;

/// Models of a message beside its own, each judged by itself. A message with more counts as one that
/// could not be read.
const MAX_MODELS: usize = 64;

/// Objects within objects that are looked into: a conversation, its message, its content, a result
/// in it.
const MAX_DEPTH: usize = 6;

/// U+FEFF in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Types of tools that say nothing where there is a name.
const PLAIN: [&str; 3] = ["function", "custom", "namespace"];

/// The facts of one message or body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageFacts {
    /// The API it shows to be of, if it is one that begins a socket.
    pub api: Option<Api>,
    /// Its `type`; none for APIs whose messages have none.
    pub kind: Option<String>,
    /// The lane of a multiplexed socket.
    pub stream_id: Option<String>,
    /// The id of the response it is about.
    pub response_id: Option<String>,
    /// The client's own id of the event.
    pub event_id: Option<String>,
    /// The model it names.
    pub model: Option<String>,
    /// Others it names: those of a batch's requests, those to fall back on, a tool's own.
    pub other_models: Vec<String>,
    /// The tools it offers to the model.
    pub tools: Vec<String>,
    /// The tools it calls, or whose calls it repeats.
    pub tool_calls: Vec<String>,
    /// The ids of the calls whose results it holds.
    pub tool_results: Vec<String>,
    /// It was read whole, and can be read in one way only.
    pub readable: bool,
}

impl MessageFacts {
    /// Reads a message, or a body in the clear.
    ///
    /// ```
    /// use capsem_telemetry::evidence::MessageFacts;
    ///
    /// let facts = MessageFacts::read(
    ///     br#"{"type":"response.create","model":"m-1","tools":[{"type":"function","name":"sh"}]}"#,
    /// );
    /// assert_eq!((facts.model.as_deref(), facts.readable), (Some("m-1"), true));
    /// assert_eq!(facts.tools, ["sh"]);
    /// ```
    pub fn read(message: &[u8]) -> Self {
        // Many readers skip a byte order mark, and nobody reads more into it.
        let message = message.strip_prefix(BOM).unwrap_or(message);
        let payload = Payload::new(message, message.len() as u64, false);
        let mut facts = Self { api: shape::recognise(payload), ..Self::default() };
        facts.readable = payload.text.len() == message.len();
        if payload.raw().is_array() {
            let whole = payload.raw().elements(|message| facts.object(message, 0));
            facts.readable &= whole;
        } else {
            facts.readable &= payload.raw().members(|_, _| ());
            facts.object(payload.raw(), 0);
        }
        facts
    }

    /// All models it names.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let others = self.other_models.iter().filter(|it| Some(*it) != self.model.as_ref());
        self.model.iter().chain(others).map(String::as_str)
    }

    /// Takes what another reading of the same message shows.
    pub fn add(&mut self, other: Self) {
        let Self { model, other_models, tools, tool_calls, tool_results, .. } = other;
        model.into_iter().chain(other_models).for_each(|model| self.also(Some(model)));
        for (names, others) in [
            (&mut self.tools, tools),
            (&mut self.tool_calls, tool_calls),
            (&mut self.tool_results, tool_results),
        ] {
            for name in others {
                keep(names, Some(name), &mut self.readable);
            }
        }
    }

    /// Whether a message, or the start of one, begins as a JSON object or array does, in UTF-8 or in
    /// an encoding that some readers of JSON guess.
    pub fn begins_as_json(message: &[u8]) -> bool {
        let blank = |b: &&u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0 | 0xfe | 0xff);
        let message = message.strip_prefix(BOM).unwrap_or(message);
        matches!(message.iter().find(|b| !blank(b)), Some(b'{' | b'['))
    }

    /// Whether a body in the clear is a message of JSON-RPC 2.0, as those of MCP are, or a batch with one
    /// in it; or may be one to somebody who reads what is no JSON here.
    pub fn may_be_json_rpc(body: &[u8]) -> bool {
        let body = body.strip_prefix(BOM).unwrap_or(body);
        let payload = Payload::new(body, body.len() as u64, false);
        let raw = payload.raw();
        let whole = payload.missing.is_none() && (raw.members(|_, _| ()) || raw.elements(|_| ()));
        let text = payload.missing != Some(EvidenceReason::Unparsable);
        shape::is_json_rpc(payload) || (!whole && (!text || may_say_json_rpc(body)))
    }

    /// Reads a body of this `Content-Encoding`, and gives it in the clear. `None` if it cannot be
    /// decoded, or is longer than `most`.
    pub fn of_body(coding: Option<&str>, body: &[u8], most: usize) -> Option<(Self, Vec<u8>)> {
        /// It must be read whole to be judged, so what a coding holds does not take from `most`.
        const BESIDE: usize = 4;
        let coded = coding.is_some_and(|it| !it.is_empty() && !it.eq_ignore_ascii_case("identity"));
        if coded && Self::begins_as_json(body) && std::str::from_utf8(body).is_ok() {
            // A server that does not heed codings reads it as it stands.
            return None;
        }
        let (mut plain, mut cut) = (Vec::new(), false);
        let mut decoder = Decoder::new(coding, most.saturating_mul(BESIDE));
        let mut take = |piece: &[u8], _: usize| {
            cut |= append(&mut plain, piece, most);
            plain.capacity()
        };
        decoder.push(body, &mut take);
        decoder.finish(&mut take);
        let whole = decoder.failed().is_none() && !cut;
        whole.then(|| (Self::read(&plain), plain))
    }

    /// A message, or the object in it that holds the request.
    fn object(&mut self, object: Raw<'_>, depth: usize) {
        let (mut kind, mut method) = (None, None);
        object.members(|key, value| match key {
            "type" if depth == 0 => once(&mut kind, value.text(), &mut self.readable),
            "method" if depth == 0 => once(&mut method, value.text(), &mut self.readable),
            "event_id" if depth == 0 => self.event_id = value.text(),
            "stream_id" => self.stream_id = value.text(),
            "response_id" => self.response_id = value.text(),
            "id" if depth == 1 => self.response_id = value.text(),
            "model" => once(&mut self.model, value.text(), &mut self.readable),
            "response" | "session" | "setup" | "request" if value.is_object() => {
                if self.goes_down(depth) {
                    self.object(value, depth + 1);
                }
            }
            "params" if depth == 0 && is_tool_call(object) => {
                let misspelt =
                    names(value, |name| keep(&mut self.tool_calls, name, &mut self.readable));
                self.readable &= !misspelt;
                self.enclosed(value, depth);
            }
            _ => self.part(key, value, depth),
        });
        self.kind = self.kind.take().or(kind);
    }

    /// One request or more within a message: of a batch, of a call.
    fn enclosed(&mut self, value: Raw<'_>, depth: usize) {
        if !value.is_array() && !value.is_object() || !self.goes_down(depth) {
            return;
        }
        let mut object = |object: Raw<'_>| {
            object.members(|key, value| match key {
                "model" => self.also(value.text()),
                "request" | "response" => self.enclosed(value, depth + 1),
                _ => self.part(key, value, depth + 1),
            });
        };
        if value.is_array() {
            value.elements(object);
        } else {
            object(value);
        }
    }

    /// A member that may hold calls and results, in an object of a conversation.
    fn part(&mut self, key: &str, value: Raw<'_>, depth: usize) {
        match key {
            "tools" | "functions" => self.offers(value, depth),
            "input"
            | "output"
            | "messages"
            | "contents"
            | "content"
            | "parts"
            | "turns"
            | "choices"
            | "candidates"
            | "tool_calls"
            | "functionCalls"
            | "function_calls"
            | "item"
            | "message"
            | "delta"
            | "content_block"
            | "serverContent"
            | "modelTurn"
            | "clientContent"
            | "client_content"
            | "toolCall"
            | "tool_call"
            | "toolResponse"
            | "tool_response"
            | "functionResponses"
            | "function_responses"
            | "audio"
            | "transcription"
            | "input_audio_transcription"
            | "result" => {
                if !value.is_array() && !value.is_object() || !self.goes_down(depth) {
                    return;
                }
                if value.is_array() {
                    value.elements(|item| self.item(item, key, depth + 1));
                } else {
                    self.item(value, key, depth + 1);
                }
            }
            "requests" | "params" | "batch" | "inputConfig" | "input_config" | "body" => {
                self.enclosed(value, depth);
            }
            "models" | "fallbacks" => self.fallbacks(value),
            "function" | "functionCall" | "function_call" => {
                let misspelt =
                    names(value, |name| keep(&mut self.tool_calls, name, &mut self.readable));
                self.readable &= !misspelt;
            }
            "functionResponse" | "function_response" => {
                let id = value.member("id").or_else(|| value.member("name"));
                keep(&mut self.tool_results, id.and_then(Raw::text), &mut self.readable);
            }
            // A text at the top says nothing of tools, whatever its name.
            _ if depth == 0
                && !value.is_array()
                && !value.is_object()
                && !is_folded(key, "model")
                && !is_folded(key, "method") => {}
            _ => self.other(key),
        }
    }

    /// Models a gateway may take in place of the one that is named: names, or objects with one.
    fn fallbacks(&mut self, value: Raw<'_>) {
        value.elements(|model| {
            let named = model.member("model").and_then(Raw::text);
            self.also(model.text().or(named));
        });
    }

    /// Another model.
    fn also(&mut self, model: Option<String>) {
        let Some(model) = model.filter(|it| !self.other_models.contains(it)) else { return };
        if self.other_models.len() < MAX_MODELS {
            self.other_models.push(model);
        } else {
            self.readable = false;
        }
    }

    /// One element of a conversation, which stands under this name.
    fn item(&mut self, item: Raw<'_>, under: &str, depth: usize) {
        if !item.is_object() {
            return;
        }
        let calls = matches!(under, "functionCalls" | "function_calls");
        let results = matches!(under, "functionResponses" | "function_responses");
        let (mut kind, mut name, mut id, mut answers) = (None, None, None, None);
        item.members(|key, value| match key {
            "type" => once(&mut kind, value.text(), &mut self.readable),
            "name" => once(&mut name, value.text(), &mut self.readable),
            "id" => id = value.text(),
            // What a call is given may have a member of this name too.
            "model" if under != "input" => {
                self.also(value.text());
            }
            "call_id" | "tool_use_id" | "tool_call_id" | "approval_request_id" => {
                answers = value.text();
            }
            _ => self.part(key, value, depth),
        });
        let kind = kind.unwrap_or_default();
        let asks = kind == "mcp_approval_request";
        if calls || asks || kind.ends_with("_call") || kind.ends_with("tool_use") {
            let hosted = || kind.strip_suffix("_call").map(str::to_owned);
            keep(&mut self.tool_calls, name.or_else(hosted), &mut self.readable);
        } else if results || kind.ends_with("_output") || kind.ends_with("tool_result") {
            keep(&mut self.tool_results, answers.or(id), &mut self.readable);
        } else if kind.is_empty() && answers.is_some() {
            // A message with the role `tool`.
            keep(&mut self.tool_results, answers, &mut self.readable);
        }
    }

    /// A list of tools: functions by name, hosted tools by type, groups by what they hold. Of a tool
    /// that is named in more than one place all names count: a server goes by one of them.
    fn offers(&mut self, tools: Raw<'_>, depth: usize) {
        tools.elements(|tool| {
            let (mut kind, mut known) = (None, false);
            tool.members(|key, value| match key {
                "type" => once(&mut kind, value.text(), &mut self.readable),
                "name" => {
                    known = true;
                    keep(&mut self.tools, value.text(), &mut self.readable);
                }
                "function" => {
                    let misspelt = names(value, |name| {
                        known = true;
                        keep(&mut self.tools, name, &mut self.readable);
                    });
                    self.readable &= !misspelt;
                }
                "model" => self.also(value.text()),
                // Of a server of tools: those of it that may be used.
                "allowed_tools" => self.allowed(value),
                "tools" | "functionDeclarations" | "function_declarations" => {
                    known = true;
                    if self.goes_down(depth) {
                        self.offers(value, depth + 1);
                    }
                }
                _ => self.other(key),
            });
            let hosted = |kind: &String| !PLAIN.contains(&kind.as_str());
            keep(&mut self.tools, kind.filter(|kind| !known || hosted(kind)), &mut self.readable);
        });
    }

    fn allowed(&mut self, value: Raw<'_>) {
        let list = if value.is_array() { Some(value) } else { value.member("tool_names") };
        if let Some(list) = list {
            list.elements(|name| keep(&mut self.tools, name.text(), &mut self.readable));
        }
    }

    /// A member that is not looked for.
    fn other(&mut self, key: &str) {
        self.readable &= !is_misspelt(key);
    }

    fn goes_down(&mut self, depth: usize) -> bool {
        self.readable &= depth < MAX_DEPTH;
        depth < MAX_DEPTH
    }
}

/// Calls `each` for every `name` of an object. Whether it has one that only some readers would find.
fn names(object: Raw<'_>, mut each: impl FnMut(Option<String>)) -> bool {
    let mut misspelt = false;
    object.members(|key, value| {
        if key == "name" {
            each(value.text());
        } else {
            misspelt |= is_folded(key, "name");
        }
    });
    misspelt
}

/// Whether a message of JSON-RPC calls a tool by the `name` of its `params`: it says so, or what it
/// says is not to be found.
fn is_tool_call(message: Raw<'_>) -> bool {
    let says = message.member("method").and_then(Raw::text);
    says.is_none_or(|method| method == "tools/call")
}

fn keep(names: &mut Vec<String>, name: Option<String>, readable: &mut bool) {
    /// The first names, which the requests of a batch say again and again.
    const AGAIN: usize = 64;
    match name {
        Some(name) if names.iter().take(AGAIN).any(|known| *known == name) => {}
        Some(name) if names.len() < MAX_NAMES => names.push(name),
        Some(_) => *readable = false,
        None => {}
    }
}

/// Whether text that is no JSON here may have the word `jsonrpc` in it for a lenient reader. It need not
/// be there to be seen: between bytes of UTF-16, or with letters in escapes, which nobody writes who
/// does not hide them.
fn may_say_json_rpc(text: &[u8]) -> bool {
    const WORD: &[u8] = b"jsonrpc";
    let escaped = || {
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let after = rest.get(at + 1..).unwrap_or_default();
            match after {
                [b'u', b'0', b'0', b'4'..=b'7', ..] => return true,
                [b'u', hex, ..] if hex.is_ascii_hexdigit() => {}
                [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => {}
                _ => return true,
            }
            rest = after.get(1..).unwrap_or_default();
        }
        false
    };
    text.windows(WORD.len()).any(|part| part.eq_ignore_ascii_case(WORD))
        || memchr::memchr(0, text).is_some()
        || escaped()
}

#[cfg(test)]
mod tests;
