//! Hostile and ordinary JSON through the lenient reader.

use super::*;

#[track_caller]
fn members(text: &str, whole: bool, expected: &[(&str, &str)]) {
    let mut seen = Vec::new();
    let complete = Raw::new(text).members(|key, value| seen.push((key.to_owned(), value.0)));
    let seen: Vec<_> = seen.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    assert_eq!(seen, expected, "{text}");
    assert_eq!(complete, whole, "{text}");
}

#[test]
fn members_of_objects() {
    members("{}", true, &[]);
    members(r#" { "a" : 1 , "b":[ {"c":2} ] } "#, true, &[("a", "1"), ("b", r#"[ {"c":2} ]"#)]);
    members(r#"{"a":1,"a":2}"#, true, &[("a", "1"), ("a", "2")]);
    members(r#"{"\u0061":1}"#, true, &[("a", "1")]);
    members(r#"{"\ud800":1}"#, true, &[("\u{fffd}\u{fffd}\u{fffd}", "1")]);
    members(r#"{"a":"\ud800","b":1e999}"#, true, &[("a", r#""\ud800""#), ("b", "1e999")]);
}

#[test]
fn what_breaks_off_is_seen_up_to_the_break() {
    members(r#"{"a":1,"b":"x"#, false, &[("a", "1")]);
    members(r#"{"a":1,}"#, false, &[("a", "1")]);
    members(r#"{"a":1} x"#, false, &[("a", "1")]);
    members(r#"{"a":1}{"b":2}"#, false, &[("a", "1")]);
    members("[1]", false, &[]);
    members("", false, &[]);
    members("\"text\"", false, &[]);
}

#[test]
fn nesting_costs_no_stack() {
    let depth = 500_000;
    let deep = format!("{{\"a\":{}{},\"b\":7}}", "[".repeat(depth), "]".repeat(depth));
    let mut b = None;
    assert!(Raw::new(&deep).members(|key, value| {
        if key == "b" {
            b = value.count();
        }
    }));
    assert_eq!(b, Some(7));
}

#[test]
fn counts() {
    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(Raw::new(text).count(), expected, "{text}");
    }
    check("0", Some(0));
    check("18446744073709551615", Some(u64::MAX));
    check("12.0", Some(12));
    check("1e3", Some(1000));
    check("1.5", None);
    check("-1", None);
    check("1e300", None);
    check("99999999999999999999999999", None);
    check("\"7\"", None);
    check("null", None);
}

#[test]
fn strings() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Raw::new(text).text().as_deref(), expected, "{text}");
    }
    check(r#""plain""#, Some("plain"));
    check(r#""a\n\u00e9\ud83d\ude00""#, Some("a\né😀"));
    check(r#""x\udc00y""#, Some("x\u{fffd}\u{fffd}\u{fffd}y"));
    check("7", None);
    check("{}", None);
    check("[1,2]", None);
    check("null", None);
    let long = format!("\"{}\"", "é".repeat(MAX_TEXT));
    check(&long, Some(&"é".repeat(MAX_TEXT / 2)));
}

#[test]
fn the_leading_type() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(leading_type(text.as_bytes()), expected, "{text}");
    }
    check(r#"{"type":"error"}"#, Some("error"));
    check(" {\n \"type\" : \"a.b\" , \"x\":", Some("a.b"));
    check(r#"{"type":"a\u0062"}"#, None);
    check(r#"{"type":7}"#, None);
    check(r#"{"type":"unfinished"#, None);
    check(r#"{"x":1,"type":"a"}"#, None);
    check("", None);
    check(&format!("{{\"type\":\"{}\"}}", "a".repeat(5000)), None);
}

#[test]
fn a_cut_character_is_left_out() {
    assert_eq!(text_prefix("aé".as_bytes()), "aé");
    assert_eq!(text_prefix(&"aé".as_bytes()[..2]), "a");
    assert_eq!(text_prefix(b"\xff"), "");
}

#[test]
fn a_very_long_string_is_read_up_to_a_limit() {
    for letter in ["x", "\\u00e9", "\\ud83d\\ude00", "é"] {
        let json = format!("\"{}\"", letter.repeat(20_000));
        let text = Raw::new(&json).text().expect("a string");
        assert!(text.len() > MAX_TEXT - 4 && text.len() <= MAX_TEXT, "{letter}: {}", text.len());
        let one: String = string(&format!("\"{letter}\"")).expect("a letter").into_owned();
        assert!(text.replace(&one, "").is_empty(), "{letter}");
    }
}
