//! A ledger read back, from `SQLite` or lines of JSON. Knows how a ledger may be damaged, and shows
//! the damage instead of hiding it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::RangeInclusive;
use std::path::Path;

use crate::{Error, Id, Record, Stamped};

#[cfg(not(feature = "sqlite"))]
mod no_sqlite;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(not(feature = "sqlite"))]
use no_sqlite as database;
#[cfg(feature = "sqlite")]
use sqlite as database;

/// What a ledger holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The records, in the order they stand.
    pub records: Vec<Stamped>,
    /// What is no record: a line cut short by a process that died, or damage.
    pub tears: Vec<Tear>,
}

/// A place in a ledger that holds no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// A line, counted from 1.
    Line(u64),
    /// A row of `records`, by its `seq`.
    Row(i64),
}

/// Reads a ledger, whichever of the two kinds it is.
///
/// A tear does not stop the reading. Fails with [`Error::Read`] if the file cannot be read, and
/// with [`Error::NotALedger`] if it holds something, but no record at all.
pub fn records(path: &Path) -> Result<Contents, Error> {
    let cannot = |source: io::Error| Error::Read { path: path.into(), source: source.into() };
    std::fs::metadata(path).map_err(cannot)?;
    let contents = match database::records(path)? {
        Some(contents) => contents,
        None => lines(BufReader::new(File::open(path).map_err(cannot)?)).map_err(cannot)?,
    };
    // One tear may be a ledger's torn first line.
    if contents.records.is_empty() && contents.tears.len() > 1 {
        return Err(Error::NotALedger { path: path.into() });
    }
    Ok(contents)
}

impl Contents {
    /// The numbers missing between the records.
    pub fn gaps(&self) -> Vec<RangeInclusive<u64>> {
        let seqs: BTreeSet<u64> = self.records.iter().map(|stamped| stamped.seq).collect();
        let following = seqs.iter().zip(seqs.iter().skip(1));
        let apart = following.filter(|(one, next)| **next - **one > 1);
        apart.map(|(one, next)| one + 1..=next - 1).collect()
    }

    /// Exchanges that were decided and did not end: alive when the process died, or still.
    pub fn interrupted(&self) -> Vec<Id> {
        let records = || self.records.iter().map(|stamped| &stamped.record);
        let ended = |record: &Record| match record {
            Record::Ended(ended) => Some(ended.exchange),
            _ => None,
        };
        let ended: BTreeSet<Id> = records().filter_map(ended).collect();
        let open = |record: &Record| match record {
            Record::Decided(one) if !ended.contains(&one.exchange) => Some(one.exchange),
            _ => None,
        };
        records().filter_map(open).collect()
    }
}

fn lines(mut input: impl BufRead) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let record = std::str::from_utf8(&line).ok().map(Stamped::from_json);
        match record {
            Some(Ok(stamped)) => contents.records.push(stamped),
            _ => contents.tears.push(Tear::Line(number)),
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests;
