//! Rules that ask: what is asked about waits, the rest does not, and only a yes in time is a yes.

use crate::support::{
    Client, Ear, HOST, Heard, Path, Rig, Socket, Upstream, Voice, frame, json_of, only, soon,
    upgrade,
};
use capsem_mitm::{Asker, Asking, Question, Services};
use capsem_policy::Policy;
use capsem_ws_codec::{Opcode, Role};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::AsyncWriteExt as _,
    sync::{Mutex, mpsc, oneshot},
};

/// Hands each question to the test, with a way to answer.
struct Host(mpsc::UnboundedSender<(Value, oneshot::Sender<std::io::Result<bool>>)>);

pub(crate) type Questions =
    Mutex<mpsc::UnboundedReceiver<(Value, oneshot::Sender<std::io::Result<bool>>)>>;

impl Asker for Host {
    fn ask<'a>(&'a self, question: &'a Question) -> Asking<'a> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let question = serde_json::from_str(&question.to_json()).unwrap();
            self.0.send((question, answer)).unwrap();
            answered.await.unwrap_or_else(|_| Err(std::io::Error::other("nobody answers")))
        })
    }
}

fn rules(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\ndefault = \"allow\"\n{text}"), "rules.toml").unwrap()
}

pub(crate) async fn rig(upstream: &Upstream, text: &str, patience: Duration) -> (Rig, Questions) {
    let (sender, questions) = mpsc::unbounded_channel();
    let mut services = Services::default();
    services.asker = Some(Box::new(Host(sender)));
    let rig = Rig::serviced(upstream, rules(text), services, |config| {
        config.ask_timeout = patience;
    })
    .await;
    (rig, Mutex::new(questions))
}

pub(crate) async fn asked(
    questions: &Questions,
) -> (Value, oneshot::Sender<std::io::Result<bool>>) {
    soon("a question", async { questions.lock().await.recv().await }).await.unwrap()
}

pub(crate) const LONG: Duration = Duration::from_mins(1);
const ASK_UPGRADE: &str =
    "[[rule]]\nid = \"ask-first\"\naction = \"ask\"\non = [\"upgrade\", \"http\"]\n";
pub(crate) const ASK_MESSAGE: &str = "[[rule]]\nid = \"ask-dear\"\naction = \"ask\"\non = [\"message\"]\n\
    direction = \"to_upstream\"\nmodels = [\"dear*\"]\n";

fn create(model: &str) -> String {
    format!(r#"{{"type":"response.create","model":"{model}","input":"hello"}}"#)
}

#[tokio::test]
async fn a_request_waits_for_its_answer_and_nothing_is_dialled_before() {
    for is_upgrade in [true, false] {
        let request = if is_upgrade {
            upgrade("/v1/responses?key=k", "")
        } else {
            format!("GET /v1/models?key=k HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        };
        for (answer, word) in [
            (Some(Ok(true)), "allow"),
            (Some(Ok(false)), "block"),
            (Some(Err(std::io::Error::other("x"))), "failed"),
            (None, "late"),
        ] {
            let mut upstream = Upstream::tls(HOST).await;
            let patience = if answer.is_none() { Duration::from_millis(50) } else { LONG };
            let (rig, questions) = rig(&upstream, ASK_UPGRADE, patience).await;
            let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
            client.send(&request).await;
            let (question, answers) = asked(&questions).await;
            assert_eq!(question["on"], if is_upgrade { "upgrade" } else { "http" });
            assert_eq!((&question["rule"], &question["host"]), (&json!("ask-first"), &json!(HOST)));
            assert_eq!(
                (&question["query"], &question["message"]),
                (&json!("key=[redacted]"), &json!(null))
            );
            assert_eq!(upstream.accepted(), 0);
            if let Some(answer) = answer {
                answers.send(answer).unwrap();
            }
            if word == "allow" {
                let mut server = upstream.next().await;
                let head = server.head().await;
                if is_upgrade {
                    server.switch(&head, "").await;
                } else {
                    server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
                }
                client.head().await;
            } else {
                let head = client.head().await;
                assert!(head.starts_with("HTTP/1.1 403"), "{word}: {head}");
                assert_eq!(upstream.accepted(), 0);
            }
            drop(client);
            let records = rig.records(1).await;
            let record = only(&records, "asked");
            assert_eq!((&record["answer"], &record["rule"]), (&json!(word), &json!("ask-first")));
            let decided = only(&records, "decided");
            assert_eq!(decided["action"], "ask");
            assert_eq!(decided["decision"], if word == "allow" { "allowed" } else { "denied" });
            assert_eq!(decided["exchange"], record["exchange"]);
        }
    }
}

#[tokio::test]
async fn who_does_not_wait_leaves_a_question_without_an_exchange() {
    let upstream = Upstream::tls(HOST).await;
    let (rig, questions) = rig(&upstream, ASK_UPGRADE, LONG).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(upgrade("/v1/responses", "")).await;
    let (_, _answers) = asked(&questions).await;
    drop(client);
    let records = rig.records(1).await;
    assert_eq!(only(&records, "asked")["answer"], "gone");
    assert!(!records.iter().any(|record| record["kind"] == "decided"));
}

#[tokio::test]
async fn a_message_waits_and_the_socket_lives_on() {
    for (answer, word) in [(Some(true), "allow"), (Some(false), "block"), (None, "late")] {
        let mut upstream = Upstream::tls(HOST).await;
        let patience = if answer.is_none() { Duration::from_millis(300) } else { LONG };
        let (rig, questions) = rig(&upstream, ASK_MESSAGE, patience).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        client.send(upgrade("/v1/responses", offer)).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        let agreed = "permessage-deflate; server_no_context_takeover";
        server.switch(&head, &format!("Sec-WebSocket-Extensions: {agreed}\r\n")).await;
        client.head().await;
        let deflate = capsem_ws_codec::Deflate {
            server_no_context_takeover: true,
            ..capsem_ws_codec::Deflate::default()
        };
        let (mut client_ear, mut server_ear) =
            (Ear::new(Role::Server, Some(deflate)), Ear::new(Role::Client, Some(deflate)));
        let mut voice = Voice::new(Role::Client, false);

        client.send(voice.say(&create("dear-1"))).await;
        let (question, answers) = asked(&questions).await;
        assert_eq!(question["on"], "message");
        let message = &question["message"];
        assert_eq!(
            (&message["model"], &message["direction"]),
            (&json!("dear-1"), &json!("to_upstream"))
        );
        // Meanwhile pings pass both ways, the server speaks, and what the client says next waits.
        client.send(frame(Role::Client, Opcode::Ping, true, false, b"up")).await;
        assert_eq!(server_ear.hear(&mut server.io).await, Heard::Ping(b"up".to_vec()));
        server.send(frame(Role::Server, Opcode::Ping, true, false, b"down")).await;
        assert_eq!(client_ear.hear(&mut client.io).await, Heard::Ping(b"down".to_vec()));
        server.send(frame(Role::Server, Opcode::Text, true, false, b"{}")).await;
        assert_eq!(client_ear.text(&mut client.io).await.0, "{}");
        client.send(voice.say(&create("cheap"))).await;
        client.send(frame(Role::Client, Opcode::Ping, true, false, b"behind")).await;
        if let Some(answer) = answer {
            answers.send(Ok(answer)).unwrap();
        }
        if word == "allow" {
            assert_eq!(server_ear.text(&mut server.io).await.0, create("dear-1"));
        } else {
            let (text, _) = client_ear.text(&mut client.io).await;
            let event: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(event["type"], "response.failed");
            let reason = event["response"]["error"]["message"].as_str().unwrap();
            assert!(reason.starts_with("this needs approval, and "), "{reason}");
        }
        assert_eq!(server_ear.text(&mut server.io).await.0, create("cheap"));
        assert_eq!(server_ear.hear(&mut server.io).await, Heard::Ping(b"behind".to_vec()));
        drop((client, server));
        let records = rig.records(1).await;
        let record = only(&records, "asked");
        assert_eq!((&record["answer"], &record["on"]), (&json!(word), &json!("message")));
        let denied = records.iter().filter(|r| r["status"] == "denied").count();
        assert_eq!(denied, usize::from(word != "allow"), "{records:#?}");
    }
}

#[tokio::test]
async fn what_a_side_says_last_comes_after_what_waits() {
    let close = frame(Role::Client, Opcode::Close, true, false, b"\x03\xe8bye");
    for (is_close, approved) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut upstream = Upstream::tls(HOST).await;
        let (rig, questions) = rig(&upstream, ASK_MESSAGE, LONG).await;
        let mut socket = Socket::open(&rig, &mut upstream, Path::Explicit, "/v1/responses").await;
        let message = frame(Role::Client, Opcode::Text, true, false, create("dear-1").as_bytes());
        socket.client.send(&message).await;
        let (_, answers) = asked(&questions).await;
        if is_close {
            socket.client.send(&close).await;
        } else {
            socket.client.io.shutdown().await.unwrap();
        }
        answers.send(Ok(approved)).unwrap();
        if !approved {
            let event = json_of(&socket.client_hears().await.0);
            assert_eq!(event["type"], "response.failed");
        }
        let message = if approved { &message[..] } else { &[] };
        let expect = [message, if is_close { &close } else { &[] }].concat();
        assert_eq!(socket.server.exact(expect.len()).await, expect);
        if !is_close {
            assert_eq!(socket.server.rest().await, b"");
        }
        drop(socket);
        let records = rig.records(1).await;
        let ended = only(&records, "ended");
        assert_eq!(
            (&ended["close"]["kind"], &ended["close"]["by"]),
            (&json!("normal"), &json!("client"))
        );
        assert_eq!(ended["to_upstream"]["messages"], u64::from(approved));
    }
}

#[tokio::test]
async fn a_body_waits_too_and_nobody_to_ask_is_a_no() {
    for somebody in [true, false] {
        let mut upstream = Upstream::tls(HOST).await;
        let body = r#"{"model":"dear-1","input":"x"}"#;
        let request = format!(
            "POST /v1/responses HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if somebody {
            let (rig, questions) = rig(&upstream, ASK_MESSAGE, LONG).await;
            let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
            client.send(request).await;
            let (question, answers) = asked(&questions).await;
            assert_eq!((&question["on"], &question["method"]), (&json!("message"), &json!("POST")));
            answers.send(Ok(true)).unwrap();
            let mut server = upstream.next().await;
            server.head().await;
            assert_eq!(server.exact(body.len()).await, body.as_bytes());
        } else {
            let rig = Rig::with(&upstream, rules(ASK_MESSAGE), |_| {}).await;
            let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
            client.send(request).await;
            assert!(client.head().await.starts_with("HTTP/1.1 403"));
            drop(client);
            let records = rig.records(1).await;
            assert_eq!(only(&records, "asked")["answer"], "nobody");
            assert_eq!(only(&records, "model_call")["status"], "denied");
            assert_eq!(upstream.accepted(), 0);
        }
    }
}

#[tokio::test]
async fn an_approved_socket_outlives_a_reload_that_asks_the_same() {
    let mut upstream = Upstream::tls(HOST).await;
    let (rig, questions) = rig(&upstream, ASK_UPGRADE, LONG).await;
    let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
    client.send(upgrade("/v1/responses", "")).await;
    asked(&questions).await.1.send(Ok(true)).unwrap();
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    client.head().await;
    rig.policy.replace(rules(ASK_UPGRADE));
    server.send(b"\x81\x02hi").await;
    assert_eq!(client.exact(4).await, b"\x81\x02hi");
    rig.policy.replace(rules(&ASK_UPGRADE.replace("ask-first", "ask-anew")));
    assert_eq!(client.rest().await, b"\x88\x0a\x03\xf0ask-anew");
}

#[tokio::test]
async fn an_answer_does_not_outlive_its_rules() {
    for (after, status) in [("", "101"), ("[[rule]]\nid = \"no\"\naction = \"block\"\n", "403")] {
        let mut upstream = Upstream::tls(HOST).await;
        let (rig, questions) = rig(&upstream, ASK_UPGRADE, LONG).await;
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        client.send(upgrade("/v1/responses", "")).await;
        let (_, answers) = asked(&questions).await;
        rig.policy.replace(rules(after));
        answers.send(Ok(true)).unwrap();
        if status == "101" {
            let mut server = upstream.next().await;
            let head = server.head().await;
            server.switch(&head, "").await;
        }
        let head = client.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert_eq!(upstream.accepted(), usize::from(status == "101"));
    }
}
