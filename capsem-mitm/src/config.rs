//! What a proxy is told before it starts. Refuses to know files and their syntax.

use crate::authority::{Authority, Host};
use capsem_telemetry::Mode;
use http::HeaderName;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// The settings of a [`Proxy`](crate::Proxy).
///
/// ```
/// let mut config = capsem_mitm::config::Config::new("/var/lib/agent/ca");
/// config.listen.proxy = Some(([127, 0, 0, 1], 8080).into());
/// assert_eq!(config.upstream.connect_ports, [80, 443]);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where clients come in. At least one address is needed.
    pub listen: Listen,
    /// The folder of the certificate authority, made if it is not there.
    pub ca_dir: PathBuf,
    /// How servers are reached.
    pub upstream: UpstreamConfig,
    /// The rule file; without one everything is blocked. The program reads it again when it changes
    /// and on SIGHUP. Put a new one in its place with a rename: what is written in pieces is read
    /// once it has not changed for half a second.
    pub policy_file: Option<PathBuf>,
    /// The command that the program asks where a rule says `ask`, and its arguments; none makes it a
    /// block. It gets a [`Question`](crate::Question) as one line of JSON on its stdin, and answers
    /// by its exit code: 0 for allow, 1 for block. At most 32 run at once; more wait for their turn
    /// within `ask_timeout`. A host has [`Asker`](crate::Asker).
    pub asker: Vec<String>,
    /// How long an answer to an `ask` rule is awaited. Default 60 s; none in time is a block.
    pub ask_timeout: Duration,
    /// Credentials that guests have placeholders of.
    pub credentials: Vec<CredentialConfig>,
    /// Where records go.
    pub telemetry: TelemetryConfig,
    /// What one peer can take of us.
    pub limits: Limits,
}

impl Config {
    /// The defaults, without a listener, with the authority of this folder.
    pub fn new(ca_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: Listen::default(),
            ca_dir: ca_dir.into(),
            upstream: UpstreamConfig::default(),
            policy_file: None,
            asker: Vec::new(),
            ask_timeout: Duration::from_mins(1),
            credentials: Vec::new(),
            telemetry: TelemetryConfig::default(),
            limits: Limits::default(),
        }
    }
}

/// Where clients come in.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Listen {
    /// For clients that know of the proxy: CONNECT and absolute-form requests.
    pub proxy: Option<SocketAddr>,
    /// For redirected traffic: TLS by SNI, plain HTTP by Host.
    pub transparent: Option<SocketAddr>,
}

/// How servers are reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamConfig {
    /// PEM files of roots to trust beside the platform's.
    pub extra_roots: Vec<PathBuf>,
    /// Ports that may be dialled. Default 80 and 443: an agent that may reach any port of a host
    /// can speak any protocol to it. An authority in `resolve` is open in any case.
    pub connect_ports: Vec<u16>,
    /// Authorities with a fixed address.
    pub resolve: Vec<Pin>,
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self { extra_roots: Vec::new(), connect_ports: vec![80, 443], resolve: Vec::new() }
    }
}

/// An authority that is dialled at this address, whatever DNS says. The only way to loopback,
/// private and link-local addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The host and port of the request.
    pub authority: Authority,
    /// Where it is.
    pub address: SocketAddr,
}

/// A credential that the guest has a placeholder of. The value is put on allowed requests to its
/// host and on no others; see [`credential`](crate::credential) for the places it may stand in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialConfig {
    /// The host it belongs to.
    pub host: Host,
    /// The only port of that host; every one, if left out.
    pub port: Option<u16>,
    /// The only header it may stand in, beside the query and the subprotocols; any, if left out.
    pub header: Option<HeaderName>,
    /// What the guest sends, with or without `prefix`. It is no secret.
    pub placeholder: String,
    /// What goes before the value where it is a whole header value, such as `Bearer `.
    pub prefix: String,
    /// Where the value is.
    pub value: Value,
}

/// Where a credential's value is read from when the proxy starts. The program reads a file again when it
/// changes and on SIGHUP, as the rule file; one that cannot be read leaves the value before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A variable of the proxy's environment.
    Variable(String),
    /// A file; the ends of its last line are no part of it.
    File(PathBuf),
}

/// Where records go.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TelemetryConfig {
    /// An `SQLite` ledger.
    pub ledger: Option<PathBuf>,
    /// Records as lines of JSON.
    pub jsonl: Option<JsonlTarget>,
    /// A collector that gets a span of each model call, without its content. Best effort in either
    /// mode: what it does not take is dropped and counted, and nothing waits for it. The ledger is
    /// the evidence.
    #[cfg(feature = "otlp")]
    pub otlp: Option<crate::otlp::Endpoint>,
    /// What happens to traffic whose records cannot be taken. Default closed: it stops.
    pub mode: Mode,
    /// Whether the content of model calls and tool uses is recorded, redacted. Default false: it
    /// holds what people and their files say.
    pub capture_bodies: bool,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            ledger: None,
            jsonl: None,
            #[cfg(feature = "otlp")]
            otlp: None,
            mode: Mode::Closed,
            capture_bodies: false,
        }
    }
}

/// Where lines of JSON go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonlTarget {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}

/// What one peer can take of us. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// A request or response head. Default 64 KiB: four times what servers commonly take, as
    /// agents send long tokens and cookies.
    pub head: usize,
    /// The payload of one WebSocket frame. Default 64 MiB: an agent sends a whole turn, with
    /// images, in one frame; nothing of it is held in memory.
    pub frame: u64,
    /// The payload of one WebSocket message as it is on the wire, all its frames together. Default
    /// 256 MiB.
    pub message: u64,
    /// Frames of one message. Default 8192: enough for a sender that cuts a message of 64 MiB into
    /// pieces of 8 KiB, too few for a flood of empty ones.
    pub fragments: u32,
    /// What one compressed message may inflate to. Default 256 MiB. The text is read as it
    /// inflates and not held; this bounds the work.
    pub inflate: u64,
    /// What is copied of one message or body to be read for evidence. Default 10 MiB. Traffic
    /// beyond it goes on, and its evidence says that it is partial.
    pub capture: usize,
    /// Connections of clients at one time. Default 4096, of which each has two sockets: well
    /// within the descriptors a service commonly has; the program takes fewer where it has fewer.
    /// More wait in the kernel's queue.
    pub connections: usize,
    /// The TLS handshake of a client, from its first byte awaited. Default 10 s.
    pub tls_timeout: Duration,
    /// A request head, from its first byte awaited. Default 15 s: time for a slow link, and none
    /// for a client that sends a byte a second to hold a slot.
    pub head_timeout: Duration,
    /// Resolving, connecting and the TLS handshake with a server. Default 10 s, which leaves a
    /// client that waits half a minute time to try again.
    pub connect_timeout: Duration,
    /// The answer to a WebSocket upgrade. Default 30 s: a model endpoint may queue it.
    pub handshake_timeout: Duration,
    /// The beginning of the response to a plain request. Default 10 m, what model clients wait for a
    /// response that is not streamed.
    pub response_timeout: Duration,
    /// A peer that is silent in the middle of a frame, or takes nothing of what it is owed.
    /// Default 60 s. An idle open socket does not stall.
    pub stall_timeout: Duration,
    /// A socket on which neither side sends anything. Default zero, which means no limit: a model
    /// may think for minutes.
    pub idle_timeout: Duration,
    /// From the first Close, end or fault of a socket to its end on both sides. Default 5 s.
    pub close_timeout: Duration,
    /// From the signal to stop to the end of what is still under way. Default 30 s: most model
    /// responses end within it, and service managers commonly wait longer.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let frames = capsem_ws_codec::Limits::default();
        Self {
            head: 64 << 10,
            frame: frames.frame,
            message: frames.message,
            fragments: frames.fragments,
            inflate: frames.inflate,
            capture: frames.capture,
            connections: 4096,
            tls_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_mins(10),
            stall_timeout: Duration::from_mins(1),
            idle_timeout: Duration::ZERO,
            close_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Those that hold for the frames of a WebSocket.
    pub(crate) fn frames(&self) -> capsem_ws_codec::Limits {
        capsem_ws_codec::Limits {
            frame: self.frame,
            message: self.message,
            fragments: self.fragments,
            inflate: self.inflate,
            capture: self.capture,
        }
    }
}
