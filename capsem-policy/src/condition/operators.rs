//! Which operator takes which types. Refuses to know how a condition is written.

use super::{
    cursor::Error,
    expression::{Int, Order, Test, Text},
    fault::ConditionFault as Fault,
    limits,
    parser::Part,
};
use crate::{document::escape, field::Field, host::HostPattern};
use regex::RegexBuilder;

pub(super) fn question(operator: &'static str, part: Part, at: usize) -> Result<Test, Error> {
    match part {
        Part::Test(question) => Ok(question),
        other => Err((at, not_for(operator, &other, "it takes what is true or false"))),
    }
}

pub(super) fn int(operator: &'static str, part: Part, at: usize) -> Result<Int, Error> {
    match part {
        Part::Int(int) => Ok(int),
        other => Err((at, not_for(operator, &other, "it takes whole numbers"))),
    }
}

fn text(operator: &'static str, part: Part, at: usize) -> Result<Text, Error> {
    match part {
        Part::Text(text) => Ok(text),
        other => Err((at, not_for(operator, &other, "it takes texts"))),
    }
}

pub(super) fn not_for(operator: &'static str, part: &Part, expected: &'static str) -> Fault {
    Fault::Type { operator, operand: given(part), expected }
}

fn given(part: &Part) -> &'static str {
    match part {
        Part::Test(_) => "given what is true or false",
        Part::Text(_) => "given a text",
        Part::Int(_) => "given a number",
        Part::List(_) | Part::Texts(_) => "given a list of texts",
        Part::Ints(_) => "given a list of numbers",
    }
}

/// `==`, `!=` and the orders of numbers.
pub(super) fn compare(
    operator: &'static str,
    left: Part,
    right: Part,
    at: usize,
) -> Result<Part, Error> {
    let not = |question| Test::Not(Box::new(question));
    let (equality, negated) = (matches!(operator, "==" | "!="), operator == "!=");
    let question = match (left, right) {
        (Part::Text(left), Part::Text(right)) if equality => {
            for (a, b) in [(&left, &right), (&right, &left)] {
                if let (Text::Field(Field::HttpHost), Text::Const(host)) = (a, b) {
                    check_host(host, at)?;
                }
            }
            Test::Equal(left, right)
        }
        (Part::Test(left), Part::Test(right)) if equality => Test::Same(Box::new([left, right])),
        (Part::Int(left), Part::Int(right)) => match operator {
            "==" | "!=" => Test::Compare(Order::Equal, left, right),
            "<" => Test::Compare(Order::Less, left, right),
            "<=" => Test::Compare(Order::LessOrEqual, left, right),
            ">" => Test::Compare(Order::Less, right, left),
            _ => Test::Compare(Order::LessOrEqual, right, left),
        },
        (left, _) if !equality => {
            return Err((at, not_for(operator, &left, "it compares whole numbers")));
        }
        (_, right) => {
            let expected = "both sides must be texts, numbers, or true or false";
            return Err((at, not_for(operator, &right, expected)));
        }
    };
    Ok(Part::Test(if negated { not(question) } else { question }))
}

/// `in`.
pub(super) fn member(left: Part, right: Part, at: usize) -> Result<Part, Error> {
    let question = match (left, right) {
        (Part::Text(text), Part::Texts(list)) => {
            if text == Text::Field(Field::HttpHost) {
                list.iter().try_for_each(|host| check_host(host, at))?;
            }
            Test::OneOf(text, list)
        }
        (Part::Text(text), Part::List(field)) => Test::EntryOf(text, field),
        (Part::Int(int), Part::Ints(list)) => Test::OneOfInts(int, list),
        (left, _) => {
            let expected = "it looks for a text in a list of texts, or a number among numbers";
            return Err((at, not_for("in", &left, expected)));
        }
    };
    Ok(Part::Test(question))
}

/// A host that is compared must be in the form in which hosts are judged.
fn check_host(host: &str, at: usize) -> Result<(), Error> {
    match HostPattern::parse(host) {
        Ok(HostPattern::Exact(canonical)) if canonical == host => Ok(()),
        Ok(HostPattern::Exact(canonical)) => Err((at, Fault::HostSpelling(canonical))),
        _ => Err((at, Fault::NoHost(escape(host)))),
    }
}

/// `size`, of a text or a list.
pub(super) fn size(part: Part, at: usize) -> Result<Part, Error> {
    let count = |length: usize| Int::Const(i64::try_from(length).unwrap_or(i64::MAX));
    Ok(Part::Int(match part {
        Part::Text(text) => Int::Size(text),
        Part::List(field) => Int::Count(field),
        Part::Texts(list) => count(list.len()),
        Part::Ints(list) => count(list.len()),
        other => return Err((at, not_for("size", &other, "it takes a text or a list"))),
    }))
}

/// `startsWith`, `endsWith`, `contains`.
pub(super) fn method(
    name: &str,
    subject: Part,
    argument: Part,
    at: usize,
    argument_at: usize,
) -> Result<Part, Error> {
    let (operator, make): (&'static str, fn(Text, Text) -> Test) = match name {
        "startsWith" => ("startsWith", Test::StartsWith),
        "endsWith" => ("endsWith", Test::EndsWith),
        _ => ("contains", Test::Contains),
    };
    let subject = text(operator, subject, at)?;
    Ok(Part::Test(make(subject, text(operator, argument, argument_at)?)))
}

/// `matches`.
pub(super) fn matches(
    subject: Part,
    pattern: &str,
    at: usize,
    pattern_at: usize,
) -> Result<Part, Error> {
    let subject = text("matches", subject, at)?;
    if pattern.len() > limits::PATTERN {
        return Err((pattern_at, Fault::PatternSize));
    }
    let regex = RegexBuilder::new(pattern)
        .size_limit(limits::PATTERN_COMPILED)
        .dfa_size_limit(limits::PATTERN_COMPILED)
        .nest_limit(limits::PATTERN_DEPTH)
        .build();
    match regex {
        Ok(regex) => Ok(Part::Test(Test::Matches(subject, regex))),
        Err(regex::Error::CompiledTooBig(_)) => Err((pattern_at, Fault::PatternSize)),
        Err(error) => {
            // The last line of several says what is wrong; those before draw it.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            let last = last.trim_start_matches("error: ");
            Err((pattern_at, Fault::Pattern(escape(last))))
        }
    }
}
