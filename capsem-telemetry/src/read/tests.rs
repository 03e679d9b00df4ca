//! Ledgers read back, whole and damaged.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::Timestamp;
use crate::record::samples::{id, numbered, session};

fn file(text: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger");
    std::fs::write(&path, text).expect("written");
    (dir, path)
}

fn line(seq: u64, record: Record) -> String {
    Stamped { seq, at: Timestamp::now(), record }.to_json() + "\n"
}

#[test]
fn lines_are_read_and_what_is_no_record_is_named() {
    let text = [
        line(1, numbered(1)),
        "{\"v\":1,\"seq\":2,\n".to_owned(),
        line(2, numbered(2)),
        "\n".to_owned(),
        line(5, numbered(3)),
        "{\"v\":1,\"se".to_owned(),
    ];
    let (_dir, path) = file(text.concat());
    let contents = records(&path).expect("a ledger");
    let seqs: Vec<u64> = contents.records.iter().map(|stamped| stamped.seq).collect();
    assert_eq!(seqs, [1, 2, 5]);
    assert_eq!(contents.tears, [Tear::Line(2), Tear::Line(4), Tear::Line(6)]);
    assert_eq!(contents.gaps(), [3..=4]);
}

#[test]
fn an_exchange_without_its_end_is_interrupted() {
    let mut session = session();
    let contents = |records: &[Record]| Contents {
        records: (1..)
            .zip(records)
            .map(|(seq, record)| Stamped { seq, at: Timestamp::now(), record: record.clone() })
            .collect(),
        tears: Vec::new(),
    };
    assert_eq!(contents(&session).interrupted(), []);
    assert_eq!(contents(&session).gaps(), []);
    session.retain(|record| !matches!(record, Record::Ended(_)));
    assert_eq!(contents(&session).interrupted(), [id(2)]);
}

#[test]
fn what_is_no_ledger_is_refused() {
    let (_dir, path) = file("one\ntwo\n");
    assert!(matches!(records(&path), Err(Error::NotALedger { .. })));
    let (_dir, path) = file([0xff, b'\n'].repeat(2000));
    assert!(matches!(records(&path), Err(Error::NotALedger { .. })));
    let missing = Path::new("/no/such/ledger");
    assert!(matches!(records(missing), Err(Error::Read { .. })));
    let (_dir, path) = file("");
    assert_eq!(records(&path).expect("empty"), Contents::default());
    let (_dir, path) = file("{");
    assert_eq!(records(&path).expect("torn").tears, [Tear::Line(1)]);
}

#[cfg(feature = "sqlite")]
#[test]
fn a_damaged_row_is_a_tear_and_a_foreign_database_no_ledger() {
    use crate::sink::{Sink, Sqlite};

    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("session.db");
    let mut sink = Sqlite::open(&path).expect("a new ledger");
    let batch = [1, 2].map(|n| Stamped { seq: n, at: Timestamp::now(), record: numbered(n) });
    sink.write(&batch).expect("written");
    drop(sink);
    let db = rusqlite::Connection::open(&path).expect("opened");
    db.execute("UPDATE records SET record = '{' WHERE seq = 1", []).expect("damaged");
    let contents = records(&path).expect("a ledger");
    assert_eq!(
        (contents.records.as_slice(), contents.tears.as_slice()),
        (&batch[1..], &[Tear::Row(1)][..])
    );
    db.execute("DROP TABLE records", []).expect("dropped");
    assert!(matches!(records(&path), Err(Error::NotALedger { .. })));
}
