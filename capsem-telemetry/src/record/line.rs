//! JSON that is one line for every reader: beyond what JSON asks, it escapes what some readers
//! take for the end of a line, and what a terminal takes for a command.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// `value` as one line of JSON, without the line's end.
pub(super) fn to_line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(TYPICAL);
    value.serialize(&mut Serializer::with_formatter(&mut line, OneLine))?;
    Ok(line)
}

/// Bytes most records fit in.
const TYPICAL: usize = 512;

struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|(_, c)| is_risky(*c)) {
            let (before, from) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            write!(writer, "\\u{:04x}", u32::from(found))?;
            rest = from.split_at(found.len_utf8()).1;
        }
        writer.write_all(rest.as_bytes())
    }
}

/// DEL, the C1 controls, LINE SEPARATOR and PARAGRAPH SEPARATOR. JSON itself escapes C0.
fn is_risky(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}
