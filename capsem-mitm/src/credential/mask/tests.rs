//! Values are found however they are spelt, and nothing else is.

use super::*;

#[track_caller]
fn check(text: &str, expected: Option<&str>) {
    let mut masks = Masks::default();
    let secrets = [("sk-s3cr3t/1", "one"), ("100%41xyz", "two"), ("eighteen?letters-l", "three")];
    for (secret, shown) in secrets {
        masks.add(&Credential::new(shown, Secret::new(secret).unwrap()), shown);
    }
    assert_eq!(masks.text(text).as_deref(), expected, "{text}");
}

#[test]
fn values_are_hidden_in_every_spelling() {
    check("", None);
    check("sk-s3cr3t/", None);
    check("sk-s3cr3t/1", Some("one"));
    check("a sk-s3cr3t/1, sk-s3cr3t/1b", Some("a one, oneb"));
    check("/cb?key=sk-s3cr3t%2F1&x", Some("/cb?key=one&x"));
    check("%73%6b%2d%733cr3t%2f1", Some("one"));
    check("sk-sk-s3cr3t/1", Some("sk-one"));
    check("100%41xyz 100%2541xyz", Some("two two"));
    check("100Axyz", None);
    check("sk-s3cr3t/1100%41xyz", Some("onetwo"));
}

#[test]
fn a_text_may_end_within_a_value() {
    check("an eighteen?le", None);
    check("an eighteen?let", Some("an three"));
    check("an eighteen?let ", None);
    check("an eighteen%3Flette", Some("an three"));
    check("an eighteen?lette%", Some("an three"));
    check("an eighteen?lette%7", Some("an three"));
    check("an eighteen?lette%72 ", None);
    check("eighteen?letters-l eighteen?letters-", Some("three three"));
}

#[test]
fn no_debug_shows_a_value() {
    let mut masks = Masks::default();
    masks.add(&Credential::new("a-name", Secret::new("s3cr3t-value").unwrap()), "p");
    assert_eq!(format!("{masks:?}"), "Masks([\"a-name\"])");
}

#[test]
fn a_value_is_long_enough_and_fit_for_a_header() {
    for bad in ["", "short-1", "has\nline-end", "has\0nothing"] {
        assert!(
            matches!(Secret::new(bad), Err(crate::credential::Unresolved::Unusable)),
            "{bad:?}"
        );
    }
}
