//! Paths as a table; the rest of a head's meaning is tested on real sockets in `tests/proxy`.

use super::{check_path, decoded};

#[test]
fn what_a_server_that_decodes_would_read() {
    for (path, read) in [
        ("/v1/responses", None),
        ("/v1%2fresponses", Some("/v1/responses")),
        ("/%76%31", Some("/v1")),
        ("/100%", None),
        ("/%zz", None),
        ("/%c3%bc", None),
        ("/a%2", None),
        ("/%25%32%66", Some("/%2f")),
        ("/%é", None),
    ] {
        assert_eq!(decoded(path).as_deref(), read, "{path}");
    }
}

#[test]
fn paths_no_honest_client_sends() {
    for path in [
        "/../a",
        "/a/..",
        "/./",
        "/%2e/",
        "/a%2f..%2fb",
        "//a",
        "/%2fa",
        "/a\\b",
        "/%5c",
        "/%00",
        "/..;/a",
        "/%252e%252e/a",
        "/%25252541",
        "a",
    ] {
        assert!(check_path(path).is_err(), "{path}");
    }
    for path in [
        "/",
        "*",
        "/a//b",
        "/...",
        "/a..b",
        "/@scope%2fname",
        "/a;b=c",
        "/%c3%bc",
        "/v1beta/models/g:x",
    ] {
        assert!(check_path(path).is_ok(), "{path}");
    }
}
