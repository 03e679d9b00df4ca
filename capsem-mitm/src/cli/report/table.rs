//! Rows of text in columns. Refuses to know what the cells mean, and lets none of them reach the
//! terminal as anything but text.

use std::fmt;

/// Characters of one cell: a path or a message may be as long as a peer likes.
const MAX_CELL: usize = 100;

/// A table with a heading.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(str::to_owned).into()] }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| clean(&cell)).into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let padded = widths.iter().zip(row).map(|(width, cell)| format!("  {cell:<width$}"));
            writeln!(f, "{}", padded.collect::<String>().trim_end())?;
        }
        Ok(())
    }
}

/// The text without anything a terminal would obey, and not over the length of a cell.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(MAX_CELL));
    for (index, character) in text.chars().enumerate() {
        if index == MAX_CELL {
            cleaned.push_str("..");
            break;
        }
        // Beside control characters: those that reverse, hide or reorder what follows.
        if character.is_control() || character.escape_debug().len() > 1 && !character.is_ascii() {
            cleaned.extend(character.escape_unicode());
        } else {
            cleaned.push(character);
        }
    }
    cleaned
}
