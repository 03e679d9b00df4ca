//! What the two pumps of a tunnel share: the host's session, when bytes last came, and frames of our
//! own for the client.

use super::{
    gate::Gate,
    session::{Refusal, Session},
};
use capsem_ws_codec::{Message, Role};
use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// The hooks as the two pumps of one task share them. The lock is never contended.
pub(super) struct Hooks<'a> {
    session: &'a Mutex<dyn Session>,
    touched: Mutex<Instant>,
    /// Frames of our own for the client, to be written between its messages; none once it is told no
    /// more.
    asides: Mutex<Option<Vec<u8>>>,
    /// One was added.
    added: Notify,
    /// They were taken.
    taken: Notify,
}

/// What is to become of a direction's next message.
pub(super) struct Next {
    /// It is to be held.
    pub(super) held: bool,
    /// Bytes of it that are looked at, at most, if it is not.
    pub(super) reads: usize,
}

impl Next {
    fn of(session: &mut dyn Session, from: Role) -> Self {
        Self { held: session.hold(from).is_some(), reads: session.reads(from) }
    }
}

/// Bytes of frames of our own that may wait for the client before more is read from it.
const ASIDES: usize = 64 * 1024;

impl<'a> Hooks<'a> {
    pub(super) fn of(session: &'a Mutex<dyn Session>) -> Self {
        Self {
            session,
            touched: Mutex::new(Instant::now()),
            asides: Mutex::new(Some(Vec::new())),
            added: Notify::new(),
            taken: Notify::new(),
        }
    }

    /// Shows a message that goes on, and asks what is to become of the next one.
    pub(super) fn message(&self, from: Role, message: &Message<'_>) -> Next {
        let mut session = lock(self.session);
        session.on_message(from, message);
        Next::of(&mut *session, from)
    }

    /// Asks what is to become of the next message.
    pub(super) fn next(&self, from: Role) -> Next {
        Next::of(&mut *lock(self.session), from)
    }

    pub(super) fn hold(&self, from: Role) -> Option<usize> {
        lock(self.session).hold(from)
    }

    pub(super) fn judge(&self, from: Role, message: &Message<'_>) -> Gate {
        lock(self.session).judge(from, message)
    }

    pub(super) fn unjudged(&self, from: Role, so_far: u64) -> Gate {
        lock(self.session).unjudged(from, so_far)
    }

    pub(super) fn refused(&self, from: Role, message: &Message<'_>, refusal: &Refusal) {
        lock(self.session).on_refused(from, message, refusal);
    }

    /// Adds a frame for the client.
    pub(super) fn tell_client(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        if let Some(asides) = &mut *lock(&self.asides) {
            encode(asides);
            self.added.notify_one();
        }
    }

    /// Resolves when there are frames for the client. Cancel safe.
    pub(super) async fn asides(&self) {
        while lock(&self.asides).as_ref().is_none_or(Vec::is_empty) {
            self.added.notified().await;
        }
    }

    pub(super) fn take_asides(&self) -> Vec<u8> {
        self.taken.notify_one();
        lock(&self.asides).as_mut().map(mem::take).unwrap_or_default()
    }

    /// The client is told nothing any more between messages, and nobody waits for that.
    pub(super) fn hush(&self) {
        *lock(&self.asides) = None;
        self.taken.notify_one();
    }

    /// Resolves when there is room for more frames for the client. Cancel safe.
    pub(super) async fn room(&self) {
        while lock(&self.asides).as_ref().is_some_and(|asides| asides.len() > ASIDES) {
            self.taken.notified().await;
        }
    }

    pub(super) async fn pause(&self) {
        let pause = lock(self.session).pause();
        if let Some(pause) = pause {
            pause.await;
        }
    }

    /// Resolves when the host ends the tunnel. To be called once.
    pub(super) async fn revoked(&self) -> Refusal {
        let revoked = lock(self.session).revoked();
        match revoked {
            Some(revoked) => revoked.await,
            None => std::future::pending().await,
        }
    }

    /// Bytes came: the socket is not idle.
    pub(super) fn touch(&self) {
        *lock(&self.touched) = Instant::now();
        lock(self.session).on_read();
    }

    /// Resolves when nothing came for `limit`; never, when it is zero.
    pub(super) async fn idle(&self, limit: Duration) {
        if limit.is_zero() {
            return std::future::pending().await;
        }
        loop {
            let until = *lock(&self.touched) + limit;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// A panic in a hook ends its own tunnel; what it left behind is still reported.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
