//! A TOML text in which every value knows its place. Refuses to know what the keys mean.
//!
//! Reading through [`Table::only`] and the typed accessors of [`Item`], a program gets errors that
//! name file, line and column without a word of its own: unknown keys (with the nearest one that
//! exists), missing keys, values of the wrong type, and text that is no TOML.
//!
//! ```
//! use capsem_policy::document::Document;
//!
//! let document = Document::parse("[listen]\nproxy = 8080\n", "proxy.toml")?;
//! document.root().only(&["listen"])?;
//! let listen = document.root().need("listen", "[listen]")?.table()?;
//! let error = listen.need("proxy", "proxy = \"127.0.0.1:8080\"")?.string().unwrap_err();
//! assert_eq!(error.to_string(), "proxy.toml:2:9: `proxy` is an integer; it must be a string");
//! # Ok::<(), capsem_policy::document::Error>(())
//! ```

use std::{borrow::Cow, fmt};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file's name as it was handed in.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A document that cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
#[non_exhaustive]
pub struct Error {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// Why a document cannot be read. The texts it quotes are escaped: each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is no TOML 1.0; what the parser says of it.
    #[error("{0}; this is not valid TOML")]
    Syntax(String),
    /// A key that means nothing here, and a close one that does.
    #[error("unknown key `{key}`; did you mean `{nearest}`?")]
    Misspelt {
        /// The key.
        key: String,
        /// The nearest key that exists.
        nearest: String,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}`; the keys here are {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The keys that exist.
        known: String,
    },
    /// A key that must be there.
    #[error("`{key}` is missing; add `{example}`")]
    Missing {
        /// The key.
        key: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// A value of another type than its key asks for.
    #[error("`{key}` is {found}; it must be {expected}")]
    Type {
        /// The key.
        key: String,
        /// What it is.
        found: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// An integer that does not fit 64 bits.
    #[error("`{key}` is out of range; use a smaller number")]
    Range {
        /// The key.
        key: String,
    },
}

/// Bytes of a text that a message quotes: enough to know it by.
const QUOTED: usize = 128;

/// A TOML text that was read.
#[derive(Debug)]
pub struct Document<'t> {
    file: &'t str,
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    /// Reads `text`; `file` is the name that errors give.
    pub fn parse(text: &'t str, file: &'t str) -> Result<Self, Error> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { file, text, root }),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
                Err(Error { place: place(file, text, start), problem: Problem::Syntax(message) })
            }
        }
    }

    /// The outermost table.
    pub fn root(&self) -> Table<'_> {
        Table { document: self, entries: self.root.get_ref(), start: 0 }
    }
}

/// A table of a document.
#[derive(Clone, Copy, Debug)]
pub struct Table<'d> {
    document: &'d Document<'d>,
    entries: &'d DeTable<'d>,
    start: usize,
}

impl<'d> Table<'d> {
    /// Refuses any key that is not one of these; the first one in the file is named.
    pub fn only(&self, known: &[&str]) -> Result<(), Error> {
        let unknown = self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
        let name = escape(key.get_ref());
        let problem = match nearest(key.get_ref(), known) {
            Some(nearest) => Problem::Misspelt { key: name, nearest: nearest.to_owned() },
            None => Problem::UnknownKey { key: name, known: known.join(", ") },
        };
        Err(Error { place: self.document.place(key.span().start), problem })
    }

    /// The value of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<Item<'d>> {
        let (key, value) = self.entries.get_key_value(key)?;
        Some(Item::new(self.document, key, value))
    }

    /// The value of a key that must be there; `example` is a line that would do.
    pub fn need(&self, key: &'static str, example: &'static str) -> Result<Item<'d>, Error> {
        self.get(key).ok_or_else(|| Error {
            place: self.place(),
            problem: Problem::Missing { key, example },
        })
    }

    /// Every entry, for a table whose keys are names of the user's; in the order of the file.
    pub fn entries(&self) -> Vec<Item<'d>> {
        let items = self.entries.iter().map(|(key, value)| Item::new(self.document, key, value));
        let mut items: Vec<_> = items.collect();
        items.sort_by_key(|item| item.key_start);
        items
    }

    /// Where the table begins.
    pub fn place(&self) -> Place {
        self.document.place(self.start)
    }
}

/// A value of a document, with the key it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Item<'d> {
    document: &'d Document<'d>,
    key: &'d str,
    key_start: usize,
    value: &'d DeValue<'d>,
    start: usize,
}

impl<'d> Item<'d> {
    fn new(
        document: &'d Document<'d>,
        key: &'d Spanned<Cow<'d, str>>,
        value: &'d Spanned<DeValue<'d>>,
    ) -> Self {
        let (key_start, start) = (key.span().start, value.span().start);
        Self { document, key: key.get_ref(), key_start, value: value.get_ref(), start }
    }

    /// The key.
    pub fn key(&self) -> &'d str {
        self.key
    }

    /// Where the key stands.
    pub fn key_place(&self) -> Place {
        self.document.place(self.key_start)
    }

    /// Where the value stands.
    pub fn place(&self) -> Place {
        self.document.place(self.start)
    }

    /// Where the byte `offset` of a string stands, its escapes counted as they are written.
    pub fn place_in(&self, offset: usize) -> Place {
        self.document.place(self.start + written(self.document.text.get(self.start..), offset))
    }

    /// The value as a string.
    pub fn string(&self) -> Result<&'d str, Error> {
        match self.value {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// The value as an integer.
    pub fn integer(&self) -> Result<i64, Error> {
        match self.value {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_err(|_| Error {
                    place: self.place(),
                    problem: Problem::Range { key: escape(self.key) },
                }),
            _ => Err(self.wrong_type("an integer")),
        }
    }

    /// The value as a boolean.
    pub fn boolean(&self) -> Result<bool, Error> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// The value as a list; its items bear the key of the list.
    pub fn list(&self) -> Result<Vec<Item<'d>>, Error> {
        match self.value {
            DeValue::Array(array) => Ok(array
                .iter()
                .map(|value| Item { value: value.get_ref(), start: value.span().start, ..*self })
                .collect()),
            _ => Err(self.wrong_type("a list in [ ]")),
        }
    }

    /// The value as a table.
    pub fn table(&self) -> Result<Table<'d>, Error> {
        match self.value {
            DeValue::Table(entries) => {
                Ok(Table { document: self.document, entries, start: self.start })
            }
            _ => Err(self.wrong_type("a table")),
        }
    }

    /// The value as a list of tables, each under a `[[key]]` of its own.
    pub fn tables(&self) -> Result<Vec<Table<'d>>, Error> {
        match self.value {
            DeValue::Array(_) => self.list()?.iter().map(Item::table).collect(),
            _ => Err(self.wrong_type("a list of tables, each with its name in [[ ]]")),
        }
    }

    fn wrong_type(&self, expected: &'static str) -> Error {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let problem = Problem::Type { key: escape(self.key), found, expected };
        Error { place: self.place(), problem }
    }
}

impl Document<'_> {
    fn place(&self, offset: usize) -> Place {
        place(self.file, self.text, offset)
    }
}

fn place(file: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        file: file.to_owned(),
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before.chars().count() - before[..line_start].chars().count() + 1,
    }
}

/// How many bytes of a string's text in the file, quotes included, stand before the byte `offset`
/// of its value.
fn written(text: Option<&str>, offset: usize) -> usize {
    let text = text.unwrap_or_default();
    let many = text.starts_with("\"\"\"") || text.starts_with("'''");
    let mut at = if many { 3 } else { 1 };
    if many {
        // A newline behind the quotes is no part of the value.
        let rest = text.get(at..).unwrap_or_default();
        let newline = ["\n", "\r\n"].into_iter().find(|newline| rest.starts_with(newline));
        at += newline.map_or(0, str::len);
    }
    let mut value = 0;
    while let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let (in_value, in_text) = match (char, text.starts_with('"')) {
            ('\\', true) => escaped(text.get(at..).unwrap_or_default()),
            _ => (char.len_utf8(), char.len_utf8()),
        };
        // An escaped end of line makes nothing, and nothing stands at it.
        if value >= offset && in_value > 0 {
            break;
        }
        value += in_value;
        at += in_text;
    }
    at
}

/// The bytes that an escape makes, and the bytes that write it.
fn escaped(rest: &str) -> (usize, usize) {
    let digits = match rest.as_bytes().get(1) {
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        Some(b' ' | b'\t' | b'\r' | b'\n') => {
            let behind = rest.get(1..).unwrap_or_default();
            return (0, rest.len() - behind.trim_start().len());
        }
        _ => return (1, 2),
    };
    let code = rest.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    (code.and_then(char::from_u32).map_or(1, char::len_utf8), 2 + digits)
}

/// A text of the file as it can stand in a message of one line, which is shown, logged and recorded.
pub fn escape(text: &str) -> String {
    let start = text.get(..text.floor_char_boundary(QUOTED)).unwrap_or_default();
    let more = if start.len() < text.len() { ".." } else { "" };
    format!("{}{more}", start.escape_debug())
}

/// The known key closest to `key`, if a slip of the hand could explain the difference.
pub(crate) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let slips = 1 + key.len() / 4;
    let close = known.iter().map(|known| (distance(key, known), *known));
    close.filter(|(distance, _)| *distance <= slips).min().map(|(_, known)| known)
}

/// How many letters to add, drop or change to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
