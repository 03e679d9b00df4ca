//! The condition language of Capsem's rules, read into the same expressions.
//!
//! Alternatives and conjunctions of `has(f)`, `f == "s"`, `f != "s"`, `f.matches("re")`,
//! `f.contains("s")`, `f.startsWith("s")`, `f.endsWith("s")` and `f.contains_pii()`. Refuses to know
//! `!`, numbers and lists: every fact is a text here, and a backslash in quotes stays one.

use super::{
    Dialect,
    cursor::{Error, Parsed, Parser, unexpected},
    expression::{Test, Text},
    fault::ConditionFault as Fault,
    lexer::Token,
    limits, operators,
    parser::Part,
};
use crate::{
    document::{escape, nearest},
    field::Field,
};

/// Reads a condition of Capsem's.
pub(super) fn parse(text: &str) -> Result<Parsed, Error> {
    if text.len() > limits::LENGTH {
        return Err((0, Fault::Length));
    }
    let mut parser = Parser::new(text, Dialect::Capsem)?;
    let part = alternatives(&mut parser)?;
    parser.end()?;
    let question = operators::question("||", part, 0)?;
    Ok(parser.finish(question))
}

fn alternatives(parser: &mut Parser<'_>) -> Result<Part, Error> {
    parser.deeper(|parser| {
        parser.chain("||", |parser| parser.chain("&&", atom, Test::All), Test::Any)
    })
}

fn atom(parser: &mut Parser<'_>) -> Result<Part, Error> {
    let (token, at) = parser.advance();
    parser.count(at)?;
    match token {
        Token::Sign("(") => {
            let inner = alternatives(parser)?;
            parser.need(")", "`)`")?;
            Ok(inner)
        }
        Token::Name("has") if parser.take("(") => {
            let (token, at) = parser.advance();
            let (field, _) = fact(parser, &token, at)?;
            parser.need(")", "`)`")?;
            Ok(Part::Test(field.map_or(Test::Const(false), Test::Has)))
        }
        Token::Name(_) => {
            let (field, method) = fact(parser, &token, at)?;
            let subject = field.map(Text::Written);
            let question = match method {
                Some(method) => call(parser, subject.clone(), method)?,
                None => comparison(parser, subject.clone())?,
            };
            // A fact that this crate never has is missing.
            Ok(Part::Test(if subject.is_some() { question } else { Test::Const(false) }))
        }
        other => Err(unexpected(&other, at, "a fact, `has` or `(`")),
    }
}

/// The name of a function, and where it stands.
type Method<'t> = (&'t str, usize);

/// A dotted name, and the function of it that follows. `None` for a fact of Capsem's that no event
/// here has.
fn fact<'t>(
    parser: &mut Parser<'t>,
    first: &Token<'t>,
    at: usize,
) -> Result<(Option<Field>, Option<Method<'t>>), Error> {
    let Token::Name(first) = first else {
        return Err(unexpected(first, at, "a fact, as in `http.host`"));
    };
    let mut name = (*first).to_owned();
    let mut method = None;
    while parser.take(".") {
        let (token, part_at) = parser.advance();
        let Token::Name(part) = token else {
            return Err(unexpected(&token, part_at, "the rest of a fact's name"));
        };
        if parser.peek("(") {
            method = Some((part, part_at));
            break;
        }
        name = format!("{name}.{part}");
    }
    let field = named(&name, at)?;
    if let Some(field) = field {
        parser.fields.push((field, at));
    }
    Ok((field, method))
}

fn call(
    parser: &mut Parser<'_>,
    subject: Option<Text>,
    (name, at): Method<'_>,
) -> Result<Test, Error> {
    let subject = Part::Text(subject.unwrap_or(Text::Const(String::new())));
    parser.need("(", "`(`")?;
    let part = match name {
        "contains_pii" => Part::Test(match subject {
            Part::Text(text) => Test::Personal(text),
            _ => Test::Const(false),
        }),
        "matches" => {
            let (pattern, pattern_at) = quoted(parser)?;
            parser.patterns += 1;
            operators::matches(subject, &pattern, at, pattern_at)?
        }
        "startsWith" | "endsWith" | "contains" => {
            let (text, text_at) = quoted(parser)?;
            operators::method(name, subject, Part::Text(Text::Const(text)), at, text_at)?
        }
        _ => return Err((at, Fault::Function(escape(name)))),
    };
    parser.need(")", "`)`")?;
    operators::question("||", part, at)
}

fn comparison(parser: &mut Parser<'_>, subject: Option<Text>) -> Result<Test, Error> {
    let negated = parser.take("!=");
    if !negated {
        parser.need("==", "`==`, `!=` or a function")?;
    }
    let (text, _) = quoted(parser)?;
    let question = Test::Equal(subject.unwrap_or(Text::Const(String::new())), Text::Const(text));
    Ok(if negated { Test::Not(Box::new(question)) } else { question })
}

fn quoted(parser: &mut Parser<'_>) -> Result<(String, usize), Error> {
    match parser.advance() {
        (Token::Text(text), at) => Ok((text, at)),
        (other, at) => Err(unexpected(&other, at, "a text in quotes")),
    }
}

/// Facts of Capsem's that no event here has.
const FOREIGN: [&str; 73] = [
    "dns.qname",
    "dns.qtype",
    "dns.valid",
    "file.content",
    "file.create.content",
    "file.create.ext",
    "file.create.mime_type",
    "file.create.name",
    "file.create.path",
    "file.create.valid",
    "file.delete.content",
    "file.delete.ext",
    "file.delete.mime_type",
    "file.delete.name",
    "file.delete.path",
    "file.delete.valid",
    "file.export.content",
    "file.export.ext",
    "file.export.mime_type",
    "file.export.name",
    "file.export.path",
    "file.export.valid",
    "file.import.content",
    "file.import.ext",
    "file.import.mime_type",
    "file.import.name",
    "file.import.path",
    "file.import.valid",
    "file.read.content",
    "file.read.ext",
    "file.read.mime_type",
    "file.read.name",
    "file.read.path",
    "file.read.valid",
    "file.valid",
    "file.write.content",
    "file.write.ext",
    "file.write.mime_type",
    "file.write.name",
    "file.write.path",
    "file.write.valid",
    "http.body",
    "http.status",
    "ip.valid",
    "ip.value",
    "ip.version",
    "mcp.event.valid",
    "mcp.method",
    "mcp.request.arguments",
    "mcp.request.id",
    "mcp.request.method",
    "mcp.request.valid",
    "mcp.response.content",
    "mcp.response.valid",
    "mcp.server.name",
    "mcp.server.valid",
    "mcp.tool_call.name",
    "mcp.tool_call.valid",
    "mcp.tool_list",
    "mcp.tool_list.valid",
    "mcp.valid",
    "process.audit.valid",
    "process.command",
    "process.exec.exit_code",
    "process.exec.id",
    "process.exec.path",
    "process.exec.stderr",
    "process.exec.stdout",
    "process.exec.valid",
    "process.valid",
    "tcp.valid",
    "udp.port",
    "udp.valid",
];

fn named(name: &str, at: usize) -> Result<Option<Field>, Error> {
    if let Some(field) = Field::of_capsem(name) {
        return Ok(Some(field));
    }
    if FOREIGN.contains(&name) {
        return Ok(None);
    }
    let known: Vec<&'static str> = Field::names().chain(FOREIGN).collect();
    Err((
        at,
        match nearest(name, &known) {
            Some(close) => Fault::Misspelt(escape(name), close),
            None => Fault::UnknownField(escape(name)),
        },
    ))
}
