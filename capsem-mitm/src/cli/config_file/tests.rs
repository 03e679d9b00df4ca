//! The configuration file: what is read, what is refused, and where.

use super::*;

fn paths() -> Paths {
    Paths { folder: "/etc/agent".into(), home: Some("/srv/me".into()) }
}

const LISTEN: &str = "[listen]\nproxy = '127.0.0.1:0'\n";

/// Refuses `text` with this message, whose place is part of it.
#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = parse(text, "c.toml", &paths(), Listener::Required).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

/// Refuses this text after a listener. Its first line is the file's third.
#[track_caller]
fn refused_after(text: &str, expected: &str) {
    refused(&format!("{LISTEN}{text}"), &format!("c.toml:{expected}"));
}

#[track_caller]
fn read(text: &str) -> Config {
    parse(&format!("{LISTEN}{text}"), "c.toml", &paths(), Listener::Required).unwrap()
}

#[test]
fn a_listener_and_nothing_else() {
    let config = read("");
    assert_eq!(config.listen.proxy, Some(([127, 0, 0, 1], 0).into()));
    assert_eq!(config.listen.transparent, None);
    assert_eq!(config.ca_dir, Path::new("/srv/me/.local/share/capsem-mitm/ca"));
    assert_eq!(config.upstream.connect_ports, [80, 443]);
    assert!(config.policy_file.is_none() && config.telemetry.ledger.is_none());
    assert_eq!(config.telemetry.mode, Mode::Closed);
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn everything() {
    let config = read(
        r#"
        transparent = "[::1]:8443"
        [ca]
        dir = "ca"
        [upstream]
        extra_roots = ["corp-ca.pem", "/abs/ca.pem", "~/ca.pem"]
        connect_ports = [443, 8443]
        [upstream.resolve]
        "API.OpenAI.com:443" = "127.0.0.1:18443"
        "[::1]:80" = "[::1]:8080"
        [policy]
        file = "rules/policy.toml"
        asker = ["notify-me", "--urgent"]
        ask_timeout = "90s"
        [telemetry]
        ledger = "session.db"
        jsonl = "-"
        mode = "open"
        capture_bodies = true
        [limits]
        head = 4096
        frame = 1
        capture = 0
        tls_timeout = "500ms"
        stall_timeout = "2m"
        idle_timeout = "0s"
        drain_timeout = "1h"
        "#,
    );
    assert_eq!(config.listen.transparent, Some("[::1]:8443".parse().unwrap()));
    assert_eq!(config.ca_dir, Path::new("/etc/agent/ca"));
    let roots = ["/etc/agent/corp-ca.pem", "/abs/ca.pem", "/srv/me/ca.pem"].map(PathBuf::from);
    assert_eq!(config.upstream.extra_roots, roots);
    assert_eq!(config.upstream.connect_ports, [443, 8443]);
    let pins: Vec<_> = config.upstream.resolve.iter().map(|p| p.authority.to_string()).collect();
    assert_eq!(pins, ["api.openai.com:443", "[::1]:80"]);
    assert_eq!(config.upstream.resolve[0].address, ([127, 0, 0, 1], 18443).into());
    assert_eq!(config.policy_file.as_deref(), Some(Path::new("/etc/agent/rules/policy.toml")));
    assert_eq!(config.asker, ["notify-me", "--urgent"]);
    assert_eq!(config.ask_timeout, Duration::from_secs(90));
    assert_eq!(config.telemetry.ledger.as_deref(), Some(Path::new("/etc/agent/session.db")));
    assert_eq!(config.telemetry.jsonl, Some(JsonlTarget::Stdout));
    assert_eq!(config.telemetry.mode, Mode::Open);
    assert_eq!((config.limits.head, config.limits.frame, config.limits.capture), (4096, 1, 0));
    assert_eq!(config.limits.tls_timeout, Duration::from_millis(500));
    assert_eq!(config.limits.stall_timeout, Duration::from_mins(2));
    assert_eq!(config.limits.idle_timeout, Duration::ZERO);
    assert_eq!(config.limits.drain_timeout, Duration::from_hours(1));
    assert_eq!(config.limits.message, Limits::default().message);
}

#[test]
fn listeners() {
    let add = "nothing listens; add `proxy = \"127.0.0.1:8080\"` under `[listen]`";
    refused("", &format!("c.toml:1:1: {add}"));
    refused("[ca]\n[listen]\n", &format!("c.toml:2:2: {add}"));
    assert!(parse("", "c.toml", &paths(), Listener::Ignored).is_ok());
    refused(
        "[listen]\nproxy = 'localhost:8080'",
        "c.toml:2:9: \"localhost:8080\" is no address; write an IP address and a port, as in \
         \"127.0.0.1:8080\"",
    );
    refused("[listen]\nproxi = ''", "c.toml:2:1: unknown key `proxi`; did you mean `proxy`?");
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_collector_needs_the_feature() {
    refused_after(
        "[telemetry]\notlp = 'http://127.0.0.1:4318'",
        "4:1: `telemetry.otlp` needs a program built with `--features otlp`; build it so, or \
         remove the key",
    );
}

#[cfg(feature = "otlp")]
#[test]
fn collectors() {
    let config = read("[telemetry]\notlp = 'http://127.0.0.1:4318'");
    let endpoint = config.telemetry.otlp.map(|endpoint| endpoint.to_string());
    assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
    assert_eq!(read("").telemetry.otlp, None);
    for (url, what) in [
        ("", "it has no scheme and host"),
        ("127.0.0.1:4318", "it has no scheme and host"),
        ("https://a.test", "only http is spoken; for https put a collector beside the proxy"),
        ("http://me:word@a.test", "a user or password in it would not be sent"),
        ("http://a.test:0", "the port is no number from 1 to 65535"),
    ] {
        let write = "write one such as \"http://127.0.0.1:4318\"";
        refused_after(
            &format!("[telemetry]\notlp = '{url}'"),
            &format!("4:8: this is no URL of a collector: {what}; {write}"),
        );
    }
    refused_after("[telemetry]\notlp = true", "4:8: `otlp` is a boolean; it must be a string");
}

#[test]
fn credentials() {
    let config = read(
        r#"
        [[credential]]
        host = "API.OpenAI.com"
        header = "Authorization"
        placeholder = "Bearer capsem-openai"
        value_env = "OPENAI_API_KEY"
        prefix = "Bearer "
        [[credential]]
        host = "api.example.com:8443"
        placeholder = "stand-in"
        value_file = "keys/example"
        "#,
    );
    let [first, second] = &config.credentials[..] else { panic!("{:?}", config.credentials) };
    assert_eq!((first.host.to_string().as_str(), first.port), ("api.openai.com", None));
    assert_eq!(first.header.as_ref().unwrap(), "authorization");
    assert_eq!((first.token(), &*first.prefix), ("capsem-openai", "Bearer "));
    assert_eq!(first.value, crate::config::Value::Variable("OPENAI_API_KEY".into()));
    assert_eq!((second.token(), second.port), ("stand-in", Some(8443)));
    assert_eq!(second.value, crate::config::Value::File("/etc/agent/keys/example".into()));

    let table = |text: &str| format!("[[credential]]\nhost = 'a.test'\n{text}");
    let refused = |text: &str, expected: &str| refused_after(&table(text), expected);
    refused(
        "placeholder = 'p'",
        "3:1: there is no value; add `value_env = \"OPENAI_API_KEY\"` or `value_file`",
    );
    refused(
        "placeholder = 'p'\nvalue_env = 'A'\nvalue_file = 'a'",
        "6:1: there are two values; remove `value_env` or `value_file`",
    );
    refused(
        "placeholder = 'Bearer '\nprefix = 'Bearer '\nvalue_env = 'A'",
        "5:15: the placeholder is empty but for the prefix; give the guest a word to send",
    );
    refused(
        "placeholder = 'p'\nheader = 'a b'\nvalue_env = 'A'",
        "6:10: \"a b\" is no name of a header; write one such as \"authorization\"",
    );
    refused(
        "placeholder = 'p'\nvalue_env = ''",
        "6:13: \"\" is no name of a variable; write one such as \"OPENAI_API_KEY\"",
    );
    let once = table("placeholder = 'p'\nvalue_env = 'A'");
    refused_after(
        &format!("{once}\n{once}"),
        "7:1: the placeholder \"p\" stands for two credentials of this host; rename one",
    );
}

#[test]
fn upstreams() {
    refused_after("[upstream]\nconnect_ports = [0]", "4:18: there is no port 0; use 1 to 65535");
    refused_after(
        "[upstream.resolve]\n'a.test' = '1.2.3.4:5'",
        "4:1: \"a.test\" has no port; write one as in \"api.openai.com:443\"",
    );
    refused_after(
        "[upstream.resolve]\n'a test:1' = '1.2.3.4:5'",
        "4:1: \"a test:1\" is no host and port: the host has a character that host names do not \
         have; write one as in \"api.openai.com:443\"",
    );
    refused_after(
        "[upstream.resolve]\n'a.test:1' = '1.2.3.4'",
        "4:14: \"1.2.3.4\" is no address; write an IP address and a port, as in \"127.0.0.1:8080\"",
    );
    refused_after(
        "[upstream.resolve]\n'a.test:1' = '1.2.3.4:0'",
        "4:14: there is no port 0; use 1 to 65535",
    );
    refused_after(
        "[upstream.resolve]\n'a.test:1' = '1.2.3.4:5'\n'A.test.:1' = '1.2.3.4:5'",
        "5:1: a.test:1 has an address already; remove one of the two",
    );
    refused_after(
        "[upstream]\nextra_roots = ['']",
        "4:16: the path is empty; name a file, or remove the key",
    );
}

#[test]
fn askers() {
    let empty = "the command is empty; write it as in [\"notify-me\", \"--urgent\"]";
    refused_after("[policy]\nasker = []", &format!("4:9: {empty}"));
    refused_after("[policy]\nasker = ['']", &format!("4:9: {empty}"));
    refused_after("[policy]\nasker = 'a'", "4:9: `asker` is a string; it must be a list in [ ]");
    refused_after(
        "[policy]\nask_timeout = '0s'",
        "4:15: `ask_timeout` cannot be zero, as everything would be late at once; use \"1ms\" or \
         more",
    );
}

#[test]
fn sinks() {
    refused_after(
        "[telemetry]\nmode = 'shut'",
        "4:8: `mode` cannot be \"shut\"; use \"closed\" or \"open\"",
    );
}

#[test]
fn limits_have_limits() {
    refused_after("[limits]\nhead = 10", "4:8: `head` cannot be 10; use 1024 to 16777216");
    refused_after(
        "[limits]\nfragments = -1",
        "4:13: `fragments` cannot be -1; use 1 to 4294967295",
    );
    refused_after("[limits]\nframe = '1k'", "4:9: `frame` is a string; it must be an integer");
    for text in ["10", "s", "", "10 s", "-1s", "1.5s", "99999999999h", "367h1m", "8785h", "10S"] {
        refused_after(
            &format!("[limits]\ntls_timeout = '{text}'"),
            &format!(
                "4:15: `tls_timeout` cannot be \"{text}\"; write a time such as \"500ms\", \
                 \"10s\", \"2m\" or \"1h\""
            ),
        );
    }
    refused_after(
        "[limits]\ntls_timeout = '0s'",
        "4:15: `tls_timeout` cannot be zero, as everything would be late at once; use \"1ms\" or \
         more",
    );
}

#[test]
fn no_home() {
    let paths = Paths { folder: PathBuf::new(), home: None };
    let error = parse("[ca]", "c.toml", &paths, Listener::Ignored).unwrap_err().to_string();
    let words = "there is no home folder for ca.dir; set HOME, or name a folder in full";
    assert_eq!(error, format!("c.toml:1:2: {words}"));
    assert!(parse("[ca]\ndir = '/ca'", "c.toml", &paths, Listener::Ignored).is_ok());
}
