//! The rule file and the rules it makes. Refuses to know where the text is kept.

use crate::{
    Action, On, PolicyError, Problem, Rule,
    document::{Document, Item, Table, escape},
    host::HostPattern,
    path::PathPattern,
    rule::Condition,
};
use std::collections::HashMap;

/// Where a rule stands when it names no `priority`: the first number of a user's rules in Capsem,
/// behind every rule of an organisation (-1000 to -10).
const DEFAULT_PRIORITY: i64 = 10;

/// Bytes of a `reason`. It is put into answers, close reasons and records.
const MAX_REASON: usize = 1024;

/// Bytes of an `id`.
const MAX_ID: usize = 128;

/// Rules in the order they are tried, and what happens when none matches.
///
/// The file is TOML:
///
/// ```toml
/// version = 1                    # required
/// default = "block"              # allow | ask | block; left out means block
///
/// [[rule]]
/// id = "openai"                  # required, unique
/// action = "allow"               # required: allow | ask | block
/// priority = 10                  # lower numbers are tried first, then the order of the file
/// on = ["upgrade", "http"]       # what is judged; this is the default
/// hosts = ["api.openai.com", "*.openai.azure.com"]
/// ports = [443]
/// methods = ["GET", "POST"]
/// paths = ["/v1/responses", "/v1/models/**"]
/// providers = ["openai"]
/// status = 403                   # of the answer to a refused request, 400 to 599
/// reason = "shown to the client and recorded"
/// ```
///
/// The first rule that matches decides. A rule matches when every list it gives has an entry that
/// matches; a list left out matches everything. In `hosts`, `*.example.com` stands for every name
/// below `example.com` but not for that name itself, and `*` for every host. In `paths`, `*` stands
/// for any characters of one segment, none among them, and `**` for any number of whole segments,
/// none among them: `/v1/models/**` is `/v1/models` and all below it. Paths are compared as sent,
/// without the query and without decoding.
///
/// Reading is strict: whatever this version does not know is an error, as a rule half understood
/// could allow what it was written to refuse.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    default: Action,
}

impl Policy {
    /// Reads a rule file; `file_name` is the name that errors give.
    ///
    /// ```
    /// let policy = capsem_policy::Policy::parse("version = 1", "policy.toml")?;
    /// assert_eq!(policy.default_action(), capsem_policy::Action::Block);
    /// # Ok::<(), capsem_policy::PolicyError>(())
    /// ```
    pub fn parse(text: &str, file_name: &str) -> Result<Self, PolicyError> {
        let document = Document::parse(text, file_name)?;
        let root = document.root();
        check_version(&root)?;
        root.only(&["version", "default", "rule"])?;
        let default = match root.get("default") {
            Some(item) => action(&item)?,
            None => Action::Block,
        };
        let tables = match root.get("rule") {
            Some(item) => item.tables()?,
            None => Vec::new(),
        };
        let mut rules = tables.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        check_ids(&tables, &rules)?;
        // Stable: rules of one priority stay in the order of the file.
        rules.sort_by_key(Rule::priority);
        Ok(Self { rules, default })
    }

    /// A policy without rules that allows everything.
    pub fn allow_all() -> Self {
        Self { rules: Vec::new(), default: Action::Allow }
    }

    /// A policy without rules that blocks everything.
    pub fn block_all() -> Self {
        Self { rules: Vec::new(), default: Action::Block }
    }

    /// The rules in the order they are tried.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What happens to a request that no rule matches.
    pub fn default_action(&self) -> Action {
        self.default
    }
}

fn check_version(root: &Table<'_>) -> Result<(), PolicyError> {
    let item = root.need("version", "version = 1")?;
    match item.integer()? {
        1 => Ok(()),
        other => Err(PolicyError::new(item.place(), Problem::Version(other))),
    }
}

fn check_ids(tables: &[Table<'_>], rules: &[Rule]) -> Result<(), PolicyError> {
    let mut lines = HashMap::with_capacity(rules.len());
    for (table, rule) in tables.iter().zip(rules) {
        let Some(item) = table.get("id") else { continue };
        if let Some(first) = lines.insert(rule.id(), item.place().line) {
            let problem = Problem::DuplicateId { id: rule.id().to_owned(), first };
            return Err(PolicyError::new(item.place(), problem));
        }
    }
    Ok(())
}

/// Keys of the rule file that this version cannot honour.
const LATER_KEYS: [&str; 7] =
    ["when", "models", "tools", "direction", "max_bytes", "processes", "detect"];

const KEYS: [&str; 11] = [
    "id",
    "action",
    "priority",
    "on",
    "hosts",
    "ports",
    "methods",
    "paths",
    "providers",
    "status",
    "reason",
];

fn rule(table: &Table<'_>) -> Result<Rule, PolicyError> {
    for key in LATER_KEYS {
        if let Some(item) = table.get(key) {
            return Err(PolicyError::new(item.key_place(), Problem::Unsupported(key)));
        }
    }
    table.only(&KEYS)?;
    Ok(Rule {
        id: id(&table.need("id", "id = \"a-name-of-its-own\"")?)?,
        action: action(&table.need("action", "action = \"block\"")?)?,
        priority: table.get("priority").map_or(Ok(DEFAULT_PRIORITY), |item| item.integer())?,
        condition: Condition {
            on: list(table, "on", on)?.unwrap_or_else(|| vec![On::Upgrade, On::Http]),
            hosts: list(table, "hosts", host)?,
            ports: list(table, "ports", port)?,
            methods: list(table, "methods", method)?,
            paths: list(table, "paths", path)?,
            providers: list(table, "providers", provider)?,
        },
        status: table.get("status").map(|item| status(&item)).transpose()?,
        reason: table.get("reason").map(|item| reason(&item)).transpose()?,
    })
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
    match item.string()? {
        "allow" => Ok(Action::Allow),
        "ask" => Ok(Action::Ask),
        "block" => Ok(Action::Block),
        other => Err(word(item, other, if item.key() == "default" { "default" } else { "action" })),
    }
}

fn on(item: &Item<'_>) -> Result<On, PolicyError> {
    match item.string()? {
        "http" => Ok(On::Http),
        "upgrade" => Ok(On::Upgrade),
        "message" => Err(PolicyError::new(item.place(), Problem::Unsupported("message"))),
        other => Err(word(item, other, "on")),
    }
}

fn word(item: &Item<'_>, found: &str, key: &'static str) -> PolicyError {
    let expected = match key {
        "on" => "\"upgrade\" or \"http\"",
        _ => "\"allow\", \"ask\" or \"block\"",
    };
    PolicyError::new(item.place(), Problem::Word { key, found: escape(found), expected })
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

fn status(item: &Item<'_>) -> Result<u16, PolicyError> {
    let number = item.integer()?;
    match u16::try_from(number) {
        Ok(status) if (400..=599).contains(&status) => Ok(status),
        _ => Err(PolicyError::new(item.place(), Problem::Status(number))),
    }
}

fn reason(item: &Item<'_>) -> Result<String, PolicyError> {
    let text = item.string()?;
    if text.len() > MAX_REASON {
        return Err(PolicyError::new(item.place(), Problem::ReasonLength(text.len())));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
