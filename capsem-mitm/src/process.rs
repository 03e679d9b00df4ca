//! Which process is behind a connection. Refuses to know how that is found out.

use std::net::SocketAddr;

/// Whoever can tell a client's process by its socket.
pub trait Processes: Send + Sync + 'static {
    /// The name of the process whose socket is at `client` and connected to `proxy`; `None` where it
    /// cannot be told, and then no rule that asks for a name matches.
    ///
    /// Asked once a connection at most, and only where rules ask for the name. It may block.
    fn name(&self, client: SocketAddr, proxy: SocketAddr) -> Option<String>;
}
