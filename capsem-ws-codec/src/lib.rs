//! RFC 6455 handshake, frames and close, and RFC 7692 permessage-deflate: bytes in, values out.
//!
//! ```text
//! http::request::Parts  --read_request-->    Offer
//! http::response::Parts --check_response-->  Accepted { subprotocol, deflate }
//!
//! bytes --Decoder--> Data | Control                     frames, as slices of the bytes
//! bytes --Reader---> Message | Ping | Pong | Close      messages, unmasked, inflated, checked
//!
//! encode_data encode_ping encode_pong encode_close encode_frame --> bytes
//! ```
//!
//! [`Decoder`] is the frame level: it checks heads, order, limits and Close payloads, copies nothing
//! and allocates nothing. [`Reader`] is the message level on top of it: one direction of a
//! connection, joined, inflated and checked as UTF-8, with one bounded copy kept.
//!
//! Both take any split of the input and give the same items and the same [`Error`] for all of them,
//! as soon as the bytes that decide are there. No input makes them panic.
//!
//! The crate refuses to know sockets, clocks, tasks, policy and JSON, and makes no random numbers:
//! a client's masking keys are its caller's.
//!
//! # Features
//!
//! - `deflate` (default): reads permessage-deflate. Without it no offer is forwarded and none agreed.
//! - `tokio-util`: the module `tokio_codec`.

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
