//! The command line. Refuses to know what the commands do.

#![allow(clippy::doc_markdown, reason = "these doc comments are help texts for a terminal")]

use clap::{Parser, Subcommand};
use std::{ffi::OsString, path::PathBuf};

/// An inspecting proxy for AI agents: it decides which requests go out, relays WebSockets and HTTP
/// byte for byte, and records what the model was asked and what it did.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  capsem-mitm run -- codex exec 'fix the tests'     see what an agent does
  capsem-mitm run --policy policy.toml -- codex     and hold it to rules
  capsem-mitm serve --config proxy.toml             be the proxy of a whole machine
  capsem-mitm ledger session.db                     read what was recorded

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration; `run` ends as its command does.
RUST_LOG sets what is logged to stderr, NO_COLOR keeps colors out."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(ServeArgs),
    Run(RunArgs),
    Check(CheckArgs),
    Explain(ExplainArgs),
    Ledger(LedgerArgs),
    Ca(CaArgs),
}

/// Be the proxy that a configuration file describes, until SIGINT or SIGTERM
///
/// Once all listeners are bound, one line of JSON on stdout says where they are. The first signal
/// lets what is under way finish; a second one ends the program at once.
#[derive(Debug, Parser)]
#[command(after_help = "Example:
  capsem-mitm serve --config proxy.toml

The least that proxy.toml must say:
  [listen]
  proxy = \"127.0.0.1:8080\"
  [policy]
  file = \"policy.toml\"            # without one, everything is blocked")]
pub(crate) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Run a command behind a proxy of its own, and show what it did
///
/// The command gets the proxy and its certificate authority by environment variables. Its input
/// and output are left alone; the summary goes to stderr. Without --policy everything is allowed
/// and recorded.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  capsem-mitm run -- codex exec 'fix the tests'
  capsem-mitm run --policy policy.toml --ledger session.db -- python agent.py")]
pub(crate) struct RunArgs {
    /// A configuration file; its listeners are ignored
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A rule file, instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// An SQLite ledger to keep, instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// Check a configuration or a rule file
///
/// A fault is told as FILE:LINE:COLUMN, with what to do about it. A configuration is checked with
/// the rule file it names.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  capsem-mitm check --config proxy.toml
  capsem-mitm check --policy policy.toml")]
#[group(required = true, multiple = false)]
pub(crate) struct CheckArgs {
    /// A configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A rule file
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

/// Tell what a rule file says of a request, and which rule says it
///
/// Prints {"action":"allow|ask|block","rule":..,"reason":..}. The request is judged as the proxy
/// judges it; nothing is sent. wss:// and ws:// mean a WebSocket upgrade, as does a header
/// `Upgrade: websocket`. With --message, the verdict is that on a message of the exchange, unless
/// its request is not allowed in the first place.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  capsem-mitm explain --policy policy.toml wss://api.openai.com/v1/responses
  capsem-mitm explain --policy policy.toml --method POST https://api.anthropic.com/v1/messages
  capsem-mitm explain --policy policy.toml --message create.json wss://api.openai.com/v1/responses")]
pub(crate) struct ExplainArgs {
    /// The rule file
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// The method of the request
    #[arg(long, default_value = "GET", value_name = "METHOD")]
    pub(crate) method: String,
    /// A header of the request; may be given several times
    #[arg(long = "header", value_name = "K: V")]
    pub(crate) headers: Vec<String>,
    /// The client's process, as `processes` names it
    #[arg(long, value_name = "NAME")]
    pub(crate) process: Option<String>,
    /// A file with a message of the exchange: one of the WebSocket, or the body of the request
    #[arg(long, value_name = "FILE")]
    pub(crate) message: Option<PathBuf>,
    /// Who sends the message
    #[arg(long, value_enum, default_value_t = Sender::Client, requires = "message")]
    pub(crate) from: Sender,
    /// Where the request goes: https://, http://, wss:// or ws://
    pub(crate) url: String,
}

/// Who sends a message.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// List the exchanges and model calls of a ledger
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  capsem-mitm ledger session.db
  capsem-mitm ledger events.jsonl --json | jq '.model_calls[].usage'")]
pub(crate) struct LedgerArgs {
    /// The ledger: SQLite, or lines of JSON
    pub(crate) file: PathBuf,
    /// Print one JSON document: {"exchanges":[..],"model_calls":[..],"faults":[..]}
    #[arg(long)]
    pub(crate) json: bool,
}

/// Create or show the certificate authority that clients are to trust
#[derive(Debug, Parser)]
#[command(after_help = "Example:
  capsem-mitm ca --dir ./ca")]
pub(crate) struct CaArgs {
    /// Its folder [default: ~/.local/share/capsem-mitm/ca]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
