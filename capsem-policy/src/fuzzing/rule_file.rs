//! Rule files: reading is total, a fault has its place, and an index changes no verdict.

use super::facts;
use crate::{Action, Decide, Facts, On, Policy, PolicyError, Rule, capsem, decide};

/// Three bytes of facts, then a rule file of ours or of Capsem's.
pub fn rule_file(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<3>() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let facts = facts(*head);
    let ours = Policy::parse(text, "fuzz.toml");
    let source = capsem::Source::User;
    let theirs = capsem::parse(&[capsem::File { name: "fuzz.toml", text, source }]);
    for policy in [&ours, &theirs] {
        match policy {
            Ok(policy) => verdicts(policy, &facts),
            Err(error) => place(error, text),
        }
    }
    if let Ok(policy) = &ours {
        one_more_rule(policy, text, &facts);
        let misspelt = format!("not_a_key = 1\n{text}");
        assert!(Policy::parse(&misspelt, "fuzz.toml").is_err(), "an unknown key is an error");
    }
}

fn place(error: &PolicyError, text: &str) {
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message:?}");
    let lines = text.matches('\n').count() + 1;
    assert!((1..=lines).contains(&error.line()), "{message}");
    let line = text.split('\n').nth(error.line() - 1).unwrap_or_default();
    assert!((1..=line.chars().count() + 1).contains(&error.column()), "{message}");
}

/// The verdict is that of the rules asked one by one.
fn verdicts(policy: &Policy, facts: &Facts<'_>) {
    let verdict = decide(policy, facts);
    let matching: Vec<&Rule> = policy.rules().iter().filter(|rule| rule.matches(facts)).collect();
    let decider = matching.iter().find(|rule| rule.action().is_some());
    assert_eq!(verdict.rule.as_deref(), decider.map(|rule| rule.id()));
    let otherwise = match facts.on {
        On::Message => Action::Allow,
        On::Http | On::Upgrade => policy.default_action(),
    };
    assert_eq!(verdict.action, decider.and_then(|rule| rule.action()).unwrap_or(otherwise));
    let detected = matching.iter().filter(|rule| rule.detect().is_some()).count();
    assert_eq!(verdict.detections.len(), detected);
    assert_eq!(policy.judge(facts), verdict);
    // A message that is judged other than by letting it through was to be held.
    if let Some(message) = facts.message {
        let rules = policy.message_rules_for(facts);
        let hold = match message.direction {
            crate::Direction::ToUpstream => rules.to_upstream,
            crate::Direction::ToClient => rules.to_client,
        };
        assert!(hold.is_some() || (verdict.action == Action::Allow && detected == 0));
    }
}

/// A rule that cannot match changes nothing.
fn one_more_rule(policy: &Policy, text: &str, facts: &Facts<'_>) {
    const RULE: &str = "\n[[rule]]\nid = 'never'\naction = 'block'\npriority = -9999\n\
                        on = ['http', 'upgrade', 'message']\nhosts = ['never.invalid']\n";
    // Not every file can be added to: its last rule may be written in another form.
    if let Ok(more) = Policy::parse(&format!("{text}{RULE}"), "fuzz.toml") {
        assert_eq!(decide(policy, facts), decide(&more, facts));
    }
}
