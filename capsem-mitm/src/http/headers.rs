//! Headers that end at each hop (RFC 9110 section 7.6.1).

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version, header, request::Parts,
};

/// Connection-level headers that no hop passes on.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// A client's request as it goes upstream: origin-form, its own hop's headers gone.
pub(crate) fn request<B>(request: Request<B>) -> Request<B> {
    let (mut parts, body) = request.into_parts();
    to_origin_form(&mut parts);
    let trailers = parts.headers.get(header::TE).is_some_and(wants_trailers);
    strip(&mut parts.headers);
    if trailers {
        parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    // This hop answers the expectation itself, when the body is first asked for.
    parts.headers.remove(header::EXPECT);
    Request::from_parts(parts, body)
}

/// An upgrade as it goes upstream; the handshake's own headers are set where it is sent.
pub(crate) fn upgrade_request(mut parts: Parts) -> Request<()> {
    to_origin_form(&mut parts);
    strip(&mut parts.headers);
    Request::from_parts(parts, ())
}

/// An upstream's response as it goes to the client.
pub(crate) fn response<B>(mut response: Response<B>) -> Response<B> {
    if response.headers().contains_key(header::TRANSFER_ENCODING) {
        // It overrides a Content-Length (RFC 9112 section 6.3), which must not survive it.
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    strip(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    response
}

/// Names and values, but for values that are no text.
pub(crate) fn texts(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

fn to_origin_form(parts: &mut Parts) {
    if let Some(path) = parts.uri.path_and_query().filter(|_| parts.uri.scheme().is_some()) {
        parts.uri = Uri::from(path.clone());
    }
    parts.version = Version::HTTP_11;
}

fn strip(headers: &mut HeaderMap) {
    let nominated: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in nominated.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn wants_trailers(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|te| te.split(',').any(|t| t.trim().eq_ignore_ascii_case("trailers")))
}
