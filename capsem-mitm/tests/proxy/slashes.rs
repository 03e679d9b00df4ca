//! A path that begins with two slashes, as a client sends that joins a base URL and a path: it goes
//! to the connection's authority as it came, is judged in both readings, and is read as its API.

use crate::support::{Client, HOST, Path, Rig, Upstream, frame, only, upgrade};
use capsem_ws_codec::{Opcode, Role};
use serde_json::json;

const ASKED: &str = r#"{"type":"response.create","model":"gpt-5.5","input":"hi"}"#;
const ANSWERED: &str = r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"gpt-5.5","output":[]}}"#;

#[tokio::test]
async fn sent_on_as_it_came_and_read_as_its_api() {
    let absolute = format!("https://{HOST}//v1//responses?a=//b");
    for path in Path::BOTH {
        for target in ["//v1//responses?a=//b", &absolute] {
            let mut upstream = Upstream::tls(HOST).await;
            let rig = Rig::open(&upstream).await;
            let mut client = Client::tls(&rig, path, HOST).await;
            client.send(upgrade(target, "")).await;
            let mut server = upstream.next().await;
            let head = server.head().await;
            assert!(head.starts_with("GET //v1//responses?a=//b HTTP/1.1\r\n"), "{head}");
            assert!(head.contains(&format!("Host: {HOST}\r\n")), "{head}");
            server.switch(&head, "").await;
            client.head().await;

            let asked = frame(Role::Client, Opcode::Text, true, false, ASKED.as_bytes());
            client.send(&asked).await;
            assert_eq!(server.exact(asked.len()).await, asked);
            let answered = frame(Role::Server, Opcode::Text, true, false, ANSWERED.as_bytes());
            server.send(&answered).await;
            assert_eq!(client.exact(answered.len()).await, answered);
            drop((client, server));

            let records = rig.records(1).await;
            let decided = only(&records, "decided");
            assert_eq!((&decided["host"], &decided["port"]), (&json!(HOST), &json!(443)));
            assert_eq!(decided["path"], "//v1//responses");
            assert_eq!(decided["api"], "responses", "as read with single slashes");
            assert_eq!(only(&records, "model_call")["response_id"], "resp_1");
        }
    }
}

#[tokio::test]
async fn allowed_only_in_both_readings() {
    for (default, paths, rule) in [
        ("block", r#"["/v1/**"]"#, None),
        ("block", r#"["//v1/**"]"#, None),
        ("block", r#"["/v1/**", "//v1/**"]"#, Some("allow")),
        ("allow", r#"["/v1/**"]"#, Some("block")),
        ("allow", r#"["//v1/**"]"#, Some("block")),
    ] {
        let mut upstream = Upstream::tls(HOST).await;
        let action = if default == "block" { "allow" } else { "block" };
        let rules = format!(
            "version = 1\ndefault = \"{default}\"\n\
             [[rule]]\nid = \"{action}\"\naction = \"{action}\"\npaths = {paths}\n"
        );
        let rig = Rig::ruled(&upstream, &rules).await;
        let mut client = Client::tls(&rig, Path::Transparent, HOST).await;
        client.send(upgrade("//v1/responses", "")).await;
        let allowed = rule == Some("allow");
        if allowed {
            let mut server = upstream.next().await;
            let head = server.head().await;
            server.switch(&head, "").await;
        }
        let status = if allowed { "HTTP/1.1 101" } else { "HTTP/1.1 403" };
        let head = client.head().await;
        assert!(head.starts_with(status), "{default} {paths}: {head}");
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "decided")["rule"], json!(rule), "{default} {paths}");
        assert_eq!(upstream.accepted(), usize::from(allowed));
    }
}

#[tokio::test]
async fn a_word_that_could_be_a_host_is_not_dialled() {
    for (path, target) in [
        (Path::Explicit, "http://api.openai.com//evil/a"),
        (Path::Transparent, "http://api.openai.com//evil/a"),
        (Path::Transparent, "//evil/a"),
    ] {
        let mut upstream = Upstream::plain().await;
        let rig = Rig::open(&upstream).await;
        let address = match path {
            Path::Explicit => rig.proxy,
            Path::Transparent => rig.transparent,
        };
        let mut client = Client::tcp(address).await;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert!(head.starts_with("GET //evil/a HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("Host: {HOST}\r\n")), "{head}");
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(client.head().await.starts_with("HTTP/1.1 204"));
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "decided")["host"], HOST);
        assert_eq!(only(&records, "responded")["upstream_addr"], upstream.address.to_string());
    }
    // An explicit proxy's connection has no authority for it.
    let upstream = Upstream::plain().await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tcp(rig.proxy).await;
    client.send(format!("GET //evil/a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 400"));
    assert_eq!(upstream.accepted(), 0);
}
