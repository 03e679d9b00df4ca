//! Rules on messages, met by the bodies of requests.

use crate::support::{Client, HOST, NO_PRO, Path, Rig, Upstream, header, json_of, only, rules};
use capsem_mitm::{Authority, config::Pin};
use std::io::Write as _;

#[tokio::test]
async fn the_same_content_in_a_post_meets_the_same_rules() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for (path, model, coding, status) in [
        ("/v1/responses", "gpt-5-pro", "", "403"),
        ("/v1/r%65sponses", "gpt-5-pro", "", "403"),
        ("/v1/responses", "gpt-5-pro", "gzip", "403"),
        ("/v1/responses", "gpt-5-pro", "x-unknown", "403"),
        ("/v1/responses", "gpt-5-pro", "identity\r\nContent-Encoding: x-unknown", "403"),
        ("/v1/Responses", "gpt-5-pro", "", "403"),
        ("/v1/threads/runs", "gpt-5-pro", "", "403"),
        ("/openai/deployments/gpt-5-pro/chat/completions", "gpt-5.5", "", "403"),
        ("/v1/responses", "gpt-5.5", "", "200"),
        ("/v1/responses", "gpt-5.5", "gzip", "200"),
    ] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::with(&upstream, rules(NO_PRO), |_| {}).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        let plain = format!(r#"{{"model":"{model}","input":"hi"}}"#);
        let body = if coding == "gzip" { gzip(&plain) } else { plain.clone().into_bytes() };
        let coding_line = if coding.is_empty() {
            String::new()
        } else {
            format!("Content-Encoding: {coding}\r\n")
        };
        client
            .send(format!(
                "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n\
                 {coding_line}Transfer-Encoding: chunked\r\n\r\n"
            ))
            .await;
        let (a, b) = body.split_at(9);
        for piece in [a, b] {
            client
                .send([format!("{:X}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
                .await;
        }
        client.send("0\r\n\r\n").await;
        if status == "200" {
            let mut server = upstream.next().await;
            let head = server.head().await;
            assert_eq!(header(&head, "content-length"), Some(&*body.len().to_string()), "{head}");
            assert_eq!(server.exact(body.len()).await, body);
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            assert!(client.head().await.starts_with("HTTP/1.1 200"));
        } else {
            let head = client.head().await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
            let len: usize = header(&head, "content-length").unwrap().parse().unwrap();
            let error = &json_of(&String::from_utf8(client.exact(len).await).unwrap())["error"];
            assert_eq!(error["type"], "policy_denied");
            if !coding.contains("x-unknown") {
                assert_eq!(error["code"], "no-large-models");
                assert_eq!(error["message"], "this model is too dear");
            }
            assert_eq!(upstream.accepted(), 0, "nothing was dialled");
        }
        drop(client);
        let records = rig.records(1).await;
        let denied = status == "403";
        // Of no API that is known there are no calls.
        if path != "/v1/Responses" && path != "/v1/threads/runs" {
            let call = only(&records, "model_call");
            assert_eq!(call["status"] == "denied", denied, "{call}");
        }
        assert_eq!(records.iter().any(|r| r["kind"] == "refused"), denied);
        assert_eq!(only(&records, "ended")["close"]["kind"] == "policy", denied);
    }
}

#[tokio::test]
async fn a_body_is_judged_by_the_rules_in_force_at_its_end() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(NO_PRO), |_| {}).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    let body = r#"{"model":"gpt-5.5","input":"hi"}"#;
    let length = body.len();
    client
        .send(format!(
            "POST /v1/responses HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        ))
        .await;
    // The body is waited for.
    assert!(client.head().await.starts_with("HTTP/1.1 100"));
    rig.policy.replace(rules(&NO_PRO.replace("gpt-5-pro*", "gpt-5.5")));
    client.send(body).await;
    assert!(client.head().await.starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn what_is_no_request_to_a_model_is_not_held() {
    let mut upstream = Upstream::tls("files.test").await;
    let rig = Rig::with(&upstream, rules(NO_PRO), |config| {
        let authority = Authority::parse("files.test", 443).unwrap();
        config.upstream.resolve = vec![Pin { authority, address: upstream.address }];
    })
    .await;
    let mut client = Client::tls(&rig, Path::Explicit, "files.test").await;
    client.send("PUT /a HTTP/1.1\r\nHost: files.test\r\nContent-Length: 10\r\n\r\n01234").await;
    let mut server = upstream.next().await;
    server.head().await;
    assert_eq!(server.exact(5).await, b"01234");
}
