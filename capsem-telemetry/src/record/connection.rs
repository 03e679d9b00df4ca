//! Records of a client's connection: its start and its end. Knows nothing of what went over it.

use serde::{Deserialize, Serialize};

use crate::Id;
use crate::word::words;

/// `opened`: a connection was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The connection.
    pub conn: Id,
    /// The listener that accepted it.
    pub listener: Listener,
    /// The client's address, or its name where the transport has no addresses.
    pub peer: Option<String>,
}

/// `closed`: a connection is over; exactly once per [`Opened`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The connection.
    pub conn: Id,
    /// How many exchanges were decided on it.
    pub exchanges: u64,
    /// Milliseconds since it was accepted.
    pub duration_ms: u64,
}

words! {
    /// How a client came to the proxy.
    pub enum Listener {
        /// As to an explicit proxy: CONNECT or absolute-form requests.
        Proxy = "proxy",
        /// By redirected traffic: TLS by SNI, plain HTTP by Host.
        Transparent = "transparent",
    }
}
