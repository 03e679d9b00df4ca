//! The outcome of a judgement. Refuses to know how it is carried out.

use std::{borrow::Cow, fmt};

/// What is to be done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let it through.
    Allow,
    /// Ask whoever runs the agent. Where nobody can be asked, this is a block.
    Ask,
    /// Refuse it.
    Block,
}

impl Action {
    /// The word of the rule file: `allow`, `ask` or `block`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Block => "block",
        }
    }

    /// How much it holds back.
    fn strictness(self) -> u8 {
        match self {
            Self::Allow => 0,
            Self::Ask => 1,
            Self::Block => 2,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much a detection matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth knowing.
    Informational,
    /// Odd.
    Low,
    /// To be looked at.
    Medium,
    /// To be looked at now.
    High,
    /// An incident.
    Critical,
}

impl Level {
    /// The word of the rule file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule that matched and is to be recorded, whatever decides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detection<'p> {
    /// The id of the rule.
    pub rule: Cow<'p, str>,
    /// Its name beside the id, if it has one.
    pub name: Option<Cow<'p, str>>,
    /// How much it matters.
    pub level: Level,
    /// The rule's reason.
    pub reason: Option<Cow<'p, str>>,
}

impl<'p> Detection<'p> {
    /// The detection of a rule that gives no name and no reason.
    pub fn new(rule: impl Into<Cow<'p, str>>, level: Level) -> Self {
        Self { rule: rule.into(), name: None, level, reason: None }
    }
}

/// The HTTP status of a refusal when the rule names none: 403 (RFC 9110 section 15.5.4).
const DEFAULT_STATUS: u16 = 403;

/// What is said of one event, and which rule says it.
///
/// Texts are borrowed from a [`Policy`](crate::Policy), or owned by a host that has an engine of
/// its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict<'p> {
    /// What is to be done.
    pub action: Action,
    /// The id of the rule that decided; `None` when no rule did and the default decided.
    pub rule: Option<Cow<'p, str>>,
    /// Its name beside the id, if it has one.
    pub rule_name: Option<Cow<'p, str>>,
    /// The rule's reason, to be shown to the client and recorded.
    pub reason: Option<Cow<'p, str>>,
    /// The HTTP status of a refusal: 403 (RFC 9110 section 15.5.4) unless the rule says otherwise.
    pub status: u16,
    /// Every rule that matched and is to be recorded, in the order of the rules. They do not decide.
    pub detections: Vec<Detection<'p>>,
}

impl<'p> Verdict<'p> {
    /// A verdict of no rule.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            rule: None,
            rule_name: None,
            reason: None,
            status: DEFAULT_STATUS,
            detections: Vec::new(),
        }
    }

    /// The same, said by this rule.
    #[must_use]
    pub fn rule(self, id: impl Into<Cow<'p, str>>) -> Self {
        Self { rule: Some(id.into()), ..self }
    }

    /// The same, for this reason.
    #[must_use]
    pub fn reason(self, reason: impl Into<Cow<'p, str>>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// Of two verdicts on one event the one that lets less through, this one where they are equal;
    /// with the detections of both. For what can be read in more than one way.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let second = other.action.strictness() > self.action.strictness();
        let (mut stricter, milder) = if second { (other, self) } else { (self, other) };
        for detection in milder.detections {
            if !stricter.detections.contains(&detection) {
                stricter.detections.push(detection);
            }
        }
        stricter
    }
}
