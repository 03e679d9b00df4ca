//! How long a decision takes under many rules: `cargo bench -p capsem-policy`.
//!
//! Prints one JSON object per case; every answer is checked. `none` is the case with a bound: a
//! request that no rule matches, under 10 000 rules by host and path, in 20 us.

use capsem_policy::{Action, Direction, Facts, Message, On, Opcode, Policy, decide};
use std::{fmt::Write as _, hint::black_box, process::ExitCode, time::Instant};

const RULES: usize = 10_000;
const BOUND_NS: u128 = 20_000;
const ROUNDS: usize = 15;

/// A file of many rules, and a request with the rule that decides it.
struct Case {
    name: &'static str,
    file: String,
    facts: Facts<'static>,
    rule: Option<String>,
    /// Whether [`BOUND_NS`] holds it.
    bound: bool,
}

fn main() -> ExitCode {
    let mut within = true;
    for case in cases() {
        let read = Instant::now();
        let policy = Policy::parse(&case.file, "bench.toml").expect("the file is a policy");
        let load_ms = read.elapsed().as_millis();
        let verdict = decide(&policy, &case.facts);
        assert_eq!(verdict.rule.as_deref(), case.rule.as_deref(), "{}", case.name);
        let expected = if case.rule.is_some() { Action::Allow } else { Action::Block };
        let expected = if case.facts.on == On::Message { Action::Allow } else { expected };
        assert_eq!(verdict.action, expected, "{}", case.name);
        let ns = median_ns(&policy, &case.facts);
        within &= !case.bound || ns <= BOUND_NS;
        println!(
            "{{\"bench\":\"policy\",\"case\":\"{}\",\"rules\":{RULES},\"ns_per_decision\":{ns},\
             \"bound_ns\":{},\"load_ms\":{load_ms}}}",
            case.name,
            if case.bound { BOUND_NS.to_string() } else { "null".to_owned() },
        );
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The median of rounds, each long enough to be measured.
fn median_ns(policy: &Policy, facts: &Facts<'_>) -> u128 {
    let started = Instant::now();
    black_box(decide(policy, black_box(facts)));
    let once = started.elapsed().as_nanos().max(1);
    let repeats = u32::try_from(5_000_000 / once).unwrap_or(u32::MAX).max(1);
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..repeats {
                black_box(decide(policy, black_box(facts)));
            }
            started.elapsed().as_nanos() / u128::from(repeats)
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

fn cases() -> Vec<Case> {
    let request = Facts::new(On::Http, "api.openai.com", 443).path("/v1/responses");
    // Half by list and half by condition; hosts that share a parent, paths that share a start.
    let hosts_and_paths = file(|n| match n % 4 {
        0 => format!("hosts = ['h{n}.openai.com', '*.h{n}.example']"),
        1 => format!("paths = ['/v1/responses/{n}', '/v1/{n}/**']"),
        2 => format!("when = 'http.host == \"g{n}.test\" && http.path.contains(\"x\")'"),
        _ => format!("when = 'http.path.startsWith(\"/v1/{n}/\") || http.host == \"k{n}.test\"'"),
    });
    let long = "/v1/responses/x".repeat(500).leak();
    let one_host = file(|n| format!("hosts = ['api.openai.com']\npaths = ['/v1/{n}']"));
    let unindexed = file(|n| format!("when = 'http.query.contains(\"{n}\") || http.port == 1'"));
    let messages =
        file(|n| format!("on = ['message']\nhosts = ['h{}.test']\nmodels = ['m{n}*']", n % 100));
    let message = Message::new(Direction::ToUpstream, Some(Opcode::Text), 100).model(Some("gpt-5"));
    let message = Facts::new(On::Upgrade, "h7.test", 443).message(message);
    let case = |name, file: &str, facts, rule: Option<&str>, bound| {
        let (file, rule) = (file.to_owned(), rule.map(str::to_owned));
        Case { name, file, facts, rule, bound }
    };
    vec![
        case("none", &hosts_and_paths, request, None, true),
        case("none_long_path", &hosts_and_paths, request.path(long), None, false),
        case("last", &hosts_and_paths, request.path("/v1/9997/x"), Some("r9997"), true),
        case("one_host", &one_host, request, None, true),
        case("messages", &messages, message, None, true),
        case("not_indexed", &unindexed, request.query(Some("model=x")), None, false),
    ]
}

fn file(rest: impl Fn(usize) -> String) -> String {
    (0..RULES).fold("version = 1\n".to_owned(), |mut text, n| {
        let _ = write!(text, "[[rule]]\nid = 'r{n}'\naction = 'allow'\n{}\n", rest(n));
        text
    })
}
