//! The words of a condition one after the other, and what reading them costs. Refuses to know what
//! may follow what.

use super::{
    Dialect,
    expression::Test,
    fault::ConditionFault as Fault,
    lexer::{Token, tokens},
    limits,
};
use crate::field::Field;

/// A fault and where in the condition it is, in bytes.
pub(super) type Error = (usize, Fault);

/// What was read.
pub(super) struct Parsed {
    pub(super) question: Test,
    /// The facts it asks for, each with its place in bytes.
    pub(super) fields: Vec<(Field, usize)>,
    /// How many regular expressions it holds.
    pub(super) patterns: usize,
}

/// What reads a condition: its words, and what was counted so far.
pub(super) struct Parser<'t> {
    tokens: Vec<(Token<'t>, usize)>,
    next: usize,
    depth: usize,
    nodes: usize,
    pub(super) fields: Vec<(Field, usize)>,
    pub(super) patterns: usize,
    /// The name that `exists` or `all` gives to an entry.
    pub(super) entry: Option<&'t str>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, dialect: Dialect) -> Result<Self, Error> {
        let tokens = tokens(text, dialect)?;
        if tokens.len() == 1 {
            return Err((0, Fault::Empty));
        }
        let (fields, entry) = (Vec::new(), None);
        Ok(Self { tokens, next: 0, depth: 0, nodes: 0, fields, patterns: 0, entry })
    }

    pub(super) fn finish(self, question: Test) -> Parsed {
        Parsed { question, fields: self.fields, patterns: self.patterns }
    }

    /// Whether a dot, a name and a bracket are next: a function of what came before.
    pub(super) fn is_call(&self) -> bool {
        let name = self.tokens.get(self.next + 1).map(|(token, _)| token);
        let bracket = self.tokens.get(self.next + 2).map(|(token, _)| token);
        matches!(name, Some(Token::Name(_))) && bracket == Some(&Token::Sign("("))
    }

    pub(super) fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.depth += 1;
        if self.depth > limits::DEPTH {
            return Err((self.at(), Fault::Depth));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    pub(super) fn count(&mut self, at: usize) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > limits::NODES { Err((at, Fault::Nodes)) } else { Ok(()) }
    }

    /// Where the next word stands.
    pub(super) fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(0, |(_, at)| *at)
    }

    pub(super) fn advance(&mut self) -> (Token<'t>, usize) {
        let (token, at) = match self.tokens.get(self.next) {
            Some((token, at)) => (token.clone(), *at),
            None => (Token::End, 0),
        };
        if token != Token::End {
            self.next += 1;
        }
        (token, at)
    }

    pub(super) fn peek(&self, sign: &str) -> bool {
        matches!(self.tokens.get(self.next), Some((Token::Sign(next), _)) if *next == sign)
    }

    pub(super) fn take(&mut self, sign: &str) -> bool {
        let there = self.peek(sign);
        self.next += usize::from(there);
        there
    }

    pub(super) fn take_any(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        signs.iter().copied().find(|sign| self.take(sign))
    }

    pub(super) fn take_name(&mut self, name: &str) -> bool {
        let there = matches!(self.tokens.get(self.next), Some((Token::Name(it), _)) if *it == name);
        self.next += usize::from(there);
        there
    }

    pub(super) fn need(&mut self, sign: &str, expected: &'static str) -> Result<(), Error> {
        if self.take(sign) {
            return Ok(());
        }
        let (token, at) = self.advance();
        Err(unexpected(&token, at, expected))
    }

    pub(super) fn end(&mut self) -> Result<(), Error> {
        match self.advance() {
            (Token::End, _) => Ok(()),
            (other, at) => Err(unexpected(&other, at, "`&&`, `||` or nothing more")),
        }
    }
}

pub(super) fn unexpected(token: &Token<'_>, at: usize, expected: &'static str) -> Error {
    let found = match token {
        Token::Name(name) => format!("`{name}`"),
        Token::Text(_) => "a text".to_owned(),
        Token::Int(number) => format!("`{number}`"),
        Token::Sign(sign) => format!("`{sign}`"),
        Token::End => "the end".to_owned(),
    };
    (at, Fault::Unexpected { found, expected })
}
