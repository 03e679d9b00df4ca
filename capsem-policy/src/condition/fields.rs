//! Names of facts in a condition. Refuses to know their values.

use super::{
    cursor::Error,
    expression::{Int, Test, Text},
    fault::ConditionFault as Fault,
    parser::Part,
};
use crate::{
    document::{escape, nearest},
    field::{Field, HEADERS, Kind},
};

/// The fact of this name.
pub(super) fn named(name: &str, at: usize) -> Result<Field, Error> {
    if let Some(field) = Field::named(name) {
        return Ok(field);
    }
    let names: Vec<&'static str> = Field::names().collect();
    let fault = match nearest(name, &names) {
        Some(close) => Fault::Misspelt(escape(name), close),
        None if name == "http.header" || name.starts_with("http.header.") => {
            Fault::Misspelt(escape(name), "http.header[\"user-agent\"]")
        }
        None => Fault::UnknownField(escape(name)),
    };
    Err((at, fault))
}

/// The header of this name.
pub(super) fn header(name: &str, at: usize) -> Result<Field, Error> {
    Field::header(name).ok_or_else(|| (at, Fault::Header(escape(name), HEADERS.join(", "))))
}

/// A fact as a part of its type.
pub(super) fn part(field: Field) -> Part {
    match field.kind() {
        Kind::Text => Part::Text(Text::Field(field)),
        Kind::Int => Part::Int(Int::Field(field)),
        Kind::Bool => Part::Test(Test::Flag(field)),
        Kind::List => Part::List(field),
    }
}
