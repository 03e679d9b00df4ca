//! A rule file on disk, with what the proxy cannot enforce refused. Refuses to know its syntax.

use super::error::CliError;
use capsem_policy::{
    Policy, Rule,
    document::{self, Document, Place},
};
use std::{collections::HashMap, fs, path::Path};

/// Reads a rule file.
pub(crate) fn load(path: &Path) -> Result<Policy, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::PolicyFile { path: path.into(), error })?;
    parse(&text, &path.display().to_string())
}

fn parse(text: &str, file_name: &str) -> Result<Policy, CliError> {
    let policy = Policy::parse(text, file_name)?;
    match unenforced(&policy, text, file_name) {
        Ok(None) => Ok(policy),
        Ok(Some((place, key))) => Err(CliError::Unenforced { place, key }),
        // What cannot be read a second time was not read the first time.
        Err(document::Error { place, .. }) => Err(CliError::Unenforced { place, key: "file" }),
    }
}

/// The facts that the proxy does not hand to policy, of those that a condition can ask for.
const NOT_HANDED: [&str; 1] = ["process.name"];

/// Keys of a rule whose facts the proxy does not hand to policy, or whose outcome it does not
/// carry out. Reading on without them could allow what the file means to refuse.
const UNENFORCED: [&str; 1] = ["processes"];

/// The first of these keys, or facts in a condition, and where it stands.
fn unenforced(
    policy: &Policy,
    text: &str,
    file_name: &str,
) -> Result<Option<(Place, &'static str)>, document::Error> {
    let document = Document::parse(text, file_name)?;
    let root = document.root();
    let read: HashMap<&str, &Rule> = policy.rules().iter().map(|rule| (rule.id(), rule)).collect();
    let rules = root.get("rule").map_or(Ok(Vec::new()), |item| item.tables())?;
    for rule in &rules {
        for key in UNENFORCED {
            if let Some(item) = rule.get(key) {
                return Ok(Some((item.key_place(), key)));
            }
        }
        let (Some(id), Some(when)) = (rule.get("id"), rule.get("when")) else { continue };
        let mut facts = read.get(id.string()?).into_iter().flat_map(|rule| rule.facts());
        if let Some(fact) = facts.find(|fact| NOT_HANDED.contains(fact)) {
            return Ok(Some((when.place(), fact)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
