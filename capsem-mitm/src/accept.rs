//! Takes a slot, then a socket: past the limit connections wait in the kernel's queue.

use crate::{
    connection::{self, Door},
    proxy::Context,
    record::Visit,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// How long accepting pauses when the system is out of descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Accepts until the drain begins; the listener is closed then.
pub(crate) async fn accept(
    cx: Arc<Context>,
    door: Door,
    listener: TcpListener,
    slots: Arc<Semaphore>,
) {
    let drain = cx.ws.drain.clone();
    loop {
        let (slot, stream, peer) = tokio::select! {
            accepted = next(&listener, &slots) => accepted,
            () = drain.wait() => return,
        };
        cx.spawn(welcome(Arc::clone(&cx), door, stream, peer, slot));
    }
}

async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (slot, stream, peer),
            Err(error) => {
                tracing::warn!(%error, "cannot accept; trying again");
                sleep(BACK_OFF).await;
            }
        }
    }
}

/// `peer` is who was accepted: a socket that was reset since would not say.
async fn welcome(
    cx: Arc<Context>,
    door: Door,
    stream: TcpStream,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
) {
    // Without it a small frame would wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let visit = Visit::open(&cx, door, peer, stream.local_addr().ok(), slot);
    let _watch = visit.watch();
    connection::serve(cx, visit, door, Box::new(stream)).await;
}
