//! What a model's API answers to a POST is judged as on a socket: rules on messages to the client
//! hold for the events of a stream and for whole bodies.

use crate::support::{
    Client, Connection, HOST, NO_SHELL, Path, Rig, Upstream, header, json_of, only, rules,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

/// Opens a POST to `path`, up to where upstream has read it.
async fn post(rig: &Rig, upstream: &mut Upstream, path: &str) -> (Client, Connection) {
    let mut client = Client::tls(rig, Path::Explicit, HOST).await;
    let body = r#"{"model":"m-1","stream":true}"#;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.send(head + body).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    assert_eq!(header(&head, "accept-encoding"), Some("identity"), "it is asked for in the clear");
    server.exact(body.len()).await;
    (client, server)
}

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Transfer-Encoding: chunked\r\n\r\n";
const LAST_CHUNK: &str = "0\r\n\r\n";

fn chunk(data: &str) -> String {
    format!("{:X}\r\n{data}\r\n", data.len())
}

/// A body in chunks, up to its orderly end.
async fn body(client: &mut Client) -> String {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(client.exact(1).await);
        }
        let len = usize::from_str_radix(str::from_utf8(&line).unwrap().trim_end(), 16).unwrap();
        body.extend(client.exact(len + 2).await);
        body.truncate(body.len() - 2);
        if len == 0 {
            return String::from_utf8(body).unwrap();
        }
    }
}

/// A stream whose last event calls the tool: what was before it passes, byte for byte; in its place
/// comes what the API's clients take for a failure.
#[track_caller]
fn check(path: &'static str, before: &[&str], call: &str, instead: &Value) {
    let (before, call) = (before.concat(), call.to_owned());
    let run = async {
        // In one piece, and byte by byte.
        for pieces in [usize::MAX, 1] {
            let mut upstream = Upstream::tls(HOST).await;
            let rig = Rig::with(&upstream, rules(NO_SHELL), |_| {}).await;
            let (mut client, mut server) = post(&rig, &mut upstream, path).await;
            server.send(EVENTS).await;
            let whole = format!("{before}{call}data: never\n\n");
            if pieces == 1 {
                for at in 0..whole.len() {
                    // The proxy leaves once it has seen the call.
                    let _ = server.io.write_all(chunk(&whole[at..=at]).as_bytes()).await;
                    let _ = server.io.flush().await;
                }
            } else {
                server.send(chunk(&whole) + LAST_CHUNK).await;
            }
            assert!(client.head().await.starts_with("HTTP/1.1 200"));
            let body = body(&mut client).await;
            let told = body.strip_prefix(&before).unwrap_or_else(|| panic!("{path}: {body}"));
            let data = told.split_once("data: ").unwrap().1.strip_suffix("\n\n").unwrap();
            let mut told = json_of(data);
            if let Some(response) = told.get_mut("response") {
                *response = json!([response["id"], response["error"]]);
            }
            assert_eq!(told, *instead, "{path}");
            drop((client, server));
            let records = rig.records(1).await;
            let refused = only(&records, "refused");
            assert_eq!(
                (&refused["rule"], &refused["direction"]),
                (&json!("no-shell"), &json!("to_client"))
            );
            let denied = only(&records, "model_call");
            assert_eq!(
                (&denied["status"], &denied["error"]["code"], &denied["tool_calls"][0]["name"]),
                (&json!("denied"), &json!("no-shell"), &json!("shell")),
                "{path}"
            );
            let close = &only(&records, "ended")["close"];
            assert_eq!((&close["kind"], &close["by"]), (&json!("policy"), &json!("proxy")));
        }
    };
    tokio::runtime::Runtime::new().unwrap().block_on(run);
}

#[test]
fn an_event_that_is_refused_is_the_last_of_its_stream() {
    check(
        "/v1/responses",
        &[
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":\
             {\"id\":\"resp_1\",\"model\":\"m-1\"}}\n\n",
            ": a comment\n\n",
            "event: response.output_text.delta\r\ndata: {\"type\":\"response.output_text.delta\",\
             \"delta\":\"shell\"}\r\n\r\n",
        ],
        "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\
         \"item\":{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"shell\",\
         \"arguments\":\"{}\"}}\n\n",
        &json!({
            "type": "response.failed", "sequence_number": 0,
            "response": ["resp_1", {"code": "invalid_prompt", "message": "no shell here"}],
        }),
    );
    check(
        "/v1/chat/completions",
        &["data: {\"id\":\"c\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":\
           {\"content\":\"a\"}}]}\n\n"],
        "data: {\"id\":\"c\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":\
         [{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"shell\",\
         \"arguments\":\"\"}}]}}]}\n\n",
        &json!({"error":
            {"type": "policy_denied", "code": "no-shell", "message": "no shell here"}}),
    );
    check(
        "/v1/messages",
        &["event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg\",\
           \"model\":\"m-1\",\"content\":[],\"usage\":{\"input_tokens\":3}}}\n\n"],
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\
         \"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"shell\",\"input\":{}}}\n\n",
        &json!({"type": "error",
            "error": {"type": "permission_error", "message": "no shell here"}}),
    );
    check(
        "/v1beta/models/m-1:streamGenerateContent?alt=sse",
        &["data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n"],
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"shell\",\
         \"args\":{}}}]}}]}\n\n",
        &json!({"error":
            {"code": 403, "status": "PERMISSION_DENIED", "message": "no shell here"}}),
    );
}

#[tokio::test]
async fn what_no_rule_refuses_goes_on_as_it_comes() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(NO_SHELL), |_| {}).await;
    let (mut client, mut server) = post(&rig, &mut upstream, "/v1/responses").await;
    server.send(EVENTS).await;
    client.head().await;
    // Each is there before the next is sent: a comment too, and what follows no event.
    for piece in
        [": ping\n\n", "data: {\"type\":\"response.created\"}\n\n", "\n", "data: [DONE]\n\n"]
    {
        server.send(chunk(piece)).await;
        assert_eq!(client.exact(chunk(piece).len()).await, chunk(piece).as_bytes());
    }
    server.send(LAST_CHUNK).await;
    assert_eq!(client.exact(LAST_CHUNK.len()).await, LAST_CHUNK.as_bytes());
    drop((client, server));
    assert_eq!(only(&rig.records(1).await, "ended")["close"]["kind"], "normal");
}

#[tokio::test]
async fn a_whole_answer_is_refused_whole() {
    let call = r#"{"id":"resp_1","object":"response","status":"completed","model":"m-1","output":[
        {"type":"function_call","call_id":"c","name":"shell","arguments":"{}"}],
        "usage":{"input_tokens":7,"output_tokens":3,"total_tokens":10}}"#;
    let text = call.replace("function_call", "message");
    for (body, status) in [(call, 403), (&text, 200)] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::with(&upstream, rules(NO_SHELL), |_| {}).await;
        let (mut client, mut server) = post(&rig, &mut upstream, "/v1/responses").await;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        server.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
        let head = client.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        let len = header(&head, "content-length").unwrap().parse().unwrap();
        let got = String::from_utf8(client.exact(len).await).unwrap();
        drop((client, server));
        let records = rig.records(1).await;
        let model_call = only(&records, "model_call");
        // It was given, and is paid for.
        assert_eq!(model_call["usage"]["output_tokens"], 3);
        let kind = &only(&records, "ended")["close"]["kind"];
        if status == 403 {
            assert_eq!(json_of(&got)["error"]["code"], "no-shell");
            assert_eq!((&model_call["status"], kind), (&json!("denied"), &json!("policy")));
        } else {
            assert_eq!(got, body);
            assert_eq!((&model_call["status"], kind), (&json!("completed"), &json!("normal")));
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_judged_is_refused_or_relayed_as_the_rules_say() {
    let long = format!("data: {{\"x\":\"{}\"}}\n\n", "a".repeat(9000));
    let broken = "data: {\"type\":\n\n".to_owned();
    let twice = "data: {\"model\":\"a\",\"model\":\"b\"}\n\n".to_owned();
    // What is no event to one reader may be an answer to another.
    let call = r#"{"output":[{"type":"function_call","name":"shell"}]}"#;
    let bare = format!("{call}\n\n");
    let beside = format!("event: x\n{call}\ndata: {{}}\n\n");
    let within = format!(": x\u{b}data: {call}\n\n");
    for past in ["close", "relay"] {
        for (coding, body) in [
            ("", &long),
            ("", &broken),
            ("", &twice),
            ("", &bare),
            ("", &beside),
            ("", &within),
            ("gzip", &broken),
        ] {
            let mut upstream = Upstream::tls(HOST).await;
            let text = format!("on_uninspectable = \"{past}\"\n{NO_SHELL}\nmax_bytes = 4096\n");
            let rig = Rig::with(&upstream, rules(&text), |_| {}).await;
            let (mut client, mut server) = post(&rig, &mut upstream, "/v1/responses").await;
            let coding = if coding.is_empty() {
                String::new()
            } else {
                format!("Content-Encoding: {coding}\r\n")
            };
            let head = EVENTS.strip_suffix("\r\n").unwrap();
            let more = "data: {\"type\":\"response.created\"}\n\n";
            let chunks = [chunk(body), chunk(more), LAST_CHUNK.to_owned()].concat();
            server.send(format!("{head}{coding}\r\n{chunks}")).await;
            let head = client.head().await;
            if past == "close" && !coding.is_empty() {
                assert!(head.starts_with("HTTP/1.1 403"), "{head}");
            } else {
                let got = match header(&head, "content-length") {
                    Some(len) => {
                        String::from_utf8(client.exact(len.parse().unwrap()).await).unwrap()
                    }
                    None => self::body(&mut client).await,
                };
                if past == "relay" {
                    assert_eq!(got, format!("{body}{more}"));
                } else {
                    assert!(got.starts_with("event: response.failed\ndata: {"), "{got}");
                    assert!(got.contains("cannot be judged"), "{got}");
                }
            }
            drop((client, server));
            let records = rig.records(1).await;
            assert_eq!(only(&records, "fault")["class"], "uninspectable");
            let kind = if past == "relay" { "normal" } else { "policy" };
            assert_eq!(only(&records, "ended")["close"]["kind"], kind);
        }
    }
}
