//! The ledger on outputs of the system that are full or that nobody reads.

use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use capsem_telemetry::sink::Jsonl;
use capsem_telemetry::{Closed, Error, Id, Ledger, LedgerTask, Mode, Record, Stamped, Summary};

const SOON: Duration = Duration::from_secs(30);

fn record(number: u64) -> Record {
    Record::Closed(Closed { conn: Id::fresh(), exchanges: number, duration_ms: 0 })
}

fn start(path: &Path, mode: Mode) -> (Ledger, LedgerTask) {
    let sink = Jsonl::open(path).expect("opened");
    Ledger::start(vec![Box::new(sink)], mode).expect("started")
}

#[test]
fn open_mode_counts_every_record_a_full_device_did_not_take() {
    let (ledger, task) = start(Path::new("/dev/full"), Mode::Open);
    for number in 0..1000 {
        ledger.record(record(number));
    }
    let summary = task.finish(SOON).expect("finished");
    assert_eq!(summary, Summary { written: 0, lost: 1000 });
    assert_eq!(ledger.lost(), 1000);
}

#[tokio::test]
async fn closed_mode_refuses_on_a_full_device_and_says_why() {
    let (ledger, task) = start(Path::new("/dev/full"), Mode::Closed);
    assert!(matches!(ledger.commit(record(1)).await, Err(Error::Late)));
    assert!(matches!(ledger.commit(record(2)).await, Err(Error::Refused)));
    assert!(!ledger.is_ready());
    let error = task.finish(Duration::ZERO).expect_err("unfinished").to_string();
    assert!(
        error.starts_with("the ledger ended with 1 records unwritten: jsonl: No space"),
        "{error}"
    );
}

#[test]
fn a_pipe_that_is_not_read_holds_nobody_up_and_loses_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let path = PathBuf::from(format!("/dev/fd/{}", writer.as_raw_fd()));
    let (ledger, task) = start(&path, Mode::Closed);
    drop(writer);
    // Many times what a pipe holds.
    let given = 10_000;
    for number in 0..given {
        ledger.record(record(number));
    }
    let reading = std::thread::spawn(move || {
        let lines = BufReader::new(reader).lines();
        lines.map(|line| Stamped::from_json(&line.expect("text")).expect("a record")).collect()
    });
    assert_eq!(task.finish(SOON).expect("finished").written, given);
    let found: Vec<Stamped> = reading.join().expect("read to the end");
    let seqs: Vec<u64> = found.iter().map(|stamped| stamped.seq).collect();
    let expected: Vec<u64> = (1..=given).collect();
    assert_eq!(seqs, expected);
}
