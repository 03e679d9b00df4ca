//! Event streams, whole and cut at every byte.

use super::*;

fn run(pieces: &[&[u8]], limit: usize) -> Vec<(String, bool, u64)> {
    let mut splitter = Splitter::new(limit);
    let mut seen = Vec::new();
    let mut take = |event: Event<'_>| {
        seen.push((String::from_utf8_lossy(event.data).into_owned(), event.truncated, event.len));
    };
    for piece in pieces {
        splitter.push(piece, &mut take);
    }
    splitter.finish(&mut take);
    seen
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    let body = body.as_bytes();
    let whole = run(&[body], 1024);
    let data: Vec<_> = whole.iter().map(|(data, ..)| data.as_str()).collect();
    assert_eq!(data, expected);
    assert!(whole.iter().all(|(_, truncated, _)| !truncated));
    for cut in 0..=body.len() {
        let (head, tail) = body.split_at(cut);
        assert_eq!(run(&[head, tail], 1024), whole, "cut at {cut}");
    }
    let bytes: Vec<_> = body.chunks(1).collect();
    assert_eq!(run(&bytes, 1024), whole, "byte by byte");
}

#[test]
fn events() {
    check("", &[]);
    check("data: a\n\n", &["a"]);
    check("data:a\n\ndata:  b\n\n", &["a", " b"]);
    check("event: x\nid: 1\nretry: 5\ndata: a\n\n", &["a"]);
    check(": comment\n\n:\n\ndata: a\n\n", &["a"]);
    check("data: a\ndata: b\n\n", &["a\nb"]);
    check("data\n\n", &[""]);
    check("data\ndata\n\n", &["\n"]);
    check("event: x\n\n", &[]);
    check("datax: a\ndata : b\n\n", &[]);
    check("\u{feff}data: a\n\n", &["a"]);
}

#[track_caller]
fn check_foreign(body: &str, expected: bool) {
    for size in [1, usize::MAX] {
        let mut splitter = Splitter::new(1024);
        body.as_bytes().chunks(size.min(body.len())).for_each(|piece| splitter.push(piece, |_| ()));
        assert_eq!(splitter.has_foreign_lines(), expected, "{body:?}");
    }
}

#[test]
fn lines_that_are_no_part_of_an_event() {
    check_foreign("event: x\nid\nretry: 5\n: a\tcomment\ndata: {}\n\ndata\n\n:\n\n", false);
    check_foreign("\u{feff}event: x\r\n\r\n\u{feff}event\r\r", false);
    // Data is for others to judge.
    check_foreign("data: a\u{b}data: b\n\n", false);
    check_foreign("{\"a\":1}\n", true);
    check_foreign("data: {}\n\ndatax: a\n", true);
    check_foreign("Event: x\n", true);
    check_foreign(": a\u{b}data: b\n", true);
    check_foreign("event: a\u{85}data: b\n", true);
    check_foreign("id: a\u{2028}data: b\n", true);
}

#[test]
fn every_line_ending() {
    check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
    check("data: a\r\rdata: b\r\r", &["a", "b"]);
    check("data: a\r\n\ndata: b\n\r\n", &["a", "b"]);
}

#[test]
fn a_body_may_end_without_its_blank_line() {
    check("data: a\n", &["a"]);
    check("data: a\n\ndata: b", &["a", "b"]);
}

#[test]
fn an_event_over_the_limit_is_cut_and_says_so() {
    let body = b"data: abcdefghijklmnopqrstuvwxyz\n\ndata: ok\n\n";
    for size in [1, 3, 7, 64] {
        let pieces: Vec<_> = body.chunks(size).collect();
        let seen = run(&pieces, 10);
        assert_eq!(seen.len(), 2, "pieces of {size}");
        assert!(seen[0].1 && "abcdefghij".starts_with(&seen[0].0), "{seen:?}");
        assert_eq!((seen[1].0.as_str(), seen[1].1), ("ok", false));
        assert_eq!(seen[0].2 + seen[1].2, body.len() as u64);
    }
}

#[test]
fn lengths_add_up_to_the_body() {
    let body = b": hi\n\ndata: a\n\n: ping\n\ndata: b\r\n\r\n";
    let seen = run(&[body], 1024);
    // The line feed of the last CRLF comes after the event it ends.
    assert_eq!(seen.iter().map(|event| event.2).sum::<u64>(), body.len() as u64 - 1);
}

#[test]
fn many_short_lines_stay_within_the_limit() {
    let mut splitter = Splitter::new(100);
    for _ in 0..10_000 {
        splitter.push(b"data: x\ndata\n", |_| ());
    }
    assert!(splitter.data.is_some_and(|data| data.capacity() <= 256));
}
