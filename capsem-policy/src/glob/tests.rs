//! Names with stars. The oracle of the matcher beneath is beside paths.

use super::*;

#[track_caller]
fn check(pattern: &str, case: Case, name: &str, expected: bool) {
    let parsed = NameGlob::parse(pattern, case).unwrap();
    assert_eq!(parsed.matches(name), expected, "{pattern} and {name}");
}

#[test]
fn names() {
    check("gpt-5-pro*", Case::Folded, "gpt-5-pro", true);
    check("gpt-5-pro*", Case::Folded, "GPT-5-Pro-2026", true);
    check("gpt-5-pro*", Case::Folded, "gpt-5", false);
    check("*pro*", Case::Folded, "gpt-5-pro-2026", true);
    check("models/*/live", Case::Exact, "models/a/b/live", true);
    check("shell", Case::Exact, "Shell", false);
    check("*", Case::Exact, "", true);
    check("é*", Case::Exact, "éa", true);
}

#[test]
fn patterns_that_cannot_match() {
    for text in ["", "a\nb", &"a".repeat(257)] {
        assert_eq!(NameGlob::parse(text, Case::Exact), None, "{text:?}");
    }
}
