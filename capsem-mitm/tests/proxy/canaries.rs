//! Secrets in every place they are known to stand, by every way a request can end, in the built
//! program at its most talkative: nothing that it writes holds one, in whole, encoded or in pieces.

use crate::{
    program::{configure, program, spawn, terminate, text},
    support::{Client, Front, HOST, Path, Upstream, frame, soon, upgrade},
};
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use capsem_ws_codec::{Opcode, Role};
use std::{collections::HashMap, path::Path as FilePath};

/// A piece of a secret this long is the secret.
const PIECE: usize = 12;

/// Secrets that are told apart by their number.
fn canary(number: usize) -> String {
    // Letters of both cases and digits, as keys have, and no piece in another's.
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1);
    let letters = (0..28).map(|_| {
        noise = noise.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
        char::from(letters[usize::try_from(noise >> 33).unwrap() % letters.len()])
    });
    letters.collect()
}

/// Hands out canaries.
#[derive(Default)]
struct Canaries(Vec<(String, &'static str)>);

impl Canaries {
    fn at(&mut self, place: &'static str) -> String {
        let canary = canary(self.0.len());
        self.0.push((canary.clone(), place));
        canary
    }

    /// Fields of a request in which a secret stands.
    fn fields(&mut self) -> String {
        let fields = [
            ("Authorization", "Bearer "),
            ("Proxy-Authorization", "Basic "),
            ("Cookie", "session="),
            ("X-Api-Key", ""),
            ("Api-Key", ""),
            ("X-Goog-Api-Key", ""),
            ("ChatGPT-Account-ID", ""),
            ("x-codex-turn-state", ""),
            ("x-oai-attestation", ""),
        ];
        fields.map(|(name, prefix)| format!("{name}: {prefix}{}\r\n", self.at(name))).concat()
    }

    fn query(&mut self) -> String {
        let keys = ["key", "access_token", "api-key", "api_key", "token"];
        let pairs = keys.map(|key| format!("{key}={}", self.at(key)));
        pairs.join("&")
    }

    fn create(&mut self) -> String {
        format!(
            r#"{{"type":"response.create","model":"m","client_metadata":{{"x-codex-turn-state":"{}","x-codex-turn-metadata":"{}"}},"tools":[{{"type":"mcp","authorization":"{}","headers":{{"X-Key":"{}"}}}}],"input":[{{"type":"reasoning","encrypted_content":"{}"}}]}}"#,
            self.at("x-codex-turn-state of a message"),
            self.at("x-codex-turn-metadata of a message"),
            self.at("authorization of a tool"),
            self.at("a header of a tool"),
            self.at("encrypted_content"),
        )
    }

    /// Fields of an answer in which a secret stands.
    fn answer(&mut self) -> String {
        let names = ["Set-Cookie", "x-codex-turn-state", "x-oai-is-update"];
        names.map(|name| format!("{name}: a={}\r\n", self.at(name))).concat()
    }

    /// No file has any of them.
    fn are_not_in(&self, folder: &FilePath, files: &[&str]) {
        let mut pieces = HashMap::new();
        for (canary, place) in &self.0 {
            for (spelling, spelt) in spellings(canary) {
                for piece in spelt.as_bytes().windows(PIECE) {
                    pieces.insert(piece.to_owned(), (*place, spelling));
                }
            }
        }
        for file in files {
            let written = std::fs::read(folder.join(file)).unwrap();
            assert!(!written.is_empty(), "{file}");
            for (at, piece) in written.windows(PIECE).enumerate() {
                if let Some((place, spelling)) = pieces.get(piece) {
                    let before = String::from_utf8_lossy(&written[at.saturating_sub(300)..at]);
                    panic!("{file}: {place}, {spelling}, after {before:?}");
                }
            }
        }
    }
}

fn spellings(secret: &str) -> Vec<(&'static str, String)> {
    let base64 = |skip: usize| {
        // What stands before it shifts its letters; the first and the last may be of its neighbours.
        let shifted = BASE64_STANDARD_NO_PAD.encode([&vec![0; skip], secret.as_bytes()].concat());
        shifted[(skip * 8).div_ceil(6)..shifted.len() - 1].to_owned()
    };
    let hex = |format: fn(u8) -> String| secret.bytes().map(format).collect::<Vec<_>>().concat();
    vec![
        ("as it is", secret.to_owned()),
        ("backwards", secret.chars().rev().collect()),
        ("upper case", secret.to_uppercase()),
        ("lower case", secret.to_lowercase()),
        ("base64", base64(0)),
        ("base64", base64(1)),
        ("base64", base64(2)),
        ("hex", hex(|byte| format!("{byte:02x}"))),
        ("HEX", hex(|byte| format!("{byte:02X}"))),
        ("percent-encoded", hex(|byte| format!("%{byte:02X}"))),
        ("bytes", hex(|byte| format!("{byte}, "))),
    ]
}

/// What the client hears from now on; nothing holds its connection open then.
async fn last(mut client: Client) -> Vec<u8> {
    client.rest().await
}

async fn tls(front: &Front) -> Client {
    Client::tls(front, Path::Transparent, HOST).await
}

/// Requests that are answered, or half.
async fn answered(front: &Front, upstream: &mut Upstream, canaries: &mut Canaries) {
    for answer in ["200 OK", "500 Oh"] {
        let body = canaries.create();
        let mut client = tls(front).await;
        let (query, fields) = (canaries.query(), canaries.fields());
        client
            .send(format!(
                "POST /v1/responses?{query} HTTP/1.1\r\nHost: {HOST}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        let mut server = upstream.next().await;
        server.head().await;
        server.exact(body.len()).await;
        let fields = canaries.answer();
        server.send(format!("HTTP/1.1 {answer}\r\n{fields}Content-Length: 100\r\n\r\n{{}}")).await;
        drop(server);
        last(client).await;
    }
}

/// Requests that are refused, by policy, their heads or their framing.
async fn refused(front: &Front, canaries: &mut Canaries) {
    for (host, more) in [
        ("blocked.example", ""),
        (HOST, "Host: other.example\r\n"),
        (HOST, "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        (HOST, " folded\r\n"),
    ] {
        let (query, fields) = (canaries.query(), canaries.fields());
        let mut client = Client::tcp(front.proxy).await;
        let target = format!("http://{host}/v1/responses?{query}");
        client
            .send(format!(
                "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}{more}\r\n"
            ))
            .await;
        let status = text(&last(client).await);
        assert!(status.starts_with("HTTP/1.1 4"), "{status}");
    }
    let mut client = Client::tcp(front.proxy).await;
    let user = canaries.at("a URI's user");
    client
        .send(format!(
            "GET http://u:{user}@{HOST}/ HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        ))
        .await;
    last(client).await;
    // A connection that is asked for with a secret, to a name that is not let through.
    let mut client = Client::tcp(front.proxy).await;
    let fields = canaries.fields();
    client
        .send(format!(
            "CONNECT blocked.example:443 HTTP/1.1\r\nHost: blocked.example:443\r\nConnection: close\r\n{fields}\r\n"
        ))
        .await;
    last(client).await;
}

/// Requests that are given a value from a file, which the upstream repeats wherever it can, also
/// where the record of it ends within the value.
async fn repeated(front: &Front, upstream: &mut Upstream, value: &str) {
    let given = "Authorization: Bearer stand-in\r\n";
    let cut = "x".repeat(1024 - PIECE - 2) + value;
    let error = format!(r#"{{"error":{{"code":"{value}","message":"{cut}"}}}}"#);
    let mut client = tls(front).await;
    client
        .send(format!(
            "POST /v1/responses HTTP/1.1\r\nHost: {HOST}\r\n{given}Content-Length: 2\r\n\r\n{{}}"
        ))
        .await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    assert!(head.contains(value), "{head}");
    server.exact(2).await;
    let length = error.len();
    server
        .send(format!(
            "HTTP/1.1 500 {value}\r\nX-Echo: {value}\r\nContent-Length: {length}\r\n\r\n{error}"
        ))
        .await;
    drop(server);
    last(client).await;

    let mut client = tls(front).await;
    client.send(upgrade("/v1/responses", given)).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    assert!(head.contains(value), "{head}");
    server.switch(&head, &format!("X-Echo: {value}\r\n")).await;
    client.head().await;
    let create = frame(
        Role::Client,
        Opcode::Text,
        true,
        false,
        br#"{"type":"response.create","model":"m","input":"x"}"#,
    );
    client.send(&create).await;
    server.exact(create.len()).await;
    let error = format!(r#"{{"type":"error","status":500,{}"#, &error[1..]);
    server.send(frame(Role::Server, Opcode::Text, true, false, error.as_bytes())).await;
    let close = [&1008_u16.to_be_bytes()[..], value.as_bytes()].concat();
    server.send(frame(Role::Server, Opcode::Close, true, false, &close)).await;
    client.send(frame(Role::Client, Opcode::Close, true, false, &close)).await;
    drop(server);
    last(client).await;
}

#[tokio::test]
async fn nothing_that_is_written_holds_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let mut canaries = Canaries::default();
    let value = canaries.at("a credential's value");
    std::fs::write(folder.join("key"), &value).unwrap();
    let config = std::fs::read_to_string(folder.join("proxy.toml")).unwrap()
        + "capture_bodies = true\n[[credential]]\nhost = \"api.openai.com\"\n\
           placeholder = \"Bearer stand-in\"\nprefix = \"Bearer \"\nvalue_file = \"key\"\n";
    std::fs::write(folder.join("proxy.toml"), config).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut command = program(&["serve", "--config", "proxy.toml"], folder);
    command.env("RUST_LOG", "trace").stderr(log);
    let (mut child, front) = spawn(command).await;

    repeated(&front, &mut upstream, &value).await;
    answered(&front, &mut upstream, &mut canaries).await;
    refused(&front, &mut canaries).await;
    // Upgrades: refused by upstream, answered by a 101 that is none, and switched, with messages, and
    // an end that breaks the rules.
    let mut offered = || {
        let key = canaries.at("a subprotocol");
        let (query, fields) = (canaries.query(), canaries.fields());
        let protocols =
            format!("Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{key}\r\n");
        upgrade(&format!("/v1/responses?{query}"), &(fields + &protocols))
    };
    let offers = [offered(), offered(), offered()];
    for (offer, answer) in offers.iter().zip(["401 No", "101 Switching Protocols"]) {
        let mut client = tls(&front).await;
        client.send(offer).await;
        let mut server = upstream.next().await;
        server.head().await;
        let fields = canaries.answer();
        server.send(format!("HTTP/1.1 {answer}\r\n{fields}Content-Length: 0\r\n\r\n")).await;
        drop(server);
        last(client).await;
    }
    let mut client = tls(&front).await;
    client.send(&offers[2]).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    let fields = canaries.answer();
    server.switch(&head, &format!("Sec-WebSocket-Protocol: realtime\r\n{fields}")).await;
    client.head().await;
    let create = frame(Role::Client, Opcode::Text, true, false, canaries.create().as_bytes());
    client.send(&create).await;
    server.exact(create.len()).await;
    let item = canaries.at("encrypted_content of an answer");
    let done = format!(
        r#"{{"type":"response.output_item.done","item":{{"type":"reasoning","encrypted_content":"{item}"}}}}"#
    );
    server.send(frame(Role::Server, Opcode::Text, true, false, done.as_bytes())).await;
    client.exact(done.len()).await;
    // No server masks.
    server.send(frame(Role::Client, Opcode::Text, true, false, b"x")).await;
    drop(server);
    last(client).await;

    terminate(&child);
    assert_eq!(soon("the program's end", child.wait()).await.unwrap().code(), Some(0));
    let records = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    assert!(records.contains("response.create") && records.contains("openai"), "{records}");
    canaries.are_not_in(folder, &["log", "events.jsonl", "session.db"]);
}

#[test]
fn every_spelling_would_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut canaries = Canaries::default();
    let secret = canaries.at("here");
    let write = |text: &str| std::fs::write(folder.path().join("log"), text).unwrap();
    write("nothing");
    canaries.are_not_in(folder.path(), &["log"]);
    for skip in 0..3 {
        let basic = BASE64_STANDARD_NO_PAD.encode(format!("{}{secret}:", "u".repeat(skip)));
        for leak in [&basic, &secret[3..3 + PIECE], &format!("{:?}", secret.as_bytes())] {
            write(&format!("before {leak} after"));
            let found = std::panic::catch_unwind(|| canaries.are_not_in(folder.path(), &["log"]));
            assert!(found.is_err(), "{leak}");
        }
    }
}
