//! Names to addresses: a seam for hosts and tests, and the operating system behind it. Refuses to
//! know which addresses may be reached.

use std::{
    future::Future,
    io,
    net::{IpAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::Arc,
    thread,
};
use tokio::sync::{Semaphore, oneshot};

/// Looks names up. Called only after policy has allowed the request, once per connection made, and
/// not waited for longer than `connect_timeout`.
pub trait Resolve: Send + Sync + 'static {
    /// Every address of `host`, a canonical DNS name.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// The future of [`Resolve::resolve`].
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Lookups of the operating system at one time. Each has a thread, which nothing can stop while a
/// name server is silent; others wait for their turn.
const LOOKUPS: usize = 64;

/// A lookup that blocks its thread.
type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The operating system's resolver: what the host itself resolves, by the same files and servers.
#[derive(Clone)]
pub struct SystemResolver {
    slots: Arc<Semaphore>,
    lookup: Arc<Lookup>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::with(by_system)
    }
}

impl SystemResolver {
    fn with(lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self { slots: Arc::new(Semaphore::new(LOOKUPS)), lookup: Arc::new(lookup) }
    }

    async fn look_up(&self, host: String) -> io::Result<Vec<IpAddr>> {
        let slots = Arc::clone(&self.slots);
        let slot = slots.acquire_owned().await.map_err(io::Error::other)?;
        let (tell, found) = oneshot::channel();
        let lookup = Arc::clone(&self.lookup);
        // Not of the runtime's own threads, whose end a runtime waits for. The slot is free when the
        // thread is gone, not when nobody waits for it any more.
        thread::Builder::new().name("lookup".to_owned()).spawn(move || {
            let _slot = slot;
            let _ = tell.send(lookup(&host));
        })?;
        found.await.map_err(io::Error::other)?
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(self.look_up(host.to_owned()))
    }
}

fn by_system(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests;
