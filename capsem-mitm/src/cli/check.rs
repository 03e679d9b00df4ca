//! `capsem-mitm check`: a configuration or a rule file, read and not used.

use super::{
    args::CheckArgs,
    config_file::{self, Listener},
    error::CliError,
    policy_file, print,
};
use capsem_policy::Policy;
use std::{fmt::Write as _, path::Path, process::ExitCode};

/// Reads the file, and says what is in it.
pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let mut text = String::new();
    if let Some(path) = &args.policy {
        text += &rules(path)?;
    }
    if let Some(path) = &args.config {
        let config = config_file::load(path, Listener::Required)?;
        let _ = writeln!(text, "{}: fine", path.display());
        text += &match &config.policy_file {
            Some(path) => rules(path)?,
            None => "no rule file: everything is blocked\n".to_owned(),
        };
    }
    print(&text)
}

fn rules(path: &Path) -> Result<String, CliError> {
    let policy: Policy = policy_file::load(path)?;
    let count = policy.rules().len();
    let rules = if count == 1 { "rule" } else { "rules" };
    Ok(format!("{}: {count} {rules}, default {}\n", path.display(), policy.default_action()))
}
