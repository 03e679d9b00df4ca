//! A long look lets others go on.

use super::aside;
use std::{sync::mpsc, time::Duration};

/// The one worker of the runtime is needed for what the look waits for.
#[test]
fn others_go_on_during_a_long_look() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let (said, heard) = mpsc::channel();
    let look = runtime.spawn(async move {
        tokio::spawn(async move { said.send(()) });
        aside(1 << 20, || heard.recv_timeout(Duration::from_secs(20)))
    });
    assert_eq!(runtime.block_on(look).expect("no panic"), Ok(()));
}

#[test]
fn a_runtime_of_one_thread_reads_where_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(async { aside(1 << 20, || 7) }), 7);
    assert_eq!(aside(1 << 20, || 7), 7);
}
