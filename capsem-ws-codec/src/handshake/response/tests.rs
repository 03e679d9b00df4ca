//! Table of responses: one change each to a good one.

use super::*;
use crate::handshake::{read_request, request_headers};
use http::Request;

fn offer(extensions: Option<&str>) -> Offer {
    let mut request = Request::get("/").body(()).expect("well formed");
    *request.headers_mut() = request_headers([1; 16], &["chat", "superchat"], extensions);
    read_request(&request.into_parts().0).expect("well formed").expect("an upgrade")
}

fn read(offer: &Offer, change: impl FnOnce(&mut Response<()>)) -> Result<Accepted, HandshakeError> {
    let mut good = response(offer, &Accepted::default());
    change(&mut good);
    check_response(offer, &good.into_parts().0)
}

/// Puts `lines` in place of the header's own, in answer to an offer of permessage-deflate.
#[track_caller]
fn check(name: &'static str, lines: &[&str], expected: Result<(), HandshakeError>) {
    let offer = offer(Some("permessage-deflate; client_max_window_bits"));
    let read = read(&offer, |response| {
        response.headers_mut().remove(name);
        for line in lines {
            let value = HeaderValue::from_bytes(line.as_bytes()).expect("a header value");
            response.headers_mut().append(name, value);
        }
    });
    assert_eq!(read.map(|_| ()), expected, "{name}: {lines:?}");
}

#[test]
fn status_and_version() {
    let offer = offer(None);
    assert_eq!(read(&offer, |_| ()), Ok(Accepted::default()));
    for status in [100, 103, 200, 204, 302, 403, 426, 500] {
        let read = read(&offer, |response| {
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        });
        assert_eq!(read, Err(HandshakeError::Status { status }));
    }
    let old = read(&offer, |response| *response.version_mut() = Version::HTTP_10);
    assert_eq!(old, Err(HandshakeError::HttpVersion));
}

#[test]
fn form() {
    check("upgrade", &["WebSocket"], Ok(()));
    for lines in [&[][..], &["h2c"], &["websocket, h2c"], &["websocket", "websocket"]] {
        check("upgrade", lines, Err(HandshakeError::Upgrade));
    }
    check("connection", &["keep-alive, upgrade"], Ok(()));
    check("connection", &[], Err(HandshakeError::Connection));
    check("connection", &["close"], Err(HandshakeError::Connection));
    let right = offer(None).accept_key();
    check("sec-websocket-accept", &[&right], Ok(()));
    let swapped = right.to_lowercase();
    for lines in [&[][..], &["x"], &[&right, &right], &[&swapped]] {
        check("sec-websocket-accept", lines, Err(HandshakeError::Accept));
    }
}

#[test]
fn subprotocol() {
    let name = "sec-websocket-protocol";
    check(name, &[], Ok(()));
    check(name, &["superchat"], Ok(()));
    check(name, &["Chat"], Err(HandshakeError::SubprotocolNotOffered));
    check(name, &["other"], Err(HandshakeError::SubprotocolNotOffered));
    for lines in [&[""][..], &["chat, superchat"], &["chat", "superchat"], &["chat", "chat"]] {
        check(name, lines, Err(HandshakeError::Subprotocol));
    }
}

#[test]
fn extensions() {
    let name = "sec-websocket-extensions";
    for line in [
        "",
        "permessage-deflate",
        "PERMESSAGE-DEFLATE; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; client_max_window_bits=\"10\"; server_max_window_bits=8",
    ] {
        check(name, &[line], Ok(()));
    }
    let parameters = Err(HandshakeError::DeflateParameters);
    check(name, &["permessage-deflate; client_max_window_bits"], parameters);
    check(name, &["permessage-deflate; client_max_window_bits=7"], parameters);
    check(name, &["permessage-deflate; server_max_window_bits=08"], parameters);
    check(name, &["permessage-deflate; x"], parameters);
    let twice = Err(HandshakeError::ExtensionRepeated);
    check(name, &["permessage-deflate, permessage-deflate"], twice);
    check(name, &["permessage-deflate", "permessage-deflate"], twice);
    check(name, &["x-other"], Err(HandshakeError::ExtensionNotOffered));
    check(name, &["permessage-deflate, x"], Err(HandshakeError::ExtensionNotOffered));
    check(name, &["permessage-deflate;"], Err(HandshakeError::Extensions));
    check(name, &["é"], Err(HandshakeError::Extensions));

    let none = offer(None);
    let unasked = read(&none, |response| {
        response.headers_mut().insert(name, HeaderValue::from_static("permessage-deflate"));
    });
    assert_eq!(unasked, Err(HandshakeError::ExtensionNotOffered));
}

#[test]
fn the_answer_may_be_to_any_offer() {
    let offer = offer(Some(
        "permessage-deflate; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
    ));
    let read = |line: &'static str| {
        read(&offer, |response| {
            let value = HeaderValue::from_static(line);
            response.headers_mut().insert("sec-websocket-extensions", value);
        })
    };
    for line in ["permessage-deflate; server_max_window_bits=9", "permessage-deflate"] {
        assert!(read(line).is_ok_and(|accepted| accepted.deflate.is_some()), "{line}");
    }
    let accepted =
        read("permessage-deflate; client_max_window_bits=9").expect("the second offer's");
    assert_eq!(accepted.deflate.map(|agreed| agreed.client_max_window_bits), Some(9));
}

#[test]
fn an_offer_without_server_takeover() {
    let table = [
        (None, None),
        (Some("permessage-deflate"), Some("permessage-deflate; server_no_context_takeover")),
        (
            Some(
                "x-a, permessage-deflate; client_max_window_bits, permessage-deflate;server_no_context_takeover",
            ),
            Some(
                "permessage-deflate; client_max_window_bits; server_no_context_takeover, \
                 permessage-deflate;server_no_context_takeover",
            ),
        ),
    ];
    for (extensions, expected) in table {
        let offer = offer(extensions).without_server_takeover();
        let sent = offer.extensions();
        assert_eq!(sent.as_ref().map(|sent| sent.to_str().expect("text")), expected);
        let answer = |parameters: &str| {
            read(&offer, |response| {
                let value = format!("permessage-deflate{parameters}");
                let value = HeaderValue::try_from(value).expect("a header value");
                response.headers_mut().insert("sec-websocket-extensions", value);
            })
        };
        if expected.is_some() {
            assert_eq!(answer(""), Err(HandshakeError::DeflateParameters));
            let agreed = answer("; server_no_context_takeover").expect("an answer");
            assert!(agreed.deflate.is_some_and(|agreed| agreed.server_no_context_takeover));
        }
    }
}

#[test]
fn what_was_agreed_in_answer_to_an_offer() {
    let offer = offer(Some("permessage-deflate; client_max_window_bits"));
    let deflate = |client| Deflate { client_no_context_takeover: client, ..Deflate::default() };
    let said = |deflate| Accepted { subprotocol: None, deflate }.extensions(&offer);
    assert_eq!(said(None), None);
    assert_eq!(said(Some(deflate(false))).expect("a value"), "permessage-deflate");
    assert_eq!(
        said(Some(deflate(true))).expect("a value"),
        "permessage-deflate; client_no_context_takeover"
    );
}
