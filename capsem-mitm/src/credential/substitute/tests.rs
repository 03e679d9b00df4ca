//! Where a placeholder is one, and where the same letters are left alone.

use super::*;

/// Knows `stand-in` and one reference, for one host.
struct One(&'static str);

const REF: &str =
    "credential:blake3:0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

impl CredentialSource for One {
    fn resolve(&self, found: &Found<'_>) -> Result<Option<Credential>, Unresolved> {
        let known = [REF, "stand-in"].contains(&found.text);
        if found.text == "lost" {
            return Err(Unresolved::Unavailable);
        }
        let here = known && found.target.host == "a.test";
        here.then(|| Ok(Credential::new("a-name", Secret::new(self.0)?))).transpose()
    }
}

const TLS: Target<'_> = Target { host: "a.test", port: 443, link: Link::Tls };

fn head(method: &str, uri: &str, name: &str, value: &str) -> Parts {
    let request = http::Request::builder().method(method).uri(uri).header(name, value);
    request.body(()).unwrap().into_parts().0
}

/// One header in, the same header out; `None` as it was.
#[track_caller]
fn header(name: &str, value: &str, expected: Option<&str>) {
    let mut parts = head("GET", "/", name, value);
    let masks = substitute(&mut parts, TLS, &One("va1ue-of-it")).unwrap();
    assert_eq!(parts.headers[name], expected.unwrap_or(value), "{name}");
    assert_eq!(masks.is_empty(), expected.is_none(), "{name}: {value}");
    assert_eq!(parts.headers[name].is_sensitive(), expected.is_some());
}

#[track_caller]
fn query(uri: &str, expected: Option<&str>) {
    let mut parts = head("GET", uri, "accept", "*/*");
    let masks = substitute(&mut parts, TLS, &One("va1ue/of it")).unwrap();
    assert_eq!(parts.uri.to_string(), expected.unwrap_or(uri));
    assert_eq!(masks.is_empty(), expected.is_none(), "{uri}");
}

#[test]
fn headers() {
    header("authorization", "Bearer stand-in", Some("Bearer va1ue-of-it"));
    header("authorization", "bearer   stand-in", Some("bearer va1ue-of-it"));
    header("authorization", "Token stand-in", Some("Token va1ue-of-it"));
    header("x-api-key", "stand-in", Some("va1ue-of-it"));
    header("x-api-key", REF, Some("va1ue-of-it"));
    for value in ["stand-in2", "a stand-in b", "Bearer  stand-in x", "stand-in,", "STAND-IN", ""] {
        header("x-api-key", value, None);
    }
}

#[test]
fn subprotocols() {
    const NAME: &str = "sec-websocket-protocol";
    header(
        NAME,
        "realtime, openai-insecure-api-key.stand-in",
        Some("realtime, openai-insecure-api-key.va1ue-of-it"),
    );
    header(NAME, "token,stand-in", Some("token, va1ue-of-it"));
    header(NAME, "realtime,openai-insecure-api-key.stand-in.x", None);
    let mut parts = head("GET", "/", NAME, "stand-in");
    let unusable = substitute(&mut parts, TLS, &One("a value/of it"));
    assert_eq!(unusable.unwrap_err(), Unresolved::Unusable);
}

#[test]
fn queries() {
    query("/a?key=stand-in", Some("/a?key=va1ue%2Fof%20it"));
    query("/a?alt=sse&key=stand%2Din&b", Some("/a?alt=sse&key=va1ue%2Fof%20it&b"));
    query(
        "http://a.test/a?key=stand-in&key=stand-in",
        Some("http://a.test/a?key=va1ue%2Fof%20it&key=va1ue%2Fof%20it"),
    );
    query("/stand-in?stand-in&a=stand-in2&b=%ff%2", None);
}

#[test]
fn only_where_it_belongs() {
    let refused = |method: &str, value: &str, target: Target<'_>| {
        let mut parts = head(method, "/", "authorization", value);
        substitute(&mut parts, target, &One("va1ue-of-it")).map(|masks| masks.references().len())
    };
    assert_eq!(refused("GET", "Bearer stand-in", TLS), Ok(1));
    assert_eq!(refused("GET", "Bearer stand-in", Target { host: "b.test", ..TLS }), Ok(0));
    assert_eq!(refused("GET", "Bearer stand-in", Target { link: Link::Pinned, ..TLS }), Ok(1));
    let clear = Target { link: Link::Clear, ..TLS };
    assert_eq!(refused("GET", "Bearer stand-in", clear), Err(Unresolved::Clear));
    assert_eq!(refused("TRACE", "Bearer stand-in", TLS), Err(Unresolved::Trace));
    assert_eq!(refused("GET", "Bearer lost", TLS), Err(Unresolved::Unavailable));
}
