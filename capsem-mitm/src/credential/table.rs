//! The credentials of a configuration and the values in force, with a host's own source behind them.
//! A file's value can be read anew. Refuses to know heads, and when a file has changed.

use super::{Credential, CredentialSource, Found, Masks, Place, Secret, Unresolved};
use crate::{
    authority::Host,
    config::{CredentialConfig, Value},
    file_type::no_file,
};
use std::{
    collections::{BTreeSet, VecDeque},
    env, fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use zeroize::Zeroizing;

/// How a reference to a stored credential begins; 64 hexadecimal digits follow.
const REFERENCE: &str = "credential:blake3:";
const DIGITS: usize = 64;

/// Bytes of a file with a value: as long as a head may be, which the value must fit into.
const LONGEST: usize = 64 * 1024;

/// Values of a credential that were replaced and are still hidden: an upstream may repeat one on an
/// exchange that was given nothing. Whoever was given one has it hidden for as long as it is connected.
const REPLACED: usize = 8;

/// Whether `text` has the form of a reference, `credential:blake3:` and 64 hexadecimal digits.
fn is_reference(text: &str) -> bool {
    let digits = text.strip_prefix(REFERENCE).unwrap_or_default();
    digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the proxy asks.
#[derive(Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    masks: RwLock<Arc<Masks>>,
    behind: Option<Box<dyn CredentialSource>>,
}

struct Entry {
    config: CredentialConfig,
    /// Its file was no regular one at the start, such as a pipe, which gives its value once.
    once: bool,
    values: RwLock<Values>,
}

struct Values {
    in_force: Secret,
    /// The latest first.
    replaced: VecDeque<Secret>,
}

/// The credentials of a proxy, shared with whoever may have their files read anew.
///
/// A new value holds for whatever is allowed from then on. What it replaces goes on being hidden.
#[derive(Clone)]
pub struct LiveCredentials(Arc<Table>);

/// A file with a value that was read anew, and was not as before.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reread {
    /// The host that the value belongs to.
    pub host: Host,
    /// Whether its new value is in force; if not, the one before it is.
    pub outcome: Result<(), TableError>,
}

impl LiveCredentials {
    pub(crate) fn of(table: &Arc<Table>) -> Self {
        Self(Arc::clone(table))
    }

    /// The files that values are read from, each once.
    pub fn files(&self) -> Vec<PathBuf> {
        let files: BTreeSet<_> =
            self.0.entries.iter().filter_map(|entry| entry.config.file()).collect();
        files.into_iter().map(Path::to_owned).collect()
    }

    /// Reads one of the [`files`](Self::files) again, and tells of the credentials that have another
    /// value in it or none. Variables do not change while a process runs, and what is no regular file,
    /// such as a pipe, is not read again: that is told where there was a regular one at the start.
    pub fn reread(&self, file: &Path) -> Vec<Reread> {
        self.0.reread(file)
    }
}

impl fmt::Debug for LiveCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCredentials").finish_non_exhaustive()
    }
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
    /// In place of the file there is now something that cannot be read as often as one likes.
    #[error("{} is now {kind}; put a regular file there", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// What it is, such as `a pipe`.
        kind: &'static str,
    },
    /// The file is longer than any value.
    #[error("{} has more than 64 KiB; look at what was put there", path.display())]
    Long {
        /// The file.
        path: PathBuf,
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
            Ok(in_force) => {
                let once = config.file().and_then(kind_of).is_some();
                let values = RwLock::new(Values { in_force, replaced: VecDeque::new() });
                Ok(Entry { config, once, values })
            }
            Err(error) => Err((config.host.to_string(), error)),
        });
        let table = Self { entries: entries.collect::<Result<_, _>>()?, behind, ..Self::default() };
        table.hide(None);
        Ok(table)
    }

    /// Whether no text can be a placeholder.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.behind.is_none()
    }

    /// Every value of the configuration and what to show for it, whatever host it belongs to.
    pub(crate) fn masks(&self) -> Arc<Masks> {
        Arc::clone(&self.masks.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn reread(&self, file: &Path) -> Vec<Reread> {
        let mut told = Vec::new();
        let kind = kind_of(file);
        for entry in self.entries.iter().filter(|entry| entry.config.file() == Some(file)) {
            let read = match kind {
                Some(_) if entry.once => continue,
                Some(kind) => Err(TableError::NoFile { path: file.to_owned(), kind }),
                None => value(&entry.config.value),
            };
            let outcome = match read {
                Ok(secret) if entry.is(&secret) => continue,
                Ok(secret) => {
                    // Hidden before it can be given to anybody.
                    self.hide(Some((&entry.config, &secret)));
                    entry.put(secret);
                    Ok(())
                }
                Err(error) => Err(error),
            };
            told.push(Reread { host: entry.config.host.clone(), outcome });
        }
        told
    }

    /// Has every value hidden, and one that is about to be in force.
    fn hide(&self, coming: Option<(&CredentialConfig, &Secret)>) {
        let mut masks = Masks::default();
        let mut add = |config: &CredentialConfig, secret: &Secret| {
            masks.add(&Credential::new(config.token(), secret.share()), config.token());
        };
        for Entry { config, values, .. } in &self.entries {
            let values = values.read().unwrap_or_else(PoisonError::into_inner);
            add(config, &values.in_force);
            values.replaced.iter().for_each(|secret| add(config, secret));
        }
        if let Some((config, secret)) = coming {
            add(config, secret);
        }
        *self.masks.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(masks);
    }
}

impl Entry {
    fn secret(&self) -> Secret {
        self.values.read().unwrap_or_else(PoisonError::into_inner).in_force.share()
    }

    fn is(&self, secret: &Secret) -> bool {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.in_force.expose() == secret.expose()
    }

    fn put(&self, secret: Secret) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut values.in_force, secret);
        values.replaced.push_front(before);
        values.replaced.truncate(REPLACED);
    }
}

impl CredentialSource for Table {
    fn resolve(&self, found: &Found<'_>) -> Result<Option<Credential>, Unresolved> {
        let named = |config: &CredentialConfig| {
            found.text == config.token()
                || (found.text == config.placeholder && matches!(found.place, Place::Header(_)))
        };
        let mut known = false;
        for entry in &self.entries {
            let config = &entry.config;
            if !named(config) {
                continue;
            }
            known = true;
            if config.fits(found) {
                let credential = Credential::new(config.token(), entry.secret());
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

    fn file(&self) -> Option<&Path> {
        match &self.value {
            Value::File(path) => Some(path),
            Value::Variable(_) => None,
        }
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
            let fail = |error| TableError::File { path: path.clone(), error };
            let file = File::open(path).map_err(fail)?;
            // Of one size, so that no copy is left behind where it grew.
            let mut text = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
            file.take(LONGEST as u64 + 1).read_to_end(&mut text).map_err(fail)?;
            if text.len() > LONGEST {
                return Err(TableError::Long { path: path.clone() });
            }
            // A file's last line has an end; the value has none.
            let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
            Secret::new(text.get(..end.map_or(0, |last| last + 1)).unwrap_or_default())?
        }
    })
}

/// What is there, if it can be read only once, or not without waiting for somebody. What is not there
/// is read, to say so.
fn kind_of(path: &Path) -> Option<&'static str> {
    path.metadata().ok().and_then(|file| no_file(file.file_type()))
}

#[cfg(test)]
mod tests;
