//! What is masked before it is written down: credentials in headers, queries, subprotocols and
//! authorities. Knows their places and looks, not their values.
//!
//! It is applied where a fact is captured, so no record, log line or error ever holds the secret.
//! A name stays, so that a reader sees a credential was there; its value becomes [`MASK`]. In
//! doubt it masks: a lost detail costs less than a leaked key.

use std::borrow::Cow;

use crate::percent;

mod body;

pub use body::body;

/// What stands in the place of a secret.
pub const MASK: &str = "[redacted]";

/// A header's value as it may be written down.
///
/// ```
/// use capsem_telemetry::redact;
///
/// assert_eq!(redact::header("Authorization", "Bearer abc"), "[redacted]");
/// assert_eq!(redact::header("Accept", "text/event-stream"), "text/event-stream");
/// ```
pub fn header<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("sec-websocket-protocol") {
        Cow::Owned(subprotocols(value).join(", "))
    } else if HEADERS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) || is_secret(value) {
        Cow::Borrowed(MASK)
    } else {
        Cow::Borrowed(value)
    }
}

/// A query string, without its `?`, as it may be written down.
///
/// Values of keys that name a credential are masked, whatever the case, escapes or separators of
/// the key; so is whatever looks like a well-known key under any name.
///
/// ```
/// assert_eq!(capsem_telemetry::redact::query("alt=sse&Api%2DKey=1234"), "alt=sse&Api%2DKey=[redacted]");
/// ```
pub fn query(query: &str) -> String {
    query.split_inclusive('&').map(pair).collect()
}

/// The subprotocols of a `Sec-WebSocket-Protocol` value as they may be written down.
///
/// Browser clients put credentials there, as the only header they may set. Known names stay;
/// of a known name that carries a credential after a dot the name stays; all else is masked.
///
/// ```
/// use capsem_telemetry::redact::subprotocols;
///
/// let shown = subprotocols("realtime, openai-insecure-api-key.sk-1234");
/// assert_eq!(shown, ["realtime", "openai-insecure-api-key.[redacted]"]);
/// ```
pub fn subprotocols(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|token| !token.is_empty()).map(subprotocol).collect()
}

/// An authority or a URL without its userinfo (RFC 3986 section 3.2.1).
///
/// ```
/// use capsem_telemetry::redact::authority;
///
/// assert_eq!(authority("https://me:pw@example.com/a@b"), "https://[redacted]@example.com/a@b");
/// ```
pub fn authority(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{MASK}@{host}{after}"),
        None => text.to_owned(),
    }
}

/// Headers whose value is a credential or tells who someone is.
const HEADERS: &[&str] = &[
    "api-key",
    "authentication-info",
    "authorization",
    "cf-aig-authorization",
    "chatgpt-account-id",
    "cookie",
    "cookie2",
    "proxy-authentication-info",
    "proxy-authorization",
    "set-cookie",
    "set-cookie2",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-claude-code-ide-authorization",
    "x-codex-turn-metadata",
    "x-codex-turn-state",
    "x-goog-api-key",
    "x-goog-iam-authorization-token",
    "x-oai-attestation",
    "x-oai-is-update",
    "xi-api-key",
];

/// Query keys whose value is a credential, as [`plain`] writes them.
const KEYS: &[&str] = &[
    "accesskey",
    "accesstoken",
    "apikey",
    "assertion",
    "auth",
    "authkey",
    "authorization",
    "authtoken",
    "awsaccesskeyid",
    "bearer",
    "clientsecret",
    "code",
    "credential",
    "idtoken",
    "jwt",
    "key",
    "passwd",
    "password",
    "pwd",
    "refreshtoken",
    "secret",
    "sessiontoken",
    "sig",
    "signature",
    "subscriptionkey",
    "ticket",
    "token",
    "xamzcredential",
    "xamzsecuritytoken",
    "xamzsignature",
    "xapikey",
    "xgoogapikey",
    "xgoogcredential",
    "xgoogsignature",
    "xiapikey",
];

/// Subprotocols that carry nothing but their name.
const SUBPROTOCOLS: &[&str] = &[
    "actioncable-v1-json",
    "actioncable-unsupported",
    "chat",
    "echo",
    "echo-protocol",
    "graphql-transport-ws",
    "graphql-ws",
    "json",
    "jsonrpc",
    "mcp",
    "mqtt",
    "openai-beta.realtime-v1",
    "protobuf",
    "realtime",
    "soap",
    "superchat",
    "v10.stomp",
    "v11.stomp",
    "v12.stomp",
    "wamp",
    "wamp.2.json",
    "xmpp",
];

/// Subprotocols that carry a value, often a credential, after their name.
const CARRIERS: &[&str] = &[
    "base64url.bearer.authorization.k8s.io.",
    "openai-ephemeral-user-token.",
    "openai-insecure-api-key.",
    "openai-organization.",
    "openai-project.",
    "xai-client-secret.",
];

/// How well-known credentials begin.
const LOOKS: &[&str] = &[
    "AIza",
    "Basic ",
    "Bearer ",
    "eyJ",
    "gho_",
    "ghp_",
    "ghs_",
    "github_pat_",
    "hf_",
    "sk-",
    "sk_",
    "xai-",
    "ya29.",
];

/// Words of a peer's own, such as an error message or the reason of a Close: every word that looks
/// like a well-known credential is masked, and the word after an authentication scheme.
///
/// ```
/// use capsem_telemetry::redact;
/// assert_eq!(redact::text("bad key: sk-abc123."), "bad key: [redacted]");
/// assert_eq!(redact::text("got Bearer xyz twice"), "got Bearer [redacted] twice");
/// ```
pub fn text(text: &str) -> Cow<'_, str> {
    let mut masked = String::with_capacity(text.len());
    let mut after_scheme = false;
    for piece in text.split_inclusive(is_delimiter) {
        let word = piece.trim_end_matches(is_delimiter);
        let is_secret = after_scheme || LOOKS.iter().any(|look| is_longer(word, look));
        masked.push_str(if is_secret && !word.is_empty() { MASK } else { word });
        masked.push_str(&piece[word.len()..]);
        if !word.is_empty() {
            after_scheme = ["basic", "bearer"].iter().any(|name| word.eq_ignore_ascii_case(name));
        }
    }
    if masked == text { Cow::Borrowed(text) } else { Cow::Owned(masked) }
}

fn is_delimiter(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || "\"'`()[]{}<>,;:=&?|".contains(letter)
}

/// Whether `word` begins with `look` and goes on.
fn is_longer(word: &str, look: &str) -> bool {
    word.strip_prefix(look).is_some_and(|rest| !rest.is_empty())
}

/// One `key=value`, with the `&` that may follow it.
///
/// Some servers separate at `;` too. What either reading calls a secret is masked, up to the `&`.
fn pair(text: &str) -> Cow<'_, str> {
    let (body, end) = text.strip_suffix('&').map_or((text, ""), |body| (body, "&"));
    let starts = std::iter::once(0).chain(body.match_indices(';').map(|(at, _)| at + 1));
    for start in starts {
        let (before, rest) = body.split_at(start);
        let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
        if is_secret(key) {
            return Cow::Owned(format!("{before}{MASK}{end}"));
        }
        if rest.contains('=') && (KEYS.contains(&plain(key).as_str()) || is_secret(value)) {
            return Cow::Owned(format!("{before}{key}={MASK}{end}"));
        }
    }
    Cow::Borrowed(text)
}

/// A key without what spelling may vary: escapes, case, and `-`, `_`, `.` between its words.
fn plain(key: &str) -> String {
    percent::decode_lossy(key)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn subprotocol(token: &str) -> String {
    if SUBPROTOCOLS.iter().any(|known| token.eq_ignore_ascii_case(known)) {
        return token.to_owned();
    }
    let carrier = CARRIERS.iter().find(|carrier| {
        token.get(..carrier.len()).is_some_and(|start| start.eq_ignore_ascii_case(carrier))
    });
    format!("{}{MASK}", carrier.copied().unwrap_or_default())
}

/// Whether a value looks like a well-known credential.
fn is_secret(value: &str) -> bool {
    // `+` is a space in a query.
    let value = percent::decode_lossy(value).replace('+', " ");
    let value = value.trim_start();
    LOOKS.iter().any(|look| value.starts_with(look))
}

#[cfg(test)]
mod tests;
