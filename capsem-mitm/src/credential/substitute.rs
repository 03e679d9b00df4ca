//! Puts values where placeholders stand. Refuses to know which text is one: a source says so.

use super::{Credential, CredentialSource, Found, Link, Masks, Place, Secret, Target, Unresolved};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts, uri::PathAndQuery,
};
use zeroize::Zeroizing;

/// Puts the values of a request's placeholders in their place. To be called once it was allowed,
/// and on the head that will be sent.
///
/// # Errors
///
/// When a placeholder's value must and cannot be had. The head may be changed in part then, and
/// must not be sent.
pub fn substitute(
    head: &mut Parts,
    target: Target<'_>,
    source: &dyn CredentialSource,
) -> Result<Masks, Unresolved> {
    let mut given =
        Given { target, source, trace: head.method == Method::TRACE, masks: Masks::default() };
    given.headers(&mut head.headers)?;
    if let Some(uri) = given.query(&head.uri)? {
        head.uri = uri;
    }
    Ok(given.masks)
}

/// What one request is given.
struct Given<'a> {
    target: Target<'a>,
    source: &'a dyn CredentialSource,
    trace: bool,
    masks: Masks,
}

impl Given<'_> {
    fn headers(&mut self, headers: &mut HeaderMap) -> Result<(), Unresolved> {
        for (name, value) in headers.iter_mut() {
            let Ok(text) = value.to_str() else { continue };
            let changed = if *name == header::SEC_WEBSOCKET_PROTOCOL {
                self.subprotocols(text)?
            } else {
                self.header(name, text)?
            };
            if let Some(changed) = changed {
                // The map's copy is wiped with it.
                let mut changed = HeaderValue::from_maybe_shared(Bytes::from_owner(changed))
                    .map_err(|_| Unresolved::Unusable)?;
                changed.set_sensitive(true);
                *value = changed;
            }
        }
        Ok(())
    }

    fn header(&mut self, name: &HeaderName, text: &str) -> Result<Changed, Unresolved> {
        if let Some(credential) = self.find(text, Place::Header(name))? {
            return Ok(Some(join(credential.prefix.as_bytes(), &credential.secret)));
        }
        let Some((scheme, rest)) = text.split_once(' ') else { return Ok(None) };
        let word = rest.trim_start_matches(' ');
        let Some(credential) = self.find(word, Place::AfterScheme(name))? else {
            return Ok(None);
        };
        Ok(Some(join(format!("{scheme} ").as_bytes(), &credential.secret)))
    }

    fn subprotocols(&mut self, text: &str) -> Result<Changed, Unresolved> {
        let mut changed = None;
        let mut out = Zeroizing::new(Vec::with_capacity(2 * text.len()));
        for token in text.split(',').map(str::trim) {
            if !out.is_empty() {
                out.extend_from_slice(b", ");
            }
            match self.subprotocol(token)? {
                Some(value) => {
                    append(&mut out, &value);
                    changed = Some(());
                }
                None => append(&mut out, token.as_bytes()),
            }
        }
        Ok(changed.map(|()| out))
    }

    /// The whole token, or what follows one of its dots.
    fn subprotocol(&mut self, token: &str) -> Result<Changed, Unresolved> {
        let ends = std::iter::once(0).chain(token.match_indices('.').map(|(at, _)| at + 1));
        for start in ends {
            let (before, placeholder) = token.split_at(start);
            let Some(credential) = self.find(placeholder, Place::Subprotocol)? else { continue };
            if !credential.secret.expose().iter().all(|byte| is_tchar(*byte)) {
                return Err(Unresolved::Unusable);
            }
            return Ok(Some(join(before.as_bytes(), &credential.secret)));
        }
        Ok(None)
    }

    fn query(&mut self, uri: &Uri) -> Result<Option<Uri>, Unresolved> {
        let Some(query) = uri.query() else { return Ok(None) };
        let mut out = Zeroizing::new(Vec::with_capacity(4 * query.len() + uri.path().len()));
        out.extend_from_slice(uri.path().as_bytes());
        let mut changed = false;
        for (nth, pair) in query.split('&').enumerate() {
            out.push(if nth == 0 { b'?' } else { b'&' });
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let found = match decoded(value) {
                Some(value) => self.find(&value, Place::Query)?,
                None => None,
            };
            match found {
                Some(credential) => {
                    append(&mut out, key.as_bytes());
                    append(&mut out, b"=");
                    append(&mut out, &encoded(&credential.secret));
                    changed = true;
                }
                None => append(&mut out, pair.as_bytes()),
            }
        }
        if !changed {
            return Ok(None);
        }
        let mut parts = uri.clone().into_parts();
        let path = PathAndQuery::from_maybe_shared(Bytes::from_owner(out));
        parts.path_and_query = Some(path.map_err(|_| Unresolved::Unusable)?);
        Uri::from_parts(parts).map(Some).map_err(|_| Unresolved::Unusable)
    }

    fn find(&mut self, text: &str, place: Place<'_>) -> Result<Option<Credential>, Unresolved> {
        if text.is_empty() {
            return Ok(None);
        }
        let found = Found { text, place, target: self.target };
        let Some(credential) = self.source.resolve(&found)? else { return Ok(None) };
        if self.trace {
            return Err(Unresolved::Trace);
        }
        if self.target.link == Link::Clear {
            return Err(Unresolved::Clear);
        }
        self.masks.add(&credential, text.strip_prefix(&*credential.prefix).unwrap_or(text));
        Ok(Some(credential))
    }
}

/// A text with a value in it, to be wiped.
type Changed = Option<Zeroizing<Vec<u8>>>;

fn join(before: &[u8], secret: &Secret) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(before.len() + secret.expose().len()));
    out.extend_from_slice(before);
    out.extend_from_slice(secret.expose());
    out
}

/// Grows by moving to a new buffer, so that the old one is wiped and not given back as it is.
fn append(out: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    if out.capacity() - out.len() < bytes.len() {
        let mut grown = Zeroizing::new(Vec::with_capacity(2 * (out.len() + bytes.len())));
        grown.extend_from_slice(out);
        *out = grown;
    }
    out.extend_from_slice(bytes);
}

/// A query value with its percent-encodings decoded; `None` if that is no text.
fn decoded(value: &str) -> Option<String> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, tail)) = spelt(rest) {
        out.push(byte);
        rest = tail;
    }
    String::from_utf8(out).ok()
}

/// The byte that `bytes` begin with, as itself or percent-encoded, and what follows it.
pub(super) fn spelt(bytes: &[u8]) -> Option<(u8, &[u8])> {
    if let [b'%', high, low, tail @ ..] = bytes
        && let (Some(high), Some(low)) = (digit(*high), digit(*low))
    {
        return Some((high << 4 | low, tail));
    }
    bytes.split_first().map(|(first, tail)| (*first, tail))
}

/// A hexadecimal digit's value.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A value as a query holds it (RFC 3986 section 2).
fn encoded(secret: &Secret) -> Zeroizing<Vec<u8>> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Zeroizing::new(Vec::with_capacity(3 * secret.expose().len()));
    for &byte in secret.expose() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    out
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
