//! Rules on messages: refused ones go no further, the socket and its compression live on, and the
//! same content meets the same rules in a POST.

use crate::support::{
    Client, Ear, HOST, Heard, Path, Rig, Upstream, Voice, frame, header, only, upgrade,
};
use capsem_mitm::{Authority, config::Pin};
use capsem_policy::Policy;
use capsem_ws_codec::{Deflate, Opcode, Role};
use serde_json::{Value, json};
use std::io::Write as _;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
const AGREED: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n";

const NO_PRO: &str = r#"
[[rule]]
id = "no-large-models"
action = "block"
on = ["message"]
direction = "to_upstream"
models = ["gpt-5-pro*"]
reason = "this model is too dear"
"#;

const NO_SHELL: &str = r#"
[[rule]]
id = "no-shell"
action = "block"
on = ["message"]
direction = "to_client"
tools = ["shell"]
reason = "no shell here"
"#;

fn rules(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\ndefault = \"allow\"\n{text}"), "rules.toml").unwrap()
}

/// What an upstream that agreed to `server_no_context_takeover` alone thinks.
fn as_upstream_sees_it() -> Deflate {
    Deflate { server_no_context_takeover: true, ..Deflate::default() }
}

fn create(model: &str) -> String {
    format!(r#"{{"type":"response.create","model":"{model}","input":"hello hello hello hello"}}"#)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A socket through a proxy with rules.
struct Socket {
    client: Client,
    server: crate::support::Connection,
    /// What the client hears, and what the server does.
    client_ear: Ear,
    server_ear: Ear,
}

impl Socket {
    async fn open(rig: &Rig, upstream: &mut Upstream, path: Path, target: &str) -> Self {
        let mut client = Client::tls(rig, path, HOST).await;
        client.send(upgrade(target, OFFER)).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert_eq!(
            header(&head, "sec-websocket-extensions"),
            Some("permessage-deflate; client_max_window_bits; server_no_context_takeover")
        );
        server.switch(&head, AGREED).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert_eq!(
            header(&head, "sec-websocket-extensions"),
            Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
        );
        Self {
            client,
            server,
            client_ear: Ear::new(Role::Server, Some(as_upstream_sees_it())),
            server_ear: Ear::new(Role::Client, Some(as_upstream_sees_it())),
        }
    }

    async fn client_hears(&mut self) -> (String, bool) {
        self.client_ear.text(&mut self.client.io).await
    }

    async fn server_hears(&mut self) -> (String, bool) {
        self.server_ear.text(&mut self.server.io).await
    }
}

#[tokio::test]
async fn a_refused_request_is_answered_and_the_next_one_decodes() {
    for path in Path::BOTH {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::with(&upstream, rules(NO_PRO), |_| {}).await;
        let mut socket = Socket::open(&rig, &mut upstream, path, "/v1/responses").await;
        let mut voice = Voice::new(Role::Client, false);

        let first = voice.say(&create("gpt-5.5"));
        socket.client.send(&first).await;
        // What is allowed arrives byte for byte.
        assert_eq!(socket.server.exact(first.len()).await, first);

        // In three fragments with a Ping between: the Ping passes, the message does not.
        let payload = voice.compressed(&create("gpt-5-pro-2026"));
        let (a, rest) = payload.split_at(5);
        let (b, c) = rest.split_at(7);
        let frames = [
            frame(Role::Client, Opcode::Text, false, true, a),
            frame(Role::Client, Opcode::Ping, true, false, b"still here"),
            frame(Role::Client, Opcode::Continuation, false, false, b),
            frame(Role::Client, Opcode::Continuation, true, false, c),
        ];
        for frame in frames {
            // Byte by byte: nothing depends on where reads end.
            for byte in frame {
                socket.client.send([byte]).await;
            }
        }
        let (text, compressed) = socket.client_hears().await;
        assert!(!compressed);
        let event = json_of(&text);
        assert!(text.starts_with(r#"{"type":"response.failed","#), "{text}");
        assert_eq!(event["response"]["status"], "failed");
        assert_eq!(
            event["response"]["error"],
            json!({"code": "invalid_prompt", "message": "this model is too dear"})
        );
        assert!(event["response"]["id"].as_str().unwrap().starts_with("resp_"));
        let ping = socket.server_ear.hear(&mut socket.server.io).await;
        assert_eq!(ping, Heard::Ping(b"still here".to_vec()));

        // The far ends' inflaters have not noticed.
        socket.client.send(voice.say(&create("gpt-5.5"))).await;
        assert_eq!(socket.server_hears().await, (create("gpt-5.5"), true));
        let mut voice = Voice::new(Role::Server, false);
        let done =
            r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed"}}"#;
        socket.server.send(voice.say(done)).await;
        assert_eq!(socket.client_hears().await, (done.to_owned(), true));
        drop((socket.client, socket.server));

        let records = rig.records(1).await;
        let refused = only(&records, "refused");
        assert_eq!(refused["rule"], "no-large-models");
        assert_eq!(refused["direction"], "to_upstream");
        assert_eq!(refused["model"], "gpt-5-pro-2026");
        let denied: Vec<_> = records.iter().filter(|r| r["status"] == "denied").collect();
        assert_eq!(denied.len(), 1, "{records:#?}");
        assert_eq!(denied[0]["kind"], "model_call");
        assert_eq!(denied[0]["model_requested"], "gpt-5-pro-2026");
        assert_eq!(
            denied[0]["error"],
            json!({"code": "no-large-models", "message": "this model is too dear"})
        );
        let ended = only(&records, "ended");
        assert_eq!(ended["close"]["kind"], "normal");
        assert_eq!(ended["model_calls"], 3);
        // What was refused did not go upstream, but the Ping among it did.
        let flow = &ended["to_upstream"];
        assert_eq!((&flow["messages"], &flow["frames"]), (&json!(2), &json!(3)));
        assert_eq!(flow["message_bytes"], 2 * create("gpt-5.5").len());
    }
}

#[tokio::test]
async fn a_refused_answer_ends_its_response_and_the_next_one_decodes() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(NO_SHELL), |_| {}).await;
    let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
    let mut client = Voice::new(Role::Client, false);
    let mut server = Voice::new(Role::Server, false);

    socket.client.send(client.say(&create("gpt-5.5"))).await;
    assert_eq!(socket.server_hears().await.0, create("gpt-5.5"));
    let created = r#"{"type":"response.created","response":{"id":"resp_1","model":"gpt-5.5"}}"#;
    socket.server.send(server.say(created)).await;
    assert_eq!(socket.client_hears().await.0, created);
    // The call, what else there is of the response, and its end with what it cost.
    for event in [
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c1","name":"shell","arguments":"{}"}}"#,
        r#"{"type":"response.output_text.delta","output_index":1,"delta":"and"}"#,
        r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","usage":{"input_tokens":7,"output_tokens":3,"total_tokens":10}}}"#,
    ] {
        socket.server.send(server.say(event)).await;
    }
    let event = json_of(&socket.client_hears().await.0);
    assert_eq!(event["type"], "response.failed");
    assert_eq!(event["response"]["id"], "resp_1");
    assert_eq!(event["response"]["error"]["message"], "no shell here");

    let created = r#"{"type":"response.created","response":{"id":"resp_2","model":"gpt-5.5"}}"#;
    socket.client.send(client.say(&create("gpt-5.5"))).await;
    assert_eq!(socket.server_hears().await, (create("gpt-5.5"), true));
    socket.server.send(server.say(created)).await;
    assert_eq!(socket.client_hears().await, (created.to_owned(), true));
    drop((socket.client, socket.server));

    let records = rig.records(1).await;
    assert_eq!(only(&records, "refused")["rule"], "no-shell");
    let calls: Vec<_> = records.iter().filter(|r| r["kind"] == "model_call").collect();
    assert_eq!(calls.len(), 2, "{calls:#?}");
    assert_eq!(
        (&calls[0]["status"], &calls[0]["response_id"]),
        (&json!("denied"), &json!("resp_1"))
    );
    assert_eq!(calls[0]["usage"]["input_tokens"], 7);
    assert_eq!(calls[0]["tool_calls"][0]["name"], "shell");
}

#[tokio::test]
async fn a_refusal_speaks_the_clients_protocol_or_closes() {
    let every = r#"
[[rule]]
id = "nothing-goes"
action = "block"
on = ["message"]
direction = "to_upstream"
reason = "not today"
"#;
    for (path, message, told) in [
        (
            "/v1/realtime?model=m",
            r#"{"type":"response.create","event_id":"e1","response":{}}"#,
            Some("error"),
        ),
        ("/chat", r#"{"type":"response.create","model":"m","input":"x"}"#, Some("response.failed")),
        ("/chat", "hello", None),
        (
            "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
            r#"{"setup":{"model":"models/m"}}"#,
            None,
        ),
    ] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::with(&upstream, rules(every), |_| {}).await;
        let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, path).await;
        socket.client.send(Voice::new(Role::Client, false).say(message)).await;
        if let Some(kind) = told {
            let event = json_of(&socket.client_hears().await.0);
            assert_eq!(event["type"], kind, "{event}");
            let error = if kind == "error" { &event["error"] } else { &event["response"]["error"] };
            assert_eq!(error["message"], "not today");
            if kind == "error" {
                assert_eq!(error["event_id"], "e1");
            }
        } else {
            let heard = socket.client_ear.hear(&mut socket.client.io).await;
            assert_eq!(heard, Heard::Close(1008, "nothing-goes".to_owned()), "{path}");
            let told = socket.server_ear.hear(&mut socket.server.io).await;
            assert_eq!(told, Heard::Close(1001, "nothing-goes".to_owned()));
        }
        drop((socket.client, socket.server));
        let records = rig.records(1).await;
        assert_eq!(only(&records, "refused")["reason"], "not today");
        let kind = if told.is_some() { "normal" } else { "policy" };
        assert_eq!(only(&records, "ended")["close"]["kind"], kind, "{path} {message}");
    }
}

#[tokio::test]
async fn what_cannot_be_judged_is_closed_or_relayed_as_the_rules_say() {
    let long = create(&"m".repeat(9000));
    let broken = r#"{"type":"response.create","model":"gpt-5-pro","input":"#.to_owned();
    let twice = r#"{"type":"response.create","model":"gpt-5-pro","model":"m"}"#.to_owned();
    for past in ["close", "relay"] {
        for message in [&long, &broken, &twice] {
            let mut upstream = Upstream::tls(HOST).await;
            let text = format!("on_uninspectable = \"{past}\"\n{NO_PRO}\nmax_bytes = 4096\n");
            let rig = Rig::with(&upstream, rules(&text), |_| {}).await;
            let mut socket =
                Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
            socket.client.send(Voice::new(Role::Client, false).say(message)).await;
            if past == "relay" {
                assert_eq!(socket.server_hears().await.0, *message);
            } else {
                let heard = socket.client_ear.hear(&mut socket.client.io).await;
                assert_eq!(heard, Heard::Close(1008, "uninspectable".to_owned()));
            }
            drop((socket.client, socket.server));
            let records = rig.records(1).await;
            let faults = records.iter().filter(|r| r["class"] == "uninspectable").count();
            assert_eq!(faults, 1, "{records:#?}");
            let kind = if past == "relay" { "normal" } else { "policy" };
            assert_eq!(only(&records, "ended")["close"]["kind"], kind);
        }
    }
}

#[tokio::test]
async fn a_message_longer_than_may_be_held_is_not_held_whole() {
    for past in ["close", "relay"] {
        let mut upstream = Upstream::tls(HOST).await;
        let text = format!("on_uninspectable = \"{past}\"\n{NO_PRO}\nmax_bytes = 4096\n");
        let rig = Rig::with(&upstream, rules(&text), |_| {}).await;
        let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
        // The last byte is never sent: what is decided is decided without it.
        let payload = vec![b' '; 1 << 20];
        let whole = frame(Role::Client, Opcode::Text, true, false, &payload);
        let (sent, last) = whole.split_at(whole.len() - 1);
        socket.client.send(sent).await;
        if past == "relay" {
            assert_eq!(socket.server.exact(sent.len()).await, sent);
            socket.client.send(last).await;
            assert_eq!(socket.server.exact(1).await, last);
        } else {
            let heard = socket.client_ear.hear(&mut socket.client.io).await;
            assert_eq!(heard, Heard::Close(1008, "uninspectable".to_owned()));
        }
        drop((socket.client, socket.server));
        assert_eq!(only(&rig.records(1).await, "fault")["class"], "uninspectable");
    }
}

#[tokio::test]
async fn new_rules_hold_for_the_next_message_of_a_running_socket() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(""), |_| {}).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(upgrade("/v1/responses", OFFER)).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    let head = client.head().await;
    // Without rules nobody is told to compress in another way.
    assert_eq!(header(&head, "sec-websocket-extensions"), Some("permessage-deflate"));
    let agreed = Some(Deflate::default());
    let (mut client_ear, mut server_ear) =
        (Ear::new(Role::Server, agreed), Ear::new(Role::Client, agreed));
    let mut voice = Voice::new(Role::Client, true);
    client.send(voice.say(&create("gpt-5-pro"))).await;
    assert_eq!(server_ear.text(&mut server.io).await.0, create("gpt-5-pro"));

    rig.policy.replace(rules(NO_PRO));
    client.send(voice.say(&create("gpt-5.5"))).await;
    assert_eq!(server_ear.text(&mut server.io).await.0, create("gpt-5.5"));
    // Uncompressed: it can be left out.
    client
        .send(frame(Role::Client, Opcode::Text, true, false, create("gpt-5-pro").as_bytes()))
        .await;
    let (text, _) = client_ear.text(&mut client.io).await;
    assert_eq!(json_of(&text)["type"], "response.failed");
    // Compressed with what came before: left out it would spoil the next, so this is the end.
    client.send(voice.say(&create("gpt-5-pro"))).await;
    let close = Heard::Close(1008, "no-large-models".to_owned());
    assert_eq!(client_ear.hear(&mut client.io).await, close);
    drop((client, server));
    let records = rig.records(1).await;
    assert_eq!(records.iter().filter(|r| r["status"] == "denied").count(), 2);
    assert_eq!(only(&records, "ended")["close"]["code"], 1008);
}

#[tokio::test]
async fn refusals_wait_for_a_message_that_is_held_and_nothing_stands_still() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(&format!("{NO_PRO}{NO_SHELL}")), |_| {}).await;
    let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
    let text = br#"{"type":"response.output_text.delta","delta":"x"}"#;
    let (begun, rest) = text.split_at(9);
    socket.server.send(frame(Role::Server, Opcode::Text, false, false, begun)).await;
    // The answers to these are more than may wait for the client.
    let mut voice = Voice::new(Role::Client, false);
    let ping = frame(Role::Server, Opcode::Ping, true, false, b"");
    for _ in 0..400 {
        socket.client.send(voice.say(&create("gpt-5-pro"))).await;
        socket.server.send(&ping).await;
        assert_eq!(socket.client_ear.hear(&mut socket.client.io).await, Heard::Ping(Vec::new()));
    }
    socket.server.send(frame(Role::Server, Opcode::Continuation, true, false, rest)).await;
    assert_eq!(socket.client_hears().await.0.as_bytes(), text);
    for _ in 0..400 {
        assert_eq!(json_of(&socket.client_hears().await.0)["type"], "response.failed");
    }
}

#[tokio::test]
async fn a_refusal_that_waits_keeps_no_socket_open() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(&format!("{NO_PRO}{NO_SHELL}")), |_| {}).await;
    let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
    // A message that never ends, and a refusal behind it.
    let begun = frame(Role::Server, Opcode::Text, false, false, b"{");
    socket.server.send([begun, frame(Role::Server, Opcode::Ping, true, false, b"")].concat()).await;
    assert_eq!(socket.client_ear.hear(&mut socket.client.io).await, Heard::Ping(Vec::new()));
    socket.client.send(Voice::new(Role::Client, false).say(&create("gpt-5-pro"))).await;
    socket.client.send(frame(Role::Client, Opcode::Ping, true, false, b"")).await;
    assert_eq!(socket.server_ear.hear(&mut socket.server.io).await, Heard::Ping(Vec::new()));
    rig.policy.replace(Policy::parse("version = 1\ndefault = \"block\"", "rules.toml").unwrap());
    let heard = socket.client_ear.hear(&mut socket.client.io).await;
    assert!(matches!(heard, Heard::Close(1008, _)), "{heard:?}");
}

#[tokio::test]
async fn a_rule_of_another_host_leaves_a_socket_as_it_was() {
    let other = NO_PRO.replace("models = [", "hosts = [\"other.test\"]\nmodels = [");
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(&other), |_| {}).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(upgrade("/v1/responses", OFFER)).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    assert_eq!(
        header(&head, "sec-websocket-extensions"),
        Some("permessage-deflate; client_max_window_bits")
    );
    server.switch(&head, "").await;
    client.head().await;
    // A message flows as it comes, before its end is there.
    let message = frame(Role::Client, Opcode::Text, true, false, create("gpt-5-pro").as_bytes());
    client.send(&message[..20]).await;
    assert_eq!(server.exact(20).await, message[..20]);
}

#[tokio::test]
async fn a_rule_that_only_watches_is_recorded_and_decides_nothing() {
    let watch = "[[rule]]\nid = \"watch\"\ndetect = \"high\"\nreason = \"look here\"\n\
        on = [\"upgrade\", \"message\"]\n";
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(watch), |_| {}).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(upgrade("/v1/responses", "")).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    client.head().await;
    let message = frame(Role::Client, Opcode::Text, true, false, create("m").as_bytes());
    client.send(&message).await;
    assert_eq!(server.exact(message.len()).await, message);
    drop((client, server));
    let records = rig.records(1).await;
    let detected: Vec<_> = records.iter().filter(|r| r["kind"] == "detected").collect();
    assert_eq!(detected.len(), 2, "{records:#?}");
    assert_eq!((&detected[0]["on"], &detected[1]["on"]), (&json!("upgrade"), &json!("message")));
    assert_eq!(
        (&detected[0]["level"], &detected[0]["reason"]),
        (&json!("high"), &json!("look here"))
    );
    assert_eq!(only(&records, "decided")["decision"], "allowed");
}

#[tokio::test]
async fn a_budget_of_tokens_is_a_rule() {
    let budget = r#"
[[rule]]
id = "budget"
action = "block"
on = ["message"]
direction = "to_upstream"
when = 'conn.tokens >= 10 && http.header["user-agent"] == "agent/1" && model.name != "m-free"'
reason = "ten tokens are enough"
"#;
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(budget), |_| {}).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(upgrade("/v1/responses", "User-Agent: agent/1\r\n")).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    client.head().await;
    let (mut client_ear, mut server_ear) =
        (Ear::new(Role::Server, None), Ear::new(Role::Client, None));
    let plain = |text: &str| frame(Role::Client, Opcode::Text, true, false, text.as_bytes());
    client.send(plain(&create("m-1"))).await;
    assert_eq!(server_ear.text(&mut server.io).await.0, create("m-1"));
    let done = r#"{"type":"response.completed","response":{"id":"r1","status":"completed","usage":{"input_tokens":7,"output_tokens":3,"total_tokens":10}}}"#;
    server.send(frame(Role::Server, Opcode::Text, true, false, done.as_bytes())).await;
    assert_eq!(client_ear.text(&mut client.io).await.0, done);
    client.send(plain(&create("m-1"))).await;
    let event = json_of(&client_ear.text(&mut client.io).await.0);
    assert_eq!(event["response"]["error"]["message"], "ten tokens are enough");
    client.send(plain(&create("m-free"))).await;
    assert_eq!(server_ear.text(&mut server.io).await.0, create("m-free"));
}

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
