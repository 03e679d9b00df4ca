//! The built proxy on real sockets, between raw clients and scripted upstreams.
//!
//! Bytes are written and compared as bytes: no client or server library stands between the test and
//! the wire but TLS itself.
#![cfg(feature = "proxy")]

mod support;

mod answers;
mod ask;
mod authorities;
mod bodies;
#[cfg(feature = "cli")]
mod canaries;
mod credentials;
mod deadlines;
#[cfg(feature = "cli")]
mod drain;
mod ends;
mod evidence;
mod handshakes;
mod heads;
mod hellos;
mod holding;
mod http;
mod inside;
#[cfg(feature = "cli")]
mod loading;
mod mcp;
#[cfg(all(feature = "cli", feature = "otlp"))]
mod otlp;
mod panics;
#[cfg(feature = "cli")]
mod program;
mod refusing;
mod reload;
#[cfg(feature = "cli")]
mod rereading;
mod sessions;
#[cfg(feature = "cli")]
mod sinks;
mod slashes;
mod smuggling;
mod tunnel;
mod upgrade;
