//! Why a command failed, in one line and one exit code.

use super::{config_file::ConfigError, text_file::Unread};
use crate::{ProxyError, tls::ca::CaError};
use capsem_policy::PolicyError;
use std::{error::Error, io, path::PathBuf};

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    File(#[from] Unread),
    #[error("cannot read {}: {error}; name a file with a message", path.display())]
    MessageFile { path: PathBuf, error: io::Error },
    #[error(
        "\"{url}\" is no URL of a request: {reason}; write one as in https://api.openai.com/v1/models"
    )]
    Url { url: String, reason: String },
    #[error("the proxy refuses \"{url}\" before any rule is asked: {reason}; mend the request")]
    Refused { url: String, reason: String },
    #[error("\"{0}\" is no HTTP method; write one word such as GET")]
    Method(String),
    #[error("\"{0}\" is no header; write it as in 'accept: text/html'")]
    Header(String),
    #[error(
        "telemetry.jsonl = \"-\" would mix records into the output of the command; name a file"
    )]
    JsonlOnStdout,
    #[error(
        "there is no home folder for the certificate authority; set HOME, or name a folder ({0})"
    )]
    NoHome(&'static str),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error(transparent)]
    Telemetry(#[from] capsem_telemetry::Error),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("{lost} records were lost; see the faults of class `sink` in the ledger")]
    RecordsLost { lost: u64 },
    #[error("cannot start the runtime: {0}; look at the limits on threads and open files")]
    Runtime(#[source] io::Error),
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot write to stdout: {0}")]
    Stdout(#[source] io::Error),
    #[error("cannot write the certificates for the command to {}: {error}; set TMPDIR to a folder with room", path.display())]
    Bundle { path: PathBuf, error: io::Error },
    #[error("cannot run \"{program}\": there is no such program; look at its spelling and at PATH")]
    NoCommand { program: String },
    #[error("cannot run \"{program}\": {error}; look at its permissions")]
    CannotRun { program: String, error: io::Error },
    #[error("lost sight of the command: {0}")]
    Wait(#[source] io::Error),
}

impl CliError {
    /// The exit code: 2 for what the user wrote, 1 for what happened, and the shell's own two for
    /// a command that cannot be run.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Policy(_)
            | Self::File(_)
            | Self::MessageFile { .. }
            | Self::Url { .. }
            | Self::Refused { .. }
            | Self::Method(_)
            | Self::Header(_)
            | Self::JsonlOnStdout
            | Self::NoHome(_)
            | Self::Proxy(ProxyError::Credential { .. }) => 2,
            Self::Ca(_)
            | Self::Telemetry(_)
            | Self::Proxy(_)
            | Self::RecordsLost { .. }
            | Self::Runtime(_)
            | Self::Signals(_)
            | Self::Stdout(_)
            | Self::Bundle { .. }
            | Self::Wait(_) => 1,
            Self::CannotRun { .. } => 126,
            Self::NoCommand { .. } => 127,
        }
    }

    /// The error and its causes in one line. A fault in a file begins with its place, as editors
    /// read it.
    pub(crate) fn line(&self) -> String {
        let mut text = match self {
            Self::Policy(_) | Self::File(_) | Self::Config(_) => self.to_string(),
            _ => format!("capsem-mitm: {self}"),
        };
        let mut cause = self.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Some errors tell their cause themselves.
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            cause = error.source();
        }
        text.replace(['\n', '\r'], " ")
    }
}

#[cfg(test)]
mod tests;
