//! What is a reference, and what is not.

use super::*;

const REF: &str =
    "credential:blake3:0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

#[test]
fn the_form_of_a_reference() {
    assert!(is_reference(REF));
    for text in ["", "credential:blake3:", &REF[..81], &format!("{REF}0"), &REF.replace('9', "g")] {
        assert!(!is_reference(text), "{text}");
    }
}
