//! A rule file on disk. Refuses to know its syntax.

use super::error::CliError;
use capsem_policy::Policy;
use std::{fs, path::Path};

/// Reads a rule file.
pub(crate) fn load(path: &Path) -> Result<Policy, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::PolicyFile { path: path.into(), error })?;
    Ok(Policy::parse(&text, &path.display().to_string())?)
}
