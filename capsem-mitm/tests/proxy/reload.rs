//! A policy that is replaced while sockets are open.

use crate::support::{Client, HOST, Path, Rig, Upstream, only, upgrade};
use capsem_policy::Policy;
use serde_json::json;

fn rules(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\ndefault = \"allow\"\n{text}"), "rules.toml").unwrap()
}

const NO_SOCKETS: &str = "[[rule]]\nid = \"no-sockets\"\naction = \"block\"\non = [\"upgrade\"]\n\
    reason = \"sockets are over\"\n";

#[tokio::test]
async fn a_socket_that_would_be_blocked_is_closed_and_others_are_not() {
    for path in Path::BOTH {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::open(&upstream).await;
        let mut client = Client::tls(&rig, path, HOST).await;
        client.send(upgrade("/v1/responses", "")).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        server.switch(&head, "").await;
        client.head().await;

        // These still allow it, and it goes on.
        rig.policy
            .replace(rules("[[rule]]\nid = \"a\"\naction = \"block\"\npaths = [\"/other\"]\n"));
        server.send(b"\x81\x02hi").await;
        assert_eq!(client.exact(4).await, b"\x81\x02hi");

        // Inside a frame: it ends at the frame's border, and upstream is not blamed.
        server.send(b"\x81\x05he").await;
        assert_eq!(client.exact(4).await, b"\x81\x05he");
        rig.policy.replace(rules(NO_SOCKETS));
        server.send(b"llo").await;
        assert_eq!(client.rest().await, b"llo\x88\x0c\x03\xf0no-sockets");
        let told = server.rest().await;
        let [0x88, 0x8c, k0, k1, _, _, c0, c1, ..] = told[..] else { panic!("{told:02x?}") };
        assert_eq!(u16::from_be_bytes([k0 ^ c0, k1 ^ c1]), 1001);
        drop(client);

        // The next one is judged by the new rules, on a new connection and on an old one.
        let mut client = Client::tls(&rig, path, HOST).await;
        client.send(upgrade("/v1/responses", "")).await;
        assert!(client.head().await.starts_with("HTTP/1.1 403"));
        drop((client, server));
        let records = rig.records(2).await;
        let closes = |code: &serde_json::Value| {
            let close = json!({
                "kind": "policy", "by": "proxy", "code": code, "reason": "sockets are over"
            });
            records.iter().filter(|record| record["close"] == close).count()
        };
        assert_eq!((closes(&json!(1008)), closes(&json!(null))), (1, 1), "{records:#?}");
    }
}

#[tokio::test]
async fn a_change_before_the_101_counts() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(upgrade("/v1/responses", "")).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    rig.policy.replace(rules(NO_SOCKETS));
    server.switch(&head, "").await;
    assert!(client.head().await.starts_with("HTTP/1.1 101"));
    assert_eq!(client.rest().await, b"\x88\x0c\x03\xf0no-sockets");
    drop(client);
    drop(server);
    assert_eq!(only(&rig.records(1).await, "ended")["close"]["kind"], "policy");
}

#[tokio::test]
async fn a_kept_connection_is_judged_request_by_request() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    let get = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    client.send(&get).await;
    let mut server = upstream.next().await;
    server.head().await;
    server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 204"));
    rig.policy.replace(Policy::block_all());
    client.send(&get).await;
    assert!(client.head().await.starts_with("HTTP/1.1 403"));
}
