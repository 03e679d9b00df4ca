//! A drain of the built program, with a connection in every state it can be in.

use crate::{
    program::{ALLOW, configure, serve, terminate, text},
    support::{
        Client, Connection, Front, HOST, Path, Upstream, check_whole, create,
        relay::{masked, unmasked_close},
        soon, upgrade,
    },
};
use serde_json::{Value, json};
use std::path::Path as FilePath;
use tokio::net::{TcpListener, TcpStream};

/// A name whose server accepts and says nothing.
const DEAF: &str = "deaf.example";
/// What the client hears when its socket is drained: Close 1001 and a word.
const GOING_AWAY: &[u8] = b"\x88\x0a\x03\xe9draining";

/// The first chunk of a stream of events.
const FIRST: &str = "8\r\ndata: 1\n\r\n";

/// Both ends of a request, and its head as it reached upstream.
async fn exchange(
    front: &Front,
    upstream: &mut Upstream,
    head: &str,
) -> (Client, Connection, String) {
    let mut client = Client::tls(front, Path::Transparent, HOST).await;
    client.send(head).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    (client, server, head)
}

/// Both ends of a socket.
async fn socket(front: &Front, upstream: &mut Upstream, path: &str) -> (Client, Connection) {
    let (mut client, mut server, head) = exchange(front, upstream, &upgrade(path, "")).await;
    server.switch(&head, "").await;
    assert!(client.head().await.starts_with("HTTP/1.1 101"));
    (client, server)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

/// A short drain, a name that is never reached, and a question nobody answers.
fn configure_asking(folder: &FilePath, upstream: &Upstream, deaf: &TcpListener) {
    configure(folder, upstream);
    let rules = ALLOW.replace("hosts = [", &format!("hosts = [\"{DEAF}\", "))
        + "[[rule]]\nid = \"ask\"\naction = \"ask\"\non = [\"message\"]\n\
           paths = [\"/v1/responses\"]\nmodels = [\"ask-me\"]\n";
    std::fs::write(folder.join("policy.toml"), rules).unwrap();
    let config = std::fs::read_to_string(folder.join("proxy.toml")).unwrap();
    let pin = format!("[upstream.resolve]\n\"{DEAF}:443\" = \"{}\"\n", deaf.local_addr().unwrap());
    let timely = "[limits]\ndrain_timeout = \"4s\"\nclose_timeout = \"1s\"\n\
        [policy]\nasker = [\"sh\", \"-c\", \"touch asked; exec sleep 60\"]\n";
    let config = config.replace("[upstream.resolve]\n", &pin).replace("[policy]\n", timely);
    std::fs::write(folder.join("proxy.toml"), config).unwrap();
}

#[tokio::test]
async fn a_drain_ends_each_connection_as_its_state_asks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    configure_asking(folder, &upstream, &deaf);
    let (mut child, front) = serve(folder).await;

    // Nothing is owed to these.
    let mut hello = Client::tcp(front.transparent).await;
    hello.send(b"\x16\x03\x01").await;
    let mut head = Client::tls(&front, Path::Transparent, HOST).await;
    head.send("GET / HTTP/1.1\r\nHo").await;
    let (mut kept, mut server, _) = exchange(&front, &mut upstream, &get("/kept")).await;
    server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    kept.head().await;
    // These have something under way.
    let mut dialling = Client::tls(&front, Path::Transparent, DEAF).await;
    dialling.send(upgrade("/dialling", "").replace(HOST, DEAF)).await;
    let _heard = soon("a dial", deaf.accept()).await.unwrap();
    let mut waiting = exchange(&front, &mut upstream, &upgrade("/waiting", "")).await;
    let mut idle = socket(&front, &mut upstream, "/idle").await;
    let mut amid = socket(&front, &mut upstream, "/amid").await;
    amid.0.send(masked(0x01, b"hel")).await;
    amid.1.exact(9).await;
    let mut closing = socket(&front, &mut upstream, "/closing").await;
    closing.0.send(masked(0x88, b"\x03\xe8")).await;
    closing.1.exact(8).await;
    let mut asked = socket(&front, &mut upstream, "/v1/responses").await;
    asked.0.send(masked(0x81, create("ask-me").as_bytes())).await;
    soon("a question", async {
        while !folder.join("asked").exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut request = exchange(&front, &mut upstream, &get("/request")).await;
    let mut stream = exchange(&front, &mut upstream, &get("/stream")).await;
    let head_of_stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    stream.1.send(format!("{head_of_stream}{FIRST}")).await;
    stream.0.head().await;

    terminate(&child);
    soon("the listeners to close", async {
        while TcpStream::connect(front.proxy).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for client in [&mut hello, &mut head, &mut kept] {
        assert_eq!(client.rest().await, b"");
    }
    assert_eq!(idle.0.rest().await, GOING_AWAY);
    assert_eq!(unmasked_close(&idle.1.rest().await), 1001);
    // What is under way goes on to its end.
    amid.0.send(masked(0x80, b"lo")).await;
    assert_eq!(amid.1.exact(8).await, masked(0x80, b"lo"));
    assert_eq!(amid.0.rest().await, GOING_AWAY);
    assert_eq!(unmasked_close(&amid.1.rest().await), 1001);
    closing.1.send(b"\x88\x02\x03\xe8").await;
    assert_eq!(closing.0.rest().await, b"\x88\x02\x03\xe8");
    request.1.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let answer = text(&request.0.rest().await).to_lowercase();
    assert!(
        answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\nok"),
        "{answer}"
    );
    let more = "8\r\ndata: 2\n\r\n0\r\n\r\n";
    stream.1.send(more).await;
    assert_eq!(text(&stream.0.rest().await), format!("{FIRST}{more}"));
    waiting.1.switch(&waiting.2, "").await;
    let switched = waiting.0.rest().await;
    assert!(switched.starts_with(b"HTTP/1.1 101") && switched.ends_with(GOING_AWAY));
    // What does not end in time is cut off; who asks for an answer hears first that there is none.
    assert_eq!(asked.0.rest().await, GOING_AWAY);
    assert_eq!(unmasked_close(&asked.1.rest().await), 1001);
    assert_eq!(dialling.rest().await, b"");
    let status = soon("the program's end", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));

    let lines = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    check_whole(&records);
    let closes = |path: &str| {
        let decided = records.iter().find(|it| it["kind"] == "decided" && it["path"] == path);
        let exchange = &decided.unwrap()["exchange"];
        let ended = records.iter().find(|it| it["kind"] == "ended" && it["exchange"] == *exchange);
        let close = &ended.unwrap()["close"];
        (close["kind"].clone(), close["by"].clone(), close["code"].clone())
    };
    for (path, kind, by, code) in [
        ("/kept", "normal", "upstream", None),
        ("/idle", "normal", "proxy", Some(1001)),
        ("/amid", "normal", "proxy", Some(1001)),
        ("/closing", "normal", "client", Some(1000)),
        ("/request", "normal", "upstream", None),
        ("/stream", "normal", "upstream", None),
        ("/waiting", "normal", "proxy", Some(1001)),
        ("/v1/responses", "normal", "proxy", Some(1001)),
        ("/dialling", "timeout", "proxy", None),
    ] {
        assert_eq!(closes(path), (json!(kind), json!(by), json!(code)), "{path}");
    }
}
