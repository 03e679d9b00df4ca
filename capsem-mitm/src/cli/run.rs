//! `capsem-mitm run`: a command behind a proxy of its own.

mod environment;
mod roots;

use super::{
    args::RunArgs,
    config_file::{self, Listener},
    error::CliError,
    policy_file,
    report::Report,
    session::Session,
    signals::{Signals, Stop},
};
use crate::config::{Config, JsonlTarget};
use capsem_policy::Policy;
use capsem_telemetry::{Stamped, Summary, sink::Memory};
use std::{
    ffi::OsStr,
    io::{self, IsTerminal as _},
    os::unix::process::ExitStatusExt as _,
    process::{ExitCode, ExitStatus},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
};

/// How long connections get to end after the command has. What it leaves behind in the background
/// must not keep the terminal.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// Runs the command, then shows what it did, and ends with its status.
pub(crate) async fn run(args: RunArgs) -> Result<ExitCode, CliError> {
    let config = configure(&args)?;
    let policy = match &config.policy_file {
        Some(path) => policy_file::load(path)?,
        None => Policy::allow_all(),
    };
    let (memory, records) = Memory::new();
    let signals = Signals::listen()?;
    let rule_file = config.policy_file.clone();
    let placeholders = environment::placeholders(&config.credentials);
    let session = Session::start(config, policy, Some(Box::new(memory))).await?;
    let (mut command, _certificates) = prepare(&args, &session)?;
    command.envs(placeholders);
    tokio::spawn(session.reload(rule_file.as_deref()).follow(None));

    let (stop, stopped) = oneshot::channel::<()>();
    let drain = async move {
        // A sender that is gone means the same as one that speaks.
        let _ = stopped.await;
    };
    let serving = tokio::spawn(session.run(drain, std::future::pending()));
    let status = match command.spawn() {
        Ok(child) => wait(child, signals).await,
        Err(error) => Err(cannot_run(&args.command, error)),
    };
    drop(stop);
    let ended = serving.await.map_err(|error| CliError::Runtime(error.into()))?;
    let code = exit_code(status?);
    tell(&records.records(), &args, ended);
    Ok(code)
}

/// The configuration with what the arguments say, and a listener of our own.
fn configure(args: &RunArgs) -> Result<Config, CliError> {
    let mut config = match &args.config {
        Some(path) => config_file::load(path, Listener::Ignored)?,
        None => Config::new(config_file::default_ca_dir().ok_or(CliError::NoHome("--config"))?),
    };
    if config.telemetry.jsonl == Some(JsonlTarget::Stdout) {
        return Err(CliError::JsonlOnStdout);
    }
    config.listen.proxy = Some(([127, 0, 0, 1], 0).into());
    config.listen.transparent = None;
    config.limits.drain_timeout = config.limits.drain_timeout.min(DRAIN_TIME);
    if let Some(path) = &args.policy {
        config.policy_file = Some(path.clone());
    }
    if let Some(path) = &args.ledger {
        config.telemetry.ledger = Some(path.clone());
    }
    Ok(config)
}

/// The command with its environment, and the folder of certificates it needs while it runs.
fn prepare(args: &RunArgs, session: &Session) -> Result<(Command, tempfile::TempDir), CliError> {
    let folder = tempfile::Builder::new()
        .prefix("capsem-mitm-")
        .tempdir()
        .map_err(|error| CliError::Bundle { path: std::env::temp_dir(), error })?;
    let bundle = folder.path().join("roots.pem");
    std::fs::write(&bundle, roots::with(session.certificate_pem()))
        .map_err(|error| CliError::Bundle { path: bundle.clone(), error })?;
    let proxy =
        session.addresses().proxy.map_or_else(String::new, |address| format!("http://{address}"));
    let (program, arguments) = args.command.split_first().map_or_else(
        || (OsStr::new(""), &[][..]),
        |(program, arguments)| (program.as_os_str(), arguments),
    );
    let mut command = Command::new(program);
    command.args(arguments);
    command.envs(environment::variables(&proxy, &bundle, session.certificate()));
    Ok((command, folder))
}

fn cannot_run(command: &[std::ffi::OsString], error: io::Error) -> CliError {
    let program = command
        .first()
        .map_or_else(String::new, |program| program.to_string_lossy().escape_debug().to_string());
    match error.kind() {
        io::ErrorKind::NotFound => CliError::NoCommand { program },
        _ => CliError::CannotRun { program, error },
    }
}

/// Waits for the command, and hands signals on to it.
async fn wait(mut child: Child, mut signals: Signals) -> Result<ExitStatus, CliError> {
    // At a terminal Ctrl-C reaches the command without us, and twice would be once too often:
    // many agents end at once on a second one.
    let at_terminal = io::stdin().is_terminal();
    loop {
        tokio::select! {
            status = child.wait() => return status.map_err(CliError::Wait),
            stop = signals.next() => match stop {
                Stop::Interrupt if at_terminal => {}
                Stop::Interrupt => send(&child, rustix::process::Signal::INT),
                Stop::Terminate => send(&child, rustix::process::Signal::TERM),
            },
        }
    }
}

fn send(child: &Child, signal: rustix::process::Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id.and_then(rustix::process::Pid::from_raw) {
        // It may have ended at this moment; then there is nobody to tell.
        let _ = rustix::process::kill_process(id, signal);
    }
}

/// The command's code, or as shells have it 128 and the number of the signal that ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128)));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Tells what happened, on stderr. The command's status is the program's own in any case.
fn tell(records: &[Stamped], args: &RunArgs, ended: Result<Summary, CliError>) {
    eprint!("{}", Report::read(records).summary());
    match ended {
        Ok(Summary { lost: 0, .. }) => {
            if let Some(path) = &args.ledger {
                eprintln!("  all of it: capsem-mitm ledger {}", path.display());
            }
        }
        Ok(Summary { lost, .. }) => eprintln!("{}", CliError::RecordsLost { lost }.line()),
        Err(error) => eprintln!("{}", error.line()),
    }
}

#[cfg(test)]
mod tests;
