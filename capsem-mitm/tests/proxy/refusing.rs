//! Messages that a rule refuses go no further; the socket and its compression live on.

use crate::support::{
    Client, Ear, HOST, Heard, NO_PRO, NO_SHELL, OFFER, Path, Rig, Socket, Upstream, Voice, create,
    frame, header, json_of, only, rules, upgrade,
};
use capsem_ws_codec::{Deflate, Opcode, Role};
use serde_json::json;

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
