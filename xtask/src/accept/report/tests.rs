//! Rows of the document, with the words a client might say.

use std::time::Duration;

use super::{FOLLOWS, Fallback, Measured, WORDS, fs, paths, row};

#[track_caller]
fn check(words: &str, exit: Option<i32>, fallback: Fallback, want: &str) {
    let took = Duration::from_millis(1240);
    let measured = Measured { words: words.into(), took, exit, upgrades: 7, posts: 1, fallback };
    assert_eq!(row("Close 1008", &measured), want);
}

#[test]
fn a_row_is_one_line_of_a_table_whatever_a_client_says() {
    check("no", Some(1), Fallback::None, "| Close 1008 | `no` | 1.2 | 1 | 7 | 1 | no |");
    check(
        "a|b `c`",
        None,
        Fallback::Passed,
        "| Close 1008 | `a\\|b 'c'` | 1.2 | still running | 7 | 1 | yes, no rule against it |",
    );
    check(
        &"é".repeat(WORDS + 1),
        Some(0),
        Fallback::Refused,
        &format!(
            "| Close 1008 | `{}` .. | 1.2 | 0 | 7 | 1 | yes, refused by the same rule |",
            "é".repeat(WORDS)
        ),
    );
}

#[test]
fn the_document_says_what_follows_from_it() {
    let document = fs::read_to_string(paths::root().join("docs/clients.md")).unwrap();
    assert!(document.ends_with(FOLLOWS), "`cargo xtask accept --answers` writes it anew");
}
