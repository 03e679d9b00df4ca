//! Which messages are held, and for how many bytes.

use super::*;
use crate::On;

/// `(max_bytes, uninspectable)` of each direction for a socket of this host.
#[track_caller]
fn check(
    rules: &str,
    host: &str,
    to_upstream: Option<(Option<u64>, Uninspectable)>,
    to_client: Option<(Option<u64>, Uninspectable)>,
) {
    let policy = Policy::parse(&format!("version = 1\n{rules}"), "p.toml").unwrap();
    let rules = policy.message_rules_for(&Facts::new(On::Upgrade, host, 443));
    let got = [rules.to_upstream, rules.to_client]
        .map(|hold| hold.map(|hold| (hold.max_bytes, hold.uninspectable)));
    assert_eq!(got, [to_upstream, to_client]);
    assert_eq!(rules.is_empty(), to_upstream.is_none() && to_client.is_none());
}

fn rule(id: &str, rest: &str) -> String {
    format!("[[rule]]\nid = '{id}'\non = ['message']\n{rest}\n")
}

const CLOSE: Option<(Option<u64>, Uninspectable)> = Some((None, Uninspectable::Close));

#[test]
fn rules_for_requests_hold_nothing() {
    check("[[rule]]\nid = 'a'\naction = 'block'", "a.test", None, None);
}

#[test]
fn only_where_a_rule_can_apply() {
    let text = rule("a", "action = 'block'\nhosts = ['a.test']\ndirection = 'to_client'");
    check(&text, "a.test", None, CLOSE);
    check(&text, "b.test", None, None);
    check(&rule("a", "action = 'ask'\nmodels = ['x']"), "a.test", CLOSE, CLOSE);
}

#[test]
fn the_most_of_max_bytes_holds() {
    let up = "action = 'block'\ndirection = 'to_upstream'\nmodels = ['x']";
    let small = rule("small", &format!("{up}\nmax_bytes = 10"));
    let large = rule("large", &format!("{up}\nmax_bytes = 20"));
    let any = rule("any", up);
    let held = |bytes| Some((bytes, Uninspectable::Close));
    check(&format!("{small}{large}"), "a.test", held(Some(20)), None);
    check(&format!("{large}{small}"), "a.test", held(Some(20)), None);
    check(&format!("{small}{any}"), "a.test", held(None), None);
}

#[test]
fn what_cannot_be_judged() {
    let watch = rule("watch", "detect = 'low'\nmodels = ['x']");
    let block = rule("block", "action = 'block'\nmodels = ['x']");
    let relay = Some((None, Uninspectable::Relay));
    check(&watch, "a.test", relay, relay);
    check(&format!("{watch}{block}"), "a.test", CLOSE, CLOSE);
    check(&format!("on_uninspectable = 'close'\n{watch}"), "a.test", CLOSE, CLOSE);
    check(&format!("on_uninspectable = 'relay'\n{block}"), "a.test", relay, relay);
}

#[test]
fn nothing_decides_behind_a_rule_for_all() {
    let allow = rule("allow", "action = 'allow'\nhosts = ['a.test']");
    let block = rule("block", "action = 'block'\nmodels = ['x']");
    let watch = rule("watch", "detect = 'low'");
    let relay = Some((None, Uninspectable::Relay));
    check(&format!("{allow}{block}"), "a.test", None, None);
    check(&format!("{allow}{block}"), "b.test", CLOSE, CLOSE);
    check(&format!("{block}{allow}"), "a.test", CLOSE, CLOSE);
    check(&format!("{allow}{block}{watch}"), "a.test", relay, relay);
}

#[test]
fn of_two_readings_both() {
    let hold = |max_bytes, uninspectable| Some(Hold { max_bytes, uninspectable });
    let rules = |to_upstream, to_client| MessageRules { to_upstream, to_client };
    let a = rules(hold(Some(1), Uninspectable::Relay), None);
    let b = rules(hold(Some(2), Uninspectable::Close), hold(None, Uninspectable::Relay));
    let both = rules(hold(Some(2), Uninspectable::Close), hold(None, Uninspectable::Relay));
    assert_eq!((a.and(b), b.and(a)), (both, both));
    assert_eq!(MessageRules::default().and(a), a);
}
