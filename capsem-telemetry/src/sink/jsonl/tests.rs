//! Lines on outputs that fail anywhere, and files that were torn.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use crate::Timestamp;
use crate::read;
use crate::record::samples::{numbered, session};

fn batch(seqs: std::ops::RangeInclusive<u64>) -> Vec<Stamped> {
    seqs.map(|seq| Stamped { seq, at: Timestamp::now(), record: numbered(seq) }).collect()
}

/// An output that takes, at each call, what its script says: that many bytes, or an error.
struct Scripted {
    taken: Vec<u8>,
    script: Vec<Option<usize>>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let step = self.script.pop().unwrap_or(Some(usize::MAX));
        let Some(room) = step else { return Err(ErrorKind::StorageFull.into()) };
        let n = room.min(bytes.len());
        self.taken.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

proptest! {
    /// Whatever fails wherever: what counts as taken is there once, whole and in order.
    #[test]
    fn a_cut_line_is_completed_before_the_next(
        script in proptest::collection::vec(proptest::option::weighted(0.6, 0_usize..400), 0..20),
        sizes in proptest::collection::vec(1_u64..4, 1..8),
    ) {
        let out = Scripted { taken: Vec::new(), script };
        let mut sink = Jsonl { out, regular: false, owed: Vec::new() };
        let mut expected = Vec::new();
        let mut next = 1;
        for size in sizes {
            let batch = batch(next..=next + size - 1);
            next += size;
            match sink.write_lines(&batch) {
                Ok(()) => expected.extend(batch),
                Err(shortfall) => expected.extend(batch.into_iter().take(shortfall.taken)),
            }
        }
        sink.out.script.clear();
        sink.write_lines(&[]).expect("the rest is written");
        let text = String::from_utf8(sink.out.taken).expect("text");
        let found: Vec<Stamped> =
            text.lines().map(|line| Stamped::from_json(line).expect("a whole line")).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_new_file_is_private_and_an_old_one_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("events.jsonl");
    let mut sink = Jsonl::open(&path).expect("a new file");
    let mode = std::fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(sink.last_seq().expect("readable"), None);
    sink.write(&batch(1..=300)).expect("written");
    assert!(matches!(Jsonl::open(&path), Err(Error::InUse { .. })));
    drop(sink);

    let mut sink = Jsonl::open(&path).expect("the same file");
    assert_eq!(sink.last_seq().expect("readable"), Some(300));
    sink.write(&batch(301..=301)).expect("written");
    sink.finish().expect("finished");
    let contents = read::records(&path).expect("a ledger");
    assert_eq!((contents.records.len(), contents.tears.len()), (301, 0));
}

#[test]
fn a_tear_stays_one_bad_line_wherever_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("events.jsonl");
    let whole: String = batch(1..=2).iter().map(|record| record.to_json() + "\n").collect();
    let first = whole.find('\n').expect("two lines") + 1;
    for cut in 0..=whole.len() {
        std::fs::write(&path, &whole[..cut]).expect("written");
        let mut sink = Jsonl::open(&path).expect("opened");
        let last = sink.last_seq().expect("readable").unwrap_or(0);
        // A line that only lacks its end is whole.
        let kept = u64::from(cut + 1 >= first) + u64::from(cut + 1 >= whole.len());
        assert_eq!(last, kept, "cut at {cut}");
        sink.write(&batch(last + 1..=last + 2)).expect("written");
        drop(sink);
        let contents = read::records(&path).expect("a ledger");
        let seqs: Vec<u64> = contents.records.iter().map(|stamped| stamped.seq).collect();
        let expected: Vec<u64> = (1..=kept + 2).collect();
        assert_eq!(seqs, expected, "cut at {cut}");
        let torn = ![0, first - 1, first, whole.len() - 1, whole.len()].contains(&cut);
        assert_eq!(contents.tears.len(), usize::from(torn), "cut at {cut}");
    }
}

#[test]
fn the_last_number_is_found_behind_long_lines_and_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("events.jsonl");
    let long = "x".repeat(3 * usize::try_from(WINDOW).expect("small"));
    let text = format!("{}\n{long}\n\n", batch(9..=9)[0].to_json());
    std::fs::write(&path, text).expect("written");
    let mut sink = Jsonl::open(&path).expect("opened");
    assert_eq!(sink.last_seq().expect("readable"), Some(9));
}

#[test]
fn a_full_device_takes_nothing() {
    let mut sink = Jsonl::open(Path::new("/dev/full")).expect("opened");
    assert_eq!(sink.last_seq().expect("no file to read"), None);
    let shortfall = sink.write(&batch(1..=3)).expect_err("no space");
    assert_eq!(shortfall.taken, 0);
    assert!(sink.owed.is_empty());
    sink.finish().expect("nothing is owed");
}

#[test]
fn each_record_is_one_line() {
    let mut sink =
        Jsonl { out: Scripted { taken: vec![], script: vec![] }, regular: false, owed: vec![] };
    let stamp = |(seq, record)| Stamped { seq, at: Timestamp::now(), record };
    let batch: Vec<Stamped> = (1..).zip(session()).map(stamp).collect();
    sink.write_lines(&batch).expect("written");
    let text = String::from_utf8(sink.out.taken).expect("text");
    assert_eq!(text.lines().count(), batch.len());
}
