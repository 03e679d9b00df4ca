//! As many connections as there are descriptors for: whoever is let in can be served to the end.
//!
//! Past its limit of descriptors a program still lets clients in, one for each that is freed, and
//! then has none to dial with. Refuses to know what connections are for.

use crate::config::Limits;
use rustix::process::{Resource, getrlimit, setrlimit};

/// For the listeners, the ledger and its journal, the runtime, look-ups of names and askers.
const OURS: u64 = 64;
/// A client's socket and its upstream's.
const EACH: u64 = 2;

/// Raises the limit a user may go beyond to the one he may not. What cannot be raised stays.
pub(crate) fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of descriptors stays");
    }
}

/// Takes no more connections at a time than this process has descriptors for, and says so: loudly
/// where somebody asked for more.
pub(crate) fn fit(limits: &mut Limits) {
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return };
    let room = room(descriptors);
    let wanted = limits.connections;
    if room < wanted {
        limits.connections = room;
        let words =
            format!("limits.connections is {wanted}, {descriptors} descriptors take {room}");
        if wanted == Limits::default().connections {
            tracing::info!("{words}");
        } else {
            tracing::warn!("{words}");
        }
    }
}

/// At least one, as a proxy without any is none.
fn room(descriptors: u64) -> usize {
    let room = descriptors.saturating_sub(OURS) / EACH;
    usize::try_from(room).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests;
