//! The credentials of a configuration, their values read once, with a host's own source behind
//! them. Refuses to know heads.

use super::{Credential, CredentialSource, Found, Place, Secret, Unresolved};
use crate::config::{CredentialConfig, Value};
use std::{env, fs, io, path::PathBuf};

/// How a reference to a stored credential begins; 64 hexadecimal digits follow.
const REFERENCE: &str = "credential:blake3:";
const DIGITS: usize = 64;

/// Whether `text` has the form of a reference, `credential:blake3:` and 64 hexadecimal digits.
fn is_reference(text: &str) -> bool {
    let digits = text.strip_prefix(REFERENCE).unwrap_or_default();
    digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the proxy asks.
#[derive(Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    behind: Option<Box<dyn CredentialSource>>,
}

struct Entry {
    config: CredentialConfig,
    secret: Secret,
}

/// Why a value could not be read. None of it is shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The variable is not there, or not text.
    #[error("there is no text in the variable {0}; set it")]
    Variable(String),
    /// The file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is none.
    #[error("{0}; look at what was put there")]
    Value(#[from] Unresolved),
}

impl Table {
    /// Reads the values. The first that fails is named by its host.
    pub(crate) fn read(
        configs: Vec<CredentialConfig>,
        behind: Option<Box<dyn CredentialSource>>,
    ) -> Result<Self, (String, TableError)> {
        let entries = configs.into_iter().map(|config| match value(&config.value) {
            Ok(secret) => Ok(Entry { config, secret }),
            Err(error) => Err((config.host.to_string(), error)),
        });
        Ok(Self { entries: entries.collect::<Result<_, _>>()?, behind })
    }

    /// Whether no text can be a placeholder.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.behind.is_none()
    }

    /// Every value of the configuration and what to show for it, whatever host it belongs to.
    pub(crate) fn masks(&self) -> super::Masks {
        let mut masks = super::Masks::default();
        for Entry { config, secret } in &self.entries {
            let credential = Credential::new(config.token(), secret.share());
            masks.add(&credential, config.token());
        }
        masks
    }
}

impl CredentialSource for Table {
    fn resolve(&self, found: &Found<'_>) -> Result<Option<Credential>, Unresolved> {
        let named = |config: &CredentialConfig| {
            found.text == config.token()
                || (found.text == config.placeholder && matches!(found.place, Place::Header(_)))
        };
        let mut known = false;
        for Entry { config, secret } in &self.entries {
            if !named(config) {
                continue;
            }
            known = true;
            if config.fits(found) {
                let credential = Credential::new(config.token(), secret.share());
                return Ok(Some(credential.with_prefix(config.prefix.clone())));
            }
        }
        match &self.behind {
            _ if known => Ok(None),
            Some(behind) => behind.resolve(found),
            None if is_reference(found.text) => Err(Unresolved::Unknown),
            None => Ok(None),
        }
    }
}

impl CredentialConfig {
    /// The placeholder without the prefix.
    pub(crate) fn token(&self) -> &str {
        self.placeholder.strip_prefix(&self.prefix).unwrap_or(&self.placeholder)
    }

    /// Whether the credential belongs to this host and goes into this place.
    fn fits(&self, found: &Found<'_>) -> bool {
        let place = match found.place {
            Place::Header(name) | Place::AfterScheme(name) => {
                self.header.as_ref().is_none_or(|header| header == name)
            }
            Place::Query | Place::Subprotocol => true,
        };
        place
            && self.host.to_string() == found.target.host
            && self.port.is_none_or(|port| port == found.target.port)
    }
}

fn value(value: &Value) -> Result<Secret, TableError> {
    Ok(match value {
        Value::Variable(name) => {
            Secret::new(env::var(name).map_err(|_| TableError::Variable(name.clone()))?)?
        }
        Value::File(path) => {
            let read = fs::read(path);
            let mut text = read.map_err(|error| TableError::File { path: path.clone(), error })?;
            // A file's last line has an end; the value has none.
            while matches!(text.last(), Some(b'\n' | b'\r')) {
                text.pop();
            }
            Secret::new(text)?
        }
    })
}

#[cfg(test)]
mod tests;
