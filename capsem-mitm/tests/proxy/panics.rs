//! A panic, in whichever service of the host and at whichever step: the connection it happened on
//! ends with its records, and nobody else notices.

use crate::support::{
    Client, Connection, HOST, Path, Rig, Upstream, check_whole, frame, soon, upgrade,
};
use capsem_mitm::{
    Asker, Asking, Question, Resolve, Resolving, Services,
    credential::{Credential, CredentialSource, Found, Unresolved},
};
use capsem_policy::{Decide, Facts, Failure, MessageRules, On, Policy, Verdict};
use capsem_ws_codec::{Opcode, Role};
use serde_json::{Value, json};

/// What a panic may say and nobody may write down.
const CANARY: &str = "canary-of-a-panic";

/// Allows everything and asks about some paths; panics where it is told to.
struct Host(Policy);

fn host() -> Host {
    let rules = "version = 1\ndefault = \"allow\"\n\
        [[rule]]\nid = \"ask\"\naction = \"ask\"\npaths = [\"/ask-*\"]\n\
        [[rule]]\nid = \"say\"\naction = \"ask\"\non = [\"message\"]\nmodels = [\"ask-*\"]\n";
    Host(Policy::parse(rules, "rules.toml").unwrap())
}

impl Decide for Host {
    fn decide(&self, facts: &Facts<'_>) -> Result<Verdict<'_>, Failure> {
        assert!(facts.path != "/decide", "{CANARY}");
        let boom =
            facts.on == On::Message && facts.message.is_some_and(|it| it.model == Some("decide"));
        assert!(!boom, "{CANARY}");
        self.0.decide(facts)
    }

    fn message_rules_for(&self, facts: &Facts<'_>) -> MessageRules {
        assert!(facts.path != "/rules", "{CANARY}");
        Decide::message_rules_for(&self.0, facts)
    }
}

impl Asker for Host {
    fn ask<'a>(&'a self, question: &'a Question) -> Asking<'a> {
        assert!(question.path != "/ask-now", "{CANARY}");
        Box::pin(async {
            tokio::task::yield_now().await;
            panic!("{CANARY}")
        })
    }
}

impl CredentialSource for Host {
    fn resolve(&self, found: &Found<'_>) -> Result<Option<Credential>, Unresolved> {
        assert!(found.text != "boom", "{CANARY}");
        Ok(None)
    }
}

impl Resolve for Host {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(async { panic!("{CANARY}") })
    }
}

async fn rig(upstream: &Upstream) -> Rig {
    let mut services = Services::default();
    services.resolver = Box::new(host());
    services.credentials = Some(Box::new(host()));
    services.asker = Some(Box::new(host()));
    let rig = Rig::serviced(upstream, Policy::allow_all(), services, |_| {}).await;
    rig.policy.replace(host());
    rig
}

/// A socket that is open through the proxy.
async fn socket(rig: &Rig, upstream: &mut Upstream) -> (Client, Connection) {
    let mut client = Client::tls(rig, Path::Explicit, HOST).await;
    client.send(upgrade("/v1/responses", "")).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    client.head().await;
    (client, server)
}

async fn echo((client, server): &mut (Client, Connection)) {
    let said = frame(Role::Client, Opcode::Text, true, false, b"{}");
    client.send(&said).await;
    assert_eq!(server.exact(said.len()).await, said);
    server.send(b"\x81\x02{}").await;
    assert_eq!(client.exact(4).await, b"\x81\x02{}");
}

/// Checks what the only connection that broke left behind: one fault, and its ends.
#[track_caller]
fn check(case: &str, records: &[Value], decided: bool) {
    check_whole(records);
    let text = serde_json::to_string(records).unwrap();
    assert!(!text.contains(CANARY), "{case}: {text}");
    let of = |kind: &str, key: &str, value: &Value| -> Vec<Value> {
        let wanted = |r: &&Value| r["kind"] == kind && r[key] == *value;
        records.iter().filter(wanted).cloned().collect()
    };
    let faults = of("fault", "side", &json!("proxy"));
    assert_eq!(faults.len(), 1, "{case}: {faults:?}");
    let fault = &faults[0];
    assert_eq!(fault["class"], "panic", "{case}");
    assert_eq!(of("closed", "conn", &fault["conn"]).len(), 1, "{case}");
    let ended = of("ended", "exchange", &fault["exchange"]);
    assert_eq!(ended.len(), usize::from(decided), "{case}: {ended:?}");
    for ended in ended {
        let close = &ended["close"];
        assert_eq!((&close["kind"], &close["by"]), (&json!("error"), &json!("proxy")), "{case}");
    }
}

#[tokio::test]
async fn of_a_service_while_a_request_is_answered() {
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{more}\r\n");
    for (n, (case, host, request, decided)) in [
        ("decide", HOST, get("/decide", ""), false),
        ("decide, upgrade", HOST, upgrade("/decide", ""), false),
        ("asker, at once", HOST, get("/ask-now", ""), false),
        ("asker, upgrade", HOST, upgrade("/ask-later", ""), false),
        ("credential", HOST, get("/", "Authorization: Bearer boom\r\n"), false),
        ("resolver", "panics.test", get("/", "").replace(HOST, "panics.test"), true),
        ("resolver, upgrade", "panics.test", upgrade("/", "").replace(HOST, "panics.test"), true),
        ("message rules", HOST, upgrade("/rules", ""), true),
    ]
    .into_iter()
    .enumerate()
    {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = rig(&upstream).await;
        let mut other = socket(&rig, &mut upstream).await;
        let mut client = Client::tls(&rig, Path::BOTH[n % 2], host).await;
        client.send(&request).await;
        assert_eq!(client.rest().await, b"", "{case}");
        if decided && host == HOST {
            assert_eq!(upstream.next().await.rest().await, b"", "{case}");
        }
        echo(&mut other).await;
        let mut after = socket(&rig, &mut upstream).await;
        echo(&mut after).await;
        drop((client, other, after));
        check(case, &rig.records(3).await, decided);
    }
}

#[tokio::test]
async fn of_a_service_while_a_socket_runs() {
    for (case, model) in [("decide", "decide"), ("asker", "ask-someone")] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = rig(&upstream).await;
        let mut other = socket(&rig, &mut upstream).await;
        let (mut client, mut server) = socket(&rig, &mut upstream).await;
        let said = format!(r#"{{"type":"response.create","model":"{model}","input":"hi"}}"#);
        client.send(frame(Role::Client, Opcode::Text, true, false, said.as_bytes())).await;
        assert_eq!(client.rest().await, b"", "{case}");
        assert_eq!(server.rest().await, b"", "{case}");
        echo(&mut other).await;
        drop((client, server, other));
        let records = rig.records(2).await;
        check(case, &records, true);
        let asked = records.iter().find(|record| record["kind"] == "asked");
        let answer = asked.map(|record| &record["answer"]);
        assert_eq!(answer, (case == "asker").then_some(&json!("failed")), "{case}");
    }
}

#[tokio::test]
async fn of_the_policy_that_replaces_another() {
    struct Broken;
    impl Decide for Broken {
        fn decide(&self, _: &Facts<'_>) -> Result<Verdict<'_>, Failure> {
            panic!("{CANARY}")
        }
        fn message_rules_for(&self, _: &Facts<'_>) -> MessageRules {
            panic!("{CANARY}")
        }
    }
    let mut upstream = Upstream::tls(HOST).await;
    let rig = rig(&upstream).await;
    let (mut client, mut server) = socket(&rig, &mut upstream).await;
    rig.policy.replace(Broken);
    assert_eq!(client.rest().await, b"");
    assert_eq!(server.rest().await, b"");
    // The proxy is as ready as before for a policy that works.
    rig.policy.replace(host());
    let mut after = soon("another socket", socket(&rig, &mut upstream)).await;
    echo(&mut after).await;
    drop((client, server, after));
    check("replaced", &rig.records(2).await, true);
}
