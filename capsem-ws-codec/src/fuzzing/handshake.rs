//! Target `handshake`: whatever is accepted keeps every rule, and our own 101 is accepted.

use crate::handshake::{Accepted, Offer, check_response, read_request, response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

/// The input is a byte of setup and lines `name: value`; an empty line parts the request's from the
/// response's. The name `@accept` writes the one right `Sec-WebSocket-Accept`.
///
/// # Panics
///
/// If a promise of the handshake does not hold.
pub fn handshake(data: &[u8]) {
    let Some((&setup, text)) = data.split_first() else { return };
    let mut lines = text.split(|&byte| byte == b'\n');

    let mut request = Request::new(());
    *request.method_mut() = if setup & 1 == 0 { Method::GET } else { Method::POST };
    *request.version_mut() = if setup & 2 == 0 { Version::HTTP_11 } else { Version::HTTP_10 };
    *request.headers_mut() = headers(lines.by_ref().take_while(|line| !line.is_empty()), "");
    let request = request.into_parts().0;
    let Ok(Some(offer)) = read_request(&request) else { return };
    check_offer(&request, &offer);

    let mut answer = Response::new(());
    *answer.status_mut() =
        if setup & 4 == 0 { StatusCode::SWITCHING_PROTOCOLS } else { StatusCode::OK };
    *answer.headers_mut() = headers(lines, &offer.accept_key());
    let answer = answer.into_parts().0;
    if let Ok(accepted) = check_response(&offer, &answer) {
        check_accepted(&answer, &offer, &accepted);
        round_trip(&offer, &accepted);
    }
    round_trip(&offer, &offer.accept());
}

fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>, accept: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let (name, value) = match name {
            b"@accept" => (&b"sec-websocket-accept"[..], accept.as_bytes()),
            _ => (name, value),
        };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}

/// The rules of RFC 6455 section 4.2.1, asked one by one of the raw headers.
fn check_offer(request: &http::request::Parts, offer: &Offer) {
    let headers = &request.headers;
    assert_eq!((&request.method, request.version), (&Method::GET, Version::HTTP_11));
    assert_eq!(listed(headers, "upgrade"), ["websocket"]);
    assert!(listed(headers, "connection").contains(&"upgrade".to_owned()));
    assert_eq!(lines(headers, "sec-websocket-version"), ["13"]);
    assert_eq!(lines(headers, "sec-websocket-key"), [offer.key()]);
    assert_eq!(offer.key().len(), 24);
    assert!(offer.key().ends_with("=="));
    assert!(lines(headers, "content-length").iter().all(|length| length == "0"));
    assert!(lines(headers, "transfer-encoding").is_empty());
    let asked = offer.subprotocols();
    assert!(asked.iter().enumerate().all(|(at, name)| !asked[..at].contains(name)), "each once");
}

fn check_accepted(answer: &http::response::Parts, offer: &Offer, accepted: &Accepted) {
    let headers = &answer.headers;
    assert_eq!(answer.status, 101);
    assert_eq!(listed(headers, "upgrade"), ["websocket"]);
    assert!(listed(headers, "connection").contains(&"upgrade".to_owned()));
    assert_eq!(lines(headers, "sec-websocket-accept"), [offer.accept_key()]);
    let picked = lines(headers, "sec-websocket-protocol");
    assert_eq!(picked, accepted.subprotocol.iter().cloned().collect::<Vec<_>>());
    assert!(picked.iter().all(|name| offer.subprotocols().contains(name)));
    let named = lines(headers, "sec-websocket-extensions").join(",").to_ascii_lowercase();
    assert_eq!(accepted.deflate.is_some(), named.contains("permessage-deflate"));
    if accepted.deflate.is_some() {
        assert!(offer.extensions().is_some(), "nothing is agreed that was not offered");
    }
}

/// Our own 101 of what was accepted is accepted, and means the same.
fn round_trip(offer: &Offer, accepted: &Accepted) {
    let ours = response(offer, accepted).into_parts().0;
    assert_eq!(check_response(offer, &ours).as_ref(), Ok(accepted));
}

fn lines(headers: &HeaderMap, name: &str) -> Vec<String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.get_all(name).iter().map(text).collect()
}

fn listed(headers: &HeaderMap, name: &str) -> Vec<String> {
    let joined = lines(headers, name).join(",").to_ascii_lowercase();
    let elements = joined.split(',').map(|element| element.trim().to_owned());
    elements.filter(|element| !element.is_empty()).collect()
}
