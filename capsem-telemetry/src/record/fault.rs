//! The record of something that broke, and the words for what can. Knows no error type.

use serde::{Deserialize, Serialize};

use crate::Id;
use crate::word::words;

/// `fault`: a rule of the protocol, a limit or a peer broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The connection; null if it concerns none.
    pub conn: Option<Id>,
    /// The exchange; null if none was decided yet.
    pub exchange: Option<Id>,
    /// Whose fault.
    pub side: Side,
    /// What broke.
    pub class: FaultClass,
    /// The particulars, in words, without a secret.
    pub detail: Option<String>,
}

words! {
    /// One of the three parties of an exchange.
    pub enum Side {
        /// Who connected to the proxy.
        Client = "client",
        /// Who the proxy connected to.
        Upstream = "upstream",
        /// The proxy itself.
        Proxy = "proxy",
    }
}

words! {
    /// What can break.
    #[non_exhaustive]
    pub enum FaultClass {
        /// The TLS handshake with the client.
        Tls = "tls",
        /// The TLS handshake with the client took too long.
        TlsTimeout = "tls_timeout",
        /// A request or response head that is malformed or too large.
        Head = "head",
        /// A head that took too long.
        HeadTimeout = "head_timeout",
        /// Body framing that is ambiguous or broken.
        Framing = "framing",
        /// Bytes sent before they were allowed.
        EarlyData = "early_data",
        /// Names of the host that do not agree or are not one.
        Authority = "authority",
        /// An address of a class that may not be reached.
        DestClass = "dest_class",
        /// The name did not resolve.
        Dns = "dns",
        /// The upstream could not be reached.
        Connect = "connect",
        /// Reaching the upstream took too long.
        ConnectTimeout = "connect_timeout",
        /// The TLS handshake with the upstream.
        UpstreamTls = "upstream_tls",
        /// A 101 that does not fit the upgrade.
        Bad101 = "bad_101",
        /// The answer to an upgrade took too long.
        HandshakeTimeout = "handshake_timeout",
        /// A frame masked or unmasked against its direction.
        Mask = "mask",
        /// A reserved bit without an extension that defines it.
        Rsv = "rsv",
        /// A reserved opcode.
        Opcode = "opcode",
        /// A control frame that is fragmented or too long.
        Control = "control",
        /// A payload length that is not minimal or out of range.
        Length = "length",
        /// Fragments out of order.
        Interleave = "interleave",
        /// Text that is not UTF-8.
        Utf8 = "utf8",
        /// A Close frame with a bad code or body.
        CloseCode = "close_code",
        /// A frame over the limit.
        FrameLimit = "frame_limit",
        /// A message over the limit.
        MessageLimit = "message_limit",
        /// A message in too many fragments.
        FragmentLimit = "fragment_limit",
        /// Compressed data that does not inflate.
        Inflate = "inflate",
        /// Compressed data that inflates beyond the limit.
        InflateLimit = "inflate_limit",
        /// A side that stopped in the middle, or takes nothing.
        Stall = "stall",
        /// A connection reset.
        Reset = "reset",
        /// A connection that ended in the middle.
        Eof = "eof",
        /// Too many connections.
        ConnLimit = "conn_limit",
        /// A ledger's sink failed.
        Sink = "sink",
        /// A credential that a request must have cannot be had.
        Credential = "credential",
        /// A message that a rule had to see and could not.
        Uninspectable = "uninspectable",
        /// A rule file that cannot be used; the rules before it stay.
        Policy = "policy",
        /// The proxy's process died with this open; the next one on the same ledger says so.
        Interrupted = "interrupted",
        /// A task of a connection panicked, in the proxy or in a service of its host. That connection
        /// ends, and no other.
        Panic = "panic",
    }
}
