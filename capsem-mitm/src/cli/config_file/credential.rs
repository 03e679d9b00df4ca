//! The tables of `[[credential]]`. Refuses to know the values: it reads where they are.

use super::{ConfigError, Item, Paths, Problem, Table, escape, path};
use crate::{
    authority::Authority,
    config::{CredentialConfig, Value},
};
use http::{HeaderName, HeaderValue};

/// Reads them all. Two may not have one placeholder for one host.
pub(super) fn credentials(
    tables: &[Table<'_>],
    paths: &Paths,
) -> Result<Vec<CredentialConfig>, ConfigError> {
    let mut read: Vec<CredentialConfig> = Vec::with_capacity(tables.len());
    for table in tables {
        let new = credential(table, paths)?;
        let same = |old: &CredentialConfig| {
            (&old.host, old.port, &old.header, old.token())
                == (&new.host, new.port, &new.header, new.token())
        };
        if read.iter().any(same) {
            let problem = Problem::PlaceholderTwice(escape(new.token()));
            return Err(ConfigError::invalid(table.place(), problem));
        }
        read.push(new);
    }
    Ok(read)
}

fn credential(table: &Table<'_>, paths: &Paths) -> Result<CredentialConfig, ConfigError> {
    table.only(&["host", "header", "placeholder", "value_env", "value_file", "prefix"])?;
    let authority = host(&table.need("host", "host = \"api.openai.com\"")?)?;
    let prefix = match table.get("prefix") {
        Some(item) => text(&item)?,
        None => String::new(),
    };
    let item = table.need("placeholder", "placeholder = \"a-stand-in\"")?;
    let credential = CredentialConfig {
        host: authority.host,
        port: (authority.port != 0).then_some(authority.port),
        header: table.get("header").map(|item| header(&item)).transpose()?,
        placeholder: text(&item)?,
        prefix,
        value: value(table, paths)?,
    };
    if credential.token().is_empty() {
        return Err(ConfigError::invalid(item.place(), Problem::Placeholder));
    }
    Ok(credential)
}

/// A host, with a port or without, which is port 0 here: no text can name that.
fn host(item: &Item<'_>) -> Result<Authority, ConfigError> {
    let text = item.string()?;
    Authority::parse(text, 0).map_err(|error| {
        ConfigError::invalid(item.place(), Problem::CredentialHost(escape(text), error))
    })
}

fn header(item: &Item<'_>) -> Result<HeaderName, ConfigError> {
    let text = item.string()?;
    text.parse().map_err(|_| ConfigError::invalid(item.place(), Problem::HeaderName(escape(text))))
}

/// A text that can stand in a header.
fn text(item: &Item<'_>) -> Result<String, ConfigError> {
    let text = item.string()?;
    match HeaderValue::from_str(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(ConfigError::invalid(item.place(), Problem::HeaderText(escape(text)))),
    }
}

fn value(table: &Table<'_>, paths: &Paths) -> Result<Value, ConfigError> {
    match (table.get("value_env"), table.get("value_file")) {
        (Some(item), None) => {
            let name = item.string()?;
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(ConfigError::invalid(item.place(), Problem::Variable(escape(name))));
            }
            Ok(Value::Variable(name.to_owned()))
        }
        (None, Some(item)) => Ok(Value::File(path(&item, paths)?)),
        (Some(item), Some(_)) => Err(ConfigError::invalid(item.key_place(), Problem::TwoValues)),
        (None, None) => Err(ConfigError::invalid(table.place(), Problem::NoValue)),
    }
}
