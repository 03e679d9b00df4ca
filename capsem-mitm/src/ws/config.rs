//! What bounds a tunnel: limits, deadlines and the signal to drain.

use capsem_ws_codec::Limits;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Limits and deadlines of one upgrade and its tunnel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Bytes per frame, message, fragment count, inflated output and captured copy.
    pub limits: Limits,
    /// From the request sent upstream to the end of its response head. Default 30 s: a model
    /// endpoint may queue an upgrade, but a client gives up on its own well before that.
    pub handshake_timeout: Duration,
    /// For one side that is silent in the middle of a frame, or that does not take the bytes it is
    /// owed. Default 60 s. An idle open socket is not stalled.
    pub stall_timeout: Duration,
    /// For a socket on which neither side sends anything; zero means none, the default: a model may
    /// think for minutes.
    pub idle_timeout: Duration,
    /// From the first Close, end or fault to the end of both connections. Default 5 s.
    pub close_timeout: Duration,
    /// From the drain signal to a frame border at which Close 1001 can be written. Default 30 s.
    pub drain_timeout: Duration,
    /// Whether the ends may compress a message by referring to the ones before it.
    pub takeover: Takeover,
    /// Tells the tunnel to finish: Close 1001 to both sides.
    pub drain: Drain,
}

/// Context takeover of permessage-deflate (RFC 7692 section 7.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Takeover {
    /// As the ends agree.
    #[default]
    Agreed,
    /// None: the offer asks the server to do without, the 101 tells the client to. A compressed
    /// message can be refused then without the end of the socket.
    Off,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_mins(1),
            idle_timeout: Duration::ZERO,
            close_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
            takeover: Takeover::default(),
            drain: Drain::default(),
        }
    }
}

/// A signal, given once and seen by every clone: finish what is under way and begin nothing new.
#[derive(Clone, Debug, Default)]
pub struct Drain(CancellationToken);

impl Drain {
    /// Gives the signal. Doing it again changes nothing.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether the signal was given.
    pub fn begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves once the signal is given. Cancel safe.
    pub async fn wait(&self) {
        self.0.cancelled().await;
    }
}
