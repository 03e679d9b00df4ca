//! What can be wrong with a configuration file. Refuses to know how it is read.

use crate::{authority::HostError, cli::text_file::Unread};
use capsem_policy::document::{self, Place};

/// A configuration file that was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] Unread),
    /// It says something that cannot be.
    #[error("{place}: {problem}")]
    Invalid { place: Place, problem: Problem },
}

impl ConfigError {
    pub(crate) fn invalid(place: Place, problem: Problem) -> Self {
        Self::Invalid { place, problem }
    }
}

impl From<document::Error> for ConfigError {
    fn from(error: document::Error) -> Self {
        Self::invalid(error.place, error.problem.into())
    }
}

/// What is wrong. The texts it quotes are escaped: each message is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// It is no TOML, or a key is unknown or of the wrong type.
    #[error(transparent)]
    Document(#[from] document::Problem),
    #[cfg(not(feature = "otlp"))]
    #[error("`{0}` needs a program built with `--features {1}`; build it so, or remove the key")]
    NotBuiltIn(&'static str, &'static str),
    /// It is not quoted: it may hold a password.
    #[cfg(feature = "otlp")]
    #[error("this is no URL of a collector: {0}; write one such as \"http://127.0.0.1:4318\"")]
    Collector(crate::otlp::EndpointError),
    #[error("nothing listens; add `proxy = \"127.0.0.1:8080\"` under `[listen]`")]
    NoListener,
    #[error("there is no home folder for {0}; set HOME, or name a folder in full")]
    NoHome(&'static str),
    #[error("the path is empty; name a file, or remove the key")]
    EmptyPath,
    #[error("\"{0}\" is no address; write an IP address and a port, as in \"127.0.0.1:8080\"")]
    Address(String),
    #[error("there is no port {0}; use 1 to 65535")]
    Port(i64),
    #[error("\"{0}\" is no host and port: {1}; write one as in \"api.openai.com:443\"")]
    Authority(String, HostError),
    #[error("\"{0}\" has no port; write one as in \"api.openai.com:443\"")]
    AuthorityWithoutPort(String),
    #[error("{0} has an address already; remove one of the two")]
    PinnedTwice(String),
    #[error("\"{0}\" is no host: {1}; write one as in \"api.openai.com\"")]
    CredentialHost(String, HostError),
    #[error("\"{0}\" is no name of a header; write one such as \"authorization\"")]
    HeaderName(String),
    #[error("\"{0}\" has characters no header can carry; use printable ASCII")]
    HeaderText(String),
    #[error("the placeholder is empty but for the prefix; give the guest a word to send")]
    Placeholder,
    #[error("the placeholder \"{0}\" stands for two credentials of this host; rename one")]
    PlaceholderTwice(String),
    #[error("\"{0}\" is no name of a variable; write one such as \"OPENAI_API_KEY\"")]
    Variable(String),
    #[error("the command is empty; write it as in [\"notify-me\", \"--urgent\"]")]
    Asker,
    #[error("there is no value; add `value_env = \"OPENAI_API_KEY\"` or `value_file`")]
    NoValue,
    #[error("there are two values; remove `value_env` or `value_file`")]
    TwoValues,
    #[error("`mode` cannot be \"{0}\"; use \"closed\" or \"open\"")]
    Mode(String),
    #[error("`{key}` cannot be {number}; use {least} to {most}")]
    Size { key: &'static str, number: i64, least: i64, most: i64 },
    #[error("`{0}` cannot be \"{1}\"; write a time such as \"500ms\", \"10s\", \"2m\" or \"1h\"")]
    Duration(&'static str, String),
    #[error("`{0}` cannot be zero, as everything would be late at once; use \"1ms\" or more")]
    ZeroDuration(&'static str),
}
