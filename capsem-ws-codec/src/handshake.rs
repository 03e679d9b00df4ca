//! The opening handshake on heads that are parsed already (RFC 6455 section 4).
//!
//! Refuses to know how heads are parsed and whether an upgrade is wanted.

mod error;
mod key;
mod request;
mod response;

pub use error::HandshakeError;
pub use key::accept_for;
pub use request::{Offer, read_request, request_headers};
pub use response::{Accepted, check_response, response};

use crate::extension::is_token;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The non-empty elements of a header's lines taken together; `None` if a line is not text.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Vec<&'a str>> {
    let mut elements = Vec::new();
    for line in headers.get_all(name) {
        let trimmed =
            line.to_str().ok()?.split(',').map(|element| element.trim_matches([' ', '\t']));
        elements.extend(trimmed.filter(|element| !element.is_empty()));
    }
    Some(elements)
}

/// Whether a header's lines list `token`, whatever its case.
fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    list(headers, name)
        .is_some_and(|elements| elements.iter().any(|element| element.eq_ignore_ascii_case(token)))
}

/// Whether a header's lines list `token` and nothing else.
fn is_only(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    list(headers, name).is_some_and(
        |elements| matches!(elements[..], [element] if element.eq_ignore_ascii_case(token)),
    )
}

/// The value of a header that has exactly one line.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    lines.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests;
