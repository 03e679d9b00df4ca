//! An `SQLite` ledger read back. Leaves it as it is.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Contents, Tear};
use crate::{Error, Stamped};

/// The records of the database; none if the file is no database.
///
/// `SQLite` itself is asked whether it is one: to look into the file by other means would, when it
/// is closed again, take from a sink in this process its locks on it.
pub(super) fn records(path: &Path) -> Result<Option<Contents>, Error> {
    let cannot = |e: rusqlite::Error| Error::Read { path: path.into(), source: e.into() };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(cannot)?;
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'records'";
    let tables = db.query_one(sql, [], |row| row.get::<_, i64>(0));
    match tables {
        Ok(1) => read(&db).map(Some).map_err(cannot),
        // SQLite takes a file of up to one byte for an empty database.
        Ok(_) if std::fs::metadata(path).is_ok_and(|file| file.len() <= 1) => Ok(None),
        Ok(_) => Err(Error::NotALedger { path: path.into() }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(None),
        Err(error) => Err(cannot(error)),
    }
}

fn read(db: &Connection) -> rusqlite::Result<Contents> {
    let mut contents = Contents::default();
    let mut statement = db.prepare("SELECT seq, record FROM records ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        match row.get_ref(1)?.as_str().ok().map(Stamped::from_json) {
            Some(Ok(stamped)) => contents.records.push(stamped),
            _ => contents.tears.push(Tear::Row(seq)),
        }
    }
    Ok(contents)
}
