//! The upstream connection a client's connection keeps for its next request to the same authority.
//!
//! One at most, never shared between clients, and never one that carried an upgrade.

use super::body::RequestBody;
use crate::{authority::Authority, decide::Permit, request::Scheme};
use hyper::client::conn::http1::SendRequest;
use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

/// Where the kept connection waits.
#[derive(Default)]
pub(crate) struct Lane(Mutex<Option<Kept>>);

/// An HTTP/1 connection to one authority.
pub(super) struct Kept {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) address: SocketAddr,
    pub(super) authority: Authority,
    pub(super) scheme: Scheme,
}

impl Lane {
    /// The kept connection, if it leads where the permit does.
    pub(super) fn take(&self, permit: &Permit) -> Option<Kept> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let same = kept.authority == *permit.authority() && kept.scheme == permit.scheme();
        Some(kept).filter(|_| same)
    }

    pub(super) fn keep(&self, kept: Kept) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}
