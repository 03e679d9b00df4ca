//! Arrays whole and cut at every byte.

use super::*;

fn split(body: &[&[u8]], limit: usize) -> (Vec<(String, bool)>, bool) {
    let mut elements = Elements::new(limit);
    let mut seen = Vec::new();
    for piece in body {
        elements.push(piece, |it| {
            seen.push((String::from_utf8_lossy(it.json).into_owned(), it.truncated));
        });
    }
    (seen, elements.ended())
}

#[track_caller]
fn check(body: &str, wanted: &[&str], ended: bool) {
    let wanted: Vec<_> = wanted.iter().map(|json| ((*json).to_owned(), false)).collect();
    for cut in 0..=body.len() {
        let (start, rest) = body.as_bytes().split_at(cut);
        assert_eq!(split(&[start, rest], 1000), (wanted.clone(), ended), "cut at {cut}");
    }
}

#[test]
fn elements_come_one_by_one() {
    check("[{\"a\":1},\r\n{\"b\":[{}]}\r\n]", &["{\"a\":1}", "{\"b\":[{}]}"], true);
    check(r#"[{"a":"}]\"\\"},[1]]"#, &[r#"{"a":"}]\"\\"}"#, "[1]"], true);
    check("[]", &[], true);
    check("[{\"a\":1},{\"b\"", &["{\"a\":1}"], false);
    check("[1,\"x]\",{}]", &["{}"], true);
    check("", &[], false);
}

#[test]
fn a_long_element_is_cut_and_says_so() {
    let (seen, ended) = split(&[br#"[{"a":"xxxxxxxxxxxxxxx"},{"b":1}]"#], 8);
    assert_eq!(seen, [(r#"{"a":"xx"#.to_owned(), true), (r#"{"b":1}"#.to_owned(), false)]);
    assert!(ended);
}
