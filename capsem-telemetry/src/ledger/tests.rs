//! The ledger over sinks that fail, stall and recover when told to.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard};

use super::*;
use crate::record::samples::{number, numbered};
use crate::sink::{Memory, Shortfall};
use crate::{Fault, FaultClass, Stamped};

const SOON: Duration = Duration::from_secs(30);

/// What a scripted sink does with the next batch.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Take,
    /// Take that many records of a batch and fail.
    Fail(usize),
    /// Wait for another order.
    Stall,
    Panic,
}

/// A sink that does as it is told, and the records it has.
#[derive(Clone)]
struct Scripted {
    state: Arc<Mutex<(Order, Vec<Stamped>)>>,
    /// Rung for each new order.
    bell: Arc<Condvar>,
    /// Told before each batch.
    tried: Sender<usize>,
    name: &'static str,
}

impl Scripted {
    fn new(name: &'static str, order: Order) -> (Self, Receiver<usize>) {
        let (tried, attempts) = channel();
        (
            Self {
                state: Arc::new(Mutex::new((order, Vec::new()))),
                bell: Arc::default(),
                tried,
                name,
            },
            attempts,
        )
    }

    fn lock(&self) -> MutexGuard<'_, (Order, Vec<Stamped>)> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn tell(&self, order: Order) {
        self.lock().0 = order;
        self.bell.notify_all();
    }

    fn records(&self) -> Vec<Stamped> {
        self.lock().1.clone()
    }

    fn numbers(&self) -> Vec<u64> {
        self.records().iter().filter_map(|stamped| number(&stamped.record)).collect()
    }

    fn seqs(&self) -> Vec<u64> {
        self.records().iter().map(|stamped| stamped.seq).collect()
    }

    /// The details of its sink faults, without the time they name.
    fn faults(&self) -> Vec<String> {
        let detail = |stamped: Stamped| match stamped.record {
            Record::Fault(Fault { class: FaultClass::Sink, detail, .. }) => detail,
            _ => None,
        };
        let brief = |detail: String| detail.split(" within").next().unwrap_or_default().to_owned();
        self.records().into_iter().filter_map(detail).map(brief).collect()
    }
}

impl Sink for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn last_seq(&mut self) -> Result<Option<u64>, Error> {
        Ok(self.lock().1.last().map(|stamped| stamped.seq))
    }

    fn write(&mut self, batch: &[Stamped]) -> Result<(), Shortfall> {
        let _ = self.tried.send(batch.len());
        let mut state = self.lock();
        while state.0 == Order::Stall {
            state = self.bell.wait(state).expect("the test holds on");
        }
        let taken = match state.0 {
            Order::Fail(most) => most.min(batch.len()),
            Order::Panic => panic!("as ordered"),
            _ => batch.len(),
        };
        state.1.extend_from_slice(&batch[..taken]);
        if let Order::Fail(_) = state.0 {
            let error = Error::Sink { sink: self.name, source: "no space".into() };
            return Err(Shortfall { taken, error });
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

fn start(sinks: &[&Scripted], mode: Mode) -> (Ledger, LedgerTask) {
    let boxed = |sink: &&Scripted| Box::new((*sink).clone()) as Box<dyn Sink>;
    Ledger::start(sinks.iter().map(boxed).collect(), mode).expect("started")
}

fn wait(attempts: &Receiver<usize>, times: usize) {
    for _ in 0..times {
        attempts.recv_timeout(SOON).expect("an attempt");
    }
}

/// Gives a record and waits, however long it takes, until the writer is done with it.
async fn give(ledger: &Ledger, n: u64) {
    let (taken, confirmed) = oneshot::channel();
    ledger.queue.push(numbered(n), Some(taken));
    confirmed.await.expect("a writer");
}

fn counted(range: std::ops::RangeInclusive<u64>) -> Vec<u64> {
    range.collect()
}

#[tokio::test]
async fn records_are_numbered_in_the_order_given_from_many_tasks() {
    let (memory, handle) = Memory::new();
    let (ledger, task) = Ledger::start(vec![Box::new(memory)], Mode::Closed).expect("started");
    let givers: Vec<_> = (0..8_u64)
        .map(|giver| {
            let ledger = ledger.clone();
            thread::spawn(move || {
                for n in 0..2000 {
                    ledger.record(numbered(giver * 10_000 + n));
                }
            })
        })
        .collect();
    for giver in givers {
        giver.join().expect("a giver");
    }
    give(&ledger, 99_999).await;
    let found = handle.records();
    let summary = task.finish(SOON).expect("finished");
    assert_eq!(summary, Summary { written: 16_001, lost: 0 });
    let seqs: Vec<u64> = found.iter().map(|stamped| stamped.seq).collect();
    assert_eq!(seqs, counted(1..=16_001));
    assert!(found.windows(2).all(|pair| pair[0].at <= pair[1].at));
    for giver in 0..8 {
        let own = found.iter().filter_map(|stamped| number(&stamped.record));
        let own: Vec<u64> = own.filter(|n| n / 10_000 == giver && *n != 99_999).collect();
        assert_eq!(own, counted(giver * 10_000..=giver * 10_000 + 1999));
    }
}

#[tokio::test]
async fn closed_mode_loses_nothing_and_gives_nothing_twice() {
    let (good, _) = Scripted::new("good", Order::Take);
    let (bad, attempts) = Scripted::new("bad", Order::Fail(1));
    let (ledger, task) = start(&[&good, &bad], Mode::Closed);
    for n in 1..=5 {
        ledger.record(numbered(n));
    }
    // Every try takes one record; the sixth record makes the batches uneven.
    wait(&attempts, 3);
    ledger.record(numbered(6));
    wait(&attempts, 2);
    bad.tell(Order::Take);
    ledger.ready().await;
    let summary = task.finish(SOON).expect("finished");
    for sink in [&good, &bad] {
        assert_eq!(sink.numbers(), counted(1..=6), "{}", sink.name);
        let seqs = sink.seqs();
        assert_eq!(seqs, counted(1..=seqs.len() as u64), "{}", sink.name);
        assert!(sink.faults().iter().all(|fault| fault == "bad: lost 0 records"));
        assert!(!sink.faults().is_empty());
    }
    assert_eq!(summary, Summary { written: good.records().len() as u64, lost: 0 });
}

#[tokio::test]
async fn closed_mode_refuses_while_a_sink_fails_and_goes_on_after() {
    let (sink, attempts) = Scripted::new("sink", Order::Fail(0));
    let (ledger, task) = start(&[&sink], Mode::Closed);
    ledger.record(numbered(1));
    // The second try shows that the first failure is known.
    wait(&attempts, 2);
    assert!(matches!(ledger.commit(numbered(2)).await, Err(Error::Refused)));
    assert_eq!(ledger.trouble().as_deref(), Some("sink: no space"));
    assert!(!ledger.is_ready());
    ledger.record(numbered(3));
    sink.tell(Order::Take);
    ledger.ready().await;
    ledger.commit(numbered(4)).await.expect("taken");
    assert_eq!(ledger.trouble(), None);
    task.finish(SOON).expect("finished");
    assert_eq!(sink.numbers(), [1, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn closed_mode_does_not_wait_for_a_stalled_sink_for_ever() {
    let (sink, attempts) = Scripted::new("sink", Order::Stall);
    let (ledger, task) = start(&[&sink], Mode::Closed);
    ledger.record(numbered(1));
    wait(&attempts, 1);
    // The record is queued: what must follow it is owed.
    assert!(matches!(ledger.commit(numbered(2)).await, Err(Error::Late)));
    ledger.record(numbered(3));
    sink.tell(Order::Take);
    task.finish(SOON).expect("finished");
    assert_eq!(sink.numbers(), [1, 2, 3]);
}

#[tokio::test]
async fn a_full_queue_pauses_givers_until_half_of_it_is_written() {
    let (sink, attempts) = Scripted::new("sink", Order::Stall);
    let (ledger, task) = start(&[&sink], Mode::Closed);
    ledger.record(numbered(0));
    wait(&attempts, 1);
    let mut given = 0;
    while ledger.is_ready() {
        given += 1;
        ledger.record(numbered(given));
    }
    assert_eq!(given, queue::QUEUE_RECORDS as u64);
    // What is owed is taken all the same.
    ledger.record(numbered(given + 1));
    sink.tell(Order::Take);
    ledger.ready().await;
    ledger.commit(numbered(given + 2)).await.expect("taken");
    task.finish(SOON).expect("finished");
    assert_eq!(sink.numbers(), counted(0..=given + 2));
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let (sink, attempts) = Scripted::new("sink", Order::Stall);
    let (ledger, task) = start(&[&sink], Mode::Closed);
    ledger.record(numbered(0));
    wait(&attempts, 1);
    let heavy = || {
        let detail = Some("x".repeat(1024 * 1024));
        let (side, class) = (crate::Side::Proxy, FaultClass::Head);
        Record::Fault(Fault { conn: None, exchange: None, side, class, detail })
    };
    let mut given = 0;
    while ledger.is_ready() {
        given += 1;
        ledger.record(heavy());
    }
    assert_eq!(given, 32);
    sink.tell(Order::Take);
    task.finish(SOON).expect("finished");
}

#[tokio::test]
async fn open_mode_counts_what_a_failing_sink_misses() {
    let (sink, _) = Scripted::new("sink", Order::Take);
    let (ledger, task) = start(&[&sink], Mode::Open);
    give(&ledger, 1).await;
    sink.tell(Order::Fail(0));
    for n in 2..=4 {
        give(&ledger, n).await;
    }
    sink.tell(Order::Fail(1));
    give(&ledger, 5).await;
    sink.tell(Order::Take);
    give(&ledger, 6).await;
    let summary = task.finish(SOON).expect("finished");
    // Record 5 was taken before the failure was seen.
    assert_eq!(sink.numbers(), [1, 5, 6]);
    assert_eq!(sink.faults(), ["sink: lost 3 records"]);
    assert_eq!(sink.seqs(), counted(1..=4));
    assert_eq!((summary, ledger.lost()), (Summary { written: 4, lost: 3 }, 3));
}

#[tokio::test]
async fn open_mode_counts_for_each_sink_and_numbers_stay_the_same_in_all() {
    let (good, _) = Scripted::new("good", Order::Take);
    let (bad, _) = Scripted::new("bad", Order::Fail(0));
    let (ledger, task) = start(&[&good, &bad], Mode::Open);
    for n in 1..=3 {
        give(&ledger, n).await;
    }
    bad.tell(Order::Take);
    give(&ledger, 4).await;
    let summary = task.finish(SOON).expect("finished");
    assert_eq!((good.numbers(), bad.numbers()), (counted(1..=4), vec![4]));
    assert_eq!((good.seqs(), bad.seqs()), (counted(1..=5), vec![4, 5]));
    assert_eq!(good.faults(), ["bad: lost 3 records"]);
    assert_eq!(bad.faults(), good.faults());
    assert_eq!(summary, Summary { written: 2, lost: 3 });
}

#[test]
fn open_mode_counts_what_the_queue_has_no_room_for() {
    let (sink, attempts) = Scripted::new("sink", Order::Stall);
    let (ledger, task) = start(&[&sink], Mode::Open);
    ledger.record(numbered(0));
    wait(&attempts, 1);
    let given = queue::QUEUE_RECORDS as u64 + 100;
    for n in 1..=given {
        ledger.record(numbered(n));
    }
    assert!(ledger.is_ready());
    assert_eq!(ledger.lost(), 100);
    sink.tell(Order::Take);
    let summary = task.finish(SOON).expect("finished");
    assert_eq!(sink.numbers(), counted(0..=given - 100));
    assert_eq!(sink.faults(), ["sink: lost 100 records"]);
    assert_eq!(sink.seqs(), counted(1..=summary.written));
    assert_eq!(summary.lost, 100);
}

#[tokio::test(start_paused = true)]
async fn open_mode_does_not_let_a_stalled_sink_hold_traffic_up() {
    let (sink, attempts) = Scripted::new("sink", Order::Stall);
    let (ledger, task) = start(&[&sink], Mode::Open);
    ledger.record(numbered(1));
    wait(&attempts, 1);
    ledger.commit(numbered(2)).await.expect("never fails");
    assert!(ledger.is_ready());
    sink.tell(Order::Take);
    task.finish(SOON).expect("finished");
    assert_eq!(sink.numbers(), [1, 2]);
}

#[tokio::test]
async fn a_loss_that_nothing_follows_is_still_written_at_the_end() {
    let (sink, _) = Scripted::new("sink", Order::Fail(0));
    let (ledger, task) = start(&[&sink], Mode::Open);
    give(&ledger, 1).await;
    sink.tell(Order::Take);
    let summary = task.finish(SOON).expect("finished");
    assert_eq!(sink.faults(), ["sink: lost 1 records"]);
    assert_eq!((sink.numbers(), summary.lost), (vec![], 1));
}

#[test]
fn a_ledger_whose_sink_stays_ill_ends_in_time_and_says_what_it_leaves() {
    let (sink, attempts) = Scripted::new("sink", Order::Fail(0));
    let (ledger, task) = start(&[&sink], Mode::Closed);
    ledger.record(numbered(1));
    wait(&attempts, 2);
    ledger.record(numbered(2));
    let error = task.finish(Duration::ZERO).expect_err("unfinished");
    assert_eq!(error.to_string(), "the ledger ended with 2 records unwritten: sink: no space");

    let (sink, attempts) = Scripted::new("sink", Order::Stall);
    let (ledger, task) = start(&[&sink], Mode::Closed);
    ledger.record(numbered(1));
    wait(&attempts, 1);
    let error = task.finish(Duration::ZERO).expect_err("unfinished");
    assert_eq!(error.to_string(), "the ledger ended with 1 records unwritten: a sink has stalled");
    sink.tell(Order::Take);
}

#[tokio::test]
async fn a_sink_that_panics_fails_closed() {
    let (sink, _) = Scripted::new("sink", Order::Panic);
    let (ledger, task) = start(&[&sink], Mode::Closed);
    assert!(matches!(ledger.commit(numbered(1)).await, Err(Error::Refused)));
    assert!(matches!(ledger.commit(numbered(2)).await, Err(Error::Refused)));
    ledger.ready().await;
    assert!(matches!(task.finish(SOON), Err(Error::Thread { .. })));
    ledger.record(numbered(3));
    assert_eq!(ledger.lost(), 2);
}

#[test]
fn numbers_go_on_after_the_highest_of_any_sink() {
    let (old, _) = Scripted::new("old", Order::Take);
    let stamped = Stamped { seq: 41, at: crate::Timestamp::now(), record: numbered(0) };
    old.lock().1.push(stamped);
    let (new, _) = Scripted::new("new", Order::Take);
    let (ledger, task) = start(&[&new, &old], Mode::Closed);
    ledger.record(numbered(1));
    task.finish(SOON).expect("finished");
    assert_eq!((new.seqs(), old.seqs()), (vec![42], vec![41, 42]));
}

#[test]
fn a_ledger_without_sinks_takes_everything() {
    let (ledger, task) = Ledger::start(Vec::new(), Mode::Closed).expect("started");
    ledger.record(numbered(1));
    assert_eq!(task.finish(SOON).expect("finished"), Summary { written: 1, lost: 0 });
}

#[tokio::test]
async fn who_watches_sees_each_record_once_whatever_the_sinks_do() {
    for (mode, order) in [
        (Mode::Closed, Order::Take),
        (Mode::Closed, Order::Fail(1)),
        (Mode::Open, Order::Take),
        (Mode::Open, Order::Fail(0)),
    ] {
        let (sink, attempts) = Scripted::new("sink", order);
        let (see, seen) = channel();
        let watch = move |_, record: &Record| see.send(number(record)).expect("the test listens");
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(sink.clone())];
        let (ledger, task) = Ledger::start_watched(sinks, mode, watch).expect("started");
        (1..=10).for_each(|n| ledger.record(numbered(n)));
        wait(&attempts, 1);
        sink.tell(Order::Take);
        task.finish(SOON).expect("finished");
        // It ends with the ledger, and faults the ledger itself writes are not shown.
        let seen: Vec<u64> = seen.iter().flatten().collect();
        assert_eq!(seen, counted(1..=10), "{mode:?}");
    }
}
