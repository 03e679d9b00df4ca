//! What the proxy refuses to run with, although it is a rule file.

use super::*;

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = parse(text, "p.toml").unwrap_err();
    assert_eq!((error.line(), error.code()), (expected.to_owned(), 2));
}

#[test]
fn what_is_not_enforced() {
    let rule = "version = 1\n[[rule]]\nid = 'a'\n";
    let advice = "is not enforced by this version; remove the rule or the key";
    refused(
        &format!("{rule}action = 'block'\nprocesses = ['codex']"),
        &format!("p.toml:5:1: `processes` {advice}"),
    );
    refused(
        &format!("{rule}action = 'block'\nwhen = 'http.port == 1 || process.name == \"a\"'"),
        &format!("p.toml:5:8: `process.name` {advice}"),
    );
}

#[test]
fn the_rest_is_read() {
    let text = "version = 1\non_uninspectable = 'relay'\n[[rule]]\nid = 'a'\naction = 'block'\n\
                on = ['message']\nmodels = ['m']\nwhen = 'conn.tokens > 1'\n";
    assert_eq!(parse(text, "p.toml").unwrap().rules().len(), 1);
}
