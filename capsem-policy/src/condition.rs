//! A condition: a question on facts, in a bounded part of CEL. Refuses to know rules and files.
//!
//! Every part has one type, known when the rule is loaded, so that asking cannot fail; it can only
//! find a fact missing. A comparison or a function with a missing fact has no answer, `!=` among
//! them, and so has a sum without a result. `!` of no answer is no answer. `&&` is false where one
//! side is, `||` is true where one side is, and else neither has an answer where one side has none.
//! A condition holds when its answer is true.
//!
//! The cost of asking is bounded: at most [`limits::NODES`] parts, each at most linear in the facts
//! it reads.

mod capsem;
mod cursor;
mod expression;
mod fault;
mod fields;
mod keys;
mod lexer;
mod operators;
mod parser;

pub use fault::ConditionFault;

use crate::{Direction, Facts, field::Field, rule::Reach};
use expression::{Absent, Subject, Test};

/// What a condition may cost.
pub(crate) mod limits {
    /// Bytes of a condition.
    pub(crate) const LENGTH: usize = 4096;
    /// Levels of brackets, `!` and `-`. Each is some frames of the stack while it is read.
    pub(crate) const DEPTH: usize = 32;
    /// Facts, values and operators.
    pub(crate) const NODES: usize = 512;
    /// Bytes of a pattern as written.
    pub(crate) const PATTERN: usize = 1024;
    /// Bytes of a pattern as compiled, and of what it keeps to be faster.
    pub(crate) const PATTERN_COMPILED: usize = 256 * 1024;
    /// Levels of brackets in a pattern.
    pub(crate) const PATTERN_DEPTH: u32 = 32;
}

/// How a condition is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// CEL.
    Cel,
    /// The condition language of Capsem's rules: every fact and value is a text.
    Capsem,
}

/// A condition that was read.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    question: Test,
    fields: Vec<(Field, usize)>,
    patterns: usize,
}

impl Condition {
    /// Reads a condition; an error comes with its place in bytes.
    pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Self, (usize, ConditionFault)> {
        let cursor::Parsed { question, fields, patterns } = match dialect {
            Dialect::Cel => parser::parse(text)?,
            Dialect::Capsem => capsem::parse(text)?,
        };
        Ok(Self { question, fields, patterns })
    }

    /// Whether it is true of this event.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        self.question.ask(&Subject { facts, messages: None, entry: None }) == Ok(true)
    }

    /// Of which messages of this direction it can be true, in an exchange with these facts.
    pub(crate) fn reach(&self, facts: &Facts<'_>, direction: Direction) -> Reach {
        match self.question.ask(&Subject { facts, messages: Some(direction), entry: None }) {
            Ok(true) => Reach::Always,
            Err(Absent::Unknown) => Reach::Maybe,
            Ok(false) | Err(Absent::Missing) => Reach::Never,
        }
    }

    /// The facts it asks for, each with its place in bytes.
    pub(crate) fn fields(&self) -> &[(Field, usize)] {
        &self.fields
    }

    /// How many regular expressions it holds.
    pub(crate) fn patterns(&self) -> usize {
        self.patterns
    }
}

#[cfg(test)]
mod tests;
