//! Forward one already authorised WebSocket upgrade and relay its frames.
//!
//! For a host that has its own HTTP loop, policy and ledger. It knows RFC 6455 through
//! `capsem-ws-codec` and any byte stream; it refuses to know policy, TLS, records and JSON.
//!
//! ```text
//!  Offer + request ──▶ upgrade(connect) ──▶ Upgrade::Refused(response)        relayed as plain HTTP
//!                                      └──▶ Upgrade::Switched(response, Tunnel)
//!                                                    │ run(client, session)
//!                                                    ▼
//!                       client ◀── original bytes ──▶ upstream,  every message to the Session
//!                                                    │
//!                                                    ▼  Ended: who closed, why, counters
//! ```
//!
//! The bytes of every frame go on as they came: mask, fragmentation, compression and order are
//! untouched. What is read is read from a copy. Our own frames (Close, and what a client is told in
//! place of a message that was refused) are written at frame and message borders, and those sent
//! upstream carry a fresh random mask (RFC 6455 section 5.3).
//!
//! A host that judges messages holds them with [`Session::hold`]: such a message goes on once
//! [`Session::judge`] has said so, or not at all. [`Config::takeover`] sees to it that one can be
//! left out of a compressed stream.
//!
//! # Example
//!
//! Two ends in memory, already past their handshake:
//!
//! ```
//! use capsem_mitm::ws::{tunnel, CloseKind, Config, Ended, Session};
//! use capsem_ws_codec::{Message, Role, handshake::Accepted};
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//!
//! struct Count(usize);
//! impl Session for Count {
//!     fn on_message(&mut self, from: Role, message: &Message<'_>) {
//!         assert_eq!((from, message.payload), (Role::Client, &b"hi"[..]));
//!         self.0 += 1;
//!     }
//!     fn on_end(&mut self, ended: &Ended) {
//!         assert_eq!((self.0, ended.close.kind), (1, CloseKind::Normal));
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let (mut client, a) = tokio::io::duplex(1024);
//! let (b, mut upstream) = tokio::io::duplex(1024);
//! let relay = tokio::spawn(tunnel(a, b, &Accepted::default(), Count(0), &Config::default()));
//! // One masked text frame "hi", then the client just leaves.
//! client.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
//! drop(client);
//! let mut got = Vec::new();
//! upstream.read_to_end(&mut got).await.unwrap();
//! assert_eq!(got, [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
//! drop(upstream);
//! assert_eq!(relay.await.unwrap().to_upstream.messages, 1);
//! # });
//! ```

mod close;
mod config;
mod fill;
mod gate;
mod hooks;
mod interim;
mod pump;
mod session;
mod slice;
mod tunnel;
mod upgrade;

#[cfg(feature = "proxy")]
pub(crate) use self::interim::Interim;
pub use self::{
    close::{Close, CloseKind, Ended, Fault, Side},
    config::{Config, Drain, Takeover},
    gate::Gate,
    session::{Judging, Pause, Refusal, Revoked, Session},
    tunnel::tunnel,
    upgrade::{
        Body, BodyError, BoxIo, Connect, Connected, Io, Tunnel, Upgrade, UpgradeError, upgrade,
    },
};
