//! The outcome of a judgement. Refuses to know how it is carried out.

use std::fmt;

/// What is to be done with a request.
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
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a [`Policy`](crate::Policy) says of one request, and which rule says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict<'p> {
    /// What is to be done.
    pub action: Action,
    /// The id of the rule that decided; `None` when no rule matched and the default decided.
    pub rule: Option<&'p str>,
    /// The rule's reason, to be shown to the client and recorded.
    pub reason: Option<&'p str>,
    /// The HTTP status of a refusal: 403 (RFC 9110 section 15.5.4) unless the rule says otherwise.
    pub status: u16,
}
