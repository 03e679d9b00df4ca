//! The client's half: read an upgrade from a request head, or write one.

use super::{Accepted, HandshakeError, accept_for, is_only, is_token, key, list, lists, single};
use crate::extension::{self, Params};
use http::{HeaderMap, HeaderValue, Method, Version, header, request::Parts};

/// A well-formed upgrade: what the client asks for, for a response to be held against.
///
/// A client makes its own by reading the head it sends. `Debug` shows no subprotocol, as one may
/// be a secret.
#[derive(Clone)]
pub struct Offer {
    key: String,
    subprotocols: Vec<String>,
    /// The well-formed permessage-deflate elements as the client wrote them.
    extensions: Vec<String>,
    /// The same, read.
    pub(super) deflate: Vec<Params>,
}

impl Offer {
    /// The client's `Sec-WebSocket-Key`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The `Sec-WebSocket-Accept` that answers it.
    #[must_use]
    pub fn accept_key(&self) -> String {
        accept_for(&self.key)
    }

    /// The subprotocols in the client's order, each once.
    #[must_use]
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The `Sec-WebSocket-Extensions` to forward: the well-formed permessage-deflate offers as the
    /// client wrote them. `None` if there is none, or if this build cannot inflate.
    #[must_use]
    pub fn extensions(&self) -> Option<HeaderValue> {
        if self.extensions.is_empty() {
            return None;
        }
        HeaderValue::try_from(self.extensions.join(", ")).ok()
    }

    /// What a server agrees to that speaks none of the subprotocols and can do all of the first
    /// permessage-deflate offer.
    #[must_use]
    pub fn accept(&self) -> Accepted {
        Accepted { subprotocol: None, deflate: self.deflate.first().map(|offer| offer.accept()) }
    }
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer")
            .field("subprotocols", &self.subprotocols.len())
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

/// Reads an upgrade from a request head (RFC 6455 section 4.2.1).
///
/// `Ok(None)`: the request does not ask for `Upgrade: websocket`; another protocol, or a list, is
/// not an upgrade this crate could judge. `Err`: it does ask, and breaks a rule.
///
/// `Host`, `Origin`, the path and who asks are the caller's to judge.
///
/// ```
/// use capsem_ws_codec::handshake::read_request;
///
/// let request = http::Request::get("/chat")
///     .header("connection", "keep-alive, Upgrade")
///     .header("upgrade", "websocket")
///     .header("sec-websocket-version", "13")
///     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .header("sec-websocket-protocol", "chat, superchat")
///     .body(())?;
/// let offer = read_request(&request.into_parts().0)?.expect("an upgrade");
/// assert_eq!(offer.subprotocols(), ["chat", "superchat"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_request(parts: &Parts) -> Result<Option<Offer>, HandshakeError> {
    let headers = &parts.headers;
    if !is_only(headers, &header::UPGRADE, "websocket") {
        return Ok(None);
    }
    check_form(parts)?;
    let key = read_key(headers)?;
    let subprotocols = read_subprotocols(headers)?;
    let (extensions, deflate) = read_extensions(headers)?;
    Ok(Some(Offer { key, subprotocols, extensions, deflate }))
}

/// The headers of an upgrade; `Host` and the rest are the caller's.
///
/// `nonce` is 16 fresh random bytes. Of `subprotocols`, what is not a token is left out.
/// `extensions` is the value of `Sec-WebSocket-Extensions`, left out if no header can hold it; what
/// it names besides permessage-deflate counts as not offered when the answer is checked.
///
/// ```
/// use capsem_ws_codec::handshake::request_headers;
///
/// let headers = request_headers([7; 16], &["chat"], Some("permessage-deflate"));
/// assert_eq!(headers["sec-websocket-version"], "13");
/// ```
#[must_use]
pub fn request_headers(
    nonce: [u8; 16],
    subprotocols: &[&str],
    extensions: Option<&str>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::SEC_WEBSOCKET_KEY, &key::encode(nonce));
    let tokens: Vec<&str> = subprotocols.iter().copied().filter(|name| is_token(name)).collect();
    if !tokens.is_empty() {
        put(header::SEC_WEBSOCKET_PROTOCOL, &tokens.join(", "));
    }
    if let Some(extensions) = extensions {
        put(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
    }
    headers
}

fn check_form(parts: &Parts) -> Result<(), HandshakeError> {
    let headers = &parts.headers;
    if parts.method != Method::GET {
        return Err(HandshakeError::Method);
    }
    if parts.version != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    if !lists(headers, &header::CONNECTION, "upgrade") {
        return Err(HandshakeError::Connection);
    }
    let empty = headers.get_all(header::CONTENT_LENGTH).iter().all(|length| length == "0");
    if !empty || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(HandshakeError::Body);
    }
    match single(headers, &header::SEC_WEBSOCKET_VERSION) {
        Some(version) if version == "13" => Ok(()),
        Some(_) | None => Err(HandshakeError::WsVersion),
    }
}

fn read_key(headers: &HeaderMap) -> Result<String, HandshakeError> {
    single(headers, &header::SEC_WEBSOCKET_KEY)
        .and_then(|key| key.to_str().ok())
        .filter(|key| key::is_valid(key))
        .map(str::to_owned)
        .ok_or(HandshakeError::Key)
}

fn read_subprotocols(headers: &HeaderMap) -> Result<Vec<String>, HandshakeError> {
    let name = header::SEC_WEBSOCKET_PROTOCOL;
    let listed = list(headers, &name).ok_or(HandshakeError::Subprotocol)?;
    // The lines may be empty only by not being there.
    let mut valid = listed.is_empty() != headers.contains_key(&name);
    valid &= listed.iter().all(|token| is_token(token));
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    valid &= sorted.windows(2).all(|pair| pair.first() != pair.last());
    if !valid {
        return Err(HandshakeError::Subprotocol);
    }
    Ok(listed.into_iter().map(str::to_owned).collect())
}

/// The offers that can be forwarded. One that is malformed as an offer is declined by dropping it
/// (RFC 7692 section 7.1); a line that is malformed as a line fails the handshake.
fn read_extensions(headers: &HeaderMap) -> Result<(Vec<String>, Vec<Params>), HandshakeError> {
    let (mut texts, mut offers) = (Vec::new(), Vec::new());
    for line in headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS) {
        let elements = line.to_str().ok().and_then(extension::elements);
        for element in elements.ok_or(HandshakeError::Extensions)? {
            if cfg!(feature = "deflate")
                && let Some(offer) = Params::read(&element)
            {
                texts.push(element.text.to_owned());
                offers.push(offer);
            }
        }
    }
    Ok((texts, offers))
}

#[cfg(test)]
mod tests;
