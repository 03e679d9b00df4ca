//! The policy in force, and its replacement while everything runs. Refuses to know where rules come
//! from and what they say.

use capsem_policy::Decide;
use std::{fmt, sync::Arc};
use tokio::sync::watch;

/// The policy of a proxy, shared with whoever may replace it.
///
/// A replacement is whole and at once: whatever is judged from then on, the next message of a
/// running socket included, is judged by the new one. A socket whose upgrade it would block is
/// closed with 1008.
#[derive(Clone)]
pub struct LivePolicy(Arc<watch::Sender<Arc<dyn Decide>>>);

impl LivePolicy {
    /// Begins with this one.
    pub fn new(policy: impl Decide + 'static) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(policy))))
    }

    /// Puts `policy` in force.
    pub fn replace(&self, policy: impl Decide + 'static) {
        self.0.send_replace(Arc::new(policy));
    }

    /// Follows it from here on.
    pub(crate) fn follow(&self) -> Followed {
        Followed(self.0.subscribe())
    }
}

impl fmt::Debug for LivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LivePolicy").finish_non_exhaustive()
    }
}

/// The policy as one exchange sees it.
#[derive(Clone)]
pub(crate) struct Followed(watch::Receiver<Arc<dyn Decide>>);

impl Followed {
    /// The one in force now; what comes after it will be a change.
    pub(crate) fn current(&mut self) -> Arc<dyn Decide> {
        Arc::clone(&self.0.borrow_and_update())
    }

    /// Whether it is no longer the one last seen.
    pub(crate) fn has_changed(&self) -> bool {
        self.0.has_changed().unwrap_or(false)
    }

    /// Resolves when it is no longer the one last seen. Cancel safe.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left to change it.
            std::future::pending::<()>().await;
        }
    }
}
