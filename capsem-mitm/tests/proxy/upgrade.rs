//! `GET /v1/responses` as an upgrade: allowed, denied, refused, unreachable, answered with a bad 101.

use crate::support::{Client, HOST, Path, Rig, Upstream, header, only};
use serde_json::json;

/// A head as Codex writes it; the key is the example of RFC 6455 section 1.3.
fn upgrade(more: &str) -> String {
    format!(
        "GET /v1/responses HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
const BLOCK: &str = r#"
version = 1
default = "allow"
[[rule]]
id = "no-sockets"
action = "block"
on = ["upgrade"]
paths = ["/v1/responses"]
reason = "use HTTP"
status = 426
"#;

#[tokio::test]
async fn allowed_on_both_ways_in() {
    for path in Path::BOTH {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::open(&upstream).await;
        let mut client = Client::tls(&rig, path, HOST).await;

        client
            .send(upgrade(&format!("authorization: Bearer sk-1\r\nX-Kept: 1\r\n{DEFLATE}")))
            .await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert!(head.starts_with("GET /v1/responses HTTP/1.1\r\n"), "{head}");
        assert_eq!(header(&head, "host"), Some(HOST));
        assert_eq!(header(&head, "authorization"), Some("Bearer sk-1"));
        assert!(head.contains("X-Kept: 1"), "names keep their case: {head}");
        assert_eq!(
            header(&head, "sec-websocket-extensions"),
            Some("permessage-deflate; client_max_window_bits")
        );

        // The 101 and two frames in one segment: "hi" as text, and a ping.
        server
            .switch(
                &head,
                "Sec-WebSocket-Extensions: permessage-deflate\r\nx-codex-turn-state: t\r\n",
            )
            .await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert_eq!(header(&head, "x-codex-turn-state"), Some("t"));
        assert_eq!(header(&head, "sec-websocket-extensions"), Some("permessage-deflate"));
        assert_eq!(header(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));

        let (text, ping) = (*b"\x81\x02hi", *b"\x89\x01!");
        server.send([&text[..], &ping[..]].concat()).await;
        assert_eq!(client.exact(7).await, b"\x81\x02hi\x89\x01!");
        let masked = *b"\x81\x82\x01\x02\x03\x04\x69\x6b";
        client.send(masked).await;
        assert_eq!(server.exact(8).await, masked);

        // The client leaves as Codex does: no Close, no close_notify.
        drop(client);
        assert_eq!(server.rest().await, b"");
        drop(server);

        let records = rig.records(1).await;
        let decided = only(&records, "decided");
        assert_eq!(decided["transport"], "websocket");
        assert_eq!(decided["scheme"], "wss");
        assert_eq!(decided["host"], HOST);
        assert_eq!(decided["path"], "/v1/responses");
        assert_eq!(decided["provider"], "openai");
        assert_eq!(decided["decision"], "allowed");
        let responded = only(&records, "responded");
        assert_eq!((&responded["status"], &responded["by"]), (&json!(101), &json!("upstream")));
        assert_eq!(responded["extensions"], "permessage-deflate");
        assert_eq!(responded["upstream_addr"], upstream.address.to_string());
        let ended = only(&records, "ended");
        assert_eq!(ended["close"]["kind"], "normal");
        assert_eq!(ended["close"]["by"], "client");
        assert_eq!(ended["to_upstream"]["messages"], 1);
        assert_eq!(ended["to_client"]["frames"], 2);
        assert_eq!(ended["to_client"]["wire_bytes"], 7);
    }
}

#[tokio::test]
async fn denied_before_anything_is_dialled() {
    for path in Path::BOTH {
        let upstream = Upstream::tls(HOST).await;
        let rig = Rig::ruled(&upstream, BLOCK).await;
        let mut client = Client::tls(&rig, path, HOST).await;
        client.send(upgrade("")).await;
        let answer = String::from_utf8(client.rest().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let expect = json!({"type": "policy_denied", "code": "no-sockets", "message": "use HTTP"});
        assert_eq!(body["error"], expect);
        drop(client);
        let records = rig.records(1).await;
        let decided = only(&records, "decided");
        assert_eq!(decided["decision"], "denied");
        assert_eq!((&decided["action"], &decided["rule"]), (&json!("block"), &json!("no-sockets")));
        assert_eq!(only(&records, "responded")["by"], "proxy");
        assert_eq!(only(&records, "ended")["close"]["kind"], "policy");
        assert_eq!(upstream.accepted(), 0);
    }
}

#[tokio::test]
async fn refused_by_upstream_with_its_status_and_body() {
    for (status, body) in
        [("401 Unauthorized", "{\"error\":1}"), ("200 OK", "hello"), ("503 No", "")]
    {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::open(&upstream).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        client.send(upgrade("")).await;
        let mut server = upstream.next().await;
        server.head().await;
        server
            .send(format!(
                "HTTP/1.1 {status}\r\nUpgrade: websocket\r\nx-request-id: r1\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        let answer = String::from_utf8(client.rest().await).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert_eq!(header(&answer, "x-request-id"), Some("r1"));
        assert_eq!(header(&answer, "connection"), Some("close"));
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        assert_eq!(server.rest().await, b"", "no pipe is left open");
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "decided")["decision"], "allowed");
        assert_eq!(only(&records, "responded")["by"], "upstream");
        assert_eq!(only(&records, "ended")["to_client"]["wire_bytes"], body.len());
    }
}

#[tokio::test]
async fn upstream_unreachable() {
    let gone = {
        let upstream = Upstream::tls(HOST).await;
        upstream.address
    };
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, capsem_policy::Policy::allow_all(), |config| {
        // A port that was just given back: nobody listens there.
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _ = gone;
        for pin in &mut config.upstream.resolve {
            pin.address = unused;
        }
    })
    .await;
    let mut client = Client::tls(&rig, Path::Transparent, HOST).await;
    client.send(upgrade("")).await;
    let answer = String::from_utf8(client.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    drop(client);
    let records = rig.records(1).await;
    assert_eq!(only(&records, "decided")["decision"], "allowed");
    let fault = only(&records, "fault");
    assert_eq!((&fault["side"], &fault["class"]), (&json!("upstream"), &json!("connect")));
    assert_eq!(only(&records, "ended")["close"]["kind"], "error");
}

#[tokio::test]
async fn a_bad_101_opens_nothing() {
    const GOOD: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    let table = [
        ("wrong accept", GOOD.replace("s3pP", "t3pP")),
        ("no accept", GOOD.replace("Sec-WebSocket-Accept", "X")),
        ("accept twice", format!("{GOOD}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")),
        ("no connection", GOOD.replace("Connection: Upgrade", "Connection: close")),
        ("another protocol", GOOD.replace("websocket", "h2c")),
        ("a subprotocol nobody offered", format!("{GOOD}Sec-WebSocket-Protocol: chat\r\n")),
        ("an extension nobody offered", format!("{GOOD}Sec-WebSocket-Extensions: x-foo\r\n")),
        (
            "a parameter nobody knows",
            format!("{GOOD}Sec-WebSocket-Extensions: permessage-deflate; x=1\r\n"),
        ),
    ];
    for (case, headers) in table {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::open(&upstream).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        client.send(upgrade(DEFLATE)).await;
        let mut server = upstream.next().await;
        server.head().await;
        server.send(format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n\x02")).await;
        let answer = String::from_utf8(client.rest().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 502"), "{case}: {answer}");
        assert_eq!(server.rest().await, b"", "{case}");
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "fault")["class"], "bad_101", "{case}");
        assert_eq!(only(&records, "ended")["close"]["kind"], "error", "{case}");
    }
}

#[tokio::test]
async fn an_extension_nobody_here_reads_is_not_offered_upstream() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client
        .send(upgrade(
            "Sec-WebSocket-Extensions: x-zip, permessage-deflate; server_no_context_takeover\r\n",
        ))
        .await;
    let head = upstream.next().await.head().await;
    assert_eq!(
        header(&head, "sec-websocket-extensions"),
        Some("permessage-deflate; server_no_context_takeover")
    );
}

#[tokio::test]
async fn plain_ws_through_absolute_form_and_by_host() {
    for path in Path::BOTH {
        let mut upstream = Upstream::plain().await;
        let rig = Rig::open(&upstream).await;
        let (address, target) = match path {
            Path::Explicit => (rig.proxy, format!("http://{HOST}/v1/responses")),
            Path::Transparent => (rig.transparent, "/v1/responses".to_owned()),
        };
        let mut client = Client::tcp(address).await;
        client.send(upgrade("").replacen("/v1/responses", &target, 1)).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert!(head.starts_with("GET /v1/responses HTTP/1.1\r\n"), "{head}");
        server.switch(&head, "").await;
        assert!(client.head().await.starts_with("HTTP/1.1 101"));
        server.send(b"\x88\x02\x03\xe8").await;
        assert_eq!(client.exact(4).await, b"\x88\x02\x03\xe8");
        let answer = *b"\x88\x82\0\0\0\0\x03\xe8";
        client.send(answer).await;
        assert_eq!(server.exact(8).await, answer);
        assert_eq!(client.rest().await, b"");
        drop(client);
        assert_eq!(server.rest().await, b"");
        drop(server);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "decided")["scheme"], "ws");
        assert_eq!(
            only(&records, "ended")["close"],
            json!({
                "kind": "normal", "by": "upstream", "code": 1000, "reason": null
            })
        );
    }
}

#[tokio::test]
async fn interim_responses_before_a_101_are_few() {
    for (count, status) in [(8, "101"), (9, "502"), (50, "502")] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::open(&upstream).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        client.send(upgrade("")).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        server.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(count)).await;
        if status == "101" {
            server.switch(&head, "").await;
        }
        let head = client.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{count}: {head}");
    }
}
