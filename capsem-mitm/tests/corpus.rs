//! Replays the committed fuzz corpora on the stable toolchain.

use capsem_mitm::fuzzing;
use std::{fs, path::Path};

#[track_caller]
fn replay(target: &str, body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&corpus).expect("every target has a corpus");
    let mut replayed = 0;
    for entry in entries {
        let path = entry.expect("the corpus can be listed").path();
        eprintln!("{}", path.display());
        body(&fs::read(&path).expect("a seed can be read"));
        replayed += 1;
    }
    assert!(replayed > 0, "{} has seeds", corpus.display());
}

#[test]
fn relay() {
    replay("relay", fuzzing::relay);
}
