//! URLs of collectors: what is read, and what is refused.

use super::*;

#[test]
fn urls_of_collectors() {
    use EndpointError::{Form, Host, Query, Scheme, User};
    for (text, wanted) in [
        ("http://127.0.0.1:4318", Ok("http://127.0.0.1:4318/v1/traces")),
        ("http://127.0.0.1:4318/", Ok("http://127.0.0.1:4318/v1/traces")),
        ("HTTP://LocalHost", Ok("http://localhost:80/v1/traces")),
        ("http://[::1]:4318/a/b//", Ok("http://[::1]:4318/a/b/v1/traces")),
        ("", Err(Form)),
        ("collector", Err(Form)),
        ("127.0.0.1:4318", Err(Form)),
        ("/v1/traces", Err(Form)),
        ("http://", Err(Form)),
        ("http:// a", Err(Form)),
        ("https://127.0.0.1:4318", Err(Scheme)),
        ("grpc://127.0.0.1:4317", Err(Scheme)),
        ("http://user:word@127.0.0.1", Err(User)),
        ("http://127.0.0.1?a=b", Err(Query)),
        ("http://127.0.0.1/a#b", Err(Query)),
        ("http://127.0.0.1:0", Err(Host(HostError::Port))),
        ("http://127.0.0.1:66000", Err(Host(HostError::Port))),
        ("http://127.1:4318", Err(Host(HostError::Numeric))),
    ] {
        let found = text.parse().map(|endpoint: Endpoint| endpoint.to_string());
        assert_eq!(found.as_deref(), wanted.as_ref().copied(), "{text}");
    }
}
