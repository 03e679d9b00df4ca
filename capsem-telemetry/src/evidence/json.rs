//! Lenient reading of JSON payloads: the members of an object one level at a time, values as raw
//! text until somebody asks for them.
//!
//! No tree is built and nothing is copied but the few short strings the evidence keeps, so a hostile
//! payload costs one scan per level that is looked at: nesting is skipped without recursion, a
//! repeated key means its last value, a lone surrogate becomes U+FFFD, a number out of range is no
//! number. Refuses to know what any key means.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Longest string the evidence keeps of a payload: names, ids and error messages are far shorter,
/// and a longer one is cut here at a character.
pub(crate) const MAX_TEXT: usize = 1024;

/// The text of one JSON value, not looked into yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// Takes a whole payload for a value; whether it is one shows when it is read.
    pub(crate) fn new(payload: &'a str) -> Self {
        Self(payload)
    }

    /// The value as it stands in the payload.
    pub(crate) fn json(self) -> &'a str {
        self.0.trim()
    }

    /// The value as a string of at most [`MAX_TEXT`] bytes; `None` for any other type.
    pub(crate) fn text(self) -> Option<String> {
        Some(bounded(&self.str()?).to_owned())
    }

    /// The value as a string, borrowed where it holds no escapes; `None` for any other type. Of a
    /// very long one only a start of more than [`MAX_TEXT`] bytes is read.
    pub(crate) fn str(self) -> Option<Cow<'a, str>> {
        /// Six bytes of JSON may make one of text.
        const LONG: usize = MAX_TEXT * 8;
        match self.json().as_bytes() {
            [b'"', rest @ ..] if rest.len() > LONG => {
                let start = self.json().get(..self.json().floor_char_boundary(LONG))?;
                broken(start).map(Cow::Owned)
            }
            [b'"', ..] => string(self.json()),
            _ => None,
        }
    }

    /// The value as a count; a float such as `12.0` counts, a negative or a fraction does not.
    pub(crate) fn count(self) -> Option<u64> {
        /// 2^53: up to here a double holds every whole number.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let digits = self.0.trim();
        digits.parse::<u64>().ok().or_else(|| {
            let float = digits.parse::<f64>().ok()?;
            let whole = float.fract() == 0.0 && (0.0..=EXACT).contains(&float);
            // In range and whole, so the conversion changes nothing.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            whole.then_some(float as u64)
        })
    }

    /// The value as a bool; `None` for any other type.
    pub(crate) fn truth(self) -> Option<bool> {
        match self.0.trim() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The value as the text of a whole number, for codes that may be either.
    pub(crate) fn digits(self) -> Option<String> {
        let negative = || self.json().parse::<i64>().ok().map(|number| number.to_string());
        self.count().map(|number| number.to_string()).or_else(negative)
    }

    /// `None` for the value `null`, so that absent and null are one case.
    pub(crate) fn present(self) -> Option<Self> {
        (self.0.trim() != "null").then_some(self)
    }

    /// Calls `each` for every member of an object, in order. False when the text is no object or
    /// breaks off; what came before the break has been seen then.
    pub(crate) fn members(self, each: impl FnMut(&str, Raw<'a>)) -> bool {
        if !self.is_object() {
            return false; // the error for another type would quote all of it
        }
        let mut reader = serde_json::Deserializer::from_str(self.0);
        reader.deserialize_map(Members(each)).is_ok() && reader.end().is_ok()
    }

    /// Calls `each` for every element of an array, in order; false as in [`Raw::members`].
    pub(crate) fn elements(self, each: impl FnMut(Raw<'a>)) -> bool {
        if !self.is_array() {
            return false;
        }
        let mut reader = serde_json::Deserializer::from_str(self.0);
        reader.deserialize_seq(Elements(each)).is_ok() && reader.end().is_ok()
    }

    /// The member named `key` of an object; `None` when absent, null, or the text is no object.
    pub(crate) fn member(self, key: &str) -> Option<Raw<'a>> {
        let mut found = None;
        self.members(|name, value| {
            if name == key {
                found = Some(value);
            }
        });
        found.and_then(Raw::present)
    }

    /// Whether the text begins an array.
    pub(crate) fn is_array(self) -> bool {
        self.0.trim_start().starts_with('[')
    }

    /// Whether the text begins an object.
    pub(crate) fn is_object(self) -> bool {
        self.0.trim_start().starts_with('{')
    }
}

/// What a JSON string says, all of it; `None` if `json` is none.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0)
}

/// What a JSON string that breaks off has said.
pub(crate) fn broken(start: &str) -> Option<String> {
    // The break may stand within an escape; the longest, of two surrogates, has twelve letters.
    (0..12).find_map(|cut| {
        let end = start.floor_char_boundary(start.len().saturating_sub(cut));
        let closed = format!("{}\"", start.get(..end)?);
        string(&closed).map(Cow::into_owned)
    })
}

/// The start of `text`, at most [`MAX_TEXT`] bytes, cut at a character.
pub(crate) fn bounded(text: &str) -> &str {
    let end = text.floor_char_boundary(MAX_TEXT);
    text.get(..end).unwrap_or_default()
}

/// The longest prefix of `payload` that is text. A payload cut by a limit may end inside a
/// character; a whole one that is not text shows as a shorter prefix.
pub(crate) fn text_prefix(payload: &[u8]) -> &str {
    match simdutf8::basic::from_utf8(payload) {
        Ok(text) => text,
        Err(_) => payload.utf8_chunks().next().map_or("", |chunk| chunk.valid()),
    }
}

/// Objects and arrays within each other that are read. Passing over one takes a byte of memory for
/// each that is open, so what goes on down from here is left out.
const MAX_OPEN: usize = 1024;

/// `text`, or what of it comes before it goes too deep.
pub(crate) fn shallow(text: &str) -> &str {
    /// The memory that so much can take is nothing.
    const SHORT: usize = 64 * 1024;
    if text.len() <= SHORT {
        return text;
    }
    let (bytes, mut at, mut open) = (text.as_bytes(), 0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at + 1),
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            return text.get(..at).unwrap_or_default();
        }
        at += 1;
    }
    text
}

/// Where the quote stands that ends the string begun before `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(next) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        if bytes.get(at + next) == Some(&b'"') {
            return at + next;
        }
        at += next + 2;
    }
    bytes.len()
}

/// The value of `"type"` when it is an object's first member and free of escapes: what every known
/// server sends, read without scanning the rest. `None` says nothing; look properly then.
pub(crate) fn leading_type(payload: &[u8]) -> Option<&str> {
    let rest = payload.trim_ascii_start().strip_prefix(b"{")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"type\"")?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', rest.get(..MAX_TEXT.min(rest.len()))?)?;
    if rest.get(end) != Some(&b'"') {
        return None;
    }
    std::str::from_utf8(rest.get(..end)?).ok()
}

/// A key as protobuf's JSON writes it, for those who may send `snake_case`.
pub(crate) fn camel(key: &str) -> Cow<'_, str> {
    if !key.contains('_') {
        return Cow::Borrowed(key);
    }
    let mut upper = false;
    let mut camel = String::with_capacity(key.len());
    for letter in key.chars() {
        if letter == '_' {
            upper = !camel.is_empty();
        } else if std::mem::take(&mut upper) {
            camel.push(letter.to_ascii_uppercase());
        } else {
            camel.push(letter);
        }
    }
    Cow::Owned(camel)
}

/// A JSON string as text. Read as bytes, because that accepts a lone surrogate where text would
/// refuse the whole payload.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_borrowed_bytes<E>(self, text: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Text(String::from_utf8_lossy(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(String::from_utf8_lossy(text).into_owned())))
    }
}

struct Members<F>(F);

impl<'de, F: FnMut(&str, Raw<'de>)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let value = map.next_value::<&'de RawValue>()?;
            (self.0)(&key.0, Raw(value.get()));
        }
        Ok(())
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(Raw<'de>)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<&'de RawValue>()? {
            (self.0)(Raw(value.get()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
