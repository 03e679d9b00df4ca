//! One request head as raw bytes: its end, its syntax and the framing of what follows.
//!
//! Strict where RFC 9112 lets a server choose: a line ends with CRLF alone, a field name is a token
//! right before its colon, folding is refused, and a body has exactly one length.

use crate::answer::Refusal;
use http::Uri;
use memchr::memchr;

/// Most header fields in one head.
const FIELDS: usize = 100;

/// Most empty lines before one: old clients send one after a body.
const EMPTY_LINES: usize = 8;

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body.
    None,
    /// A body of so many bytes.
    Length(u64),
    /// A chunked body.
    Chunked,
    /// Another protocol, if the service agrees.
    Switch,
}

/// The search for the end of a head, as its bytes come. No byte is looked at twice, however the head
/// is cut, but for its request line and the two before a line feed.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Bytes looked at.
    seen: usize,
    /// Lines that ended in them.
    lines: usize,
    /// Empty lines before the request line.
    skipped: usize,
}

impl Search {
    /// Notes an empty line before the request line, which a server ignores (RFC 9112 section 2.2) a
    /// few times.
    pub(super) fn skip(&mut self) -> Result<(), Refusal> {
        *self = Self { skipped: self.skipped + 1, ..Self::default() };
        if self.skipped > EMPTY_LINES {
            return Err(Refusal::head("empty lines in place of a request"));
        }
        Ok(())
    }

    /// The end of the head that begins `raw`, or `None` when it is not all there. What can be no
    /// head is refused at once, not at its end.
    pub(super) fn end(&mut self, raw: &[u8], limit: usize) -> Result<Option<usize>, Refusal> {
        while let Some(lf) = memchr(b'\n', &raw[self.seen..]).map(|at| self.seen + at) {
            if lf == 0 || raw[lf - 1] != b'\r' {
                return Err(Refusal::head("a line of the request head ends without CRLF"));
            }
            if lf >= limit {
                return Err(Refusal::head_limit(limit));
            }
            if self.lines == 0 {
                RequestLine::parse(&raw[..lf - 1])?;
            } else if raw[..lf - 1].ends_with(b"\n") {
                return Ok(Some(lf + 1));
            } else if self.lines > FIELDS {
                return Err(Refusal::fields_limit(FIELDS));
            }
            self.lines += 1;
            self.seen = lf + 1;
        }
        if raw.len() > limit {
            return Err(Refusal::head_limit(limit));
        }
        self.seen = raw.len();
        Ok(None)
    }
}

/// Checks one whole head, its final empty line included.
pub(super) fn check(head: &[u8]) -> Result<Framing, Refusal> {
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    if let Some(bad) = text.iter().position(|&b| b == 0 || b == 0x7f) {
        return Err(Refusal::head(format!(
            "a control character at byte {bad} of the request head"
        )));
    }
    let mut lines = Lines(text);
    let request_line = lines.next().unwrap_or_default();
    let line = RequestLine::parse(request_line)?;
    let mut fields = Fields::default();
    for line in lines {
        fields.add(line)?;
    }
    fields.framing(&line)
}

/// The lines of a head, split at CRLF; a lone CR stays in its line and is refused there.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let Some(lf) = memchr(b'\n', self.0) else {
            return Some(std::mem::take(&mut self.0));
        };
        let line = self.0[..lf].strip_suffix(b"\r").unwrap_or(&self.0[..lf]);
        self.0 = &self.0[lf + 1..];
        Some(line)
    }
}

struct RequestLine {
    connect: bool,
    version_1_1: bool,
}

impl RequestLine {
    fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let mut parts = line.split(|&b| b == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::head("the request line is not `METHOD target HTTP/1.1`"));
        };
        if method.is_empty() || !method.iter().all(|&b| is_token(b)) {
            return Err(Refusal::head("the request method is no token"));
        }
        // A fragment never leaves its client (RFC 9110 section 7.1).
        if target.is_empty() || !target.iter().all(|&b| matches!(b, 0x21..=0x7e) && b != b'#') {
            return Err(Refusal::head("the request target has a character that no target has"));
        }
        Uri::try_from(target).map_err(|_| Refusal::head("the request target is no URI"))?;
        let version_1_1 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            _ => return Err(Refusal::version()),
        };
        Ok(Self { connect: method == b"CONNECT", version_1_1 })
    }
}

/// The fields that decide where a message ends.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
    upgrades: u32,
}

impl Fields {
    fn add(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return Err(Refusal::head("a header field is folded over two lines"));
        }
        let colon = memchr(b':', line)
            .ok_or_else(|| Refusal::head("a line of the request head has no colon"))?;
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        if name.is_empty() || !name.iter().all(|&b| is_token(b)) {
            return Err(Refusal::head("a header field name is no token"));
        }
        if value.iter().any(|&b| b < 0x20 && b != b'\t') {
            return Err(Refusal::head("a header field value has a control character"));
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = parse_length(value)?;
            if self.length.replace(length).is_some() {
                return Err(Refusal::framing("more than one Content-Length"));
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::framing("a Transfer-Encoding that is not just `chunked`"));
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            let mut protocols = value.split(|&b| b == b',').map(trim).filter(|it| !it.is_empty());
            let first = protocols.next().unwrap_or_default();
            let websocket = first.eq_ignore_ascii_case(b"websocket") && protocols.next().is_none();
            if self.upgrades > 0 && (websocket || self.upgrade) {
                return Err(Refusal::head("more than one Upgrade field, and one is `websocket`"));
            }
            self.upgrade |= websocket;
            self.upgrades += 1;
        }
        Ok(())
    }

    fn framing(&self, line: &RequestLine) -> Result<Framing, Refusal> {
        let switch = line.connect || self.upgrade;
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Refusal::framing("both Content-Length and Transfer-Encoding")),
            (_, true) if !line.version_1_1 => {
                Err(Refusal::framing("Transfer-Encoding in an HTTP/1.0 request"))
            }
            (Some(1..), _) | (_, true) if switch => {
                Err(Refusal::framing("an upgrade or CONNECT with a body"))
            }
            (None | Some(0), false) if switch => Ok(Framing::Switch),
            (None | Some(0), false) => Ok(Framing::None),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, true) => Ok(Framing::Chunked),
        }
    }
}

fn parse_length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = !value.is_empty() && value.len() < 19 && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value)
        .ok()
        .filter(|_| digits)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Refusal::framing("a Content-Length that is no length"))
}

/// Without the optional whitespace around it (RFC 9110 section 5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
