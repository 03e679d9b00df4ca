//! `redact_body`: what a payload shows.

use crate::redact;

/// Longest copy asked for.
const LIMIT: usize = 4096;

/// Any payload is copied within its limit, and a secret that stands before, beside or behind it is
/// never shown.
pub fn redact_body(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (shown, _) = redact::body(&text, LIMIT);
    assert!(shown.len() <= LIMIT * 6 + 32, "{} bytes shown", shown.len());
    for json in [
        format!(r#"{{"authorization":"S3CRET","x":{text}}}"#),
        format!(r#"{{"headers":{{"a":["S3CRET",{{"b":"S3CRET"}}]}},"x":{text}}}"#),
        format!(r#"{{"domain_secrets":[{{"value":"S3CRET"}}],"x":"{text}"}}"#),
    ] {
        let (shown, _) = redact::body(&json, LIMIT);
        let hidden = !shown.contains("S3CRET") || text.contains("S3CRET");
        assert!(hidden, "{shown}");
    }
}
