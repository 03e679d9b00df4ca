//! The tables in `testdata/`: a policy, events, and what is said of each.
//!
//! A case has a `url` and may have `method`, `headers`, `provider`, `protocol`, `process`, `conn` and
//! `message`. It expects an `action`, the `rule` that decides (left out: none does) and, if given, a
//! `status`, a `reason` and `detections`. A file is tried as it is, and once more with a rule before
//! and behind all others that cannot match.

use capsem_policy::{
    Action, Counters, Direction, Facts, Message, On, Opcode, Policy, capsem, decide,
    document::{Document, Item, Table},
};
use std::{fs, path::Path};

#[test]
fn verdicts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut cases = 0;
    for entry in fs::read_dir(&folder).expect("there are tables") {
        let path = entry.expect("the tables can be listed").path();
        let text = fs::read_to_string(&path).expect("a table can be read");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        cases += table(&text, &name);
    }
    assert!(cases >= 60, "{cases} cases");
}

/// Tries every case of a file; returns how many there are.
fn table(text: &str, name: &str) -> usize {
    let document = Document::parse(text, name).expect("a table is TOML");
    let root = document.root();
    root.only(&["policy", "capsem", "case"]).expect("a table has only these");
    let policies = policies(&root, name);
    let cases = list(&root, "case").expect("a table has cases");
    let cases: Vec<_> = cases.iter().map(|it| it.table().expect("a case is a table")).collect();
    for case in &cases {
        for policy in &policies {
            check(case, policy);
        }
    }
    cases.len()
}

fn policies(root: &Table<'_>, name: &str) -> Vec<Policy> {
    let Some(policy) = root.get("policy") else {
        let text = string(root, "capsem").expect("a policy or Capsem's tables");
        let file = capsem::File { name, text, source: capsem::Source::User };
        return vec![capsem::parse(&[file]).expect("they are Capsem's tables")];
    };
    let text = policy.string().expect("a policy is a text");
    let never = |id: i64| {
        format!(
            "\n[[rule]]\nid = 'never-{id}'\naction = 'block'\npriority = {id}\n\
             on = ['http', 'upgrade', 'message']\nwhen = 'http.host == \"never.invalid\"'\n"
        )
    };
    [text.to_owned(), format!("{text}{}{}", never(-5000), never(5000))]
        .map(|text| Policy::parse(&text, name).expect("it is a rule file"))
        .into()
}

const KEYS: [&str; 13] = [
    "url",
    "method",
    "headers",
    "provider",
    "protocol",
    "process",
    "conn",
    "message",
    "action",
    "rule",
    "status",
    "reason",
    "detections",
];

#[track_caller]
fn check(case: &Table<'_>, policy: &Policy) {
    case.only(&KEYS).expect("a case has only these");
    let url = string(case, "url").expect("a case has a URL");
    let (scheme, rest) = url.split_once("://").expect("a URL has a scheme");
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let default_port = if matches!(scheme, "https" | "wss") { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().expect("a port is a number"))
        }
        _ => (authority, default_port),
    };
    let headers = entries(case, "headers");
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|it| (it.key(), it.string().expect("a header is a text"))).collect();
    let on = if scheme.starts_with("ws") { On::Upgrade } else { On::Http };
    let facts = Facts::new(on, host.trim_matches(['[', ']']), port)
        .scheme(scheme)
        .method(string(case, "method").unwrap_or("GET"))
        .path(if path.is_empty() { "/" } else { path })
        .query(query)
        .headers(&headers)
        .provider(string(case, "provider").unwrap_or("unknown"))
        .protocol(string(case, "protocol"))
        .process(string(case, "process"))
        .counters(counters(case));
    match case.get("message") {
        None => expect(case, policy, &facts),
        Some(item) => {
            let table = item.table().expect("a message is a table");
            with_message(&table, |message| expect(case, policy, &facts.message(message)));
        }
    }
}

fn counters(case: &Table<'_>) -> Counters {
    let mut counters = Counters::default();
    for item in entries(case, "conn") {
        let number = item.integer().ok().and_then(|number| u64::try_from(number).ok());
        *match item.key() {
            "messages" => &mut counters.messages,
            "bytes" => &mut counters.bytes,
            "model_calls" => &mut counters.model_calls,
            "tokens" => &mut counters.tokens,
            other => panic!("{}: there is no counter {other}", item.key_place()),
        } = number.expect("a counter is a number");
    }
    counters
}

fn with_message(table: &Table<'_>, then: impl Fn(Message<'_>)) {
    const KEYS: [&str; 8] =
        ["to", "binary", "size", "model", "tools", "tool_calls", "tool_results", "body"];
    table.only(&KEYS).expect("a message has only these");
    let direction = match string(table, "to") {
        Some("client") => Direction::ToClient,
        Some("upstream") => Direction::ToUpstream,
        other => panic!("{}: a message goes to client or upstream, not {other:?}", table.place()),
    };
    let opcode = if table.get("binary").is_some() { Opcode::Binary } else { Opcode::Text };
    let body = string(table, "body");
    let size = table.get("size").map(|it| it.integer().expect("a size is a number"));
    let size = size.and_then(|size| u64::try_from(size).ok());
    let size = size.unwrap_or(body.map_or(0, |body| body.len() as u64));
    let [tools, calls, results] =
        ["tools", "tool_calls", "tool_results"].map(|key| texts(table, key));
    then(
        Message::new(direction, Some(opcode), size)
            .model(string(table, "model"))
            .tools(&tools)
            .tool_calls(&calls)
            .tool_results(&results)
            .body(body),
    );
}

#[track_caller]
fn expect(case: &Table<'_>, policy: &Policy, facts: &Facts<'_>) {
    let verdict = decide(policy, facts);
    let place = case.place();
    let action = string(case, "action").expect("a case has an action");
    assert_eq!(verdict.action.as_str(), action, "{place}");
    assert_eq!(verdict.rule.as_deref(), string(case, "rule"), "{place}");
    if let Some(status) = case.get("status") {
        assert_eq!(Ok(i64::from(verdict.status)), status.integer(), "{place}");
    }
    if let Some(reason) = string(case, "reason") {
        assert_eq!(verdict.reason.as_deref(), Some(reason), "{place}");
    }
    let detected: Vec<String> =
        verdict.detections.iter().map(|it| format!("{} {}", it.rule, it.level)).collect();
    assert_eq!(detected, texts(case, "detections"), "{place}");
    allows_with_a_reason(policy, facts, &place.to_string());
}

/// What is allowed is allowed by a rule that matches, or by a default that says so.
#[track_caller]
fn allows_with_a_reason(policy: &Policy, facts: &Facts<'_>, place: &str) {
    let verdict = decide(policy, facts);
    if verdict.action != Action::Allow || facts.on == On::Message {
        return;
    }
    let rule = policy.rules().iter().find(|rule| verdict.rule.as_deref() == Some(rule.id()));
    match rule {
        Some(rule) => {
            assert!(rule.matches(facts) && rule.action() == Some(Action::Allow), "{place}");
        }
        None => assert_eq!(policy.default_action(), Action::Allow, "{place}"),
    }
}

fn list<'d>(table: &Table<'d>, key: &str) -> Option<Vec<Item<'d>>> {
    table.get(key).map(|item| item.list().expect("it is a list"))
}

fn string<'d>(table: &Table<'d>, key: &str) -> Option<&'d str> {
    table.get(key).map(|item| item.string().expect("it is a text"))
}

fn texts<'d>(table: &Table<'d>, key: &str) -> Vec<&'d str> {
    let items = list(table, key).unwrap_or_default();
    items.iter().map(|item| item.string().expect("it is a list of texts")).collect()
}

fn entries<'d>(table: &Table<'d>, key: &str) -> Vec<Item<'d>> {
    table.get(key).map(|it| it.table().expect("it is a table").entries()).unwrap_or_default()
}
