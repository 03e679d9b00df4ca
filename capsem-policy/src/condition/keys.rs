//! What must be so for a condition to hold, as keys an index can look up. Refuses to know indexes.

use super::{
    Condition,
    expression::{Test, Text},
};
use crate::{field::Field, index::Key};

impl Condition {
    /// Sets of keys; the condition can hold only if of each set at least one key fits the facts.
    pub(crate) fn keys(&self) -> Vec<Vec<Key>> {
        needed(&self.question)
    }
}

fn needed(question: &Test) -> Vec<Vec<Key>> {
    match question {
        Test::Const(false) => vec![Vec::new()],
        Test::All(tests) => tests.iter().flat_map(needed).collect(),
        Test::Any(tests) => {
            let smallest = |question| needed(question).into_iter().min_by_key(Vec::len);
            // Where one side needs nothing, nothing is needed.
            let each: Option<Vec<_>> = tests.iter().map(smallest).collect();
            each.map(|sets| sets.concat()).into_iter().collect()
        }
        Test::Equal(text, Text::Const(value)) | Test::Equal(Text::Const(value), text) => {
            field(text).map(|field| vec![Key::of(field, value)]).into_iter().collect()
        }
        Test::OneOf(text, values) => {
            let keys = |field| values.iter().map(|value| Key::of(field, value)).collect();
            field(text).map(keys).into_iter().collect()
        }
        Test::StartsWith(text, Text::Const(start)) if field(text) == Some(Field::HttpPath) => {
            Key::path_below(start).map(|key| vec![key]).into_iter().collect()
        }
        Test::EndsWith(text, Text::Const(end)) if field(text) == Some(Field::HttpHost) => {
            let below = end.starts_with('.').then(|| vec![Key::HostBelow(end.clone())]);
            below.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The fact that a text is, where it is one of type text.
fn field(text: &Text) -> Option<Field> {
    match text {
        Text::Field(field) => Some(*field),
        Text::Written(field) if field.kind() == crate::field::Kind::Text => Some(*field),
        _ => None,
    }
}
