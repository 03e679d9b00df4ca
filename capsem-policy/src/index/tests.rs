//! That an index names every rule that matches, and few others.

use crate::{Counters, Direction, Facts, Message, On, Opcode, Policy, Rule};
use proptest::prelude::*;

fn policy(rules: &[String]) -> Policy {
    let rule = |(id, rest): (usize, &String)| format!("[[rule]]\nid = '{id}'\n{rest}\n");
    let rules: String = rules.iter().enumerate().map(rule).collect();
    Policy::parse(&format!("version = 1\n{rules}"), "p.toml").unwrap()
}

/// The ids of the rules that are asked about this request.
#[track_caller]
fn check(rules: &[&str], host: &str, path: &str, expected: &[&str]) {
    let rules = rules.iter().map(|rest| format!("action = 'ask'\n{rest}")).collect::<Vec<_>>();
    let policy = policy(&rules);
    let facts = Facts::new(On::Http, host, 443).path(path);
    assert_eq!(policy.candidates(&facts).map(Rule::id).collect::<Vec<_>>(), expected);
}

#[test]
fn hosts() {
    let rules =
        ["hosts = ['a.test', '*.b.test']", "hosts = ['b.test']", "hosts = ['*', 'a.test']", ""];
    check(&rules, "a.test", "/", &["0", "2", "3"]);
    check(&rules, "x.b.test", "/", &["0", "2", "3"]);
    check(&rules, "b.test", "/", &["1", "2", "3"]);
    check(&rules, "x.a.test", "/", &["2", "3"]);
}

#[test]
fn paths() {
    let rules = ["paths = ['/v1/a']", "paths = ['/v1/**', '/v2/x*']", "paths = ['/**/a']"];
    check(&rules, "a.test", "/v1/a", &["0", "1", "2"]);
    check(&rules, "a.test", "/v1", &["1", "2"]);
    check(&rules, "a.test", "/v2/y", &["1", "2"]);
    check(&rules, "a.test", "/v3", &["2"]);
}

#[test]
fn conditions() {
    let rules = [
        "when = 'http.host == \"a.test\" && conn.tokens > 3'",
        "when = 'http.host in [\"a.test\", \"b.test\"] || http.path.startsWith(\"/v1/x\")'",
        "when = 'http.host.endsWith(\".b.test\")'",
        "when = 'http.query == \"x\" && http.method == \"GET\"'",
        "when = '!(http.host == \"a.test\")'",
        "when = 'false'",
    ];
    check(&rules, "a.test", "/", &["0", "1", "4"]);
    check(&rules, "b.test", "/v1/xy", &["1", "4"]);
    check(&rules, "x.b.test", "/v1", &["1", "2", "4"]);
}

#[test]
fn the_keys_that_the_fewest_share() {
    let rule = |path: &str| format!("hosts = ['a.test']\npaths = ['{path}']");
    let rules = [rule("/1"), rule("/2"), rule("/3")];
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    check(&rules, "a.test", "/2", &["1"]);
    check(&rules, "a.test", "/4", &[]);
}

/// One line of a rule.
fn line() -> impl Strategy<Value = String> {
    let lines = [
        "hosts = ['a.test']",
        "hosts = ['*.test', 'b.test']",
        "hosts = ['*']",
        "when = 'http.host == \"a.test\" || http.path == \"/a/b\"'",
        "when = 'http.host.endsWith(\".a.test\") || process.name in [\"p\", \"q\"]'",
        "when = 'http.path.startsWith(\"/a/\") && model.name == \"m\"'",
        "when = 'has(model.name) ? false : \"t\" in model.request.tools'",
        "when = 'model.name == \"m\" || http.query == \"\"'",
        "when = 'http.path == \"/a\" && false || http.host == \"b.test\"'",
    ];
    proptest::sample::select(lines.to_vec()).prop_map(str::to_owned)
}

fn rule() -> impl Strategy<Value = String> {
    let paths = ["", "paths = ['/a']", "paths = ['/a/**', '/b']", "paths = ['/*/b']"];
    (line(), proptest::sample::select(paths.to_vec()), any::<bool>()).prop_map(
        |(line, paths, detects)| {
            let outcome = if detects { "detect = 'low'" } else { "action = 'ask'" };
            format!("{outcome}\n{line}\n{paths}\non = ['message']\n")
        },
    )
}

proptest! {
    #[test]
    fn leaves_out_none_that_matches(
        rules in proptest::collection::vec(rule(), 0..12),
        host in proptest::sample::select(&["a.test", "x.a.test", "b.test", "test", "::1"]),
        path in proptest::sample::select(&["/", "/a", "/a/", "/a/b", "/b", "*"]),
        process in proptest::option::of(Just("p")),
        model in proptest::option::of(Just("m")),
    ) {
        let policy = policy(&rules);
        let message = Message::new(Direction::ToUpstream, Some(Opcode::Text), 1).model(model);
        let facts = Facts::new(On::Upgrade, host, 443)
            .path(path)
            .process(process)
            .counters(Counters::default())
            .message(message.tools(&["t"]));
        let matching: Vec<&str> =
            policy.rules().iter().filter(|it| it.matches(&facts)).map(Rule::id).collect();
        let asked: Vec<&str> =
            policy.candidates(&facts).filter(|it| it.matches(&facts)).map(Rule::id).collect();
        prop_assert_eq!(&matching, &asked);
        let foretold: Vec<&str> = policy.message_candidates(&facts).map(Rule::id).collect();
        prop_assert!(matching.iter().all(|id| foretold.contains(id)));
        if !matching.is_empty() {
            prop_assert!(policy.message_rules_for(&facts).to_upstream.is_some());
        }
    }
}
