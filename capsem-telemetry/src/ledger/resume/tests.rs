//! Ledgers of processes that died, and what the next one makes of them.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::record::samples::{id, session};
use crate::sink::Jsonl;
use crate::{Ledger, Mode, read};

fn stamp(records: Vec<Record>) -> Vec<Stamped> {
    let at = "2026-11-23T10:00:00.000000Z".parse().expect("a time");
    (1..).zip(records).map(|(seq, record)| Stamped { seq, at, record }).collect()
}

/// Ledgers in one folder that hold the first so many records of a session.
struct Ledgers {
    _dir: TempDir,
    paths: Vec<PathBuf>,
}

impl Ledgers {
    fn new(held: &[(&str, usize)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = held.iter().map(|(name, held)| {
            let path = dir.path().join(name);
            open(&path).write(&stamp(session())[..*held]).expect("written");
            path
        });
        Self { paths: paths.collect(), _dir: dir }
    }

    fn sinks(&self) -> Vec<Box<dyn Sink>> {
        self.paths.iter().map(|path| open(path)).collect()
    }

    /// The records of each after a run that had nothing of its own to say.
    fn after_a_run(&self) -> Vec<Vec<Stamped>> {
        let (_, task) = Ledger::start(self.sinks(), Mode::Closed).expect("started");
        task.finish(std::time::Duration::from_secs(10)).expect("finished");
        self.paths.iter().map(|path| read::records(path).expect("a ledger").records).collect()
    }
}

fn open(path: &Path) -> Box<dyn Sink> {
    #[cfg(feature = "sqlite")]
    if path.extension().is_some_and(|extension| extension == "db") {
        return Box::new(crate::sink::Sqlite::open(path).expect("opened"));
    }
    Box::new(Jsonl::open(path).expect("opened"))
}

/// A process that died after so many records of a session leaves these ends to be told.
#[track_caller]
fn check(name: &str, held: usize, ends: &[&str]) {
    let ledgers = Ledgers::new(&[(name, held)]);
    let resumed = resume(&mut ledgers.sinks()).expect("read back");
    let kinds: Vec<_> = resumed.ends.iter().map(Record::kind).collect();
    assert_eq!((resumed.last, &kinds[..]), (held as u64, ends), "{name}, {held} records");
    let [records] = &ledgers.after_a_run()[..] else { unreachable!("one ledger") };
    let seqs: Vec<u64> = records.iter().map(|stamped| stamped.seq).collect();
    assert_eq!(seqs, (1..=(held + ends.len()) as u64).collect::<Vec<_>>());
    assert_eq!(ledgers.after_a_run()[0].len(), records.len(), "told once");
}

#[test]
fn what_a_dead_process_left_open_is_ended() {
    let session = session();
    let kinds: Vec<_> = session.iter().map(Record::kind).collect();
    let at = |kind: &str| kinds.iter().position(|it| *it == kind).expect("in a session") + 1;
    for name in [
        "events.jsonl",
        #[cfg(feature = "sqlite")]
        "session.db",
    ] {
        check(name, 0, &[]);
        check(name, at("opened"), &["closed"]);
        check(name, at("decided"), &["fault", "ended", "closed"]);
        check(name, at("ended") - 1, &["fault", "ended", "closed"]);
        check(name, at("ended"), &["closed"]);
        check(name, at("closed"), &[]);
    }
}

#[test]
fn an_interrupted_exchange_says_what_is_known_of_it() {
    let session = session();
    let until = session.iter().position(|it| it.kind() == "ended").expect("in a session");
    let calls = session[..until].iter().filter(|it| it.kind() == "model_call").count() as u64;
    let ledgers = Ledgers::new(&[("events.jsonl", until)]);
    let ends = resume(&mut ledgers.sinks()).expect("read back").ends;
    let [Record::Fault(fault), Record::Ended(ended), Record::Closed(closed)] = &ends[..] else {
        panic!("{ends:?}")
    };
    assert_eq!((fault.class, fault.side), (FaultClass::Interrupted, Side::Proxy));
    assert_eq!((fault.conn, fault.exchange), (Some(id(1)), Some(ended.exchange)));
    assert_eq!((ended.close.kind, ended.close.by), (CloseKind::Error, Some(Side::Proxy)));
    assert_eq!(ended.close.reason.as_deref(), Some("interrupted"));
    assert_eq!((ended.to_upstream, ended.to_client), (None, None), "nobody counted");
    assert_eq!((ended.model_calls, closed.conn, closed.exchanges), (calls, id(1), 1));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_sink_that_is_behind_is_brought_up() {
    let all = session().len();
    for (held, is) in [([all - 2, all], "behind"), ([all, all - 2], "ahead"), ([3, 3], "as far")] {
        let ledgers = Ledgers::new(&[("events.jsonl", held[0]), ("session.db", held[1])]);
        let after = ledgers.after_a_run();
        assert_eq!(after[0], after[1], "the lines were {is}");
        let last = after[0].last().expect("records").seq;
        assert_eq!(last, after[0].len() as u64, "the lines were {is}");
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_sink_that_is_new_begins_where_the_other_goes_on() {
    let ledgers = Ledgers::new(&[("events.jsonl", 0), ("session.db", 2)]);
    let after = ledgers.after_a_run();
    assert_eq!(after[0], after[1][2..]);
}
