//! Which messages are held and for how long, and that what is held stops nothing else.

use crate::support::{
    Client, HOST, Heard, NO_PRO, NO_SHELL, OFFER, Path, Rig, Socket, Upstream, Voice, create,
    frame, header, json_of, only, rules, upgrade,
};
use capsem_policy::Policy;
use capsem_ws_codec::{Opcode, Role};

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
