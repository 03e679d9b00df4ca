//! Payloads as they may be written down: JSON copied value by value, without what is secret and
//! without what is only bulk. Knows the keys both stand under, at any depth.

use std::borrow::Cow;
use std::fmt::Write;

use serde::de::IgnoredAny;

use super::{KEYS, MASK, plain, text};
use crate::evidence;

/// Depth up to which nesting is followed. Real payloads stay below 30; what is deeper is cut off.
const MAX_DEPTH: usize = 128;

/// Strings within strings that are followed: a tool's arguments stand in one, a request that is
/// passed on as an argument in two.
const MAX_LEVEL: usize = 2;

/// Length from which a string without a space is looked at as base64. Ids and hashes are shorter.
const BULK: usize = 512;

/// A payload as it may be written down, in at most about `limit` bytes; `false` if something of it
/// was cut off, by the limit or because it is no whole JSON.
///
/// Masked are the values of keys that name a credential (`authorization`, `api_key`, the `value` of
/// a `domain_secrets` member, a session's resumption handle), all values under `headers`, and what
/// looks like a well-known credential in any string. A string that holds JSON itself, as a tool's
/// arguments do, is treated likewise. Audio, images and encrypted content become their size.
///
/// ```
/// use capsem_telemetry::redact;
///
/// let (shown, whole) = redact::body(r#"{"tools":[{"authorization":"abc"}],"input":"hi"}"#, 1024);
/// assert_eq!(shown, r#"{"tools":[{"authorization":"[redacted]"}],"input":"hi"}"#);
/// assert!(whole);
/// ```
pub fn body(json: &str, limit: usize) -> (String, bool) {
    copy(json, limit, 0)
}

fn copy(json: &str, limit: usize, level: usize) -> (String, bool) {
    let (shown, frames) = (String::new(), Vec::new());
    let mut copier = Copier { rest: json, shown, limit, frames, level, cut: false };
    let whole = copier.run().is_some() && !copier.cut;
    (copier.shown, whole)
}

struct Copier<'a> {
    rest: &'a str,
    shown: String,
    limit: usize,
    frames: Vec<Frame>,
    /// How many strings this JSON stands in.
    level: usize,
    /// A string was not shown whole.
    cut: bool,
}

/// An object or array that is open.
struct Frame {
    slot: Slot,
    /// What becomes of the values in it.
    fate: Fate,
    /// What becomes of the value at hand, by its key.
    next: Fate,
    /// It is inside a `domain_secrets`.
    secrets: bool,
    /// The value at hand is one.
    leads: bool,
}

/// What comes next in an object or array.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    Key,
    Value,
    Element,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Shown,
    Masked,
    /// Only its size is of interest.
    Sized,
}

impl Copier<'_> {
    /// Copies until the end; `None` if something is missing.
    fn run(&mut self) -> Option<()> {
        loop {
            let trimmed = self.rest.trim_start();
            if trimmed.is_empty() {
                self.rest = trimmed;
                return self.frames.is_empty().then_some(());
            }
            if self.shown.len() >= self.limit {
                return None;
            }
            self.rest = trimmed;
            match trimmed.as_bytes().first()? {
                b'{' => self.enter(Slot::Key)?,
                b'[' => self.enter(Slot::Element)?,
                b'}' | b']' => {
                    self.frames.pop()?;
                    self.symbol();
                }
                b',' => self.turn(Slot::Value, Slot::Key),
                b':' => self.turn(Slot::Key, Slot::Value),
                b'"' => self.string()?,
                _ => self.bare(),
            }
        }
    }

    /// Copies one byte of punctuation.
    fn symbol(&mut self) {
        let (symbol, rest) = self.rest.split_at(1);
        self.shown.push_str(symbol);
        self.rest = rest;
    }

    /// Copies a comma or colon, which takes an object on.
    fn turn(&mut self, from: Slot, to: Slot) {
        if let Some(frame) = self.frames.last_mut().filter(|frame| frame.slot == from) {
            frame.slot = to;
        }
        self.symbol();
    }

    fn enter(&mut self, slot: Slot) -> Option<()> {
        if self.frames.len() >= MAX_DEPTH {
            return None;
        }
        let fate = self.fate();
        let secrets = self.frames.last().is_some_and(|frame| frame.secrets || frame.leads);
        self.frames.push(Frame { slot, fate, next: fate, secrets, leads: false });
        self.symbol();
        Some(())
    }

    /// What becomes of the value at hand.
    fn fate(&self) -> Fate {
        self.frames.last().map_or(Fate::Shown, |frame| match frame.slot {
            Slot::Element => frame.fate,
            Slot::Key | Slot::Value => frame.next,
        })
    }

    fn string(&mut self) -> Option<()> {
        let (raw, whole) = string(self.rest);
        self.rest = self.rest.get(raw.len()..)?;
        let value = decode(raw, whole);
        let fate = self.fate();
        let key = self.frames.last_mut().filter(|frame| frame.slot == Slot::Key);
        if let Some(frame) = key {
            frame.leads = value == "domain_secrets";
            frame.next = match frame.fate {
                Fate::Shown => fate_of(&value, frame.secrets),
                fate => fate,
            };
            self.push(&value);
        } else {
            self.value(&value, fate, whole);
        }
        whole.then_some(())
    }

    fn value(&mut self, value: &str, fate: Fate, whole: bool) {
        match fate {
            Fate::Masked => self.push(MASK),
            Fate::Sized => self.push(&format!("[{} bytes]", value.len())),
            Fate::Shown if is_bulk(value) => self.push(&format!("[{} bytes]", value.len())),
            Fate::Shown if self.level < MAX_LEVEL && holds_json(value, whole) => {
                let room = self.limit.saturating_sub(self.shown.len());
                let (inner, whole) = copy(value, room, self.level + 1);
                self.cut |= !whole;
                self.push(&inner);
            }
            Fate::Shown => self.push(&text(value)),
        }
    }

    /// A number, a word, or what is no JSON.
    fn bare(&mut self) {
        let end = self.rest.find(|c: char| c.is_whitespace() || "{}[],:\"".contains(c));
        let (bare, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let known = matches!(bare, "true" | "false" | "null");
        if known || self.fate() == Fate::Shown {
            self.shown.push_str(&text(bounded(bare, self.limit - self.shown.len())));
        } else {
            self.push(MASK);
        }
    }

    /// Writes a string, as much of it as there is room for.
    fn push(&mut self, value: &str) {
        let fits = bounded(value, self.limit.saturating_sub(self.shown.len()));
        self.cut |= fits.len() < value.len();
        self.shown.push('"');
        for letter in fits.chars() {
            match letter {
                '"' => self.shown.push_str("\\\""),
                '\\' => self.shown.push_str("\\\\"),
                '\n' => self.shown.push_str("\\n"),
                '\r' => self.shown.push_str("\\r"),
                '\t' => self.shown.push_str("\\t"),
                c if c < ' ' => {
                    // A String takes whatever is written to it.
                    let _ = write!(self.shown, "\\u{:04x}", u32::from(c));
                }
                c => self.shown.push(c),
            }
        }
        self.shown.push('"');
    }
}

/// Keys that name a credential in a query and something else in a payload: the code of an error,
/// the key of a map.
const COMMON: [&str; 2] = ["code", "key"];

/// What becomes of the value of a key.
fn fate_of(key: &str, secret: bool) -> Fate {
    match plain(key).as_str() {
        "headers" | "xcodexturnstate" | "xcodexturnmetadata" | "handle" | "newhandle" => {
            Fate::Masked
        }
        "value" if secret => Fate::Masked,
        "encryptedcontent" | "thoughtsignature" | "signature" | "partialimageb64" => Fate::Sized,
        plain if KEYS.contains(&plain) && !COMMON.contains(&plain) => Fate::Masked,
        _ => Fate::Shown,
    }
}

/// Whether a string holds an object or array; of one that breaks off, whether it begins as one.
fn holds_json(value: &str, whole: bool) -> bool {
    let begins = value.trim_start().starts_with(['{', '[']);
    begins && (!whole || serde_json::from_str::<IgnoredAny>(value).is_ok())
}

/// Whether a string is audio, an image or the like in base64.
fn is_bulk(value: &str) -> bool {
    let data = value.split_once(";base64,").map_or(value, |(_, data)| data);
    data.len() >= BULK
        && data
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'))
}

/// The JSON string `text` begins with, quotes included; `false` if it does not end.
fn string(text: &str) -> (&str, bool) {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return (text.get(..=at).unwrap_or(text), true),
            _ => {}
        }
    }
    (text, false)
}

/// What a JSON string says; of one that breaks off, what it has said.
fn decode(raw: &str, whole: bool) -> Cow<'_, str> {
    let said = if whole { evidence::string(raw) } else { evidence::broken(raw).map(Cow::Owned) };
    said.unwrap_or_default()
}

fn bounded(text: &str, room: usize) -> &str {
    text.get(..text.floor_char_boundary(room)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
