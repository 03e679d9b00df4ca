//! Table of request heads: one change each to a good one.

use super::*;
use http::Request;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn good() -> Request<()> {
    Request::get("/chat")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY)
        .body(())
        .expect("well formed")
}

fn read(change: impl FnOnce(&mut Request<()>)) -> Result<Option<Offer>, HandshakeError> {
    let mut request = good();
    change(&mut request);
    read_request(&request.into_parts().0)
}

/// Puts `lines` in place of the header's own.
#[track_caller]
fn check(name: &'static str, lines: &[&str], expected: Result<bool, HandshakeError>) {
    let read = read(|request| {
        request.headers_mut().remove(name);
        for line in lines {
            let value = HeaderValue::from_bytes(line.as_bytes()).expect("a header value");
            request.headers_mut().append(name, value);
        }
    });
    assert_eq!(read.map(|offer| offer.is_some()), expected, "{name}: {lines:?}");
}

#[test]
fn method_and_version() {
    assert!(matches!(read(|_| ()), Ok(Some(_))));
    let read_method = |method| read(|request| *request.method_mut() = method).map(|_| ());
    assert_eq!(read_method(Method::POST), Err(HandshakeError::Method));
    assert_eq!(read_method(Method::CONNECT), Err(HandshakeError::Method));
    for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_2, Version::HTTP_3] {
        let read = read(|request| *request.version_mut() = version);
        assert_eq!(read.map(|_| ()), Err(HandshakeError::HttpVersion), "{version:?}");
    }
}

#[test]
fn what_is_an_upgrade_of_ours() {
    for lines in [&["websocket"][..], &["WebSocket"], &[" websocket ,"]] {
        check("upgrade", lines, Ok(true));
    }
    for lines in [
        &[][..],
        &[""],
        &["h2c"],
        &["h2c, websocket"],
        &["websocket", "h2c"],
        &["websocket, websocket"],
        &["foo"],
        &["websocket/13"],
        &["wébsocket"],
    ] {
        check("upgrade", lines, Ok(false));
    }
    // What is not an upgrade is not judged as one.
    let post = read(|request| {
        *request.method_mut() = Method::POST;
        request.headers_mut().remove("upgrade");
    });
    assert!(matches!(post, Ok(None)));
}

#[test]
fn connection() {
    for lines in [&["upgrade"][..], &["keep-alive, UPGRADE"], &["keep-alive", "Upgrade"]] {
        check("connection", lines, Ok(true));
    }
    for lines in [&[][..], &["keep-alive"], &["upgraded"], &["keep-alive upgrade"]] {
        check("connection", lines, Err(HandshakeError::Connection));
    }
}

#[test]
fn version_and_key() {
    for lines in [&[][..], &["12"], &["7"], &["13, 12"], &["13", "13"], &["013"], &[""]] {
        check("sec-websocket-version", lines, Err(HandshakeError::WsVersion));
    }
    // The example of RFC 6455 section 4.1 has spare bits set.
    check("sec-websocket-key", &["AQIDBAUGBwgJCgsMDQ4PEC=="], Ok(true));
    for lines in [
        &[][..],
        &[""],
        &[KEY, KEY],
        &["dGhlIHNhbXBsZSBub25jZQ"],
        &["dGhlIHNhbXBsZSBub25j"],
        &["dGhlIHNhbXBsZSBub25jZWVl"],
        &["dGhlIHNhbXBsZSBub25jZQ=="; 3],
        &["dGhlIHNhbXBsZSBub25jZSE="],
        &["dGhlIHNhbXBsZSBub25jZ_=="],
        &["dGhlIHNhbXBsZSBub25jZé=="],
        &["dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="],
    ] {
        check("sec-websocket-key", lines, Err(HandshakeError::Key));
    }
}

#[test]
fn no_body() {
    check("content-length", &["0"], Ok(true));
    check("content-length", &["0", "0"], Ok(true));
    for lines in [&["1"][..], &["0", "5"], &["00"], &["0, 0"], &[""], &["-0"]] {
        check("content-length", lines, Err(HandshakeError::Body));
    }
    for value in ["chunked", "identity", ""] {
        check("transfer-encoding", &[value], Err(HandshakeError::Body));
    }
}

#[test]
fn subprotocols() {
    let name = "sec-websocket-protocol";
    for lines in [&["chat"][..], &["chat, superchat"], &["chat", "superchat"], &["a,, b"]] {
        check(name, lines, Ok(true));
    }
    for lines in [
        &[""][..],
        &["chat, chat"],
        &["chat, x, chat"],
        &["chat", "chat"],
        &["a b"],
        &["a/b"],
        &["é"],
        &[","],
    ] {
        check(name, lines, Err(HandshakeError::Subprotocol));
    }
    check(name, &["chat, Chat"], Ok(true));
}

#[test]
fn extensions_to_forward() {
    #[track_caller]
    fn check(lines: &[&str], expected: Result<Option<&str>, HandshakeError>) {
        let read = read(|request| {
            for line in lines {
                let value = HeaderValue::from_bytes(line.as_bytes()).expect("a header value");
                request.headers_mut().append("sec-websocket-extensions", value);
            }
        });
        let forwarded = read.map(|offer| offer.expect("an upgrade").extensions());
        let expected = expected
            .map(|value| value.map(|value| HeaderValue::from_str(value).expect("a header value")));
        assert_eq!(forwarded, expected, "{lines:?}");
    }
    check(&[], Ok(None));
    check(&["permessage-deflate"], Ok(Some("permessage-deflate")));
    let codex = "permessage-deflate; client_max_window_bits";
    check(&[codex], Ok(Some(codex)));
    check(
        &["foo, Permessage-Deflate ;server_max_window_bits=\"9\"", codex],
        Ok(Some(
            "Permessage-Deflate ;server_max_window_bits=\"9\", permessage-deflate; \
             client_max_window_bits",
        )),
    );
    check(&["permessage-deflate; server_max_window_bits=16"], Ok(None));
    check(&["permessage-deflate; x, permessage-deflate"], Ok(Some("permessage-deflate")));
    check(&["permessage-bzip2"], Ok(None));
    check(&["permessage-deflate;"], Err(HandshakeError::Extensions));
    check(&["é"], Err(HandshakeError::Extensions));
}
