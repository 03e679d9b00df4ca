//! What can be wrong with a rule file. Refuses to know how a file is read.

use crate::{
    condition::ConditionFault,
    document::{self, Place},
    file,
};

/// A rule file that was refused; nothing of it is in force.
///
/// Displays as one line, `FILE:LINE:COLUMN: what is wrong; what to do`.
///
/// ```
/// let error = capsem_policy::Policy::parse("version = 1\ndefualt = 'allow'\n", "p.toml").unwrap_err();
/// assert_eq!((error.line(), error.column()), (2, 1));
/// assert_eq!(error.to_string(), "p.toml:2:1: unknown key `defualt`; did you mean `default`?");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct PolicyError {
    place: Place,
    problem: Problem,
}

impl PolicyError {
    pub(crate) fn new(place: Place, problem: Problem) -> Self {
        Self { place, problem }
    }

    /// The file's name as it was handed in.
    pub fn file(&self) -> &str {
        &self.place.file
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.place.line
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.place.column
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl From<document::Error> for PolicyError {
    fn from(error: document::Error) -> Self {
        Self { place: error.place, problem: error.problem.into() }
    }
}

/// What is wrong with a rule file. The texts it quotes are escaped: each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is no TOML, or a key is unknown, missing or of the wrong type.
    #[error(transparent)]
    Document(#[from] document::Problem),
    /// `version` is not 1.
    #[error("version {0} is not supported; write `version = 1`")]
    Version(i64),
    /// A word that is not one of a closed set.
    #[error("`{key}` cannot be \"{found}\"; use {expected}")]
    Word {
        /// The key.
        key: String,
        /// What the file says.
        found: String,
        /// The words that can stand there.
        expected: String,
    },
    /// A list without an entry.
    #[error(
        "`{0}` is an empty list, which would match nothing; leave it out to match everything, or \
         name at least one"
    )]
    EmptyList(&'static str),
    /// An id that is too long, empty, or of other characters.
    #[error("the id \"{0}\" cannot be used; use 1 to 128 of A-Z a-z 0-9 . _ -")]
    Id(String),
    /// Two rules of one id.
    #[error(
        "the id \"{id}\" is taken by the rule on line {first}; give each rule an id of its own"
    )]
    DuplicateId {
        /// The id.
        id: String,
        /// The line of the rule that has it already.
        first: usize,
    },
    /// An entry of `hosts` that no canonical host can match.
    #[error("the host \"{0}\" cannot match; {1}")]
    Host(String, HostFault),
    /// An entry of `paths` that no path can match.
    #[error("the path \"{0}\" cannot match; {1}")]
    Path(String, PathFault),
    /// An entry of `ports` outside 1 to 65535.
    #[error("there is no port {0}; use 1 to 65535")]
    Port(i64),
    /// An entry of `methods` in lower case.
    #[error(
        "the method \"{0}\" has lower-case letters, and methods are case-sensitive; write \"{1}\""
    )]
    MethodCase(String, String),
    /// An entry of `methods` that is no token (RFC 9110 section 5.6.2).
    #[error("\"{0}\" is no HTTP method; write one word such as \"GET\"")]
    Method(String),
    /// An entry of `providers` that is no provider word.
    #[error(
        "\"{0}\" is no provider; write a lower-case word such as \"openai\", \"anthropic\", \
         \"google\" or \"unknown\""
    )]
    Provider(String),
    /// A key that speaks of a message, in a rule for requests.
    #[error("`{0}` speaks of messages; write `on = [\"message\"]` in this rule")]
    MessagesOnly(&'static str),
    /// A fact of messages in the condition of a rule for requests.
    #[error("`{0}` is known of messages alone; write `on = [\"message\"]` in this rule")]
    MessageFact(&'static str),
    /// A condition that cannot be read.
    #[error("{0}")]
    Condition(ConditionFault),
    /// More text than is read, in bytes.
    #[error("the file has {0} bytes; use at most {max}", max = file::MAX_FILE)]
    FileSize(usize),
    /// More rules than are read.
    #[error("this is one rule too many; use at most {max} in a file", max = file::MAX_RULES)]
    Rules,
    /// More regular expressions than are kept.
    #[error(
        "the patterns of this rule are too many; use at most {max} `matches` in a file",
        max = file::MAX_PATTERNS
    )]
    Patterns,
    /// A name in Capsem's tables of other characters, empty or too long.
    #[error("the name \"{0}\" cannot be used; use 1 to 64 of a-z 0-9 _ -")]
    CapsemName(String),
    /// A `priority` that a rule of Capsem's cannot have in its file and table.
    #[error("this rule cannot have that priority; use {expected}")]
    CapsemPriority {
        /// What it can have.
        expected: &'static str,
    },
    /// A rule with both `action` and `detect`.
    #[error("a rule with `detect` records and decides nothing; leave out `action`, or `detect`")]
    DecidesAndDetects,
    /// An entry of `models`, `tools` or `processes` that no name can match.
    #[error("\"{0}\" matches no name; use 1 to 256 bytes without control characters")]
    Name(String),
    /// A `max_bytes` that holds nothing.
    #[error("`max_bytes` cannot be {0}; write how many bytes of a message may be held")]
    MaxBytes(i64),
    /// A `status` that does not refuse.
    #[error("status {0} does not refuse a request; use 400 to 599")]
    Status(i64),
    /// A `reason` over its limit, in bytes.
    #[error("the reason has {0} bytes; use at most 1024")]
    ReasonLength(usize),
}

/// Why an entry of `hosts` can match nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostFault {
    /// It is empty, or has an empty label.
    #[error("it has an empty label; write a full name such as \"api.openai.com\"")]
    EmptyLabel,
    /// A `*` elsewhere than as the first label, or before an address.
    #[error("`*` can stand alone or, as in \"*.example.com\", before a whole name")]
    Star,
    /// It has a scheme, a port, a path or another character that no host has.
    #[error("write the name alone: no scheme, no port (that is `ports`), no path")]
    Character,
    /// A name outside ASCII.
    #[error("write it in its ASCII form (xn--)")]
    NotAscii,
    /// A label of more than 63 bytes or a name of more than 253 (RFC 1035 section 2.3.4).
    #[error("a label has at most 63 bytes and a name at most 253")]
    Length,
    /// It ends in a number and is not four decimal numbers: an IPv4 address in another spelling.
    #[error("write an IPv4 address as four decimal numbers without leading zeros")]
    Ipv4,
}

/// Why an entry of `paths` can match nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// It does not begin with `/`.
    #[error("begin it with `/`")]
    NoSlash,
    /// It holds a `?` or a `#`: paths are judged without query, and fragments are not sent.
    #[error("a path has no query and no fragment: remove `?` or `#` and what follows")]
    QueryOrFragment,
    /// It holds a space or a control character, which no request line can carry.
    #[error("write spaces and control characters percent-encoded, as they are sent")]
    Character,
    /// `**` beside other characters.
    #[error("`**` must be a whole segment, as in \"/v1/**\"; within a segment use one `*`")]
    DoubleStar,
    /// Over the limit of 2048 bytes.
    #[error("use at most 2048 bytes")]
    Length,
}
