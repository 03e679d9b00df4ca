//! Interim responses (RFC 9110 section 15.2) an upstream may send before its answer: few.

use http::Request;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::Notify;

/// Interim responses to one request. Servers send one or two; each costs a head to read.
const INTERIM_RESPONSES: u32 = 8;

/// Counts the interim responses to a request on its way.
pub(crate) struct Interim(Arc<Notify>);

impl Interim {
    /// To be called before the request is sent.
    pub(crate) fn count<B>(request: &mut Request<B>) -> Self {
        let too_many = Arc::new(Notify::new());
        let (tell, count) = (Arc::clone(&too_many), AtomicU32::new(0));
        hyper::ext::on_informational(request, move |_| {
            if count.fetch_add(1, Ordering::Relaxed) == INTERIM_RESPONSES {
                tell.notify_one();
            }
        });
        Self(too_many)
    }

    /// Resolves when there was one more than a server may send.
    pub(crate) async fn too_many(&self) {
        self.0.notified().await;
    }
}
