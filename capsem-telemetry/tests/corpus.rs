//! Replays the committed fuzz corpora on the stable toolchain.

use std::{fs, path::Path};

use capsem_telemetry::fuzzing;

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
fn responses() {
    replay("evidence_responses", fuzzing::responses);
}

#[test]
fn realtime() {
    replay("evidence_realtime", fuzzing::realtime);
}

#[test]
fn live_sessions() {
    replay("evidence_live_sessions", fuzzing::live_sessions);
}

#[test]
fn gemini_live() {
    replay("evidence_gemini_live", fuzzing::gemini_live);
}

#[test]
fn mcp() {
    replay("evidence_mcp", fuzzing::mcp);
}

#[test]
fn unknown() {
    replay("evidence_unknown", fuzzing::unknown);
}

#[test]
fn exchange() {
    replay("evidence_http", fuzzing::exchange);
}

#[test]
fn redact_body() {
    replay("redact_body", fuzzing::redact_body);
}
