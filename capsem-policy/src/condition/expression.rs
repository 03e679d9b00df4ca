//! A condition as it is asked: typed, so that no question can fail but for want of a fact. Refuses
//! to know how it was written.

use crate::{
    Direction, Facts, Value,
    field::{Field, Scope},
};
use regex::Regex;
use std::borrow::Cow;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// A fact is missing, or a sum has no result.
    Missing,
    /// It depends on a message that has not come yet.
    Unknown,
}

/// Whom the questions are asked of.
#[derive(Clone, Copy)]
pub(super) struct Subject<'f> {
    pub(super) facts: &'f Facts<'f>,
    /// Set: of all messages of this direction at once.
    pub(super) messages: Option<Direction>,
    /// The entry of a list that `exists` or `all` is looking at.
    pub(super) entry: Option<&'f str>,
}

impl<'f> Subject<'f> {
    fn value(&self, field: Field) -> Result<Value<'f>, Absent> {
        if let Some(direction) = self.messages {
            if field == Field::WsDirection {
                return Ok(Value::Text(Cow::Borrowed(direction.as_str())));
            }
            if field.scope() != Scope::Exchange {
                return Err(Absent::Unknown);
            }
        }
        field.of(self.facts).ok_or(Absent::Missing)
    }
}

/// A question of true or false.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Const(bool),
    /// A fact that is itself true or false.
    Flag(Field),
    Has(Field),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
    If(Box<[Test; 3]>),
    /// Both sides true or both false.
    Same(Box<[Test; 2]>),
    Equal(Text, Text),
    Compare(Order, Int, Int),
    /// The text is one of these.
    OneOf(Text, Vec<String>),
    OneOfInts(Int, Vec<i64>),
    /// The text is an entry of the list.
    EntryOf(Text, Field),
    StartsWith(Text, Text),
    EndsWith(Text, Text),
    Contains(Text, Text),
    Matches(Text, Regex),
    /// The text seems to hold personal data, as Capsem guesses it.
    Personal(Text),
    /// An entry of the list answers true.
    Exists(Field, Box<Test>),
    /// Every entry of the list answers true.
    Every(Field, Box<Test>),
}

/// How two numbers stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Const(String),
    Field(Field),
    /// The field written out, whatever its type; for Capsem, to which every fact is a text.
    Written(Field),
    Entry,
}

/// A whole number.
#[derive(Clone, Debug)]
pub(super) enum Int {
    Const(i64),
    Field(Field),
    /// The characters of a text.
    Size(Text),
    /// The entries of a list.
    Count(Field),
    Negative(Box<Int>),
    Sum(Sum, Box<[Int; 2]>),
}

/// What is done with two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Test {
    pub(super) fn ask(&self, of: &Subject<'_>) -> Result<bool, Absent> {
        match self {
            Self::Const(answer) => Ok(*answer),
            Self::Flag(field) => match of.value(*field)? {
                Value::Bool(answer) => Ok(answer),
                _ => Err(Absent::Missing),
            },
            Self::Has(field) => match of.value(*field) {
                Ok(Value::List(list)) => Ok(!list.is_empty()),
                Ok(_) => Ok(true),
                Err(Absent::Missing) => Ok(false),
                Err(Absent::Unknown) => Err(Absent::Unknown),
            },
            Self::Not(question) => question.ask(of).map(|answer| !answer),
            Self::All(tests) => settle(tests.iter().map(|question| question.ask(of)), false),
            Self::Any(tests) => settle(tests.iter().map(|question| question.ask(of)), true),
            Self::If(parts) => {
                let [condition, yes, no] = &**parts;
                if condition.ask(of)? { yes.ask(of) } else { no.ask(of) }
            }
            Self::Same(sides) => {
                let [left, right] = &**sides;
                Ok(left.ask(of)? == right.ask(of)?)
            }
            Self::Equal(left, right) => Ok(left.read(of)? == right.read(of)?),
            Self::Compare(order, left, right) => {
                let (left, right) = (left.read(of)?, right.read(of)?);
                Ok(match order {
                    Order::Equal => left == right,
                    Order::Less => left < right,
                    Order::LessOrEqual => left <= right,
                })
            }
            Self::OneOf(text, list) => {
                let text = text.read(of)?;
                Ok(list.iter().any(|entry| *entry == text))
            }
            Self::OneOfInts(int, list) => Ok(list.contains(&int.read(of)?)),
            Self::EntryOf(text, list) => {
                let text = text.read(of)?;
                Ok(entries(of, *list)?.contains(&text.as_ref()))
            }
            Self::StartsWith(text, start) => Ok(text.read(of)?.starts_with(&*start.read(of)?)),
            Self::EndsWith(text, end) => Ok(text.read(of)?.ends_with(&*end.read(of)?)),
            Self::Contains(text, part) => Ok(text.read(of)?.contains(&*part.read(of)?)),
            Self::Matches(text, pattern) => Ok(pattern.is_match(&text.read(of)?)),
            Self::Personal(text) => Ok(is_personal(&text.read(of)?)),
            Self::Exists(list, question) => {
                settle(entries(of, *list)?.iter().map(|entry| question.ask(&of.at(entry))), true)
            }
            Self::Every(list, question) => {
                settle(entries(of, *list)?.iter().map(|entry| question.ask(&of.at(entry))), false)
            }
        }
    }
}

/// One `decisive` answer settles the matter, whatever else is absent; without it, what is absent
/// keeps it open.
fn settle(
    answers: impl Iterator<Item = Result<bool, Absent>>,
    decisive: bool,
) -> Result<bool, Absent> {
    let mut absent = None;
    for answer in answers {
        match answer {
            Ok(answer) if answer == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(Absent::Unknown) => absent = Some(Absent::Unknown),
            Err(Absent::Missing) => absent = absent.or(Some(Absent::Missing)),
        }
    }
    absent.map_or(Ok(!decisive), Err)
}

fn entries<'f>(of: &Subject<'f>, list: Field) -> Result<&'f [&'f str], Absent> {
    match of.value(list)? {
        Value::List(list) => Ok(list),
        _ => Err(Absent::Missing),
    }
}

impl<'f> Subject<'f> {
    fn at(&self, entry: &'f str) -> Self {
        Self { entry: Some(entry), ..*self }
    }
}

impl Text {
    fn read<'f>(&'f self, of: &Subject<'f>) -> Result<Cow<'f, str>, Absent> {
        match self {
            Self::Const(text) => Ok(Cow::Borrowed(text)),
            Self::Field(field) => match of.value(*field)? {
                Value::Text(text) => Ok(text),
                _ => Err(Absent::Missing),
            },
            Self::Written(field) => match of.value(*field)? {
                Value::Text(text) => Ok(text),
                Value::Int(number) => Ok(Cow::Owned(number.to_string())),
                Value::Bool(answer) => Ok(Cow::Borrowed(if answer { "true" } else { "false" })),
                Value::List([]) => Err(Absent::Missing),
                Value::List(list) => Ok(Cow::Owned(list.join(","))),
            },
            Self::Entry => of.entry.map(Cow::Borrowed).ok_or(Absent::Missing),
        }
    }
}

impl Int {
    fn read(&self, of: &Subject<'_>) -> Result<i64, Absent> {
        let number = match self {
            Self::Const(number) => Some(*number),
            Self::Field(field) => match of.value(*field)? {
                Value::Int(number) => Some(number),
                _ => None,
            },
            Self::Size(text) => i64::try_from(text.read(of)?.chars().count()).ok(),
            Self::Count(list) => i64::try_from(entries(of, *list)?.len()).ok(),
            Self::Negative(number) => number.read(of)?.checked_neg(),
            Self::Sum(sum, sides) => {
                let [left, right] = &**sides;
                let (left, right) = (left.read(of)?, right.read(of)?);
                match sum {
                    Sum::Add => left.checked_add(right),
                    Sum::Subtract => left.checked_sub(right),
                    Sum::Multiply => left.checked_mul(right),
                    Sum::Divide => left.checked_div(right),
                    Sum::Remainder => left.checked_rem(right),
                }
            }
        };
        number.ok_or(Absent::Missing)
    }
}

/// An at sign, or a number written as a US social security number by itself.
fn is_personal(text: &str) -> bool {
    let numbers = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    text.contains('@') || numbers.into_iter().any(has_security_number)
}

/// Whether `ddd-dd-dddd` is in this run of word characters and dashes, no word character beside it.
fn has_security_number(run: &str) -> bool {
    let words: Vec<&str> = run.split('-').collect();
    let digits =
        |word: &str, length| word.len() == length && word.bytes().all(|b| b.is_ascii_digit());
    words
        .windows(3)
        .any(|it| matches!(it, [a, b, c] if digits(a, 3) && digits(b, 2) && digits(c, 4)))
}
