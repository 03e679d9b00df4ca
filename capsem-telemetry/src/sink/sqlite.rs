//! Records in an `SQLite` database. Knows the tables; what a row holds is the records' affair.

mod rows;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, config::DbConfig, params};

use super::{Shortfall, Sink};
use crate::{Error, Stamped};

/// A database with every record in `records`, and beside it the tables `net_events`,
/// `model_calls`, `tool_calls` and `tool_responses` under Capsem's column names.
///
/// Each batch is one transaction in write-ahead mode, so readers are never kept waiting and a
/// process that dies leaves whole batches only.
#[derive(Debug)]
pub struct Sqlite {
    // Dropped in this order: the database is closed before the next process may have it.
    db: Connection,
    _lock: File,
}

const NAME: &str = "sqlite";
const SCHEMA: &str = include_str!("schema.sql");

/// Only the owner may read a ledger.
const FILE_MODE: u32 = 0o600;

/// How long a write waits for a tool that holds the database; the ledger tries again after it.
const BUSY: Duration = Duration::from_secs(1);

impl Sqlite {
    /// Opens or creates a ledger; a new file is readable by its owner only.
    ///
    /// Fails with [`Error::InUse`] if another process writes to it, and with
    /// [`Error::NotALedger`] if the file holds something else.
    ///
    /// The empty file `PATH-lock` beside it carries the lock; it may stay and may be deleted when
    /// no process uses the ledger.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let cannot = |source: io::Error| Error::Open { path: path.into(), source: source.into() };
        let lock = private(&lock_path(path)).map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: path.into() }),
            Err(TryLockError::Error(source)) => return Err(cannot(source)),
        }
        if !path.exists() {
            private(path).map_err(cannot)?;
        }
        let unusable = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Error::NotALedger { path: path.into() },
            _ => Error::Open { path: path.into(), source: error.into() },
        };
        let db = Connection::open(path).map_err(unusable)?;
        if !is_ledger_or_empty(&db).map_err(unusable)? {
            return Err(Error::NotALedger { path: path.into() });
        }
        prepare(&db).map_err(unusable)?;
        Ok(Self { db, _lock: lock })
    }

    fn write_all(&mut self, batch: &[Stamped]) -> Result<(), Error> {
        let transaction = self.db.transaction().map_err(failed)?;
        for record in batch {
            insert(&transaction, record)?;
        }
        transaction.commit().map_err(failed)
    }
}

impl Sink for Sqlite {
    fn name(&self) -> &'static str {
        NAME
    }

    fn last_seq(&mut self) -> Result<Option<u64>, Error> {
        let last: Option<i64> = self
            .db
            .query_one("SELECT max(seq) FROM records", [], |row| row.get(0))
            .map_err(failed)?;
        Ok(last.and_then(|seq| u64::try_from(seq).ok()))
    }

    fn read_back(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let sql = "SELECT record FROM records ORDER BY seq";
        let mut statement = self.db.prepare(sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            // What is no text is no record.
            each(row.get_ref(0).map_err(failed)?.as_str().unwrap_or_default());
        }
        Ok(())
    }

    fn write(&mut self, batch: &[Stamped]) -> Result<(), Shortfall> {
        self.write_all(batch).map_err(|error| Shortfall { taken: 0, error })
    }

    fn finish(&mut self) -> Result<(), Error> {
        // Leaves one file. A reader that is in the way only delays that to the next run.
        self.db.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)
    }
}

/// Opens or creates a file of the ledger's owner.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}

fn is_ledger_or_empty(db: &Connection) -> rusqlite::Result<bool> {
    let (tables, ours): (i64, i64) = db.query_one(
        "SELECT count(*), count(CASE name WHEN 'records' THEN 1 END) FROM sqlite_schema",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(tables == 0 || ours == 1)
}

fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // A write survives the death of the process; the last ones may not survive a power cut.
    db.pragma_update(None, "synchronous", "normal")?;
    // One plan a statement: else a build with statistics makes a new one for each value bound.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.execute_batch(SCHEMA)
}

fn insert(transaction: &Transaction<'_>, stamped: &Stamped) -> Result<(), Error> {
    let text = stamped.to_json();
    let kind = stamped.record.kind();
    let seq = rows::integer(stamped.seq);
    let mut statement = transaction
        .prepare_cached("INSERT OR IGNORE INTO records (seq, at, kind, record) VALUES (?,?,?,?)")
        .map_err(failed)?;
    let added =
        statement.execute(params![seq, stamped.at.to_string(), kind, text]).map_err(failed)?;
    if added == 1 {
        return rows::insert(transaction, stamped).map_err(failed);
    }
    // A commit can fail after the fact: the record is then found as it was written.
    let held: Option<String> = transaction
        .query_row("SELECT record FROM records WHERE seq = ?", [seq], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    if held.is_some_and(|held| held == text) {
        Ok(())
    } else {
        Err(Error::Conflict { sink: NAME, seq: stamped.seq })
    }
}

fn failed(source: rusqlite::Error) -> Error {
    Error::Sink { sink: NAME, source: source.into() }
}

#[cfg(test)]
mod tests;
