//! Requests for nobody in particular, for two at once, or for a path that can be read in two ways.

use crate::support::{HOST, Way, table};

const H: &str = "Host: api.openai.com";

#[test]
fn hosts_that_are_none_or_several() {
    table(|table| {
        for fields in ["X: y", &format!("{H}\r\n{H}"), &format!("{H}\r\nhost: evil.example")] {
            table.refused(&format!("GET @/a HTTP/1.1\r\n{fields}"), 400, "authority");
        }
        for host in [
            "",
            "u@api.openai.com",
            "api.openai.com/x",
            "api.openai.com?x",
            "api openai com",
            "api.openai.com, api.openai.com",
            "[api.openai.com]",
            "[::1",
            "[fe80::1%25lo]",
            "[fe80::1%lo]",
            "*",
            "*.openai.com",
            "xn--example-.org",
            "b\u{fc}cher.example",
            "api.openai.com..",
            "api..openai.com",
            "api%2eopenai.com",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "api.openai.com:",
            "api.openai.com:0",
            "api.openai.com:443:443",
            &format!("{}.example", "a.".repeat(124)),
            &format!("{}.example", "a".repeat(64)),
        ] {
            table.refused(&format!("GET @/a HTTP/1.1\r\nHost: {host}"), 400, "authority");
        }
    });
}

#[test]
fn names_that_disagree() {
    table(|table| {
        for way in [Way::Connect, Way::ConnectPlain, Way::Tls] {
            for host in ["evil.example", "api.openai.com:8443", "openai.com", "1.1.1.1"] {
                table.refused_by(
                    way,
                    &format!("GET /a HTTP/1.1\r\nHost: {host}"),
                    421,
                    "authority",
                );
            }
        }
        for (way, target) in [
            (Way::Tls, "https://evil.example/a"),
            (Way::Tls, "https://u@api.openai.com/a"),
            (Way::Tls, "https://api.openai.com:8443/a"),
            (Way::Tls, "http://api.openai.com/a"),
            (Way::Connect, "https://evil.example/a"),
            (Way::ConnectPlain, "https://api.openai.com/a"),
            (Way::Plain, "http://evil.example/a"),
            (Way::Plain, "https://api.openai.com/a"),
            (Way::Absolute, "http://evil.example/a"),
            (Way::Absolute, "http://u@api.openai.com/a"),
            (Way::Absolute, "http://api.openai.com:8080/a"),
            (Way::Absolute, "https://api.openai.com/a"),
            (Way::Absolute, "ftp://api.openai.com/a"),
            (Way::Absolute, "/a"),
            (Way::Absolute, "*"),
        ] {
            table.refused_by(way, &format!("GET {target} HTTP/1.1\r\n{H}"), 400, "authority");
        }
    });
}

#[test]
fn connects_to_nothing_in_particular() {
    table(|table| {
        for target in ["api.openai.com", "api.openai.com:", "127.1:443", "[api.openai.com]:443"] {
            let connect = format!("CONNECT {target} HTTP/1.1\r\nX: y\r\n\r\n");
            table.send(Way::Absolute, &connect, 400, Some("authority"));
        }
        let two = "CONNECT api.openai.com:443 HTTP/1.1\r\nHost: evil.example:443";
        table.send(Way::Absolute, &format!("{two}\r\n\r\n"), 400, Some("authority"));
        // Inside another, and on redirected traffic, there is nothing to connect to.
        for way in Way::ALL.into_iter().filter(|way| *way != Way::Absolute) {
            let connect = format!("CONNECT {HOST}:443 HTTP/1.1\r\n{H}:443\r\n\r\n");
            table.send(way, &connect, 405, Some("head"));
        }
    });
}

#[test]
fn paths_with_two_readings() {
    table(|table| {
        for path in [
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a/..%2fb",
            "//evil.example/a",
            "//api.openai.com/a",
            "//evil:443/a",
            "/%2fevil/a",
            "/a\\b",
            "/a%5cb",
            "/a/..;x/b",
            "/%00",
            "/%0d%0aX:%20y",
            "/%252e%252e/b",
        ] {
            table.refused(&format!("GET @{path} HTTP/1.1\r\n{H}"), 400, "authority");
        }
        table.refused_by(
            Way::Tls,
            &format!("GET https://{HOST}//evil.example/ HTTP/1.1\r\n{H}"),
            400,
            "authority",
        );
        table.refused_by(Way::Tls, &format!("GET * HTTP/1.1\r\n{H}"), 400, "authority");
    });
}

#[test]
fn ports_that_are_not_open() {
    table(|table| {
        for port in [22, 25, 6379, 8443] {
            let connect = format!("CONNECT {HOST}:{port} HTTP/1.1\r\n{H}:{port}\r\n\r\n");
            let absolute = format!(
                "GET http://{HOST}:{port}/ HTTP/1.1\r\n{H}:{port}\r\nConnection: close\r\n\r\n"
            );
            let by_host = format!("GET / HTTP/1.1\r\n{H}:{port}\r\nConnection: close\r\n\r\n");
            table.send(Way::Absolute, &connect, 403, None);
            table.send(Way::Absolute, &absolute, 403, None);
            table.send(Way::Plain, &by_host, 403, None);
        }
    });
}
