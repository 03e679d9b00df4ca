//! The same on a WebSocket, in both directions: in frames of every cut and coding, behind and between
//! other messages, in the protocols that name things elsewhere.

use super::{PRO, tricks};
use crate::{
    ask::{self, ASK_MESSAGE, LONG},
    support::{
        HOST, Heard, NO_PRO, NO_SHELL, Path, Rig, Socket, Upstream, Voice, create, frame, json_of,
        only, rules,
    },
};
use capsem_ws_codec::{Opcode, Role};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

/// What the client is told in place of a message, and that nothing went on.
async fn refused(socket: &mut Socket, from: Role, shown: &str) -> Heard {
    let Socket { client, server, client_ear, .. } = socket;
    if from == Role::Server {
        return client_ear.hear(&mut client.io).await;
    }
    let mut byte = [0; 1];
    tokio::select! {
        heard = client_ear.hear(&mut client.io) => heard,
        read = server.io.read(&mut byte) => {
            // Upstream may hear first that it is over.
            assert_eq!((read.unwrap(), byte), (1, [0x88]), "{shown} went on");
            client_ear.hear(&mut client.io).await
        }
    }
}

#[track_caller]
fn is_refusal(heard: &Heard, shown: &str) {
    match heard {
        Heard::Text { text, .. } => assert_eq!(json_of(text)["type"], "response.failed", "{shown}"),
        Heard::Close(code, reason) => {
            assert_eq!((*code, &**reason), (1008, "uninspectable"), "{shown}");
        }
        Heard::Ping(_) => panic!("{shown}: {heard:?}"),
    }
}

/// A message in one frame, of either opcode, compressed or not.
fn spellings(from: Role, payload: &[u8]) -> Vec<Vec<u8>> {
    let mut spelt = vec![frame(from, Opcode::Binary, true, false, payload)];
    if let Ok(text) = std::str::from_utf8(payload) {
        let compressed = Voice::new(from, false).compressed(text);
        spelt.push(frame(from, Opcode::Text, true, false, payload));
        spelt.push(frame(from, Opcode::Text, true, true, &compressed));
        spelt.push(frame(from, Opcode::Binary, true, true, &compressed));
    }
    spelt
}

#[tokio::test]
async fn requests_that_are_read_in_more_than_one_way() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(NO_PRO), |_| {}).await;
    for path in ["/v1/responses", "/v1/Responses"] {
        for payload in tricks() {
            let shown = format!("{path} {:?}", String::from_utf8_lossy(&payload));
            // Where the path says nothing the first message does, by its type.
            let ways = match path {
                "/v1/responses" => 4,
                _ => usize::from(payload.starts_with(b"{")),
            };
            for message in spellings(Role::Client, &payload).into_iter().take(ways) {
                let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, path).await;
                socket.client.send(message).await;
                let heard = refused(&mut socket, Role::Client, &shown).await;
                if path == "/v1/responses" {
                    is_refusal(&heard, &shown);
                } else {
                    assert!(matches!(heard, Heard::Close(1008, _)), "{shown}: {heard:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn answers_that_are_read_in_more_than_one_way() {
    let item = |item: &str| format!(r#"{{"type":"response.output_item.done","item":{item}}}"#);
    let call = r#"{"type":"function_call","call_id":"c","name":"shell"}"#;
    let whole = item(call);
    let events = [
        whole.clone(),
        whole.replace("\"name\"", "\"n\\u0061me\""),
        whole.replace("\"item\"", "\"Item\""),
        whole.replace("\"name\"", "\"Name\""),
        item(r#"{"type":"function_call","type":"message","name":"shell"}"#),
        item(r#"{"type":"message","type":"function_call","name":"shell"}"#),
        item(r#"{"type":"function_call","name":"read","name":"shell"}"#),
        item(r#"{"type":"function_call","name":"shell","name":"read"}"#),
        item(r#"{"type":"mcp_approval_request","name":"shell"}"#),
        format!("{whole} "),
        format!("{whole}{{}}"),
        format!("\u{feff}{whole}"),
        format!("[{whole}]"),
        whole.replace("\"call_id\":\"c\"", "\"x\":NaN"),
    ];
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(NO_SHELL), |_| {}).await;
    for event in events.iter().map(|it| it.as_bytes().to_vec()).chain([super::utf16(&whole, true)])
    {
        let shown = String::from_utf8_lossy(&event).into_owned();
        for message in spellings(Role::Server, &event) {
            let mut socket =
                Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
            socket.server.send(message).await;
            let heard = refused(&mut socket, Role::Server, &shown).await;
            is_refusal(&heard, &shown);
        }
    }
}

#[tokio::test]
async fn in_pieces_and_before_what_is_allowed() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(NO_PRO), |_| {}).await;
    let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
    for compressed in [false, true] {
        let payload = if compressed {
            Voice::new(Role::Client, false).compressed(PRO)
        } else {
            PRO.as_bytes().to_vec()
        };
        for cut in 0..=payload.len() {
            let (a, b) = payload.split_at(cut);
            let opcode = if cut % 2 == 0 { Opcode::Text } else { Opcode::Binary };
            let allowed = create(&format!("gpt-5-{cut}"));
            // In one segment; what is allowed is coded in the other way.
            let bytes = [
                frame(Role::Client, opcode, false, compressed, a),
                frame(Role::Client, Opcode::Continuation, false, false, b""),
                frame(Role::Client, Opcode::Continuation, true, false, b),
                if compressed {
                    frame(Role::Client, Opcode::Text, true, false, allowed.as_bytes())
                } else {
                    Voice::new(Role::Client, false).say(&allowed)
                },
            ];
            socket.client.send(bytes.concat()).await;
            assert_eq!(socket.server_hears().await, (allowed, !compressed), "{cut}");
            let (text, _) = socket.client_hears().await;
            assert_eq!(json_of(&text)["type"], "response.failed", "{cut}");
        }
    }
}

#[tokio::test]
async fn behind_one_that_somebody_is_asked_about() {
    for yes in [true, false] {
        let mut upstream = Upstream::tls(HOST).await;
        let (rig, questions) = ask::rig(&upstream, &format!("{ASK_MESSAGE}{NO_PRO}"), LONG).await;
        let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
        let said = [create("dear-1"), PRO.to_owned(), create("gpt-5")];
        let mut voice = Voice::new(Role::Client, false);
        socket.client.send(said.clone().map(|text| voice.say(&text)).concat()).await;
        let (_, answer) = ask::asked(&questions).await;
        answer.send(Ok(yes)).unwrap();
        if yes {
            assert_eq!(socket.server_hears().await.0, said[0]);
        }
        assert_eq!(socket.server_hears().await.0, said[2]);
        for reason in [None, Some("this model is too dear")].into_iter().skip(usize::from(yes)) {
            let event = json_of(&socket.client_hears().await.0);
            let message = &event["response"]["error"]["message"];
            assert!(reason.is_none_or(|reason| message == reason), "{event}");
        }
    }
}

/// What a client is told of a message that the rule `no` refuses, and whether a call was recorded that
/// was denied.
async fn protocol(rule: &str, path: &str, said: &[(Role, &str)], told: Value, call: bool) {
    let rule = format!("[[rule]]\nid = \"no\"\naction = \"block\"\non = [\"message\"]\n{rule}\n");
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(&rule), |_| {}).await;
    let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, path).await;
    let (last, before) = said.split_last().unwrap();
    for (from, text) in before {
        match from {
            Role::Client => {
                socket.client.send(Voice::new(*from, false).say(text)).await;
                assert_eq!(socket.server_hears().await.0, *text);
            }
            Role::Server => {
                socket.server.send(Voice::new(*from, false).say(text)).await;
                assert_eq!(socket.client_hears().await.0, *text);
            }
        }
    }
    let message = Voice::new(last.0, false).say(last.1);
    match last.0 {
        Role::Client => socket.client.send(message).await,
        Role::Server => socket.server.send(message).await,
    }
    let heard = match refused(&mut socket, last.0, last.1).await {
        Heard::Text { text, .. } => json_of(&text)["type"].clone(),
        Heard::Close(code, reason) => json!([code, reason]),
        heard @ Heard::Ping(_) => panic!("{heard:?}"),
    };
    assert_eq!(heard, told, "{path} {}", last.1);
    drop(socket);
    let records = rig.records(1).await;
    assert_eq!(only(&records, "refused")["rule"], "no");
    let denied = records.iter().filter(|it| it["status"] == "denied").count();
    assert_eq!(denied, usize::from(call), "{path} {}: {records:#?}", last.1);
}

#[tokio::test]
async fn in_the_words_of_each_protocol() {
    use Role::{Client, Server};
    const LIVE: &str =
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
    let closed = || json!([1008, "no"]);
    let (models, tools) = ("models = [\"bad*\"]", "tools = [\"shell\"]");
    let shell = r#"[{"type":"function","name":"shell"}]"#;

    let update = r#"{"type":"session.update","session":{"type":"realtime","model":"bad-1"}}"#;
    let realtime = "/v1/realtime?model=good";
    protocol(models, realtime, &[(Client, update)], json!("error"), false).await;
    let transcription = r#"{"type":"session.update","session":{"audio":{"input":{"transcription":{"model":"bad-1"}}}}}"#;
    protocol(models, realtime, &[(Client, transcription)], json!("error"), false).await;
    let create = format!(r#"{{"type":"response.create","response":{{"tools":{shell}}}}}"#);
    protocol(tools, realtime, &[(Client, &create)], json!("error"), true).await;
    // By each of the models that its query names.
    let create = r#"{"type":"response.create"}"#;
    for query in
        ["model=bad-1", "model=good&model=bad-1", "model=bad-1&model=good", "mod%65l=bad-1"]
    {
        let path = format!("/v1/realtime?{query}");
        protocol(models, &path, &[(Client, create)], json!("error"), true).await;
    }
    let call = r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c","name":"shell"}}"#;
    protocol(tools, realtime, &[(Client, create), (Server, call)], json!("error"), false).await;

    for model in ["bad-1", "models/bad-1", "publishers/google/models/Bad-1"] {
        let setup = format!(r#"{{"setup":{{"model":"{model}"}}}}"#);
        protocol(models, LIVE, &[(Client, &setup)], closed(), false).await;
    }
    let setup = r#"{"setup":{"model":"models/good"}}"#;
    let call = r#"{"toolCall":{"functionCalls":[{"id":"1","name":"shell","args":{}}]}}"#;
    protocol(tools, LIVE, &[(Client, setup), (Server, call)], closed(), false).await;

    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shell","arguments":{}}}"#;
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let listed =
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"shell","inputSchema":{}}]}}"#;
    protocol(tools, "/mcp", &[(Client, call)], closed(), true).await;
    protocol(tools, "/mcp", &[(Client, &format!("[{list},{call}]"))], closed(), false).await;
    protocol(tools, "/mcp", &[(Client, list), (Server, listed)], closed(), false).await;
    let create =
        format!(r#"{{"type":"response.create","model":"good","input":[],"tools":{shell}}}"#);
    protocol(tools, "/v1/responses", &[(Client, &create)], json!("response.failed"), true).await;
}
