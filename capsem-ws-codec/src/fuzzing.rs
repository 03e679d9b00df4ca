//! The bodies of the fuzz targets. Each takes any bytes and panics if a promise does not hold.
//!
//! Called by the targets and by the test that replays their corpora. Not part of the public API.

mod cuts;
mod decoder;
mod extension;
mod frames;
mod handshake;
mod head;
mod inflate;
pub mod naive;
mod transcript;

pub use cuts::Cut;
pub use decoder::decoder;
pub use extension::extension;
pub use frames::{Frame, FrameTranscript, read_frames, read_frames_in_place};
pub use handshake::handshake;
pub use head::head;
pub use inflate::inflate;
pub use transcript::{Seen, Transcript, read_cut};

use crate::Role;

/// The sender a bit of the input picks.
fn role(bit: u8) -> Role {
    if bit & 1 == 0 { Role::Client } else { Role::Server }
}
