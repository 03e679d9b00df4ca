//! Upgrades that are none, have a body, are followed by early bytes, or ask for another protocol.

use crate::support::{HOST, NEXT, Rig, UPGRADE, Upstream, Way, header, only, table};

const H: &str = "Host: api.openai.com";

#[test]
fn upgrades_that_are_none() {
    table(|table| {
        let good = format!("GET @/a HTTP/1.1\r\n{H}\r\n{UPGRADE}\r\n");
        for (from, to, status) in [
            ("Version: 13", "Version: 12", 426),
            ("Version: 13", "Version: 7", 426),
            ("Version: 13", "Version: 13, 12", 426),
            ("Version: 13", "Version: 013", 426),
            ("Sec-WebSocket-Version: 13\r\n", "", 426),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhl", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400),
            (
                "dGhlIHNhbXBsZSBub25jZQ==",
                "dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
                400,
            ),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
            ("GET", "POST", 400),
            ("HTTP/1.1", "HTTP/1.0", 400),
            ("Connection: Upgrade", "Connection: close", 400),
            ("Connection: Upgrade\r\n", "", 400),
            ("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: h2c", 400),
            ("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket", 400),
            ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a, a\r\n\r\n", 400),
            ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; =\r\n\r\n", 400),
        ] {
            for way in Way::ALL {
                let answer = table.send(way, &good.replacen(from, to, 1), status, Some("head"));
                let versions =
                    answer.to_ascii_lowercase().matches("sec-websocket-version: 13\r\n").count();
                assert_eq!(versions, usize::from(status == 426), "{answer}");
            }
        }
    });
}

#[test]
fn an_upgrade_has_no_body_and_nothing_after_its_head() {
    table(|table| {
        for (head, rest, class) in [
            ("Content-Length: 3\r\n", "abc", "framing"),
            ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "framing"),
            ("Content-Length: 0\r\n", "early", "early_data"),
            ("", "early", "early_data"),
            ("", NEXT, "early_data"),
            ("", "\u{81}\u{80}", "early_data"),
        ] {
            for upgrade in ["Upgrade: websocket\r\n", "Upgrade: ,WebSocket ,\r\n"] {
                let fields = UPGRADE.replacen("Upgrade: websocket\r\n", upgrade, 1);
                let bytes = format!("GET @/a HTTP/1.1\r\n{H}\r\n{fields}{head}\r\n{rest}");
                for way in Way::ALL {
                    table.send(way, &bytes, 400, Some(class));
                }
            }
        }
        let connect = format!("CONNECT {HOST}:443 HTTP/1.1\r\n{H}:443\r\n\r\n\u{16}");
        table.send(Way::Absolute, &connect, 400, Some("early_data"));
    });
}

/// A server of the kind that this way in leads to, and a proxy before it.
async fn behind(way: Way) -> (Upstream, Rig) {
    let upstream =
        if way.is_secure() { Upstream::tls(HOST).await } else { Upstream::plain().await };
    let rig = Rig::open(&upstream).await;
    (upstream, rig)
}

#[tokio::test]
async fn another_protocol_is_plain_http() {
    for way in Way::ALL {
        for protocol in ["h2c", "foo", "h2c, websocket", "websocket, h2c", "TLS/1.0", ""] {
            let (mut upstream, rig) = behind(way).await;
            let mut client = way.open(&rig).await;
            let get = format!("GET {}/a HTTP/1.1\r\n{H}\r\n", way.prefix());
            let fields = format!(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\n\
                 HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nX: y\r\n\r\n"
            );
            client.send(format!("{get}{fields}")).await;
            let mut server = upstream.next().await;
            let head = server.head().await;
            assert_eq!(header(&head, "x"), Some("y"), "{head}");
            for gone in ["upgrade", "http2-settings", "connection"] {
                assert_eq!(header(&head, gone), None, "{way:?} {protocol}: {head}");
            }
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
            assert!(client.head().await.starts_with("HTTP/1.1 200"));
            assert_eq!(client.exact(2).await, b"hi");
            // What would follow an h2c upgrade is a bad head, and none of it goes upstream.
            client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
            assert!(client.head().await.starts_with("HTTP/1.1 505"));
            drop(client);
            assert_eq!(server.rest().await, b"");
        }
    }
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_opens_nothing() {
    for protocol in ["websocket", "h2c", "foo"] {
        for asks in ["", "Connection: Upgrade\r\nUpgrade: h2c\r\n"] {
            let (mut upstream, rig) = behind(Way::Tls).await;
            let mut client = Way::Tls.open(&rig).await;
            client.send(format!("GET /a HTTP/1.1\r\n{H}\r\n{asks}\r\n")).await;
            let mut server = upstream.next().await;
            server.head().await;
            server
                .send(format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                     Upgrade: {protocol}\r\n\r\nbytes"
                ))
                .await;
            let answer = String::from_utf8(client.rest().await).unwrap();
            assert!(answer.starts_with("HTTP/1.1 502"), "{protocol}: {answer}");
            assert!(!answer.contains("bytes"), "{protocol}: {answer}");
            assert_eq!(server.rest().await, b"", "{protocol}");
            drop(client);
            let records = rig.records(1).await;
            assert_eq!(only(&records, "fault")["class"], "bad_101", "{protocol}");
            assert_eq!(only(&records, "ended")["close"]["kind"], "error", "{protocol}");
        }
    }
}

#[tokio::test]
async fn bytes_before_the_101_go_nowhere() {
    for way in Way::ALL {
        for early in ["\u{1}", NEXT] {
            let (mut upstream, rig) = behind(way).await;
            let mut client = way.open(&rig).await;
            client.send(format!("GET {}/a HTTP/1.1\r\n{H}\r\n{UPGRADE}\r\n", way.prefix())).await;
            let mut server = upstream.next().await;
            server.head().await;
            client.send(early).await;
            assert_eq!(server.rest().await, b"", "{way:?}");
            assert!(!client.rest().await.starts_with(b"HTTP/1.1 101"), "{way:?}");
            drop(client);
            let records = rig.records(1).await;
            assert_eq!(only(&records, "fault")["class"], "early_data", "{way:?}");
            assert_eq!(only(&records, "closed")["exchanges"], 1, "{way:?}");
        }
    }
}
