//! Silence, and peers that take nothing: each stage of plain HTTP ends in time, with its record.

use crate::support::{Client, HOST, Path, Rig, Upstream, only};
use capsem_mitm::config::Config;
use capsem_policy::Policy;
use serde_json::json;
use std::time::Duration;

/// Short for a deadline, long for everything that must happen before it on a busy machine.
const SHORT: Duration = Duration::from_secs(1);
const GET: &str = "GET /a HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";

async fn rig(upstream: &Upstream, change: fn(&mut Config)) -> Rig {
    Rig::with(upstream, Policy::allow_all(), change).await
}

#[tokio::test]
async fn a_kept_connection_is_not_kept_for_ever() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream, |config| config.limits.head_timeout = SHORT).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(GET).await;
    let mut server = upstream.next().await;
    server.head().await;
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    client.head().await;
    assert_eq!(client.rest().await, b"");
    assert_eq!(server.rest().await, b"", "the upstream connection goes with it");
    let records = rig.records(1).await;
    assert!(!records.iter().any(|record| record["kind"] == "fault"));
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_although_it_sent_more() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream, |_| {}).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(GET.repeat(2)).await;
    let mut server = upstream.next().await;
    server.head().await;
    drop(client);
    assert_eq!(server.rest().await, b"", "the second request is not sent");
    let records = rig.records(1).await;
    assert_eq!(only(&records, "ended")["close"]["by"], "client");
}

#[tokio::test]
async fn a_pipelined_request_waits_for_its_turn() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream, |_| {}).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(GET.repeat(2)).await;
    let mut server = upstream.next().await;
    for body in ["1", "2"] {
        server.head().await;
        server.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{body}")).await;
        client.head().await;
        assert_eq!(client.exact(1).await, body.as_bytes());
    }
    drop(client);
    assert_eq!(only(&rig.records(1).await, "closed")["exchanges"], 2);
}

#[tokio::test]
async fn a_body_that_stands_still() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream, |config| config.limits.stall_timeout = SHORT).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client
        .send(GET.replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 9\r\n\r\nab"))
        .await;
    let mut server = upstream.next().await;
    server.head().await;
    let answer = String::from_utf8(client.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    drop(client);
    let records = rig.records(1).await;
    let fault = only(&records, "fault");
    assert_eq!((&fault["side"], &fault["class"]), (&json!("client"), &json!("stall")));
}

#[tokio::test]
async fn an_answer_that_is_not_taken() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream, |config| config.limits.stall_timeout = SHORT).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(GET).await;
    let mut server = upstream.next().await;
    server.head().await;
    let len = 64 << 20;
    server.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n")).await;
    // More than all buffers between here and a client that reads nothing; the proxy lets go.
    let sent = tokio::io::AsyncWriteExt::write_all(&mut server.io, &vec![0; len]).await;
    assert!(sent.is_err());
    let records = rig.records(1).await;
    assert_eq!(only(&records, "fault")["class"], "stall");
    let close = &only(&records, "ended")["close"];
    assert_eq!((&close["kind"], &close["by"]), (&json!("timeout"), &json!("client")));
    drop(client);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream, |config| config.limits.response_timeout = SHORT).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(GET).await;
    let mut server = upstream.next().await;
    server.head().await;
    let answer = String::from_utf8(client.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    drop(client);
    let records = rig.records(1).await;
    let fault = only(&records, "fault");
    assert_eq!((&fault["side"], &fault["class"]), (&json!("upstream"), &json!("stall")));
    assert_eq!(only(&records, "ended")["close"]["kind"], "timeout");
}

#[tokio::test]
async fn interim_responses_are_few() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    for (count, status) in [(8, 200), (9, 502)] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = rig(&upstream, |_| {}).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        client.send(GET).await;
        let mut server = upstream.next().await;
        server.head().await;
        server.send(interim.repeat(count)).await;
        if status == 200 {
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
        let head = client.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{count}: {head}");
    }
}
