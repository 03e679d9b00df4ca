//! The judgement: first match decides. Refuses to know where facts and policies come from.

use crate::{Facts, Policy, Verdict};

/// The answer to a refused request when the rule names no status: 403 Forbidden.
const DEFAULT_STATUS: u16 = 403;

/// Judges one request: the first rule that matches decides, else the policy's default.
///
/// Pure and total: the same arguments give the same verdict, no argument panics, and the cost is
/// bounded by the length of the policy times the length of the path.
///
/// ```
/// use capsem_policy::{Action, Facts, On, Policy, decide};
/// let facts = Facts::new(On::Http, "example.com", 443);
/// assert_eq!(decide(&Policy::block_all(), &facts).action, Action::Block);
/// ```
pub fn decide<'p>(policy: &'p Policy, facts: &Facts<'_>) -> Verdict<'p> {
    match policy.rules().iter().find(|rule| rule.matches(facts)) {
        Some(rule) => Verdict {
            action: rule.action(),
            rule: Some(rule.id()),
            reason: rule.reason(),
            status: rule.status().unwrap_or(DEFAULT_STATUS),
        },
        None => Verdict {
            action: policy.default_action(),
            rule: None,
            reason: None,
            status: DEFAULT_STATUS,
        },
    }
}

#[cfg(test)]
mod tests;
