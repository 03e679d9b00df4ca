//! What is measured: the cases of the contract, each in its shapes.

use crate::ends::{MODEL, PLAIN, Purpose};
use crate::script::{Coding, Script, Turn, answers, asks, exchange};

/// A shape of a case.
pub struct Case {
    /// The name of the contract.
    pub name: &'static str,
    /// What tells it from other shapes of that case.
    pub shape: &'static str,
    /// What is done.
    pub kind: Kind,
}

/// What is done in a case.
#[derive(Clone, Copy)]
pub enum Kind {
    /// One socket, as fast as it goes.
    Stream {
        /// What is said.
        script: fn() -> Script,
        /// What the CPU time is divided by.
        per: Per,
        /// Whether the script is a session: each turn a model response that must be recorded, and
        /// once they are through, another socket.
        responses: bool,
    },
    /// So many sockets, at most 64 of them busy at once.
    Echo(usize),
    /// One socket, one message in flight, everything on one CPU.
    Latency,
    /// Sockets that are opened and closed, some at once.
    Handshakes,
    /// Sockets that have nothing more to say than this.
    Idle {
        /// Whether permessage-deflate is agreed on.
        deflate: bool,
        /// What was said before.
        said: Option<fn() -> Script>,
    },
}

/// What the CPU time of a stream is divided by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// GiB of payload.
    Gib,
    /// A million messages.
    MillionMessages,
}

const KIB: usize = 1024;
/// A small message, such as a token or a tick.
const SMALL: usize = 128;

/// Every shape of every case.
pub fn all() -> Vec<Case> {
    let stream = |name, shape, script, per| {
        let responses = matches!(name, "bulk_responses" | "bulk_deflate");
        Case { name, shape, kind: Kind::Stream { script, per, responses } }
    };
    let idle = |shape, deflate, said| Case {
        name: "idle_memory",
        shape,
        kind: Kind::Idle { deflate, said },
    };
    let case = |name, shape, kind| Case { name, shape, kind };
    vec![
        stream("bulk_to_client", "16 KiB", || Script::binary_to_client(16 * KIB), Per::Gib),
        stream("bulk_to_client", "256 KiB", || Script::binary_to_client(256 * KIB), Per::Gib),
        stream("bulk_to_upstream", "16 KiB", || Script::binary_to_upstream(16 * KIB), Per::Gib),
        stream("bulk_to_upstream", "256 KiB", || Script::binary_to_upstream(256 * KIB), Per::Gib),
        stream("bulk_responses", "deltas of 256 B", || plain(answers, 256), Per::Gib),
        stream("bulk_responses", "deltas of 16 KiB", || plain(answers, 16 * KIB), Per::Gib),
        stream("bulk_responses", "deltas of 256 KiB", || plain(answers, 256 * KIB), Per::Gib),
        stream("bulk_responses", "requests of 16 KiB", || plain(asks, 16 * KIB), Per::Gib),
        stream("bulk_responses", "requests of 256 KiB", || plain(asks, 256 * KIB), Per::Gib),
        stream("bulk_deflate", "deltas of 256 B", || squeezed(answers, 256), Per::Gib),
        stream("bulk_deflate", "deltas of 16 KiB", || squeezed(answers, 16 * KIB), Per::Gib),
        stream("bulk_deflate", "requests of 16 KiB", || squeezed(asks, 16 * KIB), Per::Gib),
        stream(
            "stream_small",
            "128 B to client",
            || Script::text_to_client(SMALL),
            Per::MillionMessages,
        ),
        stream(
            "stream_small",
            "128 B to upstream",
            || Script::text_to_upstream(SMALL),
            Per::MillionMessages,
        ),
        case("echo_small", "64 sockets", Kind::Echo(64)),
        case("echo_small", "one in flight, one CPU", Kind::Latency),
        case("many_connections", "1 socket", Kind::Echo(1)),
        case("many_connections", "64 sockets", Kind::Echo(64)),
        case("many_connections", "1000 sockets", Kind::Echo(1000)),
        case("many_connections", "5000 sockets", Kind::Echo(5000)),
        case("handshakes", "open and close", Kind::Handshakes),
        idle("fresh", false, None),
        idle("after 64 KiB messages", false, Some(|| Script::echo(64 * KIB))),
        idle("deflate agreed on, not used", true, Some(|| Script::echo(SMALL))),
        idle("deflate used both ways", true, Some(compressed)),
    ]
}

impl Case {
    /// What is said in it.
    pub fn script(&self) -> Script {
        match self.kind {
            Kind::Stream { script, .. } | Kind::Idle { said: Some(script), .. } => script(),
            Kind::Echo(_) | Kind::Latency => Script::echo(SMALL),
            Kind::Handshakes | Kind::Idle { said: None, .. } => Script::new(vec![]),
        }
    }

    /// What a socket of this case is opened for.
    pub fn purpose(&self) -> Purpose {
        const BULK: usize = 256 * KIB;
        const FEW: usize = 2 * KIB;
        let plain = Purpose { host: PLAIN, path: "/", deflate: false, room: FEW };
        let model = Purpose { host: MODEL, path: "/v1/responses", ..plain };
        match self.kind {
            Kind::Stream { responses: true, .. } => {
                Purpose { room: BULK, deflate: self.name == "bulk_deflate", ..model }
            }
            Kind::Stream { .. } => Purpose { room: BULK, ..plain },
            Kind::Idle { deflate, .. } => Purpose { deflate, ..model },
            Kind::Handshakes => model,
            Kind::Echo(_) | Kind::Latency => plain,
        }
    }

    /// `CASE, SHAPE`.
    pub fn title(&self) -> String {
        format!("{}, {}", self.name, self.shape)
    }
}

fn plain(turns: fn(usize, Coding) -> Vec<Turn>, size: usize) -> Script {
    Script::new(turns(size, Coding::Plain))
}

fn squeezed(turns: fn(usize, Coding) -> Vec<Turn>, size: usize) -> Script {
    Script::new(turns(size, Coding::Deflate))
}

/// A compressed turn in which both sides say some KiB.
fn compressed() -> Script {
    Script::new(exchange(Coding::Deflate))
}
