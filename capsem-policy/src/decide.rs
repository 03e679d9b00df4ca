//! The judgement: first match decides. Refuses to know where facts and policies come from.

use crate::{Action, Facts, MessageRules, Policy, Verdict};
use std::borrow::Cow;

/// Judges one event: the first rule that matches decides, else the policy's default, which is for
/// requests; a message that no rule speaks of passes with the request it belongs to.
///
/// Pure and total: the same arguments give the same verdict, no argument panics, and the cost is
/// bounded by the length of the policy times the length of the facts.
///
/// ```
/// use capsem_policy::{Action, Facts, On, Policy, decide};
/// let facts = Facts::new(On::Http, "example.com", 443);
/// assert_eq!(decide(&Policy::block_all(), &facts).action, Action::Block);
/// ```
pub fn decide<'p>(policy: &'p Policy, facts: &Facts<'_>) -> Verdict<'p> {
    let mut matching = policy.candidates(facts).filter(|rule| rule.matches(facts));
    let mut detections = Vec::new();
    let decider = matching.find(|rule| {
        detections.extend(rule.detection());
        rule.action().is_some()
    });
    detections.extend(matching.filter_map(crate::Rule::detection));
    let verdict = match decider {
        Some(rule) => {
            let action = rule.action().unwrap_or(Action::Block);
            let verdict = Verdict::new(action).rule(rule.id());
            Verdict {
                rule_name: rule.name().map(Cow::Borrowed),
                reason: rule.reason().map(Cow::Borrowed),
                status: rule.status().unwrap_or(verdict.status),
                ..verdict
            }
        }
        None => Verdict::new(policy.default_for(facts.on)),
    };
    Verdict { detections, ..verdict }
}

/// Whoever judges events: a [`Policy`], or the engine of a host.
///
/// One synchronous call per event, made anew for each: what is revoked between two messages of a
/// socket is in force for the second.
///
/// ```
/// use capsem_policy::{Action, Decide, Facts, Failure, MessageRules, On, Verdict};
///
/// /// An engine of the host's own, asked by dotted names.
/// struct Engine;
///
/// impl Decide for Engine {
///     fn decide(&self, facts: &Facts<'_>) -> Result<Verdict<'_>, Failure> {
///         match facts.host {
///             "broken.test" => Err(Failure::new("the rules are being replaced")),
///             "api.openai.com" => Ok(Verdict::new(Action::Allow).rule("profiles.rules.openai")),
///             _ => Ok(Verdict::new(Action::Block)),
///         }
///     }
///
///     fn message_rules_for(&self, _facts: &Facts<'_>) -> MessageRules {
///         MessageRules::default() // nothing to say on messages
///     }
/// }
///
/// assert_eq!(Engine.judge(&Facts::new(On::Http, "api.openai.com", 443)).action, Action::Allow);
/// // An error is a block.
/// assert_eq!(Engine.judge(&Facts::new(On::Http, "broken.test", 443)).action, Action::Block);
/// ```
pub trait Decide: Send + Sync {
    /// Judges one event. An error means block.
    fn decide(&self, facts: &Facts<'_>) -> Result<Verdict<'_>, Failure>;

    /// Which messages of an exchange with these facts are to be held and judged; see
    /// [`Policy::message_rules_for`].
    fn message_rules_for(&self, facts: &Facts<'_>) -> MessageRules;

    /// Whether it is worth the while to find out which process a client is, which takes some
    /// milliseconds. Without that, [`Facts::process`] is missing.
    fn asks_for_processes(&self) -> bool {
        true
    }

    /// [`decide`](Self::decide), with an error turned into the block it means.
    fn judge(&self, facts: &Facts<'_>) -> Verdict<'_> {
        self.decide(facts)
            .unwrap_or_else(|failure| Verdict::new(Action::Block).reason(failure.to_string()))
    }
}

impl Decide for Policy {
    fn decide(&self, facts: &Facts<'_>) -> Result<Verdict<'_>, Failure> {
        Ok(decide(self, facts))
    }

    fn message_rules_for(&self, facts: &Facts<'_>) -> MessageRules {
        Self::message_rules_for(self, facts)
    }

    fn asks_for_processes(&self) -> bool {
        Self::asks_for_processes(self)
    }
}

/// An engine that could not judge, and why. The text is shown to the client and recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no verdict could be reached: {reason}")]
pub struct Failure {
    reason: String,
}

impl Failure {
    /// Failed for this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

#[cfg(test)]
mod tests;
