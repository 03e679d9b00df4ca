//! Verdicts as the program prints them.

use super::*;

const RULES: &str = r#"
version = 1
[[rule]]
id = "sockets"
action = "allow"
on = ["upgrade"]
hosts = ["api.openai.com"]
paths = ["/v1/responses"]
[[rule]]
id = "messages"
action = "ask"
methods = ["POST"]
providers = ["anthropic"]
reason = "ask first"
[[rule]]
id = "search"
action = "ask"
when = 'http.method == "GET" && http.path.matches("^/search(/|$)")'
[[rule]]
id = "agent"
action = "allow"
when = 'http.header["user-agent"] == "codex" && http.query == "x=1"'
[[rule]]
id = "port"
action = "allow"
ports = [8443]
"#;

#[track_caller]
fn check(url: &str, method: &str, headers: &[&str], expected: &str) {
    let text = explained(RULES, url, method, headers, None, None);
    assert_eq!(text.unwrap_or_else(|error| error.line()).trim_end(), expected);
}

fn explained(
    rules: &str,
    url: &str,
    method: &str,
    headers: &[&str],
    process: Option<&str>,
    message: Option<&(Role, Vec<u8>)>,
) -> Result<String, CliError> {
    let policy = Policy::parse(rules, "p.toml").unwrap();
    let headers: Vec<_> = headers.iter().map(ToString::to_string).collect();
    let target = Target::parse(url)?;
    let parts = target.head(method, &headers)?;
    verdict(&policy, &target, &parts, process.map(str::to_owned), message)
}

#[test]
fn the_verdict_on_a_process() {
    let rules = "version = 1\n[[rule]]\nid = 'a'\naction = 'allow'\nprocesses = ['codex*']\n";
    let (yes, no) = (
        r#"{"action":"allow","rule":"a","reason":null}"#,
        r#"{"action":"block","rule":null,"reason":"no rule allows this"}"#,
    );
    for (process, expected) in [(Some("codex-x"), yes), (Some("sh"), no), (None, no)] {
        let text = explained(rules, "https://a.test/", "GET", &[], process, None).unwrap();
        assert_eq!(text.trim_end(), expected, "{process:?}");
    }
}

#[test]
fn verdicts() {
    let sockets = r#"{"action":"allow","rule":"sockets","reason":null}"#;
    check("wss://api.openai.com/v1/responses", "GET", &[], sockets);
    check("wss://API.OpenAI.com.:443/v1/responses?x=1", "GET", &[], sockets);
    check("https://api.openai.com/v1/responses", "GET", &["Upgrade: websocket"], sockets);
    let default = r#"{"action":"block","rule":null,"reason":"no rule allows this"}"#;
    check("https://api.openai.com/v1/responses", "GET", &["accept: x"], default);
    check("https://example.com", "GET", &[], default);
    let ask = r#"{"action":"ask","rule":"messages","reason":"ask first"}"#;
    check("https://api.anthropic.com/v1/messages", "POST", &[], ask);
    let search = "{\"action\":\"ask\",\"rule\":\"search\",\"reason\":\
                  \"this needs approval, and there is nobody to ask\"}";
    check("https://a.test/search/x", "GET", &[], search);
    check("https://a.test/%73earch", "GET", &[], default); // as written it is no search
    check("https://a.test/searching", "GET", &[], default);
    let agent = r#"{"action":"allow","rule":"agent","reason":null}"#;
    check("https://a.test/?x=1", "GET", &["User-Agent: codex"], agent);
    check("https://a.test/?x=1", "GET", &["User-Agent: codex", "user-agent: x"], default);
    check("https://a.test/", "GET", &["User-Agent: codex"], default);
    let port = r#"{"action":"allow","rule":"port","reason":null}"#;
    check("http://[::1]:8443/", "GET", &[], port);
}

#[test]
fn messages() {
    let rules = format!(
        "{RULES}[[rule]]\nid = 'large'\naction = 'block'\non = ['message']\n\
         direction = 'to_upstream'\nmodels = ['gpt-5-pro*']\nwhen = 'ws.opcode == \"text\"'\n"
    );
    let check = |url: &str, from: Role, expected: &str| {
        let text = br#"{"type":"response.create","model":"gpt-5-pro"}"#.to_vec();
        let got = explained(&rules, url, "GET", &[], None, Some(&(from, text))).unwrap();
        assert_eq!(got.trim_end(), expected);
    };
    let large = r#"{"action":"block","rule":"large","reason":"blocked by rule `large`"}"#;
    check("wss://api.openai.com/v1/responses", Role::Client, large);
    let passes = r#"{"action":"allow","rule":null,"reason":null}"#;
    check("wss://api.openai.com/v1/responses", Role::Server, passes);
    check("https://[::1]:8443/", Role::Client, passes); // no message of a socket
    let request = r#"{"action":"block","rule":null,"reason":"no rule allows this"}"#;
    check("wss://api.openai.com/v1/other", Role::Client, request);
}

#[test]
fn what_is_no_request() {
    let form = "write one as in https://api.openai.com/v1/models";
    let no_url = |url: &str, reason: &str| {
        check(
            url,
            "GET",
            &[],
            &format!("capsem-mitm: \"{url}\" is no URL of a request: {reason}; {form}"),
        );
    };
    no_url("ftp://a.test/", "it begins with none of https, http, wss, ws");
    no_url("a.test", "it begins with none of https, http, wss, ws");
    no_url("https://0x7f.1/", "the host looks like an IPv4 address but is not written as one");
    no_url("https://me@a.test/", "the host has a character that host names do not have");
    check(
        "https://a.test/x/../y",
        "GET",
        &[],
        "capsem-mitm: the proxy refuses \"https://a.test/x/../y\" before any rule is asked: \
         the path has a dot segment; mend the request",
    );
    check(
        "https://a.test",
        "G T",
        &[],
        "capsem-mitm: \"G T\" is no HTTP method; write one word such as GET",
    );
    check(
        "https://a.test",
        "GET",
        &["x"],
        "capsem-mitm: \"x\" is no header; write it as in 'accept: text/html'",
    );
}
