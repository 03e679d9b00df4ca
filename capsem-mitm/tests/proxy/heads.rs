//! Heads that break the grammar, are too long, or leave in doubt what follows them.

use crate::support::{Way, table};

const H: &str = "Host: api.openai.com";

#[test]
fn heads_that_break_the_grammar() {
    table(|table| {
        for head in [
            "GET @/a HTTP/1.1\nHost: api.openai.com\n",
            &format!("GET @/a HTTP/1.1\r\n{H}\nX: y"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nX : y"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\n X: y"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nX: y\r\n folded"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nX: y\r\n\tfolded"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nX: a\rb"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nX: a\r"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nX: a\0b"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nX: a\x0c"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nno colon"),
            &format!("GET @/a HTTP/1.1\r\n{H}\r\n: no name"),
            &format!("GET  @/a HTTP/1.1\r\n{H}"),
            &format!("GET @/a  HTTP/1.1\r\n{H}"),
            &format!("GET\t@/a HTTP/1.1\r\n{H}"),
            &format!("GET @/a b HTTP/1.1\r\n{H}"),
            &format!("GET @/a#b HTTP/1.1\r\n{H}"),
            &format!("GET @/\u{e9} HTTP/1.1\r\n{H}"),
            &format!("GET @/<a> HTTP/1.1\r\n{H}"),
            &format!("G[T @/a HTTP/1.1\r\n{H}"),
            &format!("GET @/a\r\n{H}"),
            // What can be no head is refused with its first line.
            "SSH-2.0-x\r\n",
            &"\r\n".repeat(64),
        ] {
            // Redirected traffic that begins with anything else is not taken for HTTP at all.
            if head.starts_with(|first: char| first.is_ascii_uppercase()) {
                table.refused(head, 400, "head");
            } else {
                table.refused_by(Way::Absolute, head, 400, "head");
            }
        }
    });
}

#[test]
fn versions_of_http() {
    table(|table| {
        for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "http/1.1", "HTTP/1.10"] {
            table.refused(&format!("GET @/a {version}\r\n{H}"), 505, "head");
        }
        // The preface of HTTP/2 (RFC 9113 section 3.4) is one as well.
        table.refused_by(Way::Tls, "PRI * HTTP/2.0\r\n\r\nSM", 505, "head");
        table.refused_by(Way::Plain, "PRI * HTTP/2.0\r\n\r\nSM", 505, "head");
    });
}

#[test]
fn heads_that_are_too_long() {
    table(|table| {
        table.refused(
            &format!("GET @/a HTTP/1.1\r\n{H}\r\nX: {}", "y".repeat(70_000)),
            431,
            "head",
        );
        table.refused(&format!("GET @/{} HTTP/1.1\r\n{H}", "y".repeat(70_000)), 431, "head");
        table.refused(&format!("GET @/a HTTP/1.1\r\n{H}{}", "\r\nX: y".repeat(100)), 431, "head");
    });
}

#[test]
fn framing_in_doubt() {
    table(|table| {
        for fields in [
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: 1\r\ncontent-length: 2",
            "Content-Length: 1, 1",
            "Content-Length: +1",
            "Content-Length: -1",
            "Content-Length: 0x1",
            "Content-Length: 1 1",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 1",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: chunked,",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding:",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        ] {
            table.refused(&format!("POST @/a HTTP/1.1\r\n{H}\r\n{fields}"), 400, "framing");
        }
        table.refused(
            &format!("POST @/a HTTP/1.0\r\n{H}\r\nTransfer-Encoding: chunked"),
            400,
            "framing",
        );
    });
}

#[test]
fn fields_that_other_hops_need() {
    table(|table| {
        for name in [
            "authorization",
            "Host",
            "cookie",
            "content-type",
            "sec-websocket-key",
            "transfer-encoding",
        ] {
            let nominated = format!("Connection: upgrade, {name}");
            table.refused(&format!("GET @/a HTTP/1.1\r\n{H}\r\n{nominated}"), 400, "head");
        }
    });
}
