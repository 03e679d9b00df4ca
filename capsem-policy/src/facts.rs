//! What is known of a request when it is judged. Refuses to know how it was learnt.

use std::fmt;

/// What kind of event is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum On {
    /// An HTTP request that asks for no upgrade.
    Http,
    /// An HTTP request that asks for a WebSocket (RFC 6455 section 4.1).
    Upgrade,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Upgrade => "upgrade",
        })
    }
}

/// The facts of one request, borrowed from whoever holds it.
///
/// Rules compare bytes, so the caller must hand in canonical forms, and must send upstream exactly
/// what it handed in: a host in another spelling, or a path that is rewritten afterwards, was not
/// judged.
///
/// ```
/// use capsem_policy::{Facts, On};
/// let facts = Facts::new(On::Http, "api.anthropic.com", 443)
///     .method("POST")
///     .path("/v1/messages")
///     .provider("anthropic");
/// assert_eq!(facts.scheme, "https");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// What kind of event this is.
    pub on: On,
    /// `https`, `http`, `wss` or `ws`.
    pub scheme: &'a str,
    /// The host in canonical form: lower case, A-labels, no trailing dot; an IPv4 address as four
    /// decimal numbers; an IPv6 address as in RFC 5952, without brackets.
    pub host: &'a str,
    /// The port, never left to the scheme.
    pub port: u16,
    /// The method as sent; methods are case-sensitive (RFC 9110 section 9.1).
    pub method: &'a str,
    /// The path as sent, without the query.
    pub path: &'a str,
    /// Whose model API this is: `openai`, `anthropic`, `google`, another word, or `unknown`.
    pub provider: &'a str,
}

impl<'a> Facts<'a> {
    /// A `GET` of `/` over `https`, of an unknown provider; the methods below say otherwise.
    pub fn new(on: On, host: &'a str, port: u16) -> Self {
        Self { on, scheme: "https", host, port, method: "GET", path: "/", provider: "unknown" }
    }

    /// The same with this scheme.
    #[must_use]
    pub fn scheme(self, scheme: &'a str) -> Self {
        Self { scheme, ..self }
    }

    /// The same with this method.
    #[must_use]
    pub fn method(self, method: &'a str) -> Self {
        Self { method, ..self }
    }

    /// The same with this path.
    #[must_use]
    pub fn path(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    /// The same with this provider.
    #[must_use]
    pub fn provider(self, provider: &'a str) -> Self {
        Self { provider, ..self }
    }
}
