//! Capsem's own rule tables, loaded unchanged. Refuses to know events that are no traffic of this
//! proxy: rules on them are read, checked and never match.
//!
//! A rule stands under `[corp.rules.KEY]`, `[profiles.rules.KEY]`, `[ai.PROVIDER.rules.KEY]` or
//! `[default.KEY]`, with `name`, `action` and `match`, and may have `enabled`, `detection_level`,
//! `priority`, `corp_locked`, `reason` and `managed`. Rules are tried by priority and then by id; the
//! first that matches with `allow`, `ask` or `block` decides, every match with a `detection_level`
//! is a detection, and what nothing matches is allowed.
//!
//! ```
//! use capsem_policy::{Action, Facts, On, capsem, decide};
//!
//! let text = r#"
//! [profiles.rules.no_uploads]
//! name = "no_uploads"
//! action = "block"
//! match = 'http.method == "PUT" && http.host.endsWith(".example.com")'
//! "#;
//! let file = capsem::File { name: "rules.toml", text, source: capsem::Source::User };
//! let policy = capsem::parse(&[file])?;
//! let facts = Facts::new(On::Http, "files.example.com", 443);
//! let verdict = decide(&policy, &facts.method("PUT"));
//! assert_eq!((verdict.action, verdict.rule.as_deref()),
//!     (Action::Block, Some("profiles.rules.no_uploads")));
//! assert_eq!(decide(&policy, &facts).action, Action::Allow);
//! # Ok::<(), capsem_policy::PolicyError>(())
//! ```
//!
//! Rules on requests are asked about requests and upgrades; those that name a fact of messages are
//! asked about messages as well. A `rewrite`, `preprocess` or `postprocess` rule decides nothing; a
//! host that carries such rules out finds them by [`Rule::transform`].

use crate::{
    Action, Level, On, Policy, PolicyError, Problem, Rule,
    condition::{Condition, Dialect},
    document::{Document, Item, Table, escape},
    field::Scope,
    file::{self, word},
    rule::{MessageCondition, RequestCondition, Transform},
};

/// One file of rules.
#[derive(Clone, Copy, Debug)]
pub struct File<'t> {
    /// Its name, for errors.
    pub name: &'t str,
    /// What is in it.
    pub text: &'t str,
    /// Whose it is.
    pub source: Source,
}

/// Whose rules a file holds. It says which priorities they may have, and which they have if they
/// name none. What stands under `[corp.rules]` is an organisation's in every file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// What Capsem comes with: behind all others.
    BuiltIn,
    /// A user's: 10 to 1000, else 10.
    User,
    /// An organisation's: -1000 to -10, else -10.
    Corp,
}

/// Reads files of rules into one policy.
pub fn parse(files: &[File<'_>]) -> Result<Policy, PolicyError> {
    let mut rules = Vec::new();
    let mut patterns = 0;
    for file in files {
        file::check_size(file.text, file.name)?;
        let document = Document::parse(file.text, file.name)?;
        for (table, rule) in read(&document.root(), file.source)? {
            patterns += rule.when.as_ref().map_or(0, Condition::patterns);
            rules.push(rule);
            if rules.len() > file::MAX_RULES {
                return Err(PolicyError::new(table.place(), Problem::Rules));
            }
            if patterns > file::MAX_PATTERNS {
                return Err(PolicyError::new(table.place(), Problem::Patterns));
            }
        }
    }
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Policy::new(rules, Action::Allow, None))
}

/// The enabled rules of a file, each with its table.
fn read<'d>(root: &Table<'d>, source: Source) -> Result<Vec<(Table<'d>, Rule)>, PolicyError> {
    root.only(&["default", "corp", "profiles", "ai", "plugins"])?;
    let mut rules = Vec::new();
    let mut add = |item: &Item<'d>, id: String, source| -> Result<(), PolicyError> {
        let table = item.table()?;
        rules.extend(rule(&table, id, source)?.map(|rule| (table, rule)));
        Ok(())
    };
    for item in entries(root, "default")? {
        add(&item, format!("profiles.rules.default_{}", name(&item)?), source)?;
    }
    for (group, source) in [("corp", Source::Corp), ("profiles", source)] {
        let Some(item) = root.get(group) else { continue };
        let table = item.table()?;
        table.only(&["rules"])?;
        for item in entries(&table, "rules")? {
            add(&item, format!("{group}.rules.{}", name(&item)?), source)?;
        }
    }
    for provider in entries(root, "ai")? {
        let table = provider.table()?;
        table.only(&PROVIDER_KEYS)?;
        if table.get("discovery").is_none() {
            table.need("rules", "[ai.PROVIDER.rules.KEY]")?;
        }
        let provider = name(&provider)?;
        for item in entries(&table, "rules")? {
            add(&item, format!("profiles.rules.ai_{provider}_{}", name(&item)?), source)?;
        }
    }
    for plugin in entries(root, "plugins")? {
        name(&plugin)?;
        plugin.table()?.only(&["mode", "detection_level"])?;
    }
    Ok(rules)
}

const PROVIDER_KEYS: [&str; 7] =
    ["name", "protocol", "url", "listen_ports", "allowed_remote_targets", "discovery", "rules"];

const RULE_KEYS: [&str; 9] = [
    "name",
    "action",
    "match",
    "enabled",
    "detection_level",
    "priority",
    "corp_locked",
    "reason",
    "managed",
];

/// The tables under a key, in the order of the file.
fn entries<'d>(table: &Table<'d>, key: &str) -> Result<Vec<Item<'d>>, PolicyError> {
    Ok(table.get(key).map_or(Ok(Vec::new()), |item| item.table().map(|it| it.entries()))?)
}

/// The key of a rule, a provider or a plugin.
fn name<'d>(item: &Item<'d>) -> Result<&'d str, PolicyError> {
    let key = item.key();
    let problem = || PolicyError::new(item.key_place(), Problem::CapsemName(escape(key)));
    is_name(key).then_some(key).ok_or_else(problem)
}

fn is_name(text: &str) -> bool {
    let fine = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(fine)
}

/// Reads a rule; `None` for one that is not enabled.
fn rule(table: &Table<'_>, id: String, source: Source) -> Result<Option<Rule>, PolicyError> {
    table.only(&RULE_KEYS)?;
    let name = table.need("name", "name = \"what_it_does\"")?;
    if !is_name(name.string()?) {
        let problem = Problem::CapsemName(escape(name.string()?));
        return Err(PolicyError::new(name.place(), problem));
    }
    let (action, transform) = action(&table.need("action", "action = \"block\"")?)?;
    let condition = table.need("match", "match = 'has(http.host)'")?;
    let condition = file::condition(&condition, Dialect::Capsem)?;
    let flag = |key, otherwise| table.get(key).map_or(Ok(otherwise), |item| item.boolean());
    let (enabled, locked) = (flag("enabled", true)?, flag("corp_locked", false)?);
    if let Some(managed) = table.get("managed") {
        managed.table()?;
    }
    let mut on = vec![On::Upgrade, On::Http];
    if condition.fields().iter().any(|(field, _)| field.scope() == Scope::Message) {
        on.push(On::Message);
    }
    let rule = Rule {
        id,
        name: Some(name.string()?.to_owned()),
        action,
        detect: table.get("detection_level").map(|item| level(&item)).transpose()?,
        transform,
        priority: priority(table, if locked { Source::Corp } else { source })?,
        request: RequestCondition { on, ..RequestCondition::default() },
        message: MessageCondition::default(),
        when: Some(condition),
        status: None,
        reason: table.get("reason").map(|item| file::reason(&item)).transpose()?,
    };
    Ok(enabled.then_some(rule))
}

fn action(item: &Item<'_>) -> Result<(Option<Action>, Option<Transform>), PolicyError> {
    let (rewrite, decide) = ((None, Some(Transform::Rewrite)), |action| (Some(action), None));
    word(
        item,
        &[
            ("allow", decide(Action::Allow)),
            ("ask", decide(Action::Ask)),
            ("block", decide(Action::Block)),
            ("preprocess", (None, Some(Transform::Preprocess))),
            ("rewrite", rewrite),
            ("redact", rewrite),
            ("mutate", rewrite),
            ("neutralize", rewrite),
            ("postprocess", (None, Some(Transform::Postprocess))),
        ],
    )
}

fn level(item: &Item<'_>) -> Result<Level, PolicyError> {
    match item.string()? {
        "info" => Ok(Level::Informational),
        _ => file::level(item),
    }
}

/// Where a rule stands that names `priority = "default"`, and Capsem's own if they name none.
const LAST: i64 = 1001;

fn priority(table: &Table<'_>, source: Source) -> Result<i64, PolicyError> {
    let Some(item) = table.get("priority") else {
        return Ok(match source {
            Source::BuiltIn => LAST,
            Source::User => 10,
            Source::Corp => -10,
        });
    };
    let wrong =
        |expected| Err(PolicyError::new(item.place(), Problem::CapsemPriority { expected }));
    match (source, item.string().ok(), item.integer()) {
        (Source::User | Source::BuiltIn, Some("default"), _) => Ok(LAST),
        (Source::User, None, Ok(number @ 10..=1000))
        | (Source::Corp, None, Ok(number @ -1000..=-10)) => Ok(number),
        (Source::User, ..) => wrong("10 to 1000 or \"default\""),
        (Source::Corp, ..) => wrong("-1000 to -10: it is an organisation's"),
        (Source::BuiltIn, ..) => wrong("\"default\", or leave it out"),
    }
}

#[cfg(test)]
mod tests;
