//! The server's half: hold a response against an offer, or write one.

use super::{HandshakeError, Offer, is_only, is_token, lists, single};
use crate::{
    Deflate,
    extension::{self, Params},
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header, response::Parts};

/// What both ends agreed on.
///
/// The default is a bare connection: no subprotocol, no extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The subprotocol, one of the offer's.
    pub subprotocol: Option<String>,
    /// permessage-deflate, if it is on.
    pub deflate: Option<Deflate>,
}

/// Checks a response to an upgrade in full (RFC 6455 section 4.1, RFC 7692 section 7.1).
///
/// Only what passes may be followed by frames: a 101 of HTTP/1.1 with `Upgrade: websocket`,
/// `Connection: upgrade`, the one right `Sec-WebSocket-Accept`, at most one subprotocol out of the
/// offer, and permessage-deflate at most once, with legal parameters that answer an offer.
///
/// ```
/// use capsem_ws_codec::handshake::{
///     HandshakeError, check_response, read_request, request_headers, response,
/// };
///
/// let mut request = http::Request::new(());
/// *request.headers_mut() = request_headers([7; 16], &[], Some("permessage-deflate"));
/// let offer = read_request(&request.into_parts().0)?.expect("an upgrade");
///
/// let (good, ()) = response(&offer, &offer.accept()).into_parts();
/// assert_eq!(check_response(&offer, &good)?, offer.accept());
///
/// let mut bad = good;
/// bad.headers.insert("sec-websocket-extensions", "permessage-bzip2".parse()?);
/// assert_eq!(check_response(&offer, &bad), Err(HandshakeError::ExtensionNotOffered));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_response(offer: &Offer, parts: &Parts) -> Result<Accepted, HandshakeError> {
    check_form(offer, parts)?;
    Ok(Accepted {
        subprotocol: read_subprotocol(offer, &parts.headers)?,
        deflate: read_deflate(offer, &parts.headers)?,
    })
}

/// The 101 of a server that agrees to `accepted`.
///
/// It says what it is told; [`Offer::accept`] is a choice within the offer. A subprotocol that no
/// header can hold is left out.
#[must_use]
pub fn response(offer: &Offer, accepted: &Accepted) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::SEC_WEBSOCKET_ACCEPT, &offer.accept_key());
    if let Some(subprotocol) = &accepted.subprotocol {
        put(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    if let Some(deflate) = &accepted.deflate {
        put(header::SEC_WEBSOCKET_EXTENSIONS, &deflate.answer(&offer.deflate));
    }
    response
}

fn check_form(offer: &Offer, parts: &Parts) -> Result<(), HandshakeError> {
    let headers = &parts.headers;
    if parts.status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(HandshakeError::Status { status: parts.status.as_u16() });
    }
    if parts.version != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    if !is_only(headers, &header::UPGRADE, "websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !lists(headers, &header::CONNECTION, "upgrade") {
        return Err(HandshakeError::Connection);
    }
    match single(headers, &header::SEC_WEBSOCKET_ACCEPT) {
        Some(accept) if *accept == *offer.accept_key() => Ok(()),
        Some(_) | None => Err(HandshakeError::Accept),
    }
}

fn read_subprotocol(offer: &Offer, headers: &HeaderMap) -> Result<Option<String>, HandshakeError> {
    let name = header::SEC_WEBSOCKET_PROTOCOL;
    if !headers.contains_key(&name) {
        return Ok(None);
    }
    let picked = single(headers, &name)
        .and_then(|line| line.to_str().ok())
        .filter(|picked| is_token(picked))
        .ok_or(HandshakeError::Subprotocol)?;
    if offer.subprotocols().iter().any(|offered| offered == picked) {
        Ok(Some(picked.to_owned()))
    } else {
        Err(HandshakeError::SubprotocolNotOffered)
    }
}

fn read_deflate(offer: &Offer, headers: &HeaderMap) -> Result<Option<Deflate>, HandshakeError> {
    let mut agreed = None;
    for line in headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS) {
        let elements = line.to_str().ok().and_then(extension::elements);
        for element in elements.ok_or(HandshakeError::Extensions)? {
            if !element.is_deflate() || offer.deflate.is_empty() {
                return Err(HandshakeError::ExtensionNotOffered);
            }
            if agreed.is_some() {
                return Err(HandshakeError::ExtensionRepeated);
            }
            let answer = Params::read(&element).ok_or(HandshakeError::DeflateParameters)?;
            let answered = offer.deflate.iter().find_map(|offer| offer.answered(answer));
            agreed = Some(answered.ok_or(HandshakeError::DeflateParameters)?);
        }
    }
    Ok(agreed)
}

#[cfg(test)]
mod tests;
