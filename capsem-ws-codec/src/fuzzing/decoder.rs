//! Target `decoder`: any split of the input reads the same, and the naive reader agrees.

use super::{naive, read_cut, role};
use crate::{Deflate, Limits, Reader};

/// Bytes looked at: the naive reader is quadratic.
const MOST: usize = 2048;

/// # Panics
///
/// If a promise of [`Reader`] does not hold.
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
    let reader = || Reader::new(sender, deflate, limits);

    let whole = read_cut(reader(), wire, || usize::MAX);
    let bytes = read_cut(reader(), wire, || 1);
    let mut step = usize::from(cut);
    let pieces = read_cut(reader(), wire, || {
        step = (step * 31 + 7) % 61;
        step
    });
    whole.assert_same(&bytes, deflate);
    whole.assert_same(&pieces, deflate);
    if let Some(naive) = naive::read(sender, deflate, limits, wire) {
        bytes.assert_same(&naive, deflate);
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
