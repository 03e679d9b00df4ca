//! The rule file: what its keys may say. Refuses to know where the text is kept.

use crate::{
    Action, Direction, Level, On, Policy, PolicyError, Problem, Rule, Uninspectable,
    condition::{Condition, Dialect},
    document::{Document, Item, Place, Table, escape},
    facts::bare_model,
    field::Scope,
    glob::{Case, NameGlob},
    host::HostPattern,
    path::PathPattern,
    rule::{MessageCondition, RequestCondition},
};
use std::collections::HashMap;

/// Where a rule stands when it names no `priority`: the first number of a user's rules in Capsem,
/// behind every rule of an organisation (-1000 to -10).
const DEFAULT_PRIORITY: i64 = 10;

/// Bytes of a `reason`. It is put into answers, close reasons and records.
const MAX_REASON: usize = 1024;

/// Bytes of an `id`.
const MAX_ID: usize = 128;

/// Rules of a file.
pub(crate) const MAX_RULES: usize = 16_384;

/// Bytes of a file.
pub(crate) const MAX_FILE: usize = 8 * 1024 * 1024;

/// Regular expressions in the conditions of a file. Each may take [`PATTERN_COMPILED`](
/// crate::condition::limits::PATTERN_COMPILED) bytes, and as many to be fast.
pub(crate) const MAX_PATTERNS: usize = 1024;

/// Reads a rule file; `file_name` is the name that errors give.
pub(crate) fn parse(text: &str, file_name: &str) -> Result<Policy, PolicyError> {
    check_size(text, file_name)?;
    let document = Document::parse(text, file_name)?;
    let root = document.root();
    check_version(&root)?;
    root.only(&["version", "default", "on_uninspectable", "rule"])?;
    let default = root.get("default").map_or(Ok(Action::Block), |item| action(&item))?;
    let uninspectable =
        root.get("on_uninspectable").map(|item| uninspectable(&item)).transpose()?;
    let tables = root.get("rule").map_or(Ok(Vec::new()), |item| item.tables())?;
    check_count(&tables)?;
    let rules = tables.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    check_ids(&tables, &rules)?;
    check_patterns(&tables, &rules)?;
    Ok(Policy::new(rules, default, uninspectable))
}

/// Refuses a text that is too long to be read.
pub(crate) fn check_size(text: &str, file_name: &str) -> Result<(), PolicyError> {
    if text.len() <= MAX_FILE {
        return Ok(());
    }
    let place = Place { file: file_name.to_owned(), line: 1, column: 1 };
    Err(PolicyError::new(place, Problem::FileSize(text.len())))
}

fn check_count(tables: &[Table<'_>]) -> Result<(), PolicyError> {
    match tables.get(MAX_RULES) {
        Some(table) => Err(PolicyError::new(table.place(), Problem::Rules)),
        None => Ok(()),
    }
}

fn check_patterns(tables: &[Table<'_>], rules: &[Rule]) -> Result<(), PolicyError> {
    let mut patterns = 0;
    for (table, rule) in tables.iter().zip(rules) {
        patterns += rule.when.as_ref().map_or(0, Condition::patterns);
        if patterns > MAX_PATTERNS {
            return Err(PolicyError::new(table.place(), Problem::Patterns));
        }
    }
    Ok(())
}

fn check_version(root: &Table<'_>) -> Result<(), PolicyError> {
    let item = root.need("version", "version = 1")?;
    match item.integer()? {
        1 => Ok(()),
        other => Err(PolicyError::new(item.place(), Problem::Version(other))),
    }
}

fn check_ids(tables: &[Table<'_>], rules: &[Rule]) -> Result<(), PolicyError> {
    let mut items = HashMap::with_capacity(rules.len());
    for (table, rule) in tables.iter().zip(rules) {
        let Some(item) = table.get("id") else { continue };
        if let Some(first) = items.insert(rule.id(), item) {
            let first = first.place().line;
            let problem = Problem::DuplicateId { id: rule.id().to_owned(), first };
            return Err(PolicyError::new(item.place(), problem));
        }
    }
    Ok(())
}

const KEYS: [&str; 18] = [
    "id",
    "action",
    "detect",
    "priority",
    "on",
    "hosts",
    "ports",
    "methods",
    "paths",
    "providers",
    "processes",
    "direction",
    "models",
    "tools",
    "max_bytes",
    "when",
    "status",
    "reason",
];

/// Keys that speak of a message alone.
const MESSAGE_KEYS: [&str; 4] = ["direction", "models", "tools", "max_bytes"];

fn rule(table: &Table<'_>) -> Result<Rule, PolicyError> {
    table.only(&KEYS)?;
    let id = id(&table.need("id", "id = \"a-name-of-its-own\"")?)?;
    let (action, detect) = outcome(table)?;
    let on = list(table, "on", on)?.unwrap_or_else(|| vec![On::Upgrade, On::Http]);
    if on != [On::Message] {
        for key in MESSAGE_KEYS {
            if let Some(item) = table.get(key) {
                return Err(PolicyError::new(item.key_place(), Problem::MessagesOnly(key)));
            }
        }
    }
    let when = table.get("when").map(|item| when(&item, &on)).transpose()?;
    Ok(Rule {
        id,
        name: None,
        action,
        detect,
        transform: None,
        priority: table.get("priority").map_or(Ok(DEFAULT_PRIORITY), |item| item.integer())?,
        request: RequestCondition {
            on,
            hosts: list(table, "hosts", host)?,
            ports: list(table, "ports", port)?,
            methods: list(table, "methods", method)?,
            paths: list(table, "paths", path)?,
            providers: list(table, "providers", provider)?,
            processes: list(table, "processes", |item| name(item, Case::Exact))?,
        },
        message: MessageCondition {
            direction: table.get("direction").map(|item| direction(&item)).transpose()?,
            models: list(table, "models", model)?,
            tools: list(table, "tools", |item| name(item, Case::Exact))?,
            max_bytes: table.get("max_bytes").map(|item| max_bytes(&item)).transpose()?,
        },
        when,
        status: table.get("status").map(|item| status(&item)).transpose()?,
        reason: table.get("reason").map(|item| reason(&item)).transpose()?,
    })
}

/// A rule decides or detects: one of the two.
fn outcome(table: &Table<'_>) -> Result<(Option<Action>, Option<Level>), PolicyError> {
    match (table.get("action"), table.get("detect")) {
        (Some(_), Some(detect)) => {
            Err(PolicyError::new(detect.key_place(), Problem::DecidesAndDetects))
        }
        (None, Some(detect)) => Ok((None, Some(level(&detect)?))),
        _ => Ok((Some(action(&table.need("action", "action = \"block\"")?)?), None)),
    }
}

fn list<T>(
    table: &Table<'_>,
    key: &'static str,
    entry: impl Fn(&Item<'_>) -> Result<T, PolicyError>,
) -> Result<Option<Vec<T>>, PolicyError> {
    let Some(item) = table.get(key) else { return Ok(None) };
    let entries = item.list()?;
    if entries.is_empty() {
        return Err(PolicyError::new(item.place(), Problem::EmptyList(key)));
    }
    entries.iter().map(entry).collect::<Result<_, _>>().map(Some)
}

fn id(item: &Item<'_>) -> Result<String, PolicyError> {
    let text = item.string()?;
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if (1..=MAX_ID).contains(&text.len()) && text.bytes().all(fine) {
        Ok(text.to_owned())
    } else {
        Err(PolicyError::new(item.place(), Problem::Id(escape(text))))
    }
}

fn action(item: &Item<'_>) -> Result<Action, PolicyError> {
    word(item, &[Action::Allow, Action::Ask, Action::Block].map(|it| (it.as_str(), it)))
}

pub(crate) fn level(item: &Item<'_>) -> Result<Level, PolicyError> {
    use Level::{Critical, High, Informational, Low, Medium};
    word(item, &[Informational, Low, Medium, High, Critical].map(|it| (it.as_str(), it)))
}

fn on(item: &Item<'_>) -> Result<On, PolicyError> {
    word(item, &[On::Upgrade, On::Http, On::Message].map(|it| (it.as_str(), it)))
}

fn direction(item: &Item<'_>) -> Result<Direction, PolicyError> {
    word(item, &[Direction::ToUpstream, Direction::ToClient].map(|it| (it.as_str(), it)))
}

fn uninspectable(item: &Item<'_>) -> Result<Uninspectable, PolicyError> {
    word(item, &[("close", Uninspectable::Close), ("relay", Uninspectable::Relay)])
}

/// One of a closed set of words.
pub(crate) fn word<T: Copy>(item: &Item<'_>, words: &[(&str, T)]) -> Result<T, PolicyError> {
    let found = item.string()?;
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == found) {
        return Ok(*meaning);
    }
    let quoted: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let expected = match quoted.split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    let (key, found) = (escape(item.key()), escape(found));
    Err(PolicyError::new(item.place(), Problem::Word { key, found, expected }))
}

fn host(item: &Item<'_>) -> Result<HostPattern, PolicyError> {
    let text = item.string()?;
    HostPattern::parse(text)
        .map_err(|fault| PolicyError::new(item.place(), Problem::Host(escape(text), fault)))
}

fn path(item: &Item<'_>) -> Result<PathPattern, PolicyError> {
    let text = item.string()?;
    PathPattern::parse(text)
        .map_err(|fault| PolicyError::new(item.place(), Problem::Path(escape(text), fault)))
}

fn port(item: &Item<'_>) -> Result<u16, PolicyError> {
    let number = item.integer()?;
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(PolicyError::new(item.place(), Problem::Port(number))),
    }
}

fn method(item: &Item<'_>) -> Result<String, PolicyError> {
    let text = item.string()?;
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let problem = if text.is_empty() || !text.bytes().all(token) {
        Problem::Method(escape(text))
    } else if text.bytes().any(|b| b.is_ascii_lowercase()) {
        Problem::MethodCase(text.to_owned(), text.to_ascii_uppercase())
    } else {
        return Ok(text.to_owned());
    };
    Err(PolicyError::new(item.place(), problem))
}

fn provider(item: &Item<'_>) -> Result<String, PolicyError> {
    let text = item.string()?;
    let fine = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(fine) {
        Ok(text.to_owned())
    } else {
        Err(PolicyError::new(item.place(), Problem::Provider(escape(text))))
    }
}

fn when(item: &Item<'_>, on: &[On]) -> Result<Condition, PolicyError> {
    let condition = condition(item, Dialect::Cel)?;
    let of_messages = condition.fields().iter().find(|(it, _)| it.scope() == Scope::Message);
    match of_messages {
        Some((field, at)) if !on.contains(&On::Message) => {
            let problem = Problem::MessageFact(field.name());
            Err(PolicyError::new(item.place_in(*at), problem))
        }
        _ => Ok(condition),
    }
}

/// Reads a condition; a fault of it is told with its own place.
pub(crate) fn condition(item: &Item<'_>, dialect: Dialect) -> Result<Condition, PolicyError> {
    Condition::parse(item.string()?, dialect)
        .map_err(|(at, fault)| PolicyError::new(item.place_in(at), Problem::Condition(fault)))
}

fn name(item: &Item<'_>, case: Case) -> Result<NameGlob, PolicyError> {
    let text = item.string()?;
    NameGlob::parse(text, case)
        .ok_or_else(|| PolicyError::new(item.place(), Problem::Name(escape(text))))
}

/// A model, in the form that [`Message::model`](crate::Message::model) gives one.
fn model(item: &Item<'_>) -> Result<NameGlob, PolicyError> {
    let text = item.string()?;
    NameGlob::parse(bare_model(text), Case::Folded)
        .ok_or_else(|| PolicyError::new(item.place(), Problem::Name(escape(text))))
}

fn max_bytes(item: &Item<'_>) -> Result<u64, PolicyError> {
    let number = item.integer()?;
    match u64::try_from(number) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(PolicyError::new(item.place(), Problem::MaxBytes(number))),
    }
}

fn status(item: &Item<'_>) -> Result<u16, PolicyError> {
    let number = item.integer()?;
    match u16::try_from(number) {
        Ok(status) if (400..=599).contains(&status) => Ok(status),
        _ => Err(PolicyError::new(item.place(), Problem::Status(number))),
    }
}

pub(crate) fn reason(item: &Item<'_>) -> Result<String, PolicyError> {
    let text = item.string()?;
    if text.len() > MAX_REASON {
        return Err(PolicyError::new(item.place(), Problem::ReasonLength(text.len())));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
