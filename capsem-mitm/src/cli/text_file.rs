//! A text file of the user's, read whole or not at all. Refuses to know what it says.

use crate::file_type::no_file;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// Bytes of a file. A rule file has no more, and no configuration is near it.
const MOST: usize = 8 * 1024 * 1024;

/// A file that cannot be read, and where.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub(crate) struct Unread {
    file: String,
    line: usize,
    column: usize,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the file cannot be read: {0}; name one that can")]
    Io(#[from] io::Error),
    #[error("this is {0}; name a regular file")]
    NoFile(&'static str),
    #[error("the file has more than {MOST} bytes; divide it, or shorten it")]
    Size,
    #[error("the byte 0x{0:02x} is no UTF-8; save the file as UTF-8")]
    Text(u8),
}

/// Reads a file. Nobody is waited for: what is no regular file is refused before it is opened.
pub(crate) fn read(path: &Path) -> Result<String, Unread> {
    bytes(path).map_err(|problem| Unread::at(path, "", problem)).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let (before, rest) = error.as_bytes().split_at(good);
            let bad = rest.first().copied().unwrap_or_default();
            Unread::at(path, str::from_utf8(before).unwrap_or_default(), Problem::Text(bad))
        })
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    if let Some(word) = no_file(path.metadata()?.file_type()) {
        return Err(Problem::NoFile(word));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST { Err(Problem::Size) } else { Ok(bytes) }
}

impl Unread {
    /// Behind the text `before`.
    fn at(path: &Path, before: &str, problem: Problem) -> Self {
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            file: path.display().to_string(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            problem,
        }
    }
}
