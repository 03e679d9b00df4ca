//! A proxy in this process, a scripted upstream behind it and a raw client before it.

mod client;
mod frames;
mod names;
pub(crate) mod relay;
mod rig;
mod socket;
mod table;
mod upstream;
mod way;

pub(crate) use self::{
    client::{Client, Path, upgrade},
    frames::{Ear, Heard, Voice, frame},
    names::Names,
    rig::{Front, HOST, Rig, check_whole, only},
    socket::{NO_PRO, NO_SHELL, OFFER, Socket, create, json_of, rules},
    table::{NEXT, UPGRADE, table},
    upstream::{Connection, Upstream, header},
    way::Way,
};

use std::{future::Future, time::Duration};

/// What no single wait of a test may exceed; a test that gets there has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The future's output, or a panic that says what was waited for.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
