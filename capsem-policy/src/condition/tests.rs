//! Conditions: answers, missing facts, what is refused and where, and that nothing is too much.

use super::*;
use crate::{Counters, Message, On, Opcode};
use proptest::prelude::*;

const HEADERS: [(&str, &str); 3] = [("user-agent", "codex/1"), ("accept", "a"), ("accept", "b")];

fn upgrade() -> Facts<'static> {
    Facts::new(On::Upgrade, "api.openai.com", 443)
        .scheme("wss")
        .path("/v1/responses")
        .headers(&HEADERS)
        .provider("openai")
        .subprotocols(&["realtime", "v2"])
        .counters(Counters { messages: 3, bytes: 1000, model_calls: 2, tokens: 5 })
}

fn message() -> Facts<'static> {
    let message = Message::new(Direction::ToUpstream, Some(Opcode::Text), 900)
        .model(Some("gpt-5-pro"))
        .tools(&["read", "shell"])
        .body(Some("{\"é\":1}"));
    upgrade().message(message)
}

/// What the condition answers for a message: true, or not (false or no answer).
#[track_caller]
fn check(text: &str, expected: bool) {
    let condition = Condition::parse(text, Dialect::Cel).unwrap();
    assert_eq!(condition.holds(&message()), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, at: usize, message: &str) {
    let error = Condition::parse(text, Dialect::Cel).map(|_| ()).unwrap_err();
    assert_eq!((error.0, error.1.to_string()), (at, message.to_owned()), "{text}");
}

#[test]
fn texts() {
    check("http.host == 'api.openai.com'", true);
    check("http.host != 'api.openai.com'", false);
    check("'api.openai.com' == http.host", true);
    check("http.path.startsWith('/v1/')", true);
    check("http.path.endsWith(\"/responses\") && http.method == 'GET'", true);
    check("model.request.body.contains('\\u00e9\\x22:')", true);
    check("model.request.body.contains(r'\\')", false);
    check("size(model.request.body) == 7 && model.request.body.size() == 7", true);
    check("model.name.matches('^gpt-[0-9]+-pro$')", true);
    check("model.name.matches('gpt') // no anchors\n && true", true);
    check("http.host in ['a.test', 'api.openai.com']", true);
    check("model.name in ['gpt-5']", false);
    check("'shell' in model.request.tools", true);
    check("http.header['user-agent'].startsWith('codex/')", true);
    check("http.header['accept'] == 'a, b'", true);
    check("has(http.header['origin'])", false);
    check("ws.direction == 'to_upstream' && ws.opcode == 'text' && ws.size > 899", true);
}

#[test]
fn numbers() {
    check("http.port == 443 && http.port != 80", true);
    check("http.port in [80, 443] && !(http.port in [-1])", true);
    check("conn.tokens * 2 - 1 >= 9 && conn.tokens / 2 <= 2 && conn.tokens % 3 < 3", true);
    check("conn.messages + conn.model_calls * 2 == 7", true);
    check("-conn.messages < 0 && --conn.messages == 3", true);
    check("0x10 == 16", true);
    check("9223372036854775807 + 1 > 0", false);
    check("!(9223372036854775807 + 1 > 0)", false);
    check("conn.bytes / (conn.messages - 3) > 0", false);
    check("size(['a', 'b']) + size([1]) == 3", true);
}

#[test]
fn logic() {
    check("true && !false && !!true", true);
    check("false || http.upgrade", true);
    check("http.upgrade == true && http.upgrade != false", true);
    check("http.upgrade ? http.port == 443 : true", true);
    check("false ? true : false ? true : http.port == 443", true);
    check("true || false && false", true);
    check("(true || false) && false", false);
    check("model.request.tools.exists(t, t.startsWith('sh'))", true);
    check("model.request.tools.all(t, t in ['read', 'shell'])", true);
    check("model.request.tools.all(t, t != 'shell')", false);
}

#[test]
fn what_is_missing_is_equal_to_nothing() {
    for missing in ["process.name", "http.query", "model.response.body", "http.header['origin']"] {
        check(&format!("{missing} == 'x'"), false);
        check(&format!("{missing} != 'x'"), false);
        check(&format!("!({missing} == 'x')"), false);
        check(&format!("!({missing} != 'x')"), false);
        check(&format!("{missing} == {missing}"), false);
        check(&format!("{missing}.contains('')"), false);
        check(&format!("{missing} in ['x']"), false);
        check(&format!("size({missing}) >= 0"), false);
        check(&format!("has({missing})"), false);
        check(&format!("!has({missing})"), true);
        check(&format!("{missing} == 'x' || true"), true);
        check(&format!("!({missing} == 'x' && false)"), true);
        check(&format!("{missing} == 'x' ? true : true"), false);
    }
    check("has(model.request.tool_calls)", false);
    check("size(model.request.tool_calls) == 0", true);
    check("size(model.response.tool_calls) == 0", false);
    check("model.request.tool_calls.all(t, false)", true);
    check("model.request.tool_calls.exists(t, true)", false);
}

#[test]
fn faults_have_a_place() {
    let facts = "a fact, a text, a number or `(`";
    refused("", 0, "the condition is empty; leave the key out to match everything");
    refused("http.hots == 'a'", 0, "there is no fact `http.hots`; did you mean `http.host`?");
    refused(
        "true && cookies == 'a'",
        8,
        "there is no fact `cookies`; facts are named as in `http.host` or `model.name`",
    );
    refused("http.host ==", 12, &format!("the end cannot stand here; write {facts}"));
    refused("(true", 5, "the end cannot stand here; write `)`");
    refused("true true", 5, "`true` cannot stand here; write `&&`, `||` or nothing more");
    refused("true = true", 5, "`=` cannot stand in a condition; remove it, or put text in quotes");
    refused("http.host == 'a", 13, "this text has no closing quote; add one");
    refused(
        "'\\q' == ''",
        1,
        "`\\q` is no escape in a text; write `\\\\` for a backslash, or r\"..\" for a raw text",
    );
    refused(
        "http.port == 1.5",
        13,
        "`1.5` is no whole number of 64 bits; write one without fraction or suffix",
    );
    refused(
        "http.port == '443'",
        10,
        "`==` is given a text here; both sides must be texts, numbers, or true or false",
    );
    refused("http.host < 'a'", 10, "`<` is given a text here; it compares whole numbers");
    refused("!http.host", 0, "`!` is given a text here; it takes what is true or false");
    refused("http.port + 'a' == 1", 12, "`+` is given a text here; it takes whole numbers");
    refused(
        "http.host",
        0,
        "this is a text, and a condition must be true or false; compare it with something",
    );
    refused(
        "http.host.lower() == 'a'",
        10,
        "there is no function `lower`; there are has, size, startsWith, endsWith, contains, \
         matches, exists and all",
    );
    refused("http.host == 'API.test'", 10, "hosts come in one spelling; write \"api.test\"");
    refused(
        "http.host in ['https://a.test']",
        10,
        "\"https://a.test\" is no host; write a name or an address alone",
    );
    refused("['a', 1] == 1", 6, "`1` cannot stand here; write texts alone, or numbers alone");
    refused(
        "ws.extensions.exists(a, ws.extensions.exists(b, a == b))",
        38,
        "`exists` and `all` cannot stand inside one another; make two rules of it",
    );
    refused(
        "http.header.user == ''",
        0,
        "there is no fact `http.header.user`; did you mean `http.header[\"user-agent\"]`?",
    );
}

#[test]
fn secrets_cannot_be_asked_for() {
    for name in ["authorization", "cookie", "proxy-authorization", "x-api-key", "Accept"] {
        let text = format!("http.header['{name}'] == ''");
        let (at, fault) = Condition::parse(&text, Dialect::Cel).map(|_| ()).unwrap_err();
        assert!(at == 12 && matches!(fault, ConditionFault::Header(..)), "{name}: {fault}");
    }
}

#[test]
fn patterns() {
    let fault = |pattern: &str| {
        let text = format!("http.host.matches('{pattern}')");
        Condition::parse(&text, Dialect::Cel).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        fault("(a").1.to_string(),
        "the pattern is no regular expression: unclosed group; mend it"
    );
    assert!(matches!(fault("(?:a{1000}){1000}"), (18, ConditionFault::PatternSize)));
    assert!(matches!(fault(&"a".repeat(1025)).1, ConditionFault::PatternSize));
    assert!(matches!(fault(&"(".repeat(40)).1, ConditionFault::Pattern(_)));
    refused("'a'.matches(http.host)", 12, "`http` cannot stand here; write a pattern in quotes");
}

#[test]
fn limits_hold() {
    let fault = |text: String| Condition::parse(&text, Dialect::Cel).map(|_| ()).unwrap_err().1;
    let nested = |n: usize| format!("{}true{}", "(".repeat(n), ")".repeat(n));
    assert!(Condition::parse(&nested(31), Dialect::Cel).is_ok());
    assert_eq!(fault(nested(32)), ConditionFault::Depth);
    assert_eq!(fault(nested(2000)), ConditionFault::Depth);
    assert_eq!(fault(format!("{}true", "!".repeat(4000))), ConditionFault::Depth);
    assert_eq!(fault(format!("1 == {}1", "-".repeat(4000))), ConditionFault::Depth);
    assert_eq!(
        fault(format!("size({}", "[".repeat(2000))),
        ConditionFault::Unexpected {
            found: "`[`".to_owned(),
            expected: "texts alone, or numbers alone",
        }
    );
    assert_eq!(fault(format!("true{}", "&&true".repeat(512))), ConditionFault::Nodes);
    assert_eq!(fault(format!("1{}==1", "+1".repeat(512))), ConditionFault::Nodes);
    assert_eq!(fault(format!("1 in [1{}]", ",1".repeat(512))), ConditionFault::Nodes);
    assert_eq!(fault(" ".repeat(4097)), ConditionFault::Length);
    // A sum as long as is allowed is answered without trouble.
    check(&format!("1{}==255", "+1".repeat(254)), true);
}

#[test]
fn answers_before_a_message_has_come() {
    let reach = |text: &str, direction| {
        Condition::parse(text, Dialect::Cel).unwrap().reach(&upgrade(), direction)
    };
    let to_upstream = |text: &str, expected: Reach| {
        assert_eq!(reach(text, Direction::ToUpstream), expected, "{text}");
    };
    to_upstream("http.host == 'api.openai.com'", Reach::Always);
    to_upstream("http.host == 'a.test'", Reach::Never);
    to_upstream("model.name == 'x'", Reach::Maybe);
    to_upstream("!(model.name == 'x')", Reach::Maybe);
    to_upstream("http.host == 'a.test' && model.name == 'x'", Reach::Never);
    to_upstream("http.host == 'api.openai.com' || model.name == 'x'", Reach::Always);
    to_upstream("conn.tokens > 1000", Reach::Maybe);
    to_upstream("process.name == 'x' && has(model.name)", Reach::Maybe);
    to_upstream("process.name == 'x'", Reach::Never);
    to_upstream("ws.direction == 'to_client'", Reach::Never);
    assert_eq!(reach("ws.direction == 'to_client'", Direction::ToClient), Reach::Always);
}

/// Texts that are conditions more often than not.
fn condition() -> impl Strategy<Value = String> {
    let fact = proptest::sample::select(
        &[
            "http.host == 'a.test'",
            "http.path.startsWith('/a/')",
            "http.path == '/a/b'",
            "process.name == 'p'",
            "model.name != 'm'",
            "http.port > 100",
            "has(process.name)",
            "http.host in ['a.test', 'b.test']",
            "http.host.endsWith('.test')",
            "false",
            "true",
            "'t' in model.request.tools",
            "conn.tokens < 3",
            "model.request.tools.exists(t, t == 't')",
        ][..],
    );
    fact.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(|it| it.join(" && ")),
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|it| format!("({})", it.join(" || "))),
            inner.clone().prop_map(|it| format!("!({it})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("(({a}) ? ({b}) : ({c}))")),
        ]
    })
}

fn facts() -> impl Strategy<Value = Facts<'static>> {
    (
        proptest::sample::select(&["a.test", "b.test", "x.test", "c.example"][..]),
        proptest::sample::select(&["/", "/a/b", "/a/", "/b"][..]),
        proptest::option::of(Just("p")),
        proptest::option::of(proptest::sample::select(&["m", "n"][..])),
        any::<bool>(),
        0_u64..5,
    )
        .prop_map(|(host, path, process, model, tool, tokens)| {
            let direction = if tool { Direction::ToUpstream } else { Direction::ToClient };
            let message = Message::new(direction, Some(Opcode::Text), 1)
                .model(model)
                .tools(if tool { &["t"] } else { &[] });
            Facts::new(On::Upgrade, host, 443)
                .path(path)
                .process(process)
                .counters(Counters { tokens, ..Counters::default() })
                .message(message)
        })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        for dialect in [Dialect::Cel, Dialect::Capsem] {
            if let Err((at, fault)) = Condition::parse(&text, dialect) {
                prop_assert!(at <= text.len() && text.is_char_boundary(at));
                prop_assert!(!fault.to_string().contains('\n'));
            }
        }
    }

    #[test]
    fn what_was_foretold_comes(text in condition(), facts in facts()) {
        let condition = Condition::parse(&text, Dialect::Cel).unwrap();
        let direction = facts.message.map_or(Direction::ToClient, |message| message.direction);
        match condition.reach(&facts, direction) {
            Reach::Always => prop_assert!(condition.holds(&facts)),
            Reach::Never => prop_assert!(!condition.holds(&facts)),
            Reach::Maybe => {}
        }
    }

    #[test]
    fn never_both_a_condition_and_its_opposite(text in condition(), facts in facts()) {
        let holds = |text: &str| Condition::parse(text, Dialect::Cel).unwrap().holds(&facts);
        let opposite = format!("!({text})");
        prop_assert!(!(holds(&text) && holds(&opposite)));
    }
}
