//! The extension header and the parameters of permessage-deflate (RFC 6455 section 9.1, RFC 7692
//! section 7.1).
//!
//! Refuses to know which header line an element came from, and how anything is inflated.

use crate::Role;
use std::borrow::Cow;

/// The registered name.
const NAME: &str = "permessage-deflate";
const CLIENT_NO_CONTEXT: &str = "client_no_context_takeover";
const SERVER_NO_CONTEXT: &str = "server_no_context_takeover";
const CLIENT_BITS: &str = "client_max_window_bits";
const SERVER_BITS: &str = "server_max_window_bits";
/// The window every end has that says nothing.
const MAX_BITS: u8 = 15;

/// What both ends agreed on for permessage-deflate (RFC 7692 section 7.1).
///
/// The default is the bare `permessage-deflate`: context takeover and the largest windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// The client compresses each message by itself.
    pub client_no_context_takeover: bool,
    /// The server compresses each message by itself.
    pub server_no_context_takeover: bool,
    /// The client's window is at most 2 to this many bytes; 8 to 15.
    pub client_max_window_bits: u8,
    /// The server's window is at most 2 to this many bytes; 8 to 15.
    pub server_max_window_bits: u8,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            client_max_window_bits: MAX_BITS,
            server_max_window_bits: MAX_BITS,
        }
    }
}

impl Deflate {
    /// The element of a server's `Sec-WebSocket-Extensions` that says this in answer to `offers`.
    ///
    /// An offered `server_max_window_bits` must be answered, even if the answer is the default
    /// (RFC 7692 section 7.1.2.1).
    pub(crate) fn answer(self, offers: &[Params]) -> String {
        let asked = offers.iter().any(|offer| offer.server_bits.is_some());
        let mut element = NAME.to_owned();
        let mut put = |param: &str| {
            element.push_str("; ");
            element.push_str(param);
        };
        if self.server_no_context_takeover {
            put(SERVER_NO_CONTEXT);
        }
        if self.client_no_context_takeover {
            put(CLIENT_NO_CONTEXT);
        }
        if asked || self.server_max_window_bits < MAX_BITS {
            put(&format!("{SERVER_BITS}={}", self.server_max_window_bits));
        }
        if self.client_max_window_bits < MAX_BITS {
            put(&format!("{CLIENT_BITS}={}", self.client_max_window_bits));
        }
        element
    }

    /// How `sender` compresses.
    pub(crate) fn context(self, sender: Role) -> Context {
        let fresh = match sender {
            Role::Client => self.client_no_context_takeover,
            Role::Server => self.server_no_context_takeover,
        };
        if fresh { Context::Fresh } else { Context::Takeover }
    }
}

/// Whether a message may refer to the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Takeover,
    Fresh,
}

/// The parameters of one permessage-deflate element, as offered or as answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    client_no_context: bool,
    server_no_context: bool,
    client_bits: Option<ClientBits>,
    server_bits: Option<u8>,
}

/// `client_max_window_bits` in its two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientBits {
    /// Without a value, in an offer: the client can do with any.
    Any,
    At(u8),
}

impl Params {
    /// An element's parameters; `None` if it is another extension, has an unknown or repeated
    /// parameter, or a value that is not legal (RFC 7692 section 7.1).
    pub(crate) fn read(element: &Element<'_>) -> Option<Self> {
        if !element.is_deflate() {
            return None;
        }
        let mut params = Self::default();
        for (name, value) in &element.params {
            params.take(name, value.as_deref())?;
        }
        Some(params)
    }

    fn take(&mut self, name: &str, value: Option<&str>) -> Option<()> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is(CLIENT_NO_CONTEXT) {
            once(&mut self.client_no_context, value)
        } else if is(SERVER_NO_CONTEXT) {
            once(&mut self.server_no_context, value)
        } else if is(CLIENT_BITS) && self.client_bits.is_none() {
            self.client_bits = Some(match value {
                None => ClientBits::Any,
                Some(value) => ClientBits::At(bits(value)?),
            });
            Some(())
        } else if is(SERVER_BITS) && self.server_bits.is_none() {
            self.server_bits = Some(bits(value?)?);
            Some(())
        } else {
            None
        }
    }

    /// What a server that can do all agrees to.
    pub(crate) fn accept(self) -> Deflate {
        Deflate {
            client_no_context_takeover: self.client_no_context,
            server_no_context_takeover: self.server_no_context,
            client_max_window_bits: match self.client_bits {
                Some(ClientBits::At(bits)) => bits,
                Some(ClientBits::Any) | None => MAX_BITS,
            },
            server_max_window_bits: self.server_bits.unwrap_or(MAX_BITS),
        }
    }

    /// What is agreed on if `answer` comes to this offer; `None` if it may not (RFC 7692 section
    /// 7.1.1 and 7.1.2).
    pub(crate) fn answered(self, answer: Self) -> Option<Deflate> {
        let server_context = answer.server_no_context || !self.server_no_context;
        let server_bits = match (self.server_bits, answer.server_bits) {
            (Some(offered), Some(answered)) => answered <= offered,
            (Some(_), None) => false,
            (None, _) => true,
        };
        let client_bits = match (self.client_bits, answer.client_bits) {
            (_, None) | (Some(ClientBits::Any), Some(ClientBits::At(_))) => true,
            (Some(ClientBits::At(offered)), Some(ClientBits::At(answered))) => answered <= offered,
            (None, Some(_)) | (_, Some(ClientBits::Any)) => false,
        };
        (server_context && server_bits && client_bits).then(|| answer.accept())
    }
}

fn once(flag: &mut bool, value: Option<&str>) -> Option<()> {
    let fresh = !std::mem::replace(flag, true);
    (fresh && value.is_none()).then_some(())
}

/// 8 to 15 in decimal, without a leading zero.
fn bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// One element of a `Sec-WebSocket-Extensions` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// The element as it is in the line.
    pub(crate) text: &'a str,
    pub(crate) name: &'a str,
    pub(crate) params: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

impl Element<'_> {
    pub(crate) fn is_deflate(&self) -> bool {
        self.name.eq_ignore_ascii_case(NAME)
    }
}

/// The elements of one line; `None` if it is not of the header's grammar. Empty elements are
/// passed over (RFC 9110 section 5.6.1.2).
pub(crate) fn elements(line: &str) -> Option<Vec<Element<'_>>> {
    let mut rest = Cursor(line);
    let mut elements = Vec::new();
    loop {
        rest.skip_space();
        if rest.0.is_empty() {
            return Some(elements);
        }
        if rest.take(b',') {
            continue;
        }
        elements.push(element(&mut rest)?);
        if !rest.0.is_empty() && !rest.take(b',') {
            return None;
        }
    }
}

fn element<'a>(rest: &mut Cursor<'a>) -> Option<Element<'a>> {
    let start = rest.0;
    let name = rest.token()?;
    let mut params = Vec::new();
    let mut end = rest.0;
    rest.skip_space();
    while rest.take(b';') {
        rest.skip_space();
        let param = rest.token()?;
        end = rest.0;
        rest.skip_space();
        let mut value = None;
        if rest.take(b'=') {
            rest.skip_space();
            value = Some(rest.value()?);
            end = rest.0;
            rest.skip_space();
        }
        params.push((param, value));
    }
    let text = start.get(..start.len() - end.len())?;
    Some(Element { text, name, params })
}

/// What is left of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.0.strip_prefix(char::from(byte)) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn token(&mut self) -> Option<&'a str> {
        let len = self.0.bytes().take_while(|&byte| is_tchar(byte)).count();
        let (token, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        (len > 0).then_some(token)
    }

    /// A token, or a quoted string that spells one.
    fn value(&mut self) -> Option<Cow<'a, str>> {
        if !self.take(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut spelt = String::new();
        let mut chars = self.0.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => spelt.push(chars.next()?),
                char => spelt.push(char),
            }
        }
        self.0 = chars.as_str();
        is_token(&spelt).then_some(Cow::Owned(spelt))
    }
}

/// Whether `text` is a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_tchar)
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
