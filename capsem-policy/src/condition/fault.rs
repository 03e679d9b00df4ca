//! Why a condition cannot be read. Refuses to know where it stands in a file.

use super::limits;

/// Why a condition cannot be read. The texts it quotes are escaped: each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionFault {
    /// Nothing is asked.
    #[error("the condition is empty; leave the key out to match everything")]
    Empty,
    /// Over its length in bytes.
    #[error("the condition is too long; use at most {max} bytes", max = limits::LENGTH)]
    Length,
    /// Nested too deep.
    #[error("the condition is nested too deep; use at most {max} levels", max = limits::DEPTH)]
    Depth,
    /// Too many terms.
    #[error("the condition has too many parts; use at most {max}", max = limits::NODES)]
    Nodes,
    /// A character that begins nothing.
    #[error("`{0}` cannot stand in a condition; remove it, or put text in quotes")]
    Character(String),
    /// A text without its closing quote.
    #[error("this text has no closing quote; add one")]
    Quote,
    /// A backslash with something unknown behind it.
    #[error(
        "`{0}` is no escape in a text; write `\\\\` for a backslash, or r\"..\" for a raw text"
    )]
    Escape(String),
    /// A number that is no whole number of 64 bits.
    #[error("`{0}` is no whole number of 64 bits; write one without fraction or suffix")]
    Number(String),
    /// Something else must stand here.
    #[error("{found} cannot stand here; write {expected}")]
    Unexpected {
        /// What stands here.
        found: String,
        /// What could.
        expected: &'static str,
    },
    /// A name that is no fact.
    #[error("there is no fact `{0}`; did you mean `{1}`?")]
    Misspelt(String, &'static str),
    /// A name that is no fact, and none is close.
    #[error("there is no fact `{0}`; facts are named as in `http.host` or `model.name`")]
    UnknownField(String),
    /// A header that rules cannot read.
    #[error("rules cannot read the header \"{0}\"; they can read {1}")]
    Header(String, String),
    /// A function that does not exist.
    #[error(
        "there is no function `{0}`; there are has, size, startsWith, endsWith, contains, matches, \
         exists and all"
    )]
    Function(String),
    /// An operator or function on values it is not for.
    #[error("`{operator}` is {operand} here; {expected}")]
    Type {
        /// The operator or function.
        operator: &'static str,
        /// What it was given.
        operand: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// A whole condition that is no yes or no.
    #[error("this is {0}, and a condition must be true or false; compare it with something")]
    NotBool(&'static str),
    /// A pattern that is no regular expression, and why.
    #[error("the pattern is no regular expression: {0}; mend it")]
    Pattern(String),
    /// A pattern over its limits.
    #[error(
        "the pattern is too large; use at most {max} bytes and fewer repetitions",
        max = limits::PATTERN
    )]
    PatternSize,
    /// A host that is compared in a spelling in which no host comes.
    #[error("hosts come in one spelling; write \"{0}\"")]
    HostSpelling(String),
    /// A text that no host can be.
    #[error("\"{0}\" is no host; write a name or an address alone")]
    NoHost(String),
    /// `exists` or `all` inside another.
    #[error("`exists` and `all` cannot stand inside one another; make two rules of it")]
    Nested,
}
