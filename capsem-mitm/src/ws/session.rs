//! What a host hears of one tunnel, and what it says to it.

use super::{close::Ended, gate::Gate};
use capsem_ws_codec::{Message, Role};
use std::{future::Future, pin::Pin};

/// What a host hears of one tunnel. Calls are synchronous and come in wire order per direction.
pub trait Session: Send + 'static {
    /// Bytes came; the messages that end in them come next. For who notes when a message came: a
    /// look at the clock for each would cost more than many a message.
    fn on_read(&mut self) {}

    /// A whole message was read. Its payload is unmasked and inflated, and at most
    /// [`Limits::capture`](capsem_ws_codec::Limits) bytes long. It goes on whatever this does; one
    /// longer than 128 KiB that was not held has gone on already.
    fn on_message(&mut self, from: Role, message: &Message<'_>) {
        let _ = (from, message);
    }

    /// How many bytes of the next message of `from` [`on_message`](Self::on_message) looks at, at most,
    /// where it is not held. Asked before each message; what nobody looks at need not be unmasked.
    fn reads(&mut self, from: Role) -> usize {
        let _ = from;
        usize::MAX
    }

    /// Whether the next message of `from` is held until it is judged, and how many bytes of it,
    /// uncompressed, at most. Asked before each message, so that new rules hold for the next one;
    /// it must be quick. Without it messages flow as they come.
    fn hold(&mut self, from: Role) -> Option<usize> {
        let _ = from;
        None
    }

    /// Judges a message that was held whole. One that goes on comes to
    /// [`on_message`](Self::on_message) next, one that does not to [`on_refused`](Self::on_refused).
    fn judge(&mut self, from: Role, message: &Message<'_>) -> Gate {
        let _ = (from, message);
        Gate::Forward
    }

    /// Judges a message that is longer than may be held, or than `capture`: `so_far` bytes of it
    /// came. [`Gate::Forward`] lets it flow; it cannot wait.
    fn unjudged(&mut self, from: Role, so_far: u64) -> Gate {
        let _ = (from, so_far);
        Gate::Close(Refusal::default())
    }

    /// A whole message goes no further.
    fn on_refused(&mut self, from: Role, message: &Message<'_>, refusal: &Refusal) {
        let _ = (from, message, refusal);
    }

    /// Asked before each read. `Some` holds the tunnel until the future resolves: a host whose
    /// ledger cannot take more uses it to stop the traffic instead of losing a record.
    fn pause(&mut self) -> Option<Pause> {
        None
    }

    /// Asked once, as the tunnel begins: a wait that resolves when the tunnel may not go on, as when
    /// the rule that allowed it is gone. Both sides are told at a frame border then: the client
    /// 1008, upstream 1001.
    fn revoked(&mut self) -> Option<Revoked> {
        None
    }

    /// The tunnel ended; called exactly once, also when its future is dropped.
    fn on_end(&mut self, ended: &Ended);
}

/// A wait that [`Session::pause`] asks for.
pub type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wait that [`Session::revoked`] asks for.
pub type Revoked = Pin<Box<dyn Future<Output = Refusal> + Send>>;

/// A verdict that is awaited, of [`Gate::Wait`].
pub type Judging = Pin<Box<dyn Future<Output = Gate> + Send>>;

/// Why a host ends a tunnel, or refuses a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// One word for the client, the reason of its Close: the rule. At most 123 bytes are sent.
    pub word: String,
    /// What happened, for [`Close::reason`](super::Close::reason).
    pub reason: String,
}
