//! RFC 6455 handshake, frames and close, and RFC 7692 permessage-deflate: bytes in, values out.
//!
//! ```text
//! what a server sends          Decoder: frames              Reader: messages
//!
//! 81 05 Hello                  Data Text fin                Message "Hello"
//! 01 03 Hel                    Data Text
//! 89 01 ?                      Control Ping                 Ping "?"
//! 80 02 lo                     Data Continuation fin        Message "Hello", 2 fragments
//! c1 07 f248cdc9c90700         Data Text fin rsv1           Message "Hello", compressed
//! 88 02 03e8                   Control Close                Close 1000
//!
//! encode_data, encode_ping, encode_pong, encode_close, encode_frame: the other way
//! handshake: request head -> Offer; Offer, response head -> Accepted { subprotocol, deflate }
//! ```
//!
//! Each value reads one direction, what one [`Role`] sends; a connection has two.
//!
//! # Which level to take
//!
//! | level | takes | gives | for |
//! |---|---|---|---|
//! | [`handshake`] | heads, parsed already | an [`Offer`](handshake::Offer), then what was [`Accepted`](handshake::Accepted) | whoever opens or answers an upgrade, or stands between |
//! | [`FrameHead`] | the first bytes of a frame | the head | a tool that does its own buffering and keeps its own order |
//! | [`Decoder`] | any piece of the stream | frames: [`Data`] and [`Control`] | a relay, a dumper: what needs fragments as they are, and to copy and allocate nothing |
//! | [`Reader`] | any piece of the stream | whole messages: [`Item`] | an end of a connection, an inspector: what needs to know what was said |
//!
//! With the feature `tokio-util` there is also `tokio_codec::MessageCodec`, a [`Reader`] and the
//! encoder under `tokio_util::codec::Framed`.
//!
//! # What holds
//!
//! - Any split of the input gives the same values, and the same [`Error`], as soon as the bytes that
//!   decide are there. An error says which rule, with its numbers, and
//!   [its Close code](Error::close_code).
//! - What a peer can make grow has a limit of its own in [`Limits`]. No buffer is sized by a length
//!   that was only declared.
//! - No input makes a reader panic. There is no `unsafe` in this crate.
//! - A [`Decoder`] never allocates. A [`Reader`] that has read for a while allocates neither per frame
//!   nor per message of up to 64 KiB; the buffer of a longer one is given back.
//!
//! The picture again, cut where it hurts:
//!
//! ```
//! use capsem_ws_codec::{CloseCode, Deflate, Item, Limits, Reader, Role};
//!
//! let wire = b"\x81\x05Hello\x01\x03Hel\x89\x01?\x80\x02lo\
//!     \xc1\x07\xf2\x48\xcd\xc9\xc9\x07\0\x88\x02\x03\xe8";
//! let mut reader = Reader::new(Role::Server, Some(Deflate::default()), Limits::default());
//! let (mut messages, mut pings, mut close) = (Vec::new(), 0, None);
//! for mut piece in wire.chunks(2) {
//!     while let Some(item) = reader.read(&mut piece)? {
//!         match item {
//!             Item::Message(message) => {
//!                 assert_eq!(message.payload, b"Hello");
//!                 messages.push((message.fragments, message.compressed));
//!             }
//!             Item::Ping(payload) => pings += payload.len(),
//!             Item::Pong(_) => {}
//!             Item::Close(frame) => close = frame.code,
//!         }
//!     }
//! }
//! assert_eq!(messages, [(1, false), (2, false), (1, true)]);
//! assert_eq!((pings, close), (1, Some(CloseCode::NORMAL)));
//! # Ok::<(), capsem_ws_codec::Error>(())
//! ```
//!
//! The crate refuses to know sockets, clocks, tasks, policy and JSON, and makes no random numbers:
//! a client's masking keys and the nonce of its handshake are its caller's. It compresses nothing;
//! [`encode_frame`] sends what its caller compressed.
//!
//! # Features
//!
//! - `deflate` (default): reads permessage-deflate, with flate2 on zlib-rs. Without it no offer is
//!   forwarded and none agreed.
//! - `tokio-util`: the module `tokio_codec`. The only feature that reaches tokio, and of that the
//!   I/O traits and channels, no runtime and no socket.

mod assembly;
mod close;
mod control;
mod decoder;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "deflate/absent.rs"]
mod deflate;
mod encoder;
mod error;
mod event;
mod extension;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod handshake;
mod head;
mod limits;
mod mask;
mod message;
mod opcode;
mod role;
mod sequence;
#[cfg(feature = "tokio-util")]
pub mod tokio_codec;
mod utf8;

pub use close::{CloseCode, CloseFrame};
pub use control::Control;
pub use decoder::Decoder;
pub use encoder::{encode_close, encode_data, encode_frame, encode_ping, encode_pong};
pub use error::Error;
pub use event::{Data, Event};
pub use extension::Deflate;
pub use head::{Compression, FrameHead};
pub use limits::Limits;
pub use mask::Mask;
pub use message::{Counters, Item, Message, Reader};
pub use opcode::Opcode;
pub use role::Role;
pub use utf8::Utf8;

/// The README's examples, which must hold too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
