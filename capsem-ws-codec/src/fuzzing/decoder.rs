//! Target `decoder`: any split of the input reads the same, and the naive reader agrees; of messages
//! and of frames.

use super::{naive, read_cut, read_frames, read_frames_in_place, role};
use crate::{Compression, Decoder, Deflate, Limits, Reader, Role};

/// Bytes looked at: the naive reader is quadratic.
const MOST: usize = 2048;

/// # Panics
///
/// If a promise of [`Reader`] or [`Decoder`] does not hold.
pub fn decoder(data: &[u8]) {
    let Some((&[setup, cut, limit], wire)) = data.split_first_chunk() else { return };
    let wire = &wire[..wire.len().min(MOST)];
    let sender = role(setup);
    let deflate = (setup & 2 != 0).then_some(Deflate {
        client_no_context_takeover: setup & 4 != 0,
        server_no_context_takeover: setup & 4 != 0,
        ..Deflate::default()
    });
    let limits = limits(limit);
    messages(sender, deflate, limits, cut, wire);
    let compression = if setup & 2 == 0 { Compression::Off } else { Compression::PerMessage };
    frames(sender, compression, limits, cut, wire);
}

fn messages(sender: Role, deflate: Option<Deflate>, limits: Limits, cut: u8, wire: &[u8]) {
    let reader = || Reader::new(sender, deflate, limits);

    let whole = read_cut(reader(), wire, || usize::MAX);
    let bytes = read_cut(reader(), wire, || 1);
    let pieces = read_cut(reader(), wire, odd(cut));
    whole.assert_same(&bytes, deflate, "byte by byte");
    whole.assert_same(&pieces, deflate, "odd pieces");
    if let Some(naive) = naive::read(sender, deflate, limits, wire) {
        bytes.assert_same(&naive, deflate, "the naive reader");
    }
}

fn frames(sender: Role, compression: Compression, limits: Limits, cut: u8, wire: &[u8]) {
    let decoder = || Decoder::new(sender, compression, limits);
    let naive = naive::read_frames(sender, compression == Compression::PerMessage, limits, wire);
    assert_eq!(read_frames(decoder(), wire, || usize::MAX), naive);
    assert_eq!(read_frames(decoder(), wire, odd(cut)), naive);
    assert_eq!(read_frames_in_place(decoder(), wire, || usize::MAX), naive);
    assert_eq!(read_frames_in_place(decoder(), wire, odd(cut)), naive);
}

/// Lengths of pieces, below 61.
fn odd(cut: u8) -> impl FnMut() -> usize {
    let mut step = usize::from(cut);
    move || {
        step = (step * 31 + 7) % 61;
        step
    }
}

/// Small limits, so that they are met.
fn limits(pick: u8) -> Limits {
    let or = |bit: u8, small, large| if pick & bit == 0 { large } else { small };
    Limits {
        frame: or(1, 64, 1 << 20),
        message: or(2, 100, 1 << 20),
        fragments: if pick & 4 == 0 { 8192 } else { 3 },
        inflate: or(8, 80, 1 << 17),
        capture: if pick & 16 == 0 { 1 << 20 } else { 10 },
    }
}
