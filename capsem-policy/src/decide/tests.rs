//! Verdicts: tables of policy and request, and a naive judge as oracle.

use crate::{
    Action, Detection, Direction, Facts, Level, Message, On, Opcode, Policy, Verdict, decide,
};
use proptest::prelude::*;
use std::fmt::Write as _;

const FILE: &str = r#"
version = 1

[[rule]]
id = "no-uploads"
action = "block"
priority = 1
methods = ["PUT"]
status = 451
reason = "uploads are not allowed"

[[rule]]
id = "openai"
action = "allow"
hosts = ["api.openai.com"]
ports = [443]
paths = ["/v1/responses", "/v1/models/**"]

[[rule]]
id = "sockets-elsewhere"
action = "block"
on = ["upgrade"]
status = 426

[[rule]]
id = "anthropic"
action = "ask"
on = ["http"]
providers = ["anthropic"]
"#;

#[track_caller]
fn check(facts: &Facts<'_>, action: Action, rule: Option<&str>, status: u16) {
    let policy = Policy::parse(FILE, "p.toml").unwrap();
    let verdict = decide(&policy, facts);
    assert_eq!((verdict.action, verdict.rule.as_deref(), verdict.status), (action, rule, status));
}

#[test]
fn first_match_decides() {
    let openai = Facts::new(On::Upgrade, "api.openai.com", 443).path("/v1/responses");
    check(&openai, Action::Allow, Some("openai"), 403);
    check(&Facts { on: On::Http, ..openai }, Action::Allow, Some("openai"), 403);
    check(&openai.path("/v1/models"), Action::Allow, Some("openai"), 403);
    check(&openai.path("/v1/files"), Action::Block, Some("sockets-elsewhere"), 426);
    check(&openai.method("PUT"), Action::Block, Some("no-uploads"), 451);
    check(&Facts { port: 8443, ..openai }, Action::Block, Some("sockets-elsewhere"), 426);
}

#[test]
fn no_match_is_the_default() {
    let other = Facts::new(On::Http, "example.com", 80).scheme("http");
    check(&other, Action::Block, None, 403);
    check(&other.provider("anthropic"), Action::Ask, Some("anthropic"), 403);
}

#[test]
fn the_reason_comes_with_the_verdict() {
    let policy = Policy::parse(FILE, "p.toml").unwrap();
    let verdict = decide(&policy, &Facts::new(On::Http, "a", 1).method("PUT"));
    assert_eq!(verdict.reason.as_deref(), Some("uploads are not allowed"));
}

#[test]
fn policies_without_rules() {
    let facts = Facts::new(On::Upgrade, "a", 1);
    assert_eq!(decide(&Policy::allow_all(), &facts).action, Action::Allow);
    assert_eq!(decide(&Policy::block_all(), &facts).action, Action::Block);
}

#[test]
fn detections_do_not_decide() {
    let rule = |id: &str, rest: &str| format!("[[rule]]\nid = '{id}'\n{rest}\n");
    let text = format!(
        "version = 1\n{}{}{}{}",
        rule("first", "detect = 'low'\nreason = 'seen'"),
        rule("decides", "action = 'allow'"),
        rule("behind", "detect = 'critical'"),
        rule("elsewhere", "detect = 'high'\nhosts = ['b.test']"),
    );
    let policy = Policy::parse(&text, "p.toml").unwrap();
    let verdict = decide(&policy, &Facts::new(On::Http, "a.test", 443));
    assert_eq!((verdict.action, verdict.rule.as_deref()), (Action::Allow, Some("decides")));
    let detected = verdict.detections.iter().map(|it| (&*it.rule, it.level, it.reason.as_deref()));
    assert_eq!(
        detected.collect::<Vec<_>>(),
        [("first", Level::Low, Some("seen")), ("behind", Level::Critical, None)]
    );
}

#[test]
fn of_two_readings_the_stricter() {
    let seen = |rule: &'static str| Detection::new(rule, Level::Low);
    let verdict = |action: Action, detections: &[&'static str]| Verdict {
        detections: detections.iter().copied().map(seen).collect(),
        ..Verdict::new(action)
    };
    let (allow, block) = (verdict(Action::Allow, &["a", "b"]), verdict(Action::Block, &["b", "c"]));
    assert_eq!(allow.clone().stricter(block.clone()), verdict(Action::Block, &["b", "c", "a"]));
    assert_eq!(block.stricter(allow), verdict(Action::Block, &["b", "c", "a"]));
    let first = Verdict::new(Action::Ask).rule("first");
    assert_eq!(first.clone().stricter(Verdict::new(Action::Ask).rule("second")), first);
}

#[test]
fn a_model_is_one_with_and_without_the_resource_it_is_in() {
    let rule = |models: &str| {
        format!(
            "version = 1\n[[rule]]\nid = 'm'\naction = 'block'\non = ['message']\nmodels = ['{models}']\n"
        )
    };
    let when = "version = 1\n[[rule]]\nid = 'm'\naction = 'block'\non = ['message']\n\
                when = 'model.name == \"gemini-3\"'\n";
    let files = ["gemini-*", "models/gemini-3", "publishers/google/models/Gemini-3"].map(rule);
    for text in files.iter().map(String::as_str).chain([when]) {
        let policy = Policy::parse(text, "p.toml").unwrap();
        for (model, blocked) in [
            ("gemini-3", true),
            ("models/gemini-3", true),
            ("projects/p/locations/l/publishers/google/models/gemini-3", true),
            ("tunedmodels/gemini-3", false),
            ("models/", false),
        ] {
            let message = Message::new(Direction::ToUpstream, None, 9).model(Some(model));
            let facts = Facts::new(On::Http, "a.test", 443).message(message);
            assert_eq!(decide(&policy, &facts).rule.is_some(), blocked, "{text} {model}");
        }
    }
}

#[test]
fn messages_are_judged_by_their_own_rules() {
    let text = "version = 1\n[[rule]]\nid = 'm'\naction = 'block'\non = ['message']\n\
                direction = 'to_upstream'\nmodels = ['gpt-5-pro*']\ntools = ['shell', 'mcp__*']\n";
    let policy = Policy::parse(text, "p.toml").unwrap();
    let blocked = |facts: &Facts<'_>| decide(&policy, facts).rule.is_some();
    let socket = Facts::new(On::Upgrade, "a.test", 443);
    let message = Message::new(Direction::ToUpstream, Some(Opcode::Text), 9);
    let full = message.model(Some("GPT-5-pro-2")).tools(&["read", "shell"]);
    assert!(blocked(&socket.message(full)));
    assert!(blocked(&socket.message(full.tools(&[]).tool_calls(&["mcp__x"]))));
    assert!(!blocked(&socket.message(full.tools(&["read"]))));
    assert!(!blocked(&socket.message(full.model(None))));
    assert!(!blocked(&socket.message(full.model(Some("gpt-5")))));
    assert!(!blocked(&socket.message(Message { direction: Direction::ToClient, ..full })));
    assert!(!blocked(&socket), "a request is no message");
    // `default` blocks requests, and not the messages of one that was allowed.
    assert_eq!(decide(&policy, &socket).action, Action::Block);
    assert_eq!(decide(&policy, &socket.message(message)).action, Action::Allow);
}

/// One generated rule, as plain values.
#[derive(Clone, Debug)]
struct Sketch {
    priority: i64,
    action: Action,
    upgrade_only: bool,
    host: Option<&'static str>,
    port: Option<u16>,
    method: Option<&'static str>,
    provider: Option<&'static str>,
}

const HOSTS: [&str; 4] = ["a.test", "*.a.test", "b.test", "*"];

fn sketch() -> impl Strategy<Value = Sketch> {
    let some = |list: &'static [&'static str]| proptest::option::of(proptest::sample::select(list));
    (
        -2_i64..3,
        proptest::sample::select(&[Action::Allow, Action::Ask, Action::Block][..]),
        any::<bool>(),
        some(&HOSTS),
        proptest::option::of(80_u16..82),
        some(&["GET", "POST"]),
        some(&["openai", "unknown"]),
    )
        .prop_map(|(priority, action, upgrade_only, host, port, method, provider)| Sketch {
            priority,
            action,
            upgrade_only,
            host,
            port,
            method,
            provider,
        })
}

fn file(rules: &[Sketch]) -> String {
    let mut text = String::from("version = 1\ndefault = \"ask\"\n");
    for (index, rule) in rules.iter().enumerate() {
        let _ = write!(
            text,
            "[[rule]]\nid = \"r{index}\"\naction = \"{}\"\npriority = {}\n",
            rule.action, rule.priority
        );
        if rule.upgrade_only {
            text += "on = [\"upgrade\"]\n";
        }
        let lists = [("hosts", rule.host), ("methods", rule.method), ("providers", rule.provider)];
        for (key, value) in lists {
            if let Some(value) = value {
                let _ = writeln!(text, "{key} = [\"{value}\"]");
            }
        }
        if let Some(port) = rule.port {
            let _ = writeln!(text, "ports = [{port}]");
        }
    }
    text
}

fn naive(rules: &[Sketch], facts: &Facts<'_>) -> Option<usize> {
    let host_matches = |pattern: &str| match pattern {
        "*" => true,
        "*.a.test" => facts.host.ends_with(".a.test"),
        exact => exact == facts.host,
    };
    let mut best: Option<(i64, usize)> = None;
    for (index, rule) in rules.iter().enumerate() {
        let matches = (!rule.upgrade_only || facts.on == On::Upgrade)
            && rule.host.is_none_or(host_matches)
            && rule.port.is_none_or(|port| port == facts.port)
            && rule.method.is_none_or(|method| method == facts.method)
            && rule.provider.is_none_or(|provider| provider == facts.provider);
        if matches && best.is_none_or(|(priority, _)| rule.priority < priority) {
            best = Some((rule.priority, index));
        }
    }
    best.map(|(_, index)| index)
}

proptest! {
    #[test]
    fn equals_the_naive_judge(
        rules in proptest::collection::vec(sketch(), 0..6),
        upgrade in any::<bool>(),
        host in proptest::sample::select(&["a.test", "x.a.test", "y.x.a.test", "b.test", "::1"][..]),
        port in 79_u16..83,
        method in proptest::sample::select(&["GET", "POST", "PUT"][..]),
        provider in proptest::sample::select(&["openai", "unknown", "google"][..]),
    ) {
        let on = if upgrade { On::Upgrade } else { On::Http };
        let facts = Facts::new(on, host, port).method(method).provider(provider);
        let policy = Policy::parse(&file(&rules), "p.toml").unwrap();
        let verdict = decide(&policy, &facts);
        let id = naive(&rules, &facts).map(|index| format!("r{index}"));
        let action = naive(&rules, &facts).map_or(Action::Ask, |index| rules[index].action);
        prop_assert_eq!((verdict.rule.as_deref(), verdict.action), (id.as_deref(), action));
    }

    #[test]
    fn a_rule_that_does_not_match_changes_nothing(
        rules in proptest::collection::vec(sketch(), 0..6),
        other in sketch(),
        at in any::<proptest::sample::Index>(),
        host in proptest::sample::select(&["a.test", "x.a.test", "b.test"][..]),
    ) {
        let facts = Facts::new(On::Http, host, 80);
        let before = Policy::parse(&file(&rules), "p.toml").unwrap();
        let alone = Policy::parse(&file(std::slice::from_ref(&other)), "p.toml").unwrap();
        prop_assume!(alone.rules().iter().all(|rule| !rule.matches(&facts)));
        let place = at.index(rules.len() + 1);
        let after = {
            let mut rules = rules.clone();
            rules.insert(place, other);
            Policy::parse(&file(&rules), "p.toml").unwrap()
        };
        // The rules behind the new one have another number in their id.
        let number = |id: Option<&str>| id.and_then(|id| id[1..].parse::<usize>().ok());
        let (before, after) = (decide(&before, &facts), decide(&after, &facts));
        let moved = number(before.rule.as_deref()).map(|it| it + usize::from(it >= place));
        prop_assert_eq!(number(after.rule.as_deref()), moved);
        prop_assert_eq!(after.action, before.action);
    }

    #[test]
    fn without_a_rule_the_default_decides(
        default in proptest::sample::select(&["allow", "ask", "block"][..]),
        host in "[a-z.]{1,9}",
        upgrade in any::<bool>(),
    ) {
        let policy = Policy::parse(&format!("version = 1\ndefault = '{default}'"), "p").unwrap();
        let on = if upgrade { On::Upgrade } else { On::Http };
        let verdict = decide(&policy, &Facts::new(on, &host, 1));
        prop_assert_eq!((verdict.action.as_str(), verdict.rule), (default, None));
    }

    #[test]
    fn a_host_in_any_spelling_is_one(
        labels in proptest::collection::vec("[a-z][a-z0-9]{0,3}", 2..4),
        upper in any::<u32>(),
        dot in any::<bool>(),
        below in any::<bool>(),
    ) {
        let name = labels.join(".");
        let case = |(index, c): (usize, char)| match upper & (1 << (index % 32)) {
            0 => c,
            _ => c.to_ascii_uppercase(),
        };
        let spelt: String = name.chars().enumerate().map(case).collect();
        let (star, front) = if below { ("*.", "x.") } else { ("", "") };
        let dot = if dot { "." } else { "" };
        let text = format!(
            "version = 1\n[[rule]]\nid = 'a'\naction = 'ask'\nhosts = ['{star}{spelt}{dot}']"
        );
        let policy = Policy::parse(&text, "p.toml").unwrap();
        let host = format!("{front}{name}");
        prop_assert_eq!(decide(&policy, &Facts::new(On::Http, &host, 1)).action, Action::Ask);
    }

    #[test]
    fn is_total(host in ".{0,20}", path in ".{0,20}", method in ".{0,5}", port in any::<u16>()) {
        let policy = Policy::parse(FILE, "p.toml").unwrap();
        decide(&policy, &Facts::new(On::Http, &host, port).path(&path).method(&method));
    }
}
