//! An inspecting TLS proxy for AI-agent traffic that reads WebSockets without touching their bytes.
//!
//! ```text
//!  client ──▶ accept ▶ detect, TLS ▶ request ▶ policy ▶ dial ▶ 101 ▶ frames ▶ close ▶ records
//!                                        │        │               (or plain HTTP and SSE)
//!                                     refused   denied   … answered, recorded, nothing dialled
//! ```
//!
//! Two levels:
//!
//! * [`ws`]: forward one *already authorised* upgrade and relay its frames, for a host that has its
//!   own HTTP loop, policy engine and ledger. Needs no feature and no TLS library.
//! * `Proxy` (feature `proxy`): the whole thing: listeners, certificate authority, policy, dialling,
//!   HTTP and SSE, records, drain. The `capsem-mitm` program (feature `cli`) is a thin shell on it.
//!
//! The crate knows sockets and order. It refuses to know rule syntax (`capsem-policy`) and the JSON
//! of a provider (`capsem-telemetry`).

pub mod credential;
pub mod ws;

#[cfg(feature = "proxy")]
mod accept;
#[cfg(feature = "proxy")]
mod answer;
#[cfg(feature = "proxy")]
mod ask;
#[cfg(feature = "proxy")]
mod authority;
#[cfg(feature = "proxy")]
pub mod config;
#[cfg(feature = "proxy")]
mod connection;
#[cfg(feature = "proxy")]
mod decide;
#[cfg(feature = "proxy")]
mod detect;
#[cfg(feature = "proxy")]
mod exchange;
#[cfg(feature = "proxy")]
mod file_type;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "proxy")]
mod guard;
#[cfg(feature = "proxy")]
mod http;
#[cfg(feature = "proxy")]
mod judge;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(feature = "proxy")]
mod process;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(feature = "proxy")]
mod record;
#[cfg(feature = "proxy")]
mod request;
#[cfg(feature = "proxy")]
mod rules;
#[cfg(feature = "proxy")]
mod tap;
#[cfg(feature = "proxy")]
pub mod tls;
#[cfg(feature = "proxy")]
mod upstream;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

#[cfg(feature = "proxy")]
pub use self::{
    ask::{Asker, Asking, MessageFacts, Question},
    authority::{Authority, Host, HostError},
    process::Processes,
    proxy::{Addresses, Proxy, ProxyError, Services},
    rules::LivePolicy,
    upstream::{Resolve, Resolving, SystemResolver},
};
