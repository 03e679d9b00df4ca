//! The permit: who gets one, and that two readings of a path are judged in both.

use super::{Reach, decide};
use crate::{
    authority::Authority,
    request::{Intent, Kind, Scheme},
};
use capsem_policy::Policy;
use capsem_telemetry::attribute;
use http::{Method, StatusCode};

const RULES: &str = r#"
version = 1
default = "allow"
[[rule]]
id = "admin"
action = "block"
paths = ["/admin/**"]
status = 404
[[rule]]
id = "ask-first"
action = "ask"
paths = ["/ask"]
"#;

#[track_caller]
fn check(path: &str, port: u16, expect: Result<(), (u16, Option<&str>)>) {
    let policy = Policy::parse(RULES, "rules.toml").unwrap();
    let pinned = vec![Authority::parse("h.example:9000", 0).unwrap()];
    let reach = Reach { ports: vec![80, 443], pinned };
    let intent = Intent {
        kind: Kind::Http,
        scheme: Scheme::Https,
        authority: Authority::parse("h.example", port).unwrap(),
        method: Method::GET,
        other_methods: Vec::new(),
        path: path.to_owned(),
        query: None,
        headers: Vec::new(),
        process: None,
    };
    let decision = decide(&policy, &reach, &intent, &attribute("h.example", path));
    let got = match &decision.outcome {
        Ok(permit) => {
            assert_eq!(*permit.authority(), intent.authority);
            Ok(())
        }
        Err(status) => Err((status.as_u16(), decision.rule.as_deref())),
    };
    assert_eq!(got, expect, "{path} on {port}");
    assert_eq!(decision.outcome.is_ok(), decision.reason.is_none(), "a denial says why");
}

#[test]
fn permits() {
    let forbidden = StatusCode::FORBIDDEN.as_u16();
    check("/", 443, Ok(()));
    check("/", 9000, Ok(()));
    check("/", 9001, Err((forbidden, None)));
    check("/admin/x", 443, Err((404, Some("admin"))));
    check("/admin%2fx", 443, Err((404, Some("admin"))));
    check("/%2561dmin/x", 443, Err((404, Some("admin"))));
    check("/%61dmin/x", 443, Err((404, Some("admin"))));
    check("//admin/x", 443, Err((404, Some("admin"))));
    check("//ask", 443, Err((forbidden, Some("ask-first"))));
    check("/ask", 443, Err((forbidden, Some("ask-first"))));
}
