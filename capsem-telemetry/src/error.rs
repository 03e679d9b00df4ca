//! What can go wrong with records and the places they are kept.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

/// Everything this crate fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger takes no new exchange now: its sinks fail or have fallen behind. The record was
    /// not taken and never will be.
    #[error("the ledger takes no records now")]
    Refused,
    /// The sinks did not confirm the record in time. It is queued and will be written when they
    /// do; whoever gave it still owes what must follow it.
    #[error("the ledger did not confirm a record in time")]
    Late,
    /// The ledger could not be finished in the time given.
    #[error("the ledger ended with {unwritten} records unwritten: {cause}")]
    Unfinished {
        /// Records taken but not written to every sink.
        unwritten: u64,
        /// What held them up.
        cause: String,
    },
    /// The writer thread could not be started, or broke down.
    #[error("the ledger's writer thread failed")]
    Thread {
        /// Its reason.
        source: io::Error,
    },
    /// A file of the ledger could not be opened.
    #[error("cannot open ledger {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
    /// Another process writes to the same ledger.
    #[error("ledger {} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{} is not a ledger", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// A file of the ledger could not be read.
    #[error("cannot read ledger {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
    /// This build has no `SQLite`.
    #[error("{} is an SQLite ledger, and this build has no SQLite", path.display())]
    NoSqlite {
        /// The file.
        path: PathBuf,
    },
    /// A sink did not take a record.
    #[error("the {sink} sink failed")]
    Sink {
        /// Which.
        sink: &'static str,
        /// Why.
        source: Cause,
    },
    /// A sink already holds another record under this number: someone else writes to it.
    #[error("the {sink} sink already holds another record {seq}")]
    Conflict {
        /// Which.
        sink: &'static str,
        /// The record's place.
        seq: u64,
    },
    /// A text that is not a whole record.
    #[error("not a record")]
    BadRecord {
        /// What the parser met, and where.
        source: serde_json::Error,
    },
    /// A record of a version this crate does not know.
    #[error("record version {found} is not known")]
    BadVersion {
        /// Its `v`.
        found: u32,
    },
    /// A text that is not an id.
    #[error("not an id of twelve lower-case hexadecimal digits")]
    BadId,
    /// A text that is not a time.
    #[error("not an RFC 3339 time between 1970 and 9999")]
    BadTimestamp,
}

/// The reason beneath an error: of the operating system or of a database.
pub type Cause = Box<dyn StdError + Send + Sync>;
