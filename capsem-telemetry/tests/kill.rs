//! A process that is killed while it writes leaves a ledger that can be read: every record it had
//! been promised is there, the numbers have no gap, and what was torn shows as a tear.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use capsem_telemetry::read::{self, Contents};
use capsem_telemetry::sink::{Jsonl, Sink};
use capsem_telemetry::{Closed, Fault, FaultClass, Id, Ledger, Mode, Record, Side};

const LEDGER: &str = "CAPSEM_TELEMETRY_KILL_TEST_LEDGER";
const ROUNDS: u64 = 25;

/// Not a test of its own: the process that is killed. Without its variable it does nothing.
#[test]
fn child() {
    let Some(path) = env::var_os(LEDGER).map(PathBuf::from) else { return };
    let sink = open(&path);
    let (ledger, _task) = Ledger::start(vec![sink], Mode::Closed).expect("started");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        for number in 1.. {
            // Long enough that the kill also comes in the middle of a write.
            let detail = Some("x".repeat(usize::try_from(number % 40).expect("small") * 4096));
            let (side, class) = (Side::Proxy, FaultClass::Reset);
            ledger.record(Record::Fault(Fault { conn: None, exchange: None, side, class, detail }));
            let closed = Closed { conn: Id::fresh(), exchanges: number, duration_ms: 0 };
            ledger.commit(Record::Closed(closed)).await.expect("taken");
            let mut stderr = std::io::stderr();
            stderr.write_all(format!("{number}\n").as_bytes()).expect("the parent listens");
        }
    });
}

fn open(path: &Path) -> Box<dyn Sink> {
    #[cfg(feature = "sqlite")]
    if path.extension().is_some_and(|extension| extension == "db") {
        return Box::new(capsem_telemetry::sink::Sqlite::open(path).expect("opened"));
    }
    Box::new(Jsonl::open(path).expect("opened"))
}

/// Lets a child write until it has promised `records`, and kills it.
fn run_and_kill(path: &Path, records: u64) {
    let mut child = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture"])
        .env(LEDGER, path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child");
    let promised = BufReader::new(child.stderr.take().expect("its stderr"));
    let last = promised.lines().map(|line| line.expect("a line")).find(|line| {
        line.parse::<u64>().unwrap_or_else(|_| panic!("the child says: {line}")) >= records
    });
    assert!(last.is_some(), "the child ended");
    child.kill().expect("killed");
    child.wait().expect("reaped");
}

/// Kills a child many times on the same ledger.
#[track_caller]
fn check(name: &str) {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    let mut promised = 0;
    for round in 1..=ROUNDS {
        let records = 1 + (seed.wrapping_mul(round).wrapping_mul(0x9e37_79b9) >> 3) % 60;
        run_and_kill(&path, records);
        promised += records;
        let Contents { records, tears } = read::records(&path).expect("readable");
        let seqs: Vec<u64> = records.iter().map(|stamped| stamped.seq).collect();
        let whole: Vec<u64> = (1..).take(seqs.len()).collect();
        assert_eq!(seqs, whole, "round {round}");
        let kept = records.iter().filter(|stamped| matches!(stamped.record, Record::Closed(_)));
        let kept = u64::try_from(kept.count()).expect("few");
        assert!(kept >= promised, "round {round}: {kept} of {promised}");
        promised = kept;
        assert!(u64::try_from(tears.len()).expect("few") <= round, "round {round}: {tears:?}");
    }
}

#[test]
fn lines_survive_a_kill() {
    check("events.jsonl");
}

#[cfg(feature = "sqlite")]
#[test]
fn tables_survive_a_kill() {
    check("session.db");
}
