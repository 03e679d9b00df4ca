//! A rule file on disk, of this project's format or of Capsem's. Refuses to know what rules say.

use super::{error::CliError, text_file};
use capsem_policy::{
    Policy, PolicyError,
    capsem::{self, File, Source},
    document::Document,
};
use std::path::Path;

/// Reads a rule file.
pub(crate) fn load(path: &Path) -> Result<Policy, CliError> {
    let text = text_file::read(path)?;
    Ok(parse(&text, &path.display().to_string())?)
}

fn parse(text: &str, name: &str) -> Result<Policy, PolicyError> {
    if is_capsems(text, name) {
        return capsem::parse(&[File { name, text, source: Source::User }]);
    }
    Policy::parse(text, name)
}

/// Whether the rules are in Capsem's tables: those name no version.
fn is_capsems(text: &str, name: &str) -> bool {
    Document::parse(text, name).is_ok_and(|document| {
        let root = document.root();
        let has = |key: &str| root.get(key).is_some();
        !has("version") && (has("corp") || has("profiles"))
    })
}

#[cfg(test)]
mod tests;
