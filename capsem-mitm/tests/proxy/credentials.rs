//! The guest sends placeholders, the upstream gets values, and nobody else ever sees one.

use crate::support::{Client, HOST, Path, Rig, Upstream, header, only};
use capsem_mitm::{
    Authority, Services,
    config::{CredentialConfig, Pin, Value},
    credential::{Credential, CredentialSource, Found, Secret, Unresolved},
};
use capsem_policy::Policy;
use serde_json::{Value as Json, json};

/// The value; nothing but the upstream may ever hold it.
const CANARY: &str = "cn-canary.4711~value";
const REFERENCE: &str =
    "credential:blake3:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn openai(file: &tempfile::NamedTempFile) -> CredentialConfig {
    std::fs::write(file.path(), format!("{CANARY}\n")).unwrap();
    CredentialConfig {
        host: HOST.parse().unwrap(),
        port: None,
        header: None,
        placeholder: "Bearer capsem-openai".to_owned(),
        prefix: "Bearer ".to_owned(),
        value: Value::File(file.path().into()),
    }
}

/// A proxy with the credential of [`HOST`], which reaches another host at the same place.
async fn rig(upstream: &Upstream, policy: Policy) -> Rig {
    let file = tempfile::NamedTempFile::new().unwrap();
    Rig::with(upstream, policy, |config| {
        config.credentials = vec![openai(&file)];
        let authority = Authority::parse("other.test", 80).unwrap();
        config.upstream.resolve.push(Pin { authority, address: upstream.address });
    })
    .await
}

/// Knows one reference, for [`HOST`]; for `stalled.test` it is out of order.
struct Broker;

impl CredentialSource for Broker {
    fn resolve(&self, found: &Found<'_>) -> Result<Option<Credential>, Unresolved> {
        match (found.text, found.target.host) {
            (REFERENCE, HOST) => Ok(Some(Credential::new(REFERENCE, Secret::new(CANARY)?))),
            (REFERENCE, _) => Ok(None),
            (text, HOST) if text.starts_with("credential:") => Err(Unresolved::Unavailable),
            _ => Ok(None),
        }
    }
}

#[track_caller]
fn no_canary(what: &str, text: &str) {
    for part in [CANARY, "canary.4711", "4711~value", "4711%7Evalue"] {
        assert!(!text.contains(part), "{what} holds the value: {text}");
    }
}

#[track_caller]
fn clean(records: &[Json]) {
    for record in records {
        no_canary("a record", &record.to_string());
    }
}

#[tokio::test]
async fn in_a_request_and_hidden_in_its_response() {
    for path in Path::BOTH {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = rig(&upstream, Policy::allow_all()).await;
        let mut client = Client::tls(&rig, path, HOST).await;
        client
            .send(format!(
                "GET /v1/models?key=capsem%2Dopenai&a=b HTTP/1.1\r\nHost: {HOST}\r\n\
                 Authorization: Bearer capsem-openai\r\nX-Api-Key: capsem-openai\r\n\
                 X-Other: not capsem-openai, this\r\n\r\n"
            ))
            .await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert!(head.starts_with(&format!("GET /v1/models?key={CANARY}&a=b HTTP/1.1")), "{head}");
        assert_eq!(header(&head, "authorization"), Some(&*format!("Bearer {CANARY}")));
        assert_eq!(header(&head, "x-api-key"), Some(&*format!("Bearer {CANARY}")));
        assert_eq!(header(&head, "x-other"), Some("not capsem-openai, this"));
        let body = format!("{{\"error\":{{\"message\":\"bad key {CANARY}\"}}}}");
        server
            .send(format!(
                "HTTP/1.1 401 No {CANARY}\r\nLocation: /?key=cn-canary.4711%7evalue\r\nX-Echo: {CANARY}!\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        let head = client.head().await;
        no_canary("the guest", &head);
        assert_eq!(header(&head, "location"), Some("/?key=capsem-openai"));
        assert_eq!(header(&head, "x-echo"), Some("capsem-openai!"));
        client.exact(body.len()).await;
        drop(client);
        let records = rig.records(1).await;
        let decided = only(&records, "decided");
        assert_eq!(decided["credential_ref"], "capsem-openai");
        assert_eq!(decided["decision"], "allowed");
        clean(&records);
    }
}

#[tokio::test]
async fn what_an_upstream_repeats_in_a_body_reaches_no_record() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream, Policy::allow_all()).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    let request = r#"{"model":"gpt-5.5","input":"hi"}"#;
    client
        .send(format!(
            "POST /v1/responses HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer capsem-openai\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{request}",
            request.len()
        ))
        .await;
    let mut server = upstream.next().await;
    server.head().await;
    let body = format!(r#"{{"error":{{"code":"invalid_api_key","message":"no key {CANARY}."}}}}"#);
    server
        .send(format!(
            "HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    client.head().await;
    client.exact(body.len()).await;
    drop(client);
    let records = rig.records(1).await;
    let call = only(&records, "model_call");
    assert_eq!(call["error"]["message"], "no key capsem-openai.");
    clean(&records);
}

#[tokio::test]
async fn in_an_upgrade_its_query_and_its_subprotocols() {
    for path in Path::BOTH {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = rig(&upstream, Policy::allow_all()).await;
        let mut client = Client::tls(&rig, path, HOST).await;
        client
            .send(format!(
                "GET /v1/realtime?model=m&key=capsem-openai HTTP/1.1\r\nHost: {HOST}\r\n\
                 Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Authorization: Bearer capsem-openai\r\n\
                 Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.capsem-openai\r\n\r\n"
            ))
            .await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert!(head.starts_with(&format!("GET /v1/realtime?model=m&key={CANARY} ")), "{head}");
        assert_eq!(header(&head, "authorization"), Some(&*format!("Bearer {CANARY}")));
        let offered = format!("realtime, openai-insecure-api-key.{CANARY}");
        assert_eq!(header(&head, "sec-websocket-protocol"), Some(&*offered));
        // A careless server picks the one with the key.
        let picked = format!(
            "Sec-WebSocket-Protocol: openai-insecure-api-key.{CANARY}\r\nX-Echo: {CANARY}\r\n"
        );
        server.switch(&head, &picked).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        no_canary("the guest", &head);
        let shown = header(&head, "sec-websocket-protocol");
        assert_eq!(shown, Some("openai-insecure-api-key.capsem-openai"));
        // It also says it in its Close.
        let reason = format!("key {CANARY}");
        let len = u8::try_from(reason.len() + 2).unwrap();
        server.send([&[0x88, len, 0x0b, 0xb8], reason.as_bytes()].concat()).await;
        client.exact(usize::from(len) + 2).await;
        drop((client, server));
        let records = rig.records(1).await;
        assert_eq!(only(&records, "decided")["credential_ref"], "capsem-openai");
        assert_eq!(only(&records, "ended")["close"]["reason"], "key capsem-openai");
        clean(&records);
    }
}

#[tokio::test]
async fn towards_another_host_a_placeholder_is_a_word_like_others() {
    let mut upstream = Upstream::plain().await;
    let rig = rig(&upstream, Policy::allow_all()).await;
    let mut client = Client::tcp(rig.transparent).await;
    client
        .send(
            "GET /?key=capsem-openai HTTP/1.1\r\nHost: other.test\r\n\
             Authorization: Bearer capsem-openai\r\n\r\n",
        )
        .await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    assert!(head.starts_with("GET /?key=capsem-openai HTTP/1.1"), "{head}");
    assert_eq!(header(&head, "authorization"), Some("Bearer capsem-openai"));
    server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    client.head().await;
    drop(client);
    let records = rig.records(1).await;
    assert_eq!(only(&records, "decided")["credential_ref"], json!(null));
}

#[tokio::test]
async fn what_is_denied_is_given_nothing() {
    let upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream, Policy::block_all()).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client
        .send(format!(
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer capsem-openai\r\n\r\n"
        ))
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 403"));
    drop(client);
    let records = rig.records(1).await;
    assert_eq!(only(&records, "decided")["credential_ref"], json!(null));
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn a_reference_is_resolved_by_the_host_or_refused() {
    let unknown = REFERENCE.replace("0011", "ffff");
    for (serviced, reference, upgrade, resolved) in [
        (true, REFERENCE, false, true),
        (true, REFERENCE, true, true),
        (true, &*unknown, false, false),
        (true, &*unknown, true, false),
        (false, REFERENCE, false, false),
    ] {
        let mut upstream = Upstream::tls(HOST).await;
        let mut services = Services::default();
        if serviced {
            services.credentials = Some(Box::new(Broker));
        } else {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut rig_config = vec![openai(&file)];
            let rig = Rig::serviced(&upstream, Policy::allow_all(), services, |config| {
                config.credentials.append(&mut rig_config);
            })
            .await;
            refused(&rig, &upstream, reference, upgrade).await;
            continue;
        }
        let rig = Rig::serviced(&upstream, Policy::allow_all(), services, |_| {}).await;
        if !resolved {
            refused(&rig, &upstream, reference, upgrade).await;
            continue;
        }
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        client.send(request(reference, upgrade)).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert_eq!(header(&head, "authorization"), Some(&*format!("Bearer {CANARY}")));
        server
            .send(format!("HTTP/1.1 403 No\r\nX-Echo: {CANARY}\r\nContent-Length: 0\r\n\r\n"))
            .await;
        assert_eq!(header(&client.head().await, "x-echo"), Some(REFERENCE));
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "decided")["credential_ref"], REFERENCE);
        clean(&records);
    }
}

fn request(reference: &str, upgrade: bool) -> String {
    let more = if upgrade {
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    } else {
        ""
    };
    format!(
        "GET /v1/responses HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {reference}\r\n\
         {more}\r\n"
    )
}

async fn refused(rig: &Rig, upstream: &Upstream, reference: &str, upgrade: bool) {
    let mut client = Client::tls(rig, Path::Explicit, HOST).await;
    client.send(request(reference, upgrade)).await;
    let answer = String::from_utf8(client.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(answer.contains("credential_unavailable"), "{answer}");
    drop(client);
    let records = rig.records(1).await;
    let decided = only(&records, "decided");
    assert_eq!((&decided["decision"], &decided["action"]), (&json!("error"), &json!("allow")));
    let fault = only(&records, "fault");
    assert_eq!((&fault["side"], &fault["class"]), (&json!("proxy"), &json!("credential")));
    assert_eq!(only(&records, "ended")["close"]["kind"], "error");
    assert_eq!(upstream.accepted(), 0, "nothing was dialled");
}
