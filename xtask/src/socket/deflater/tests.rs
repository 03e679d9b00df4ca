//! Windows: how far back a compressed message reaches.

use capsem_ws_codec::{Deflate, Role};

use super::Deflater;

/// Whether a repetition `distance` bytes back is found with a window of so many bits.
fn finds(bits: u8, distance: usize) -> bool {
    let agreed = Deflate { client_max_window_bits: bits, ..Deflate::default() };
    let mut deflater = Deflater::new(Role::Client, agreed).expect("a window the library has");
    let squeezed = deflater.message(&without_order(distance).repeat(2)).expect("compressed");
    squeezed.len() < distance * 3 / 2
}

/// Bytes in which nothing repeats.
fn without_order(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..len).map(next).collect()
}

#[test]
fn a_window_is_kept_to() {
    for bits in 9..15 {
        let beyond = (1 << bits) + 1;
        assert!(!finds(bits, beyond), "{bits} bits reach {beyond} bytes back");
        assert!(
            finds(bits + 1, beyond),
            "{bits} bits and one more do not reach {beyond} bytes back"
        );
    }
}

#[test]
fn a_window_the_library_lacks_is_refused() {
    let agreed = Deflate { server_max_window_bits: 8, ..Deflate::default() };
    assert!(Deflater::new(Role::Server, agreed).is_err());
    assert!(Deflater::new(Role::Client, agreed).is_ok());
}
