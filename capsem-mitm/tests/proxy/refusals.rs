//! What cannot be read as one request for one authority is refused: its status, its record, and
//! nothing dialled.

use crate::support::{Client, HOST, Path, Rig, Upstream, only};

/// Sends `bytes` inside TLS and expects a refusal with `status` and a fault of `class`.
#[track_caller]
fn check(bytes: &str, status: u16, class: &str) {
    run(bytes, status, class, Way::Tls);
}

/// The same on an explicit proxy's own connection.
#[track_caller]
fn check_explicit(bytes: &str, status: u16, class: &str) {
    run(bytes, status, class, Way::Proxy);
}

#[derive(Clone, Copy)]
enum Way {
    Tls,
    Proxy,
}

#[track_caller]
fn run(bytes: &str, status: u16, class: &str, way: Way) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (answer, records, accepted) = runtime.block_on(async {
        let upstream = Upstream::tls(HOST).await;
        let rig = Rig::open(&upstream).await;
        let mut client = match way {
            Way::Tls => Client::tls(&rig, Path::Transparent, HOST).await,
            Way::Proxy => Client::tcp(rig.proxy).await,
        };
        client.send(bytes).await;
        let answer = String::from_utf8(client.rest().await).unwrap();
        drop(client);
        (answer, rig.records(1).await, upstream.accepted())
    });
    // An HTTP/1.0 client is answered in its version.
    let line = answer.replacen("HTTP/1.0", "HTTP/1.1", 1);
    assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes:?}: {answer}");
    assert_eq!(only(&records, "fault")["class"], class, "{bytes:?}");
    assert_eq!(only(&records, "decided")["decision"], "denied", "{bytes:?}");
    assert_eq!(only(&records, "responded")["status"], status, "{bytes:?}");
    assert_eq!(accepted, 0, "{bytes:?}: something was dialled");
}

fn get(fields: &str) -> String {
    format!("GET /a HTTP/1.1\r\n{fields}\r\n")
}

const H: &str = "Host: api.openai.com\r\n";

#[test]
fn heads() {
    check("GET /a HTTP/1.1\nHost: api.openai.com\n\n", 400, "head");
    check(&get(&format!("{H}X : y\r\n")), 400, "head");
    check(&get(&format!("{H}X: y\r\n folded\r\n")), 400, "head");
    check(&get(&format!("{H}X: a\rb\r\n")), 400, "head");
    check(&get(&format!("{H}X: a\0b\r\n")), 400, "head");
    check(&get(&format!("{H}no colon\r\n")), 400, "head");
    check(&format!("GET  /a HTTP/1.1\r\n{H}\r\n"), 400, "head");
    check(&format!("GET /a HTTP/2.0\r\n{H}\r\n"), 505, "head");
    check(&format!("GET /a#b HTTP/1.1\r\n{H}\r\n"), 400, "head");
    // What can be no head is refused with its first line.
    check("SSH-2.0-x\r\n", 400, "head");
    check(&get(&format!("{H}X: {}\r\n", "y".repeat(70_000))), 431, "head");
    check(&get(&format!("{H}{}", "X: y\r\n".repeat(101))), 431, "head");
}

#[test]
fn framing() {
    check(&get(&format!("{H}Content-Length: 1\r\nContent-Length: 1\r\n")), 400, "framing");
    check(&get(&format!("{H}Content-Length: 1, 1\r\n")), 400, "framing");
    check(&get(&format!("{H}Content-Length: +1\r\n")), 400, "framing");
    check(&get(&format!("{H}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")), 400, "framing");
    check(&get(&format!("{H}Transfer-Encoding: gzip, chunked\r\n")), 400, "framing");
    check(
        &get(&format!("{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
        400,
        "framing",
    );
    check(&get(&format!("{H}Transfer-Encoding: xchunked\r\n")), 400, "framing");
    check(&format!("POST /a HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n"), 400, "framing");
}

#[test]
fn authorities() {
    check(&get(""), 400, "authority");
    check(&get(&format!("{H}{H}")), 400, "authority");
    check(&get("Host: \r\n"), 400, "authority");
    check(&get("Host: u@api.openai.com\r\n"), 400, "authority");
    check(&get("Host: evil.example\r\n"), 421, "authority");
    check(&get("Host: api.openai.com:8443\r\n"), 421, "authority");
    check(&format!("GET https://evil.example/a HTTP/1.1\r\n{H}\r\n"), 400, "authority");
    check(&format!("GET http://api.openai.com/a HTTP/1.1\r\n{H}\r\n"), 400, "authority");
    check(&format!("CONNECT api.openai.com:443 HTTP/1.1\r\n{H}\r\n"), 405, "head");
    check_explicit(&get(H), 400, "authority");
    check_explicit("CONNECT api.openai.com HTTP/1.1\r\n\r\n", 400, "authority");
    check_explicit("CONNECT 127.1:443 HTTP/1.1\r\n\r\n", 400, "authority");
    check_explicit(&format!("GET http://evil.example/ HTTP/1.1\r\n{H}\r\n"), 400, "authority");
}

#[test]
fn paths_with_two_readings() {
    for path in [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/..%2fb",
        "//evil.example/a",
        "//api.openai.com/a",
        "//evil:443/a",
        "/%2fevil/a",
        "https://api.openai.com//evil.example/a",
        "/a\\b",
        "/a%5cb",
        "/a/..;x/b",
        "/%00",
    ] {
        check(&format!("GET {path} HTTP/1.1\r\n{H}\r\n"), 400, "authority");
    }
}

#[test]
fn upgrades() {
    let upgrade = |change: fn(String) -> String| {
        change(format!(
            "GET /a HTTP/1.1\r\n{H}Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ))
    };
    check(&upgrade(|head| head.replace("Version: 13", "Version: 12")), 426, "head");
    check(&upgrade(|head| head.replace("Sec-WebSocket-Version: 13\r\n", "")), 426, "head");
    check(&upgrade(|head| head.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhl")), 400, "head");
    check(&upgrade(|head| head.replace("GET", "POST")), 400, "head");
    check(&upgrade(|head| head.replace("HTTP/1.1", "HTTP/1.0")), 400, "head");
    check(&upgrade(|head| head.replace("Connection: Upgrade", "Connection: close")), 400, "head");
    check(
        &upgrade(|head| head.replace("Connection: Upgrade", "Connection: Upgrade, Authorization")),
        400,
        "head",
    );
    check(
        &upgrade(|head| head.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc")),
        400,
        "framing",
    );
    check(&upgrade(|head| head + "early"), 400, "early_data");
}

#[tokio::test]
async fn ports_that_are_not_open() {
    for port in [22, 25, 6379, 8443] {
        let upstream = Upstream::tls(HOST).await;
        let rig = Rig::open(&upstream).await;
        let mut client = Client::tcp(rig.proxy).await;
        client.send(format!("CONNECT {HOST}:{port} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n")).await;
        let answer = String::from_utf8(client.rest().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "decided")["decision"], "denied");
        assert_eq!(only(&records, "decided")["port"], port);
    }
}

#[tokio::test]
async fn no_way_inside_without_a_pin() {
    for host in ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"] {
        let upstream = Upstream::plain().await;
        let rig = Rig::open(&upstream).await;
        let mut client = Client::tcp(rig.proxy).await;
        client.send(format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 403"), "{host}: {head}");
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "fault")["class"], "dest_class", "{host}");
    }
}

#[tokio::test]
async fn what_is_neither_tls_nor_http() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tcp(rig.transparent).await;
    client.send(b"\x00\x01\x02").await;
    assert_eq!(client.rest().await, b"");
    let records = rig.records(1).await;
    assert_eq!(only(&records, "fault")["class"], "tls");
}

#[tokio::test]
async fn a_connect_and_an_sni_that_disagree() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tcp(rig.proxy).await;
    client.send(format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n")).await;
    client.head().await;
    assert!(client.secure(&rig, "evil.example").await.is_err());
    let records = rig.records(1).await;
    assert_eq!(only(&records, "fault")["class"], "authority");
}
