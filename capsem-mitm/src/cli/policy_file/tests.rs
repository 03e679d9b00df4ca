//! Which format a rule file is read as.

use super::*;
use capsem_policy::Rule;

#[test]
fn this_projects_rules() {
    let text = "version = 1\non_uninspectable = 'relay'\n[[rule]]\nid = 'a'\naction = 'block'\n\
                on = ['message']\nmodels = ['m']\nprocesses = ['codex']\nwhen = 'conn.tokens > 1'\n";
    assert_eq!(parse(text, "p.toml").unwrap().rules().len(), 1);
}

#[test]
fn capsems_rules() {
    let text = "[corp.rules.no_uploads]\nname = 'no_uploads'\naction = 'block'\ncorp_locked = true\n\
                match = 'http.method == \"PUT\"'\n\
                [profiles.rules.docs]\nname = 'docs'\naction = 'allow'\npriority = 20\n\
                match = 'http.host == \"docs.example.com\"'\n";
    let policy = parse(text, "p.toml").unwrap();
    let ids: Vec<_> = policy.rules().iter().map(Rule::id).collect();
    assert_eq!(ids, ["corp.rules.no_uploads", "profiles.rules.docs"]);
    // A fault has its place in either.
    let error = parse(&text.replace("priority = 20", "priority = 5"), "p.toml").unwrap_err();
    assert!(error.to_string().starts_with("p.toml:9:12: "), "{error}");
}
