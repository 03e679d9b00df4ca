//! Leaves: how many are kept, how often one is minted, and for how long it serves.

use super::{LEAVES, Leaves, RENEW_BEFORE};
use crate::{authority::Host, tls::ca};
use rustls::ServerConfig;
use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, SystemTime},
};

fn leaves() -> (tempfile::TempDir, Leaves) {
    let folder = tempfile::tempdir().unwrap();
    let ca = ca::Authority::open_or_create(&folder.path().join("ca")).unwrap();
    (folder, Leaves::new(ca))
}

fn host(name: &str) -> Host {
    name.parse().unwrap()
}

#[test]
fn a_name_is_minted_once_however_many_ask() {
    const MANY: usize = 200;
    let (_folder, leaves) = leaves();
    let (barrier, name) = (Barrier::new(MANY), host("many.example"));
    let configs: Vec<Arc<ServerConfig>> = thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            leaves.config(&name).unwrap()
        };
        let asking: Vec<_> = (0..MANY).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(configs.iter().all(|it| Arc::ptr_eq(it, &configs[0])));
}

#[test]
fn the_names_asked_for_last_are_kept_and_no_more() {
    let (_folder, leaves) = leaves();
    let first = leaves.config(&host("first.example")).unwrap();
    let kept = leaves.config(&host("kept.example")).unwrap();
    for number in 0..LEAVES.get() - 1 {
        leaves.config(&host(&format!("n{number}.example"))).unwrap();
        assert!(Arc::ptr_eq(&kept, &leaves.config(&host("kept.example")).unwrap()), "{number}");
    }
    assert_eq!(leaves.kept.lock().unwrap().len(), LEAVES.get());
    assert!(!Arc::ptr_eq(&first, &leaves.config(&host("first.example")).unwrap()));
    assert_eq!(leaves.kept.lock().unwrap().len(), LEAVES.get());
}

#[test]
fn a_leaf_is_renewed_before_it_expires_and_when_the_clock_jumps() {
    let (_folder, leaves) = leaves();
    let (name, now) = (host("clock.example"), SystemTime::now());
    let until = || leaves.kept.lock().unwrap().peek(&name).unwrap().until;
    let moment = Duration::from_secs(1);
    leaves.config_at(&name, now).unwrap();
    let last = until() - RENEW_BEFORE;
    for (time, kept) in [
        (now + moment, true),
        (last - moment, true),
        (last, false),
        (now + Duration::from_hours(24 * 400), false),
        (now - Duration::from_hours(24), false),
    ] {
        leaves.kept.lock().unwrap().clear();
        let before = leaves.config_at(&name, now).unwrap();
        let after = leaves.config_at(&name, time).unwrap();
        assert_eq!(Arc::ptr_eq(&before, &after), kept, "{time:?}");
        assert!(until() > time, "{time:?}");
    }
}
