//! Replays the committed corpus on the stable toolchain, and shows that every difference is one.

use super::*;
use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/against_tungstenite");
    let mut met = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the target has a corpus") {
        let path = entry.expect("the corpus can be listed").path();
        eprintln!("{}", path.display());
        met.extend(against_tungstenite(&fs::read(&path).expect("a seed can be read")));
    }
    assert!(met.into_iter().eq(Difference::ALL), "every difference has a seed");
}

/// Reads a server's bytes.
#[track_caller]
fn check(wire: &[u8], expected: &[Difference]) {
    assert_eq!(against_tungstenite(&[&[1], wire].concat()), expected);
}

#[test]
fn differences() {
    use Difference::{CloseCode1014, CloseCodeReplaced, LengthNotMinimal, WholeFrame};
    check(b"\x81\x05Hello\x89\x00\x88\x02\x03\xe8", &[]);
    check(b"\x83\x00", &[]);
    check(b"\x81\x02a\xff", &[]);
    check(b"\x83", &[WholeFrame]);
    check(b"\x89\x7e\x00", &[WholeFrame]);
    check(b"\x81\x04a\xff", &[WholeFrame]);
    check(b"\x81\x7e\x00\x01a\x81\x01b", &[LengthNotMinimal]);
    check(b"\x81\x7f\0\0\0\0\0\0\0\x01a\x83\x00", &[LengthNotMinimal]);
    check(b"\x89\x7e\x00\x02hi\x83\x00", &[LengthNotMinimal]);
    check(b"\x89\x7e\x00\x7e", &[WholeFrame]);
    check(b"\x88\x02\x03\xed", &[CloseCodeReplaced]);
    check(b"\x88\x02\x03\xf6", &[CloseCode1014]);
    check(b"\x01\x01\xe0\x00\x01\x9f", &[]);
}
