//! Words become a typed expression. Refuses to know facts beyond their names and types.

use super::{
    Dialect,
    expression::{Int, Sum, Test, Text},
    fault::ConditionFault as Fault,
    fields,
    lexer::{Token, tokens},
    limits, operators,
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

/// A part of a condition, by its type.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Test(Test),
    Text(Text),
    Int(Int),
    List(Field),
    Texts(Vec<String>),
    Ints(Vec<i64>),
}

impl Part {
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Test(_) => "true or false",
            Self::Text(_) => "a text",
            Self::Int(_) => "a number",
            Self::List(_) | Self::Texts(_) => "a list of texts",
            Self::Ints(_) => "a list of numbers",
        }
    }
}

/// Reads a condition of a rule file.
pub(super) fn parse(text: &str) -> Result<Parsed, Error> {
    if text.len() > limits::LENGTH {
        return Err((0, Fault::Length));
    }
    let mut parser = Parser::new(text, Dialect::Cel)?;
    let (part, at) = (parser.ternary()?, 0);
    parser.end()?;
    match part {
        Part::Test(question) => Ok(parser.finish(question)),
        other => Err((at, Fault::NotBool(other.describe()))),
    }
}

pub(super) struct Parser<'t> {
    tokens: Vec<(Token<'t>, usize)>,
    next: usize,
    depth: usize,
    nodes: usize,
    fields: Vec<(Field, usize)>,
    patterns: usize,
    /// The name that `exists` or `all` gives to an entry.
    entry: Option<&'t str>,
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

    fn ternary(&mut self) -> Result<Part, Error> {
        self.deeper(|parser| {
            let at = parser.at();
            let condition = parser.or()?;
            if !parser.take("?") {
                return Ok(condition);
            }
            let condition = operators::question("?", condition, at)?;
            let at = parser.at();
            let yes = operators::question("?", parser.or()?, at)?;
            parser.need(":", "`:` and what holds otherwise")?;
            let at = parser.at();
            let no = operators::question(":", parser.ternary()?, at)?;
            Ok(Part::Test(Test::If(Box::new([condition, yes, no]))))
        })
    }

    fn or(&mut self) -> Result<Part, Error> {
        self.chain("||", Self::and, Test::Any)
    }

    fn and(&mut self) -> Result<Part, Error> {
        self.chain("&&", Self::relation, Test::All)
    }

    /// Tests with one operator between them.
    pub(super) fn chain(
        &mut self,
        operator: &'static str,
        inner: impl Fn(&mut Self) -> Result<Part, Error>,
        make: fn(Vec<Test>) -> Test,
    ) -> Result<Part, Error> {
        let at = self.at();
        let first = inner(self)?;
        if !self.peek(operator) {
            return Ok(first);
        }
        let mut tests = vec![operators::question(operator, first, at)?];
        while self.take(operator) {
            let at = self.at();
            tests.push(operators::question(operator, inner(self)?, at)?);
        }
        Ok(Part::Test(make(tests)))
    }

    fn relation(&mut self) -> Result<Part, Error> {
        const RELATIONS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];
        let mut left = self.sum()?;
        loop {
            let at = self.at();
            if let Some(operator) = self.take_any(&RELATIONS) {
                let right = self.sum()?;
                left = operators::compare(operator, left, right, at)?;
            } else if self.take_name("in") {
                let right = self.sum()?;
                left = operators::member(left, right, at)?;
            } else {
                return Ok(left);
            }
            self.count(at)?;
        }
    }

    fn sum(&mut self) -> Result<Part, Error> {
        self.sums(&["+", "-"], |parser| parser.sums(&["*", "/", "%"], Self::unary))
    }

    fn sums(
        &mut self,
        operators: &[&'static str],
        inner: impl Fn(&mut Self) -> Result<Part, Error>,
    ) -> Result<Part, Error> {
        let start = self.at();
        let mut left = inner(self)?;
        loop {
            let at = self.at();
            let Some(operator) = self.take_any(operators) else { return Ok(left) };
            let right_at = self.at();
            let right = inner(self)?;
            self.count(at)?;
            let sum = match operator {
                "+" => Sum::Add,
                "-" => Sum::Subtract,
                "*" => Sum::Multiply,
                "/" => Sum::Divide,
                _ => Sum::Remainder,
            };
            let sides = [
                operators::int(operator, left, start)?,
                operators::int(operator, right, right_at)?,
            ];
            left = Part::Int(Int::Sum(sum, Box::new(sides)));
        }
    }

    fn unary(&mut self) -> Result<Part, Error> {
        let at = self.at();
        if self.take("!") {
            let inner = self.deeper(Self::unary)?;
            return Ok(Part::Test(Test::Not(Box::new(operators::question("!", inner, at)?))));
        }
        if self.take("-") {
            let inner = self.deeper(Self::unary)?;
            let inner = operators::int("-", inner, at)?;
            return Ok(Part::Int(Int::Negative(Box::new(inner))));
        }
        let mut part = self.primary()?;
        while self.take(".") {
            part = self.method(part)?;
        }
        Ok(part)
    }

    fn primary(&mut self) -> Result<Part, Error> {
        let (token, at) = self.advance();
        self.count(at)?;
        match token {
            Token::Text(text) => Ok(Part::Text(Text::Const(text))),
            Token::Int(number) => Ok(Part::Int(Int::Const(number))),
            Token::Sign("(") => {
                let inner = self.ternary()?;
                self.need(")", "`)`")?;
                Ok(inner)
            }
            Token::Sign("[") => self.list(),
            Token::Name("true") => Ok(Part::Test(Test::Const(true))),
            Token::Name("false") => Ok(Part::Test(Test::Const(false))),
            Token::Name(name) if self.entry == Some(name) => Ok(Part::Text(Text::Entry)),
            Token::Name(name) if self.peek("(") => self.function(name, at),
            Token::Name(name) => {
                let field = self.field(name, at)?;
                Ok(fields::part(field))
            }
            other => Err(unexpected(&other, at, "a fact, a text, a number or `(`")),
        }
    }

    fn list(&mut self) -> Result<Part, Error> {
        let (mut texts, mut ints) = (Vec::new(), Vec::new());
        loop {
            let minus = self.take("-");
            let (token, item_at) = self.advance();
            self.count(item_at)?;
            match token {
                Token::Text(text) if !minus && ints.is_empty() => texts.push(text),
                Token::Int(number) if texts.is_empty() => {
                    ints.push(if minus { -number } else { number });
                }
                other => {
                    return Err(unexpected(&other, item_at, "texts alone, or numbers alone"));
                }
            }
            if self.take("]") {
                break;
            }
            self.need(",", "`,` or `]`")?;
        }
        Ok(if ints.is_empty() { Part::Texts(texts) } else { Part::Ints(ints) })
    }

    fn function(&mut self, name: &str, at: usize) -> Result<Part, Error> {
        self.need("(", "`(`")?;
        let part = match name {
            "has" => {
                let (token, at) = self.advance();
                let Token::Name(name) = token else {
                    return Err(unexpected(&token, at, "a fact, as in `has(http.query)`"));
                };
                Part::Test(Test::Has(self.field(name, at)?))
            }
            "size" => {
                let argument = self.ternary()?;
                operators::size(argument, at)?
            }
            _ => return Err((at, Fault::Function(name.to_owned()))),
        };
        self.need(")", "`)`")?;
        Ok(part)
    }

    fn method(&mut self, subject: Part) -> Result<Part, Error> {
        let (token, at) = self.advance();
        self.count(at)?;
        let Token::Name(name) = token else {
            return Err(unexpected(&token, at, "the name of a function"));
        };
        self.need("(", "`(`")?;
        let part = match name {
            "size" => operators::size(subject, at)?,
            "exists" | "all" => self.quantifier(name, &subject, at)?,
            "startsWith" | "endsWith" | "contains" => {
                let argument_at = self.at();
                let argument = self.ternary()?;
                operators::method(name, subject, argument, at, argument_at)?
            }
            "matches" => {
                let (token, pattern_at) = self.advance();
                let Token::Text(pattern) = token else {
                    return Err(unexpected(&token, pattern_at, "a pattern in quotes"));
                };
                self.patterns += 1;
                operators::matches(subject, &pattern, at, pattern_at)?
            }
            _ => return Err((at, Fault::Function(name.to_owned()))),
        };
        self.need(")", "`)`")?;
        Ok(part)
    }

    fn quantifier(&mut self, name: &str, subject: &Part, at: usize) -> Result<Part, Error> {
        let Part::List(list) = *subject else {
            return Err((
                at,
                operators::not_for("exists", subject, "it looks through a list of facts"),
            ));
        };
        if self.entry.is_some() {
            return Err((at, Fault::Nested));
        }
        let (token, entry_at) = self.advance();
        let Token::Name(entry) = token else {
            return Err(unexpected(
                &token,
                entry_at,
                "a name for an entry, as in `exists(t, t == \"shell\")`",
            ));
        };
        self.need(",", "`,` and a question on the entry")?;
        self.entry = Some(entry);
        let test_at = self.at();
        let question = self.ternary();
        self.entry = None;
        let question = Box::new(operators::question("exists", question?, test_at)?);
        Ok(Part::Test(match name {
            "all" => Test::Every(list, question),
            _ => Test::Exists(list, question),
        }))
    }

    /// The rest of a dotted name, or of a header's, whose first word was read.
    fn field(&mut self, first: &str, at: usize) -> Result<Field, Error> {
        let mut name = first.to_owned();
        while self.peek(".") && !self.is_call() {
            self.next += 1;
            let (token, part_at) = self.advance();
            let Token::Name(part) = token else {
                return Err(unexpected(&token, part_at, "the rest of a fact's name"));
            };
            name = format!("{name}.{part}");
        }
        let header = if name == "http.header" && self.take("[") {
            let (token, header_at) = self.advance();
            let Token::Text(header) = token else {
                return Err(unexpected(&token, header_at, "the name of a header in quotes"));
            };
            self.need("]", "`]`")?;
            Some((header, header_at))
        } else {
            None
        };
        let field = match header {
            Some((header, at)) => fields::header(&header, at)?,
            None => fields::named(&name, at)?,
        };
        self.fields.push((field, at));
        Ok(field)
    }

    /// Whether a dot, a name and a bracket are next: a function of what came before.
    fn is_call(&self) -> bool {
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

    pub(super) fn record(&mut self, field: Field, at: usize) {
        self.fields.push((field, at));
    }

    pub(super) fn record_pattern(&mut self) {
        self.patterns += 1;
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

    fn take_any(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        signs.iter().copied().find(|sign| self.take(sign))
    }

    fn take_name(&mut self, name: &str) -> bool {
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
