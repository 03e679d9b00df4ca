//! The `capsem-mitm` program: a thin shell on [`Proxy`](crate::Proxy) and the crates beneath.
//!
//! One file per command; no other file of the crate knows of arguments, exit codes or terminals.

mod args;
mod asker;
mod ca;
mod check;
mod config_file;
mod descriptors;
mod error;
mod explain;
mod json;
mod ledger;
mod panic;
mod policy_file;
mod processes;
mod reload;
mod report;
mod run;
mod serve;
mod session;
mod signals;
#[cfg(feature = "otlp")]
mod spans;
mod text_file;

use self::{
    args::{Args, Command},
    error::CliError,
};
use clap::Parser as _;
use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

/// The program, from its arguments to its exit code: 0 fine, 1 failed, 2 wrong usage or
/// configuration; `run` ends with the code of its command.
pub fn main() -> ExitCode {
    panic::install();
    let args = Args::parse();
    log(&args.command);
    let outcome = match args.command {
        Command::Serve(args) => on_runtime(serve::serve(args)),
        Command::Run(args) => on_runtime(run::run(args)),
        Command::Check(args) => check::check(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Ledger(args) => ledger::ledger(&args),
        Command::Ca(args) => ca::ca(args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("{}", error.line());
        ExitCode::from(error.code())
    })
}

fn on_runtime(
    command: impl Future<Output = Result<ExitCode, CliError>>,
) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(CliError::Runtime)?.block_on(command)
}

/// Sends logs to stderr, as `RUST_LOG` says. A service says when it starts and stops; a command
/// that runs another keeps the terminal to that one.
fn log(command: &Command) {
    let level = match command {
        Command::Serve(_) => "info",
        _ => "error",
    };
    let filter = EnvFilter::builder();
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => filter.parse_lossy(text),
        _ => filter.parse_lossy(level),
    };
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && !no_color)
        .with_writer(std::io::stderr)
        .init();
}

/// Writes to stdout. Whoever closed it has read enough.
fn print(text: &str) -> Result<ExitCode, CliError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Stdout(error))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
