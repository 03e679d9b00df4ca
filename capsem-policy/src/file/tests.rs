//! The rule file: what is read, what is refused, and where.

use super::*;
use proptest::prelude::*;

/// Refuses `text` with this message, whose place is part of it.
#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = Policy::parse(text, "p.toml").unwrap_err().to_string();
    assert_eq!(error, expected);
}

/// Refuses a rule that has this line beside id and action. The line is the file's fourth.
#[track_caller]
fn refused_line(line: &str, expected: &str) {
    let text = format!("version = 1\n[[rule]]\nid = 'a'\n{line}\naction = 'block'\n");
    // A message that begins with a line and a column is of a line behind that one.
    let place = expected.split(": ").next().is_some_and(|place| place.contains(':'));
    refused(&text, &format!("p.toml:{}{expected}", if place { "" } else { "4:" }));
}

#[test]
fn version_is_required_and_read_first() {
    refused("", "p.toml:1:1: `version` is missing; add `version = 1`");
    refused(
        "version = 2\nnew_key = 1",
        "p.toml:1:11: version 2 is not supported; write `version = 1`",
    );
    refused("version = '1'", "p.toml:1:11: `version` is a string; it must be an integer");
}

#[test]
fn unknown_keys() {
    refused("version = 1\nrules = []", "p.toml:2:1: unknown key `rules`; did you mean `rule`?");
    refused_line("host = ['x']", "1: unknown key `host`; did you mean `hosts`?");
}

#[test]
fn words() {
    refused(
        "version = 1\ndefault = 'deny'",
        "p.toml:2:11: `default` cannot be \"deny\"; use \"allow\", \"ask\" or \"block\"",
    );
    refused(
        "version = 1\n[[rule]]\nid = 'a'\naction = 'drop'",
        "p.toml:4:10: `action` cannot be \"drop\"; use \"allow\", \"ask\" or \"block\"",
    );
    refused_line(
        "on = ['ws']",
        "7: `on` cannot be \"ws\"; use \"upgrade\", \"http\" or \"message\"",
    );
}

#[test]
fn ids() {
    refused(
        "version = 1\n[[rule]]\naction = 'block'",
        "p.toml:2:1: `id` is missing; add `id = \"a-name-of-its-own\"`",
    );
    refused(
        "version = 1\n[[rule]]\nid = 'a'",
        "p.toml:2:1: `action` is missing; add `action = \"block\"`",
    );
    refused(
        "version = 1\n[[rule]]\nid = 'a b'\naction = 'block'",
        "p.toml:3:6: the id \"a b\" cannot be used; use 1 to 128 of A-Z a-z 0-9 . _ -",
    );
    refused(
        "version = 1\n[[rule]]\nid = 'a'\naction = 'block'\n[[rule]]\nid = 'a'\naction = 'allow'",
        "p.toml:6:6: the id \"a\" is taken by the rule on line 3; give each rule an id of its own",
    );
}

#[test]
fn lists() {
    refused_line("hosts = 'x'", "9: `hosts` is a string; it must be a list in [ ]");
    refused_line(
        "hosts = []",
        "9: `hosts` is an empty list, which would match nothing; leave it out to match everything, \
         or name at least one",
    );
    refused_line(
        "hosts = ['a.b', 'a.*.b']",
        "17: the host \"a.*.b\" cannot match; `*` can stand alone or, as in \"*.example.com\", \
         before a whole name",
    );
    refused_line("paths = ['v1']", "10: the path \"v1\" cannot match; begin it with `/`");
    refused_line("ports = [443, 0]", "15: there is no port 0; use 1 to 65535");
    refused_line("ports = [65536]", "10: there is no port 65536; use 1 to 65535");
    refused_line(
        "methods = ['get']",
        "12: the method \"get\" has lower-case letters, and methods are case-sensitive; \
         write \"GET\"",
    );
    refused_line(
        "methods = ['GET POST']",
        "12: \"GET POST\" is no HTTP method; write one word such as \"GET\"",
    );
    refused_line(
        "providers = ['OpenAI']",
        "14: \"OpenAI\" is no provider; write a lower-case word such as \"openai\", \"anthropic\", \
         \"google\" or \"unknown\"",
    );
}

#[test]
fn messages() {
    let message = |line: &str| format!("on = ['message']; {line}").replace("; ", "\n");
    refused_line(
        "models = ['x']",
        "1: `models` speaks of messages; write `on = [\"message\"]` in this rule",
    );
    refused_line(
        "on = ['http', 'message']\nmax_bytes = 1",
        "5:1: `max_bytes` speaks of messages; write `on = [\"message\"]` in this rule",
    );
    refused_line(
        &message("direction = 'up'"),
        "5:13: `direction` cannot be \"up\"; use \"to_upstream\" or \"to_client\"",
    );
    refused_line(
        &message("tools = ['']"),
        "5:10: \"\" matches no name; use 1 to 256 bytes without control characters",
    );
    refused_line(
        &message("max_bytes = 0"),
        "5:13: `max_bytes` cannot be 0; write how many bytes of a message may be held",
    );
    refused(
        "version = 1\non_uninspectable = 'drop'",
        "p.toml:2:20: `on_uninspectable` cannot be \"drop\"; use \"close\" or \"relay\"",
    );
}

#[test]
fn conditions() {
    let hosts = "there is no fact `http.hots`; did you mean `http.host`?";
    refused_line("when = 'http.hots == \"a\"'", &format!("9: {hosts}"));
    refused_line("when = \"true && http.hots == 'a'\"", &format!("17: {hosts}"));
    // Columns are those of the file, whatever its escapes make.
    refused_line(r#"when = "'\u00e9\"\\x41' == '' || http.hots == 'a'""#, &format!("34: {hosts}"));
    refused_line("when = '''\n  true ||\n  http.hots == 'a''''", &format!("6:3: {hosts}"));
    refused_line("when = \"\"\"\\\n  http.hots == 'a'\"\"\"", &format!("5:3: {hosts}"));
    refused_line("when = 1", "8: `when` is an integer; it must be a string");
    refused_line(
        "when = 'http.port == 443 || has(model.name)'",
        "33: `model.name` is known of messages alone; write `on = [\"message\"]` in this rule",
    );
}

#[test]
fn limits_of_a_file() {
    let rules = |count: usize, rest: &str| {
        (0..count).fold("version = 1\n".to_owned(), |text, id| {
            text + &format!("[[rule]]\nid = '{id}'\naction = 'ask'\n{rest}")
        })
    };
    refused(
        &rules(MAX_RULES + 1, ""),
        "p.toml:49154:1: this is one rule too many; use at most 16384 in a file",
    );
    refused(
        &rules(MAX_PATTERNS + 1, "when = 'http.path.matches(\"a\")'\n"),
        "p.toml:4098:1: the patterns of this rule are too many; use at most 1024 `matches` in a file",
    );
    let text = " ".repeat(MAX_FILE + 1);
    refused(&text, "p.toml:1:1: the file has 8388609 bytes; use at most 8388608");
}

#[test]
fn detections() {
    refused_line(
        "detect = 'low'",
        "1: a rule with `detect` records and decides nothing; leave out `action`, or `detect`",
    );
    refused(
        "version = 1\n[[rule]]\nid = 'a'\ndetect = 'loud'",
        "p.toml:4:10: `detect` cannot be \"loud\"; use \"informational\", \"low\", \"medium\", \
         \"high\" or \"critical\"",
    );
}

#[test]
fn answers() {
    refused_line("status = 200", "10: status 200 does not refuse a request; use 400 to 599");
    refused_line("status = -1", "10: status -1 does not refuse a request; use 400 to 599");
    let long = "x".repeat(1025);
    refused_line(&format!("reason = '{long}'"), "10: the reason has 1025 bytes; use at most 1024");
}

#[test]
fn a_file_of_one_line_blocks_all() {
    let policy = Policy::parse("version = 1", "p.toml").unwrap();
    assert!(policy.rules().is_empty());
    assert_eq!(policy.default_action(), Action::Block);
}

#[test]
fn rules_stand_by_priority_then_by_file() {
    let rule = |id: &str, rest: &str| format!("[[rule]]\nid = '{id}'\naction = 'ask'\n{rest}\n");
    let text = format!(
        "version = 1\n{}{}{}{}{}",
        rule("late", "priority = 11"),
        rule("first-of-ten", "priority = 10"),
        rule("second-of-ten", ""),
        rule("corp", "priority = -10"),
        rule("third-of-ten", "priority = 10"),
    );
    let policy = Policy::parse(&text, "p.toml").unwrap();
    let ids: Vec<_> = policy.rules().iter().map(Rule::id).collect();
    assert_eq!(ids, ["corp", "first-of-ten", "second-of-ten", "third-of-ten", "late"]);
}

#[test]
fn a_whole_rule() {
    let text = "version = 1\ndefault = 'ask'\n[[rule]]\nid = 'A.b_c-1'\naction = 'block'\n\
                on = ['http']\nhosts = ['*']\nports = [1, 65535]\nmethods = ['M-SEARCH']\n\
                paths = ['/**']\nproviders = ['azure.ai.openai', 'x_ai']\nstatus = 426\n\
                reason = 'use HTTP'\npriority = 3\n";
    let policy = Policy::parse(text, "p.toml").unwrap();
    assert_eq!(policy.default_action(), Action::Ask);
    let [rule] = policy.rules() else { panic!("one rule") };
    assert_eq!((rule.id(), rule.action(), rule.priority()), ("A.b_c-1", Some(Action::Block), 3));
    assert_eq!((rule.status(), rule.reason()), (Some(426), Some("use HTTP")));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_one_line(text in "(version = 1\n)?[\\[\\]{}\"'=.,a-z0-9é\r\n# ]{0,80}") {
        if let Err(error) = Policy::parse(&text, "p.toml") {
            let message = error.to_string();
            prop_assert!(!message.contains('\n'), "{message:?}");
            prop_assert!(error.line() >= 1 && error.line() <= text.lines().count() + 1, "{message}");
        }
    }
}
