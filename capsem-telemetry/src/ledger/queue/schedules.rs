//! Models of the queue: givers and the writer as threads, in every order shuttle can think of. The
//! bounds are a few records here. A lost wake-up is a deadlock, which shuttle reports.
//!
//! Shuttle's waits never time out, so every wait must end by a bell.

use std::time::Duration;

use shuttle::future::block_on;
use shuttle::sync::{Arc, Mutex};
use shuttle::{check_random, thread};
use tokio::sync::oneshot;

use super::{Admission, Queue};
use crate::ledger::Mode;
use crate::{Closed, Id, Record};

/// Orders tried of each model.
const ORDERS: usize = 10_000;
const GIVERS: u64 = 3;
const EACH: u64 = 4;

/// The record `number` of a giver.
fn record(giver: u64, number: u64) -> Record {
    Record::Closed(Closed { conn: Id::fresh(), exchanges: giver, duration_ms: number })
}

/// Takes until the queue is finished; what it took, giver and number.
fn write(queue: &Queue, mut deal_with: impl FnMut(&Queue)) -> Vec<(u64, u64)> {
    let mut taken = Vec::new();
    loop {
        let work = queue.take();
        if work.batch.is_empty() {
            queue.close();
            return taken;
        }
        deal_with(queue);
        queue.settle(0, None);
        for entry in work.batch {
            if let Record::Closed(closed) = entry.record {
                taken.push((closed.exchanges, closed.duration_ms));
            }
            if let Some(told) = entry.taken {
                let _ = told.send(()); // who asked may have gone
            }
        }
    }
}

/// Each giver's records came, each once, in order.
#[track_caller]
fn check(taken: &[(u64, u64)]) {
    for giver in 0..GIVERS {
        let numbers = taken.iter().filter(|(it, _)| *it == giver).map(|(_, number)| *number);
        assert!(numbers.eq(0..EACH), "{giver}: {taken:?}");
    }
    assert_eq!(taken.len() as u64, GIVERS * EACH);
}

/// Runs the givers to their end, then the queue, and looks at what was written.
fn run(give: fn(&Queue, u64), deal_with: fn(&Queue)) {
    check_random(
        move || {
            let queue = Arc::new(Queue::new(Mode::Closed));
            let writer = Arc::clone(&queue);
            let writer = thread::spawn(move || write(&writer, deal_with));
            let givers = (0..GIVERS).map(|giver| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || give(&queue, giver))
            });
            givers.collect::<Vec<_>>().into_iter().for_each(|it| it.join().unwrap());
            queue.finish();
            check(&writer.join().unwrap());
            assert!(queue.is_ready());
        },
        ORDERS,
    );
}

#[test]
fn what_is_given_is_taken_once_and_in_order() {
    run(
        |queue, giver| (0..EACH).for_each(|number| queue.push(record(giver, number), None)),
        |_| {},
    );
}

#[test]
fn who_waits_for_a_record_is_told() {
    run(
        |queue, giver| {
            for number in 0..EACH {
                let (told, taken) = oneshot::channel();
                queue.push(record(giver, number), Some(told));
                block_on(taken).expect("it was taken");
            }
        },
        |_| {},
    );
}

#[test]
fn who_waits_for_room_gets_it_also_after_a_failure() {
    run(
        |queue, giver| {
            for number in 0..EACH {
                block_on(queue.ready());
                // Awaited, as what nobody waits for may lie until the end of a pause.
                let (told, taken) = oneshot::channel();
                queue.push(record(giver, number), Some(told));
                block_on(taken).expect("it was taken");
            }
        },
        |queue| assert!(queue.wait_to_retry(Duration::ZERO, "no room")),
    );
}

#[test]
fn who_asks_to_begin_is_let_in_or_refused_and_never_forgotten() {
    check_random(
        || {
            let queue = Arc::new(Queue::new(Mode::Closed));
            let granted = Arc::new(Mutex::new(0));
            let writer = Arc::clone(&queue);
            let writer = thread::spawn(move || {
                write(&writer, |queue| assert!(queue.wait_to_retry(Duration::ZERO, "no room")))
            });
            let givers = (0..GIVERS).map(|giver| {
                let (queue, granted) = (Arc::clone(&queue), Arc::clone(&granted));
                thread::spawn(move || {
                    for number in 0..EACH {
                        if block_on(queue.admitted()) == Admission::Granted {
                            *granted.lock().unwrap() += 1;
                            let (told, taken) = oneshot::channel();
                            queue.push(record(giver, number), Some(told));
                            block_on(taken).expect("it was taken");
                        }
                    }
                })
            });
            givers.collect::<Vec<_>>().into_iter().for_each(|it| it.join().unwrap());
            queue.finish();
            assert_eq!(writer.join().unwrap().len(), *granted.lock().unwrap());
            assert_eq!(block_on(queue.admitted()), Admission::Refused);
        },
        ORDERS,
    );
}
