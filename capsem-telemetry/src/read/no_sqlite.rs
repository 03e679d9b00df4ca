//! What stands in for `SQLite` in a build without it: it is recognised, and refused by name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Contents;
use crate::Error;

/// How every `SQLite` database begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

pub(super) fn records(path: &Path) -> Result<Option<Contents>, Error> {
    let cannot = |e: std::io::Error| Error::Read { path: path.into(), source: e.into() };
    let mut head = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut head).map_err(cannot)?;
    if head == MAGIC { Err(Error::NoSqlite { path: path.into() }) } else { Ok(None) }
}
