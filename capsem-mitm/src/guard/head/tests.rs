//! A head's syntax as a table, and the work it takes to find its end.

use super::{EMPTY_LINES, FIELDS, Framing, Search, check};
use crate::answer::Refusal;
use http::Request;
use std::fmt::Write as _;

const LIMIT: usize = 64 * 1024;

/// What is made of a head that comes whole.
fn read(head: &str) -> Result<Framing, Refusal> {
    let end = Search::default().end(head.as_bytes(), LIMIT)?.expect("a whole head");
    check(&head.as_bytes()[..end])
}

#[test]
fn what_follows_a_head() {
    for (head, framing) in [
        ("GET / HTTP/1.1\r\n\r\n", Framing::None),
        ("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Framing::None),
        ("GET / HTTP/1.1\r\nContent-Length:\t 7 \t\r\n\r\n", Framing::Length(7)),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\n\r\n", Framing::Chunked),
        ("CONNECT h:443 HTTP/1.1\r\n\r\n", Framing::Switch),
        ("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", Framing::None),
        ("GET / HTTP/1.1\r\nUpgrade: h2c, websocket\r\n\r\n", Framing::None),
        ("GET / HTTP/1.1\r\nUpgrade: h2c\r\nUpgrade: foo\r\n\r\n", Framing::None),
    ] {
        assert_eq!(read(head), Ok(framing), "{head:?}");
    }
}

/// The service reads an upgrade by RFC 6455; where it sees one, the guard must have seen it too, or
/// early bytes would not be held.
#[test]
fn every_spelling_of_an_upgrade_is_one() {
    for value in
        ["websocket", "WebSocket", "websocket,", ",websocket", " , websocket ,\t,", "\twebsocket "]
    {
        let request = Request::get("/")
            .header("connection", "upgrade")
            .header("upgrade", value.trim())
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let parts = request.body(()).unwrap().into_parts().0;
        assert!(capsem_ws_codec::handshake::read_request(&parts).unwrap().is_some(), "{value:?}");
        let head = format!("GET / HTTP/1.1\r\nUpgrade: {value}\r\n\r\n");
        assert_eq!(read(&head), Ok(Framing::Switch), "{value:?}");
    }
}

#[test]
fn characters_that_no_head_has() {
    for head in [
        "GET / HTTP/1.1\r\nX: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nX: \ra\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\x0c\r\n\r\n",
        "GET / HTTP/1.1\r\nX: \x0b\r\n\r\n",
        "GET / HTTP/1.1\r\nX: \x7f\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\x0c\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\x0c\r\n\r\n",
        "GET / HTTP/1.1\r\nX\r: a\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\x0b\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\n\r\n",
        "GET /<a> HTTP/1.1\r\n\r\n",
        "GET http:///a HTTP/1.1\r\n\r\n",
        "GET http://[::1/a HTTP/1.1\r\n\r\n",
        "G\tT / HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1 \r\n\r\n",
        " GET /a HTTP/1.1\r\n\r\n",
    ] {
        let refusal = read(head).expect_err(head);
        assert_eq!(refusal.status, 400, "{head:?}: {}", refusal.reason);
    }
}

#[test]
fn a_head_of_too_many_lines_is_refused_before_its_end() {
    let mut head = "GET / HTTP/1.1\r\n".to_owned();
    for n in 0..FIELDS {
        write!(head, "X: {n}\r\n").unwrap();
    }
    assert_eq!(read(&format!("{head}\r\n")), Ok(Framing::None));
    let refusal = Search::default().end(format!("{head}Y: z\r\n").as_bytes(), LIMIT).unwrap_err();
    assert_eq!(refusal.status, 431);

    let mut search = Search::default();
    assert!((0..EMPTY_LINES).all(|_| search.skip().is_ok()));
    assert_eq!(search.skip().unwrap_err().status, 400);
}

/// A head of 20 MB, in pieces of some size. What was looked at is overwritten with what no head may
/// have, so that a second look would end in another refusal than the limit's.
#[track_caller]
fn once(piece: usize) {
    let line = b"GET / HTTP/1.1\r\n";
    let mut raw = line.to_vec();
    let mut search = Search::default();
    assert_eq!(search.end(&raw, LIMIT), Ok(None));
    let mut pieces = 0;
    let refusal = loop {
        raw.extend(std::iter::repeat_n(b'x', piece));
        pieces += 1;
        match search.end(&raw, LIMIT) {
            Ok(None) => raw[line.len()..].fill(b'\n'),
            Ok(Some(_)) => panic!("an end where there is none"),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal, Refusal::head_limit(LIMIT), "in pieces of {piece}");
    assert_eq!(pieces, (LIMIT + 1 - line.len()).div_ceil(piece), "in pieces of {piece}");
}

#[test]
fn no_byte_is_looked_at_twice_and_none_beyond_the_limit() {
    once(1);
    once(4096);
    once(20_000_000);
}
