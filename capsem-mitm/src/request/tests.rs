//! Paths as a table; the rest of a head's meaning is tested on real sockets in `tests/proxy`.

use super::{check_path, decoded, readings};
use http::Method;

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
fn every_reading_of_a_path() {
    for (path, others) in [
        ("/v1/responses", &[][..]),
        ("*", &[]),
        ("//ws/x", &["/ws/x"]),
        ("/a///b//", &["/a/b/"]),
        ("/%2fa", &["//a", "/a"]),
        ("//%61", &["//a", "/%61", "/a"]),
        // Merged before it is decoded, after, and both.
        ("//a%2f/b", &["//a//b", "/a%2f/b", "/a/b", "/a//b"]),
        ("/é//é", &["/é/é"]),
        ("/a;x=1/b;/c", &["/a/b/c"]),
        ("/a%3Bx", &["/a;x", "/a"]),
        ("/a%3fb", &["/a?b", "/a"]),
        ("/a%23b", &["/a#b", "/a"]),
    ] {
        let read = readings(path);
        assert_eq!((read[0].as_str(), &read[1..]), (path, &*own(others)), "{path}");
    }
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn paths_no_honest_client_sends() {
    for path in [
        "/../a",
        "/a/..",
        "/./",
        "/%2e/",
        "/a%2f..%2fb",
        "//",
        "///a",
        "//evil.example/a",
        "//evil%2eexample/a",
        "//evil:80/a",
        "//u@evil/a",
        "//[::1]/a",
        "//2130706433/a",
        "//LocalHost/a",
        "//%61/a",
        "//%2fa",
        "//a/..",
        "/%2fa",
        "/a\\b",
        "/%5c",
        "/%00",
        "/..;/a",
        "/a/..;x=1",
        "/a/..%3b/b",
        "/;x/evil",
        "/a%0d%0aX:%20y",
        "/%7f",
        "/a/..%3fb",
        "*",
        "/%252e%252e/a",
        "/%25252541",
        "a",
    ] {
        assert!(check_path(&Method::GET, path).is_err(), "{path}");
    }
    for path in [
        "/",
        "*",
        "/a//b",
        "//a",
        "//ws/google.ai.x.Y",
        "//v1beta/models/g:x",
        "/a//evil.example",
        "/...",
        "/a..b",
        "/@scope%2fname",
        "/a;b=c",
        "/%c3%bc",
        "/v1beta/models/g:x",
    ] {
        assert!(check_path(&Method::OPTIONS, path).is_ok(), "{path}");
    }
}
