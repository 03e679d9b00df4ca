//! Capsem's tables: what is read, what decides, and what is refused.

use super::*;
use crate::{Direction, Facts, Message, Opcode, Verdict, decide};

fn file(text: &str, source: Source) -> File<'_> {
    File { name: "c.toml", text, source }
}

#[track_caller]
fn user(text: &str) -> Policy {
    parse(&[file(text, Source::User)]).unwrap()
}

/// A user's rule of this condition that blocks.
fn blocking(condition: &str) -> String {
    format!("[profiles.rules.r]\nname = 'r'\naction = 'block'\nmatch = '''{condition}'''\n")
}

fn openai() -> Facts<'static> {
    Facts::new(On::Http, "api.openai.com", 443).path("/v1/responses").provider("openai")
}

/// Whether a rule of this condition matches the facts.
#[track_caller]
fn check(condition: &str, facts: &Facts<'_>, expected: bool) {
    let policy = user(&blocking(condition));
    assert_eq!(decide(&policy, facts).action == Action::Block, expected, "{condition}");
}

#[test]
fn conditions() {
    let facts = openai();
    check(r#"http.host == "api.openai.com""#, &facts, true);
    check("http.host == 'api.openai.com' && tcp.port == '443'", &facts, true);
    check(r#"http.host.matches("(^|.*\.)(openai\.com|chatgpt\.com)$")"#, &facts, true);
    check(r#"http.host.matches("(^|.*\.)anthropic\.com$")"#, &facts, false);
    check("(http.host == 'a' || has(http.path)) && http.path.startsWith('/v1/')", &facts, true);
    check("http.method != 'POST'", &facts, true);
    check("http.query == 'x'", &facts, false);
    check("http.query != 'x'", &facts, false);
    check("has(dns.qname) || mcp.server.name != 'x' || file.read.path.contains('')", &facts, false);
    check("model.provider == 'openai' && http.host != 'api.openai.com'", &facts, false);
    check("model.provider == 'unknown'", &facts.provider("unknown"), false);
    check("http.valid == 'true'", &facts, true);
    check("http.query.contains_pii()", &facts.query(Some("a=1-078-05-1120-2")), true);
    check("http.query.contains_pii()", &facts.query(Some("a=9078-05-1120")), false);
    check("http.query.contains_pii()", &facts.query(Some("to=a@b")), true);
}

#[test]
fn messages() {
    let message = Message::new(Direction::ToUpstream, Some(Opcode::Text), 3)
        .tool_calls(&["send_email", "read"])
        .body(Some("{}"));
    let facts = openai().message(message);
    check("model.request.tool_calls.contains(\"email\")", &facts, true);
    check("model.request.tool_calls == 'send_email,read'", &facts, true);
    check("model.tool_call.valid == 'true' && model.request.valid == 'true'", &facts, true);
    check("has(model.response.body)", &facts, false);
    // What speaks of requests alone was asked when the request was.
    check("http.host == 'api.openai.com'", &facts, false);
}

#[test]
fn the_first_that_decides() {
    let corp = "[corp.rules.watch]\nname = 'w'\naction = 'rewrite'\ndetection_level = 'info'\n\
                match = 'has(http.host)'\n\
                [corp.rules.allow]\nname = 'a'\naction = 'allow'\nmatch = 'http.path == \"/ok\"'\n";
    let user = "[profiles.rules.b]\nname = 'second'\naction = 'ask'\nmatch = 'has(http.host)'\n\
                [profiles.rules.a]\nname = 'first'\naction = 'block'\nreason = 'because'\n\
                detection_level = 'high'\nmatch = 'has(http.host)'\n\
                [profiles.rules.off]\nname = 'off'\naction = 'allow'\nenabled = false\n\
                match = 'has(http.host)'\npriority = 10\n";
    let policy = parse(&[file(user, Source::User), file(corp, Source::Corp)]).unwrap();
    let seen = |verdict: &Verdict<'_>| {
        verdict.detections.iter().map(|it| (it.rule.to_string(), it.level)).collect::<Vec<_>>()
    };
    let verdict = decide(&policy, &openai());
    assert_eq!(verdict.rule.as_deref(), Some("profiles.rules.a"));
    assert_eq!(verdict.rule_name.as_deref(), Some("first"));
    assert_eq!((verdict.action, verdict.reason.as_deref()), (Action::Block, Some("because")));
    let both = [
        ("corp.rules.watch".to_owned(), Level::Informational),
        ("profiles.rules.a".to_owned(), Level::High),
    ];
    assert_eq!(seen(&verdict), both);
    // A rule of an organisation stands before them; what matches is detected all the same.
    let verdict = decide(&policy, &openai().path("/ok"));
    assert_eq!(
        (verdict.action, verdict.rule.as_deref()),
        (Action::Allow, Some("corp.rules.allow"))
    );
    assert_eq!(seen(&verdict), both);
    let transforms = policy.rules().iter().filter_map(Rule::transform).collect::<Vec<_>>();
    assert_eq!(transforms, [Transform::Rewrite]);
    assert_eq!(policy.rules().len(), 4);
}

#[test]
fn no_match_is_allowed() {
    assert_eq!(decide(&user(""), &openai()).action, Action::Allow);
}

#[test]
fn ids_and_priorities() {
    let rule = |table: &str, rest: &str| {
        format!("[{table}]\nname = 'n'\naction = 'ask'\nmatch = 'has(http.host)'\n{rest}\n")
    };
    let text = format!(
        "{}{}{}{}{}[ai.local.discovery]\nsource = 'seen'\n[plugins.x]\nmode = 'allow'\n",
        rule("default.http", "priority = 'default'"),
        rule("ai.openai.rules.x", "priority = 11\n[ai.openai.rules.x.managed]\nkind = 'skill'"),
        rule("profiles.rules.locked", "corp_locked = true"),
        rule("profiles.rules.plain", ""),
        rule("corp.rules.far", "priority = -1000"),
    );
    let policy = user(&text);
    let ids: Vec<_> = policy.rules().iter().map(|rule| (rule.id(), rule.priority())).collect();
    assert_eq!(
        ids,
        [
            ("corp.rules.far", -1000),
            ("profiles.rules.locked", -10),
            ("profiles.rules.plain", 10),
            ("profiles.rules.ai_openai_x", 11),
            ("profiles.rules.default_http", 1001),
        ]
    );
}

#[track_caller]
fn refused(text: &str, source: Source, expected: &str) {
    assert_eq!(parse(&[file(text, source)]).unwrap_err().to_string(), format!("c.toml:{expected}"));
}

#[test]
fn what_is_refused() {
    let rule = blocking("has(http.host)");
    let with = |line: &str| format!("{rule}{line}");
    let user = |text: &str, expected: &str| refused(text, Source::User, expected);
    user(
        "[rule]",
        "1:2: unknown key `rule`; the keys here are default, corp, profiles, ai, plugins",
    );
    user(&with("prioritty = 1"), "5:1: unknown key `prioritty`; did you mean `priority`?");
    user(
        &with("priority = 9"),
        "5:12: this rule cannot have that priority; use 10 to 1000 or \"default\"",
    );
    user(
        &with("corp_locked = true\npriority = 'default'"),
        "6:12: this rule cannot have that priority; use -1000 to -10: it is an organisation's",
    );
    refused(
        &with("priority = 5"),
        Source::BuiltIn,
        "5:12: this rule cannot have that priority; use \"default\", or leave it out",
    );
    user(
        &blocking("http.hots == 'a'"),
        "4:12: there is no fact `http.hots`; did you mean `http.host`?",
    );
    user(
        &blocking("file.wrte.path == 'a'"),
        "4:12: there is no fact `file.wrte.path`; did you mean `file.write.path`?",
    );
    user(&blocking("!has(http.host)"), "4:12: `!` cannot stand here; write a fact, `has` or `(`");
    user(&blocking("tcp.port == 443"), "4:24: `443` cannot stand here; write a text in quotes");
    user(
        &blocking("http.host.matches('(')"),
        "4:30: the pattern is no regular expression: unclosed group; mend it",
    );
    user("[profiles.rules.X]\n", "1:17: the name \"X\" cannot be used; use 1 to 64 of a-z 0-9 _ -");
    user("[ai.x]\nname = 'x'", "1:1: `rules` is missing; add `[ai.PROVIDER.rules.KEY]`");
}
