//! The same in answers over HTTP: streams whose lines two readers divide differently, and answers that
//! say they are something else.

use crate::support::{Client, HOST, NO_SHELL, Path, Rig, Upstream, rules};
use tokio::io::AsyncWriteExt as _;

const CALL: &str = r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c","name":"shell"}}"#;

/// An answer with these fields and this body, in chunks of so many bytes. The client never sees the call.
async fn check(fields: &str, body: &[u8], path: &str) {
    for size in [1, 7, body.len()] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::with(&upstream, rules(NO_SHELL), |_| {}).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close");
        client.send(format!("{head}\r\nContent-Length: 2\r\n\r\n{{}}")).await;
        let mut server = upstream.next().await;
        server.head().await;
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\nTransfer-Encoding: chunked\r\n\r\n");
        server.send(head).await;
        for piece in body.chunks(size) {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            // The proxy leaves once it has seen the call.
            let _ = server.io.write_all(&chunk).await;
        }
        let _ = server.io.write_all(b"0\r\n\r\n").await;
        let _ = server.io.flush().await;
        // Chunks of it may divide the word.
        let got = String::from_utf8_lossy(&client.rest().await).replace("\r\n", "");
        let letters: String = got.chars().filter(|it| !it.is_ascii_digit()).collect();
        let shown = format!("{fields} {:?} by {size}: {got}", String::from_utf8_lossy(body));
        assert!(!letters.contains("\"shell\"") && !letters.contains("s\0h\0e\0l\0l"), "{shown}");
        assert!(got.starts_with("HTTP/1.1 "), "{shown}");
        drop((client, server));
        let records = rig.records(1).await;
        assert!(records.iter().any(|it| it["kind"] == "refused"), "{shown}: {records:#?}");
    }
}

const EVENTS: &str = "Content-Type: text/event-stream";

#[tokio::test]
async fn streams_that_are_divided_in_more_than_one_way() {
    for body in [
        format!("data: {CALL}\n\n"),
        format!("data:{CALL}\n\n"),
        format!("data:  {CALL}\r\r"),
        format!("data: {CALL}\r\n\r\n"),
        format!("data: {CALL}"),
        format!("data: {CALL}\n"),
        format!("\u{feff}data: {CALL}\n\n"),
        format!("\u{feff}\u{feff}data: {CALL}\n\n"),
        format!("id: 1\nevent: x\nretry: 1\n: c\ndata: {CALL}\n\n"),
        format!("data: [DONE]\n\ndata: {CALL}\n\n"),
        format!("data: [DONE]\ndata: {CALL}\n\n"),
        format!("data\ndata: {CALL}\n\n"),
        format!("data: {}\n\n", CALL.replace(',', ",\ndata: ")),
        format!("data: {}\n\n", CALL.replace("\"item\"", "\"it\\u0065m\"")),
        format!("data: {}\n\n", CALL.replace("\"item\"", "\"item\":{},\"item\"")),
        format!(
            "data: {}\n\n",
            CALL.replace("function_call\"", "function_call\",\"type\":\"message\"")
        ),
        // One call to who reads line by line, none to who reads events.
        format!("data: {{\"x\":\ndata: {CALL}\ndata: }}\n\n"),
        format!("data: {{\"x\":[\r\ndata: {CALL}\r\ndata: ]}}\r\n\r\n"),
        format!("DATA: {CALL}\n\n"),
        format!("data : {CALL}\n\n"),
        format!(" data: {CALL}\n\n"),
        format!("x: y\u{2028}data: {CALL}\n\n"),
        format!(": y\u{85}data: {CALL}\n\n"),
        format!("event: y\u{b}data: {CALL}\n\n"),
        format!("{CALL}\n\n"),
        format!("\n\n{CALL}"),
        format!("data: {CALL}\0\n\n"),
    ] {
        check(EVENTS, body.as_bytes(), "/v1/responses").await;
    }
}

#[tokio::test]
async fn answers_that_say_they_are_something_else() {
    let stream = format!("data: {CALL}\n\n");
    let utf16: Vec<u8> = stream.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for fields in [
        "Content-Type: TEXT/EVENT-STREAM;charset=x",
        "Content-Type: text/event-streams",
        "Content-Type: text/plain",
        "Content-Type: text/plain\r\nContent-Type: text/event-stream",
        "Content-Type: text/event-stream\r\nContent-Type: application/json",
        "Content-Type: application/json",
        "Content-Type: application/octet-stream",
        "X: y",
        "Content-Type: text/event-stream\r\nContent-Encoding: gzip",
        "Content-Type: text/event-stream\r\nContent-Encoding: Identity",
        "Content-Type: text/event-stream\r\nContent-Encoding: identity, x",
        "Content-Type: multipart/mixed; boundary=x",
    ] {
        check(fields, stream.as_bytes(), "/v1/responses").await;
        check(fields, CALL.as_bytes(), "/v1/responses").await;
    }
    check("Content-Type: text/event-stream; charset=utf-16", &utf16, "/v1/responses").await;
    // On paths that are not known, what says that it is an answer.
    for fields in [
        EVENTS,
        "Content-Type: text/plain\r\nContent-Type: text/event-stream",
        "Content-Type: text/plain\r\nContent-Type: application/json",
    ] {
        check(fields, stream.as_bytes(), "/v1/Responses").await;
    }
    // And what clients read as one, who do not look at its type.
    for fields in ["Content-Type: text/plain", "Content-Type: a/b", "Content-Encoding: x"] {
        check(fields, CALL.as_bytes(), "/v1/Responses").await;
        check(fields, format!("{{}}\n{CALL}\n").as_bytes(), "/v1/files/f/content").await;
    }
}

#[tokio::test]
async fn what_is_no_answer_goes_on_as_it_comes() {
    let lines = "{\"a\":1}\n{\"b\":2}\n";
    for (fields, body) in
        [("Content-Type: text/plain", "shell"), ("Content-Type: text/plain", lines)]
    {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::with(&upstream, rules(NO_SHELL), |_| {}).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        client.send(format!("GET /v1/files/f/content HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        let mut server = upstream.next().await;
        server.head().await;
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {}\r\n\r\n", body.len());
        let (start, rest) = body.split_at(4);
        server.send(head + start).await;
        let waits = body == lines;
        if !waits {
            assert!(client.head().await.starts_with("HTTP/1.1 200"));
            assert_eq!(client.exact(4).await, start.as_bytes());
        }
        server.send(rest).await;
        if waits {
            assert!(client.head().await.starts_with("HTTP/1.1 200"));
            assert_eq!(client.exact(4).await, start.as_bytes());
        }
        assert_eq!(client.exact(rest.len()).await, rest.as_bytes());
    }
}
