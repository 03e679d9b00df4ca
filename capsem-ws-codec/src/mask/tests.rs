//! Masking against the formula of RFC 6455 section 5.3.

use super::*;
use crate::fuzzing::Cut;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn by_formula(data: &[u8], phase: usize) -> Vec<u8> {
    data.iter().enumerate().map(|(at, byte)| byte ^ KEY[(at + phase) % 4]).collect()
}

#[test]
fn every_length_and_phase() {
    let step = if cfg!(miri) { 7 } else { 1 };
    let long = [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5].into_iter().step_by(step);
    for len in (0..=100).step_by(step).chain([WIDE]).chain(long) {
        let data: Vec<u8> =
            (0..=255u8).map(|byte| byte.wrapping_mul(7)).cycle().take(len).collect();
        for phase in (0..6).step_by(if cfg!(miri) { 3 } else { 1 }) {
            let mask = Mask::new(KEY, phase as u64);
            let expected = by_formula(&data, phase);

            let mut in_place = data.clone();
            mask.apply(&mut in_place);
            assert_eq!(in_place, expected, "{len} bytes in place at {phase}");

            let mut appended = b"before".to_vec();
            mask.append(&data, &mut appended);
            assert_eq!(appended, [b"before", &expected[..]].concat(), "{len} bytes at {phase}");
        }
    }
}

#[test]
fn pieces_make_the_whole() {
    let data: Vec<u8> = (0..97).collect();
    for cut in Cut::all(data.len()) {
        let mut mask = Mask::new(KEY, 0);
        let mut joined = Vec::new();
        for piece in cut.pieces(&data) {
            mask.append(piece, &mut joined);
            mask = mask.after(piece.len() as u64);
        }
        assert_eq!(joined, by_formula(&data, 0), "{cut:?}");
    }
}

#[test]
fn phase_wraps_without_overflow() {
    assert_eq!(Mask::new(KEY, u64::MAX), Mask::new(KEY, 3));
    assert_eq!(Mask::new(KEY, 3).after(u64::MAX), Mask::new(KEY, 2));
}
