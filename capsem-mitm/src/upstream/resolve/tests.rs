//! The operating system's resolver with a name server that says nothing.

use super::{LOOKUPS, Resolve as _, SystemResolver};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};

/// Lookups that have begun, and whether they may end.
#[derive(Default)]
struct Server {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Server {
    /// Answers once it may.
    fn answer(&self) -> IpAddr {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |(_, may_end)| !*may_end).unwrap());
        Ipv4Addr::new(1, 1, 1, 1).into()
    }

    fn asked(&self) -> usize {
        self.state.lock().unwrap().0
    }

    fn wake(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_lookups_that_hang_take_few_threads_and_end_in_time() {
    let server = Arc::new(Server::default());
    let answers = Arc::clone(&server);
    let resolver = SystemResolver::with(move |_| Ok(vec![answers.answer()]));
    let mut lookups = JoinSet::new();
    for n in 0..1000 {
        let resolver = resolver.clone();
        lookups.spawn(async move {
            let name = format!("{n}.example");
            timeout(Duration::from_secs(10), resolver.resolve(&name)).await
        });
    }
    while let Some(lookup) = lookups.join_next().await {
        assert!(lookup.unwrap().is_err(), "the deadline ends it");
    }
    let begun = server.state.lock().unwrap();
    drop(server.changed.wait_while(begun, |(begun, _)| *begun < LOOKUPS).unwrap());
    // Nobody waits for them any more, and they still count.
    assert!(timeout(Duration::from_secs(10), resolver.resolve("a.example")).await.is_err());
    assert_eq!(server.asked(), LOOKUPS);

    server.wake();
    let found = resolver.resolve("b.example").await.unwrap();
    assert_eq!(found, [Ipv4Addr::new(1, 1, 1, 1)]);
    assert_eq!(server.asked(), LOOKUPS + 1);
}

#[tokio::test]
async fn the_system_knows_its_own_name_for_loopback() {
    let found = SystemResolver::default().resolve("localhost").await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
}

#[tokio::test]
async fn a_lookup_that_panics_is_an_error() {
    let resolver = SystemResolver::with(|_| panic!("a lookup"));
    resolver.resolve("a.example").await.unwrap_err();
}
