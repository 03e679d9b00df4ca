//! Words become a typed expression. Refuses to know facts beyond their names and types.

use super::{
    Dialect,
    cursor::{Error, Parsed, Parser, unexpected},
    expression::{Int, Sum, Test, Text},
    fault::ConditionFault as Fault,
    fields,
    lexer::Token,
    limits, operators,
};
use crate::field::Field;

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

impl Parser<'_> {
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
        while !self.is_call() && self.take(".") {
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
}
