//! The built program, started the way a user starts it: configuration, policy, `serve` or `run`.
//!
//! Knows the program only by its contract: files, command line, the ready line, exit codes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::endpoint::{Authority, NAMES};
use crate::vitals::Vitals;
use crate::{paths, process};

/// Longer than any start or drain takes; a test run must not hang on either.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds the program and says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    process::run(paths::cargo().args(["build", "--quiet", "--package", "capsem-mitm"]))?;
    Ok(program())
}

/// Builds the program as its users do, and says where it is.
pub(crate) fn build_release() -> Result<PathBuf> {
    let build = ["build", "--quiet", "--release", "--locked", "--package", "capsem-mitm"];
    process::run(paths::cargo().args(build))?;
    Ok(paths::target().join("release/capsem-mitm"))
}

/// Where [`build`] leaves the program.
pub(crate) fn program() -> PathBuf {
    paths::target().join("debug/capsem-mitm")
}

/// The files one proxy is started from, and those it writes.
pub(crate) struct Setup {
    folder: PathBuf,
    program: PathBuf,
}

impl Setup {
    /// Writes configuration and policy into `folder`. Every name of the endpoint is pinned to
    /// `endpoint`; only the endpoint's CA is trusted beside the platform's.
    pub(crate) fn write(
        folder: &Path,
        transparent: Option<SocketAddr>,
        endpoint: SocketAddr,
        endpoint_ca: &str,
        policy: &str,
    ) -> Result<Self> {
        fs::write(folder.join("endpoint-ca.pem"), endpoint_ca)?;
        let listen = match transparent {
            Some(address) => format!("transparent = \"{address}\""),
            None => "proxy = \"127.0.0.1:0\"".into(),
        };
        let pins = NAMES.map(|name| format!("\"{name}:443\" = \"{endpoint}\"\n")).concat();
        let config = format!(
            "[listen]\n{listen}\n\n\
             [upstream]\nextra_roots = [\"endpoint-ca.pem\"]\n\n[upstream.resolve]\n{pins}\n\
             [telemetry]\njsonl = \"events.jsonl\"\nledger = \"session.db\"\n\n"
        );
        Self::with(folder, &config, policy)
    }

    /// Empties `folder` and writes into it a proxy that allows all: both listeners, both sinks, each
    /// authority pinned to an address whose certificate is of `trusted`, and lines of `[limits]`.
    pub(crate) fn allowing(
        folder: &Path,
        trusted: &Authority,
        pins: &[(String, SocketAddr)],
        limits: &str,
    ) -> Result<Self> {
        let _ = fs::remove_dir_all(folder); // the first run has none
        fs::create_dir_all(folder)?;
        fs::write(folder.join("upstream-ca.pem"), trusted.pem())?;
        let line = |(authority, address): &(_, _)| format!("\"{authority}\" = \"{address}\"\n");
        let pins: String = pins.iter().map(line).collect();
        let config = format!(
            "[listen]\nproxy = \"127.0.0.1:0\"\ntransparent = \"127.0.0.1:0\"\n\n\
             [upstream]\nextra_roots = [\"upstream-ca.pem\"]\n\n[upstream.resolve]\n{pins}\n\
             [telemetry]\njsonl = \"events.jsonl\"\nledger = \"session.db\"\n\n[limits]\n{limits}\n"
        );
        Self::with(folder, &config, "version = 1\ndefault = \"allow\"\n")
    }

    /// Writes a configuration of one's own, which names neither CA nor policy, and a policy.
    pub(crate) fn with(folder: &Path, config: &str, policy: &str) -> Result<Self> {
        let setup = Self { folder: folder.to_owned(), program: program() };
        fs::write(setup.file("policy.toml"), policy)?;
        // Relative paths are relative to the configuration file.
        let files = "[ca]\ndir = \"ca\"\n\n[policy]\nfile = \"policy.toml\"\n";
        fs::write(setup.config(), format!("{config}{files}"))?;
        Ok(setup)
    }

    /// The same, served by another build.
    pub(crate) fn served_by(self, program: &Path) -> Self {
        Self { program: program.to_owned(), ..self }
    }

    /// The ledger as JSON lines.
    pub(crate) fn jsonl(&self) -> PathBuf {
        self.file("events.jsonl")
    }

    /// The ledger as `SQLite`.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.file("session.db")
    }

    /// `capsem-mitm run --config .. -- CLIENT`, with the client's environment and working folder.
    pub(crate) fn run(&self, client: &Command) -> Command {
        let mut command = Command::new(program());
        command.arg("run").arg("--config").arg(self.config()).arg("--");
        command.arg(client.get_program()).args(client.get_args());
        command.env_clear();
        for (name, value) in client.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(folder) = client.get_current_dir() {
            command.current_dir(folder);
        }
        command
    }

    /// `capsem-mitm serve`, ready to be talked to.
    pub(crate) async fn serve(&self) -> Result<Served> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(self.config());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(fs::File::create(self.file("proxy.err"))?);
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start capsem-mitm")?;
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        tokio::time::timeout(PATIENCE, stdout.read_line(&mut line))
            .await
            .context("capsem-mitm did not become ready")??;
        let Ok(ready) = serde_json::from_str::<Ready>(&line) else {
            bail!("capsem-mitm is not ready: {}", process::last_line(&self.proxy_words()));
        };
        Ok(Served { child, ready })
    }

    /// The program reads both ledgers, whatever they end with.
    pub(crate) fn check_readable(&self) -> Result<()> {
        for file in [self.jsonl(), self.ledger()] {
            process::read(Command::new(program()).arg("ledger").arg(file).arg("--json"))?;
        }
        Ok(())
    }

    /// The program reads the same out of both ledgers.
    pub(crate) fn check_sinks_agree(&self) -> Result<()> {
        Self::check_agree(&self.jsonl(), &self.ledger())
    }

    /// The same for ledgers elsewhere.
    pub(crate) fn check_agree(jsonl: &Path, sqlite: &Path) -> Result<()> {
        let [jsonl, sqlite] = [jsonl, sqlite].map(|file| {
            process::read(Command::new(program()).arg("ledger").arg(file).arg("--json"))
        });
        ensure!(jsonl? == sqlite?, "events.jsonl and session.db say different things");
        Ok(())
    }

    /// What the program wrote to stderr.
    pub(crate) fn proxy_words(&self) -> String {
        fs::read_to_string(self.file("proxy.err")).unwrap_or_default()
    }

    fn config(&self) -> PathBuf {
        self.file("config.toml")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The line a proxy prints once its listeners are bound.
#[derive(Debug, Deserialize)]
pub(crate) struct Ready {
    /// The explicit listener.
    pub(crate) proxy: Option<SocketAddr>,
    /// The listener for redirected traffic.
    pub(crate) transparent: Option<SocketAddr>,
    /// The proxy's CA certificate.
    pub(crate) ca: PathBuf,
}

/// A proxy that serves.
pub(crate) struct Served {
    child: Child,
    pub(crate) ready: Ready,
}

impl Served {
    /// Its process.
    pub(crate) fn vitals(&self) -> Result<Vitals> {
        self.child.id().map(Vitals::of).context("capsem-mitm has ended")
    }

    /// Its number.
    pub(crate) fn id(&self) -> Result<Pid> {
        let id = self.child.id().context("capsem-mitm has ended")?;
        Pid::from_raw(id.cast_signed()).context("process id 0")
    }

    /// Ends it by SIGKILL: it hears nothing of it.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill capsem-mitm")
    }

    /// Ends it by SIGINT; fails unless it drains and exits with 0.
    pub(crate) async fn stop(self) -> Result<()> {
        let status = self.end().await?;
        if !status.success() {
            bail!("capsem-mitm ended with {status}");
        }
        Ok(())
    }

    /// Ends it by SIGINT, however it takes it.
    pub(crate) async fn end(mut self) -> Result<ExitStatus> {
        if let Some(id) = self.child.id() {
            process::interrupt(id)?;
        }
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        Ok(ended.context("capsem-mitm did not end after SIGINT")??)
    }
}
