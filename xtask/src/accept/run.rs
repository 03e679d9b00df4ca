//! One row: an endpoint, a proxy, a client, and what is left of them.
//!
//! Refuses to know what a row expects.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::compare::{Compared, compare};
use super::rows::{Client, Mode, Row, Scene};
use crate::clients::Clients;
use crate::codex::{self, Codex};
use crate::endpoint::{Authority, Endpoint, Entry, Log, NAMES};
use crate::ledger::Ledger;
use crate::namespace::Inside;
use crate::process::{self, Finished};
use crate::proxy::Setup;

/// Codex reconnects for ever when it trusts nobody; a turn takes a second.
const LIMIT: Duration = Duration::from_mins(1);

/// The port clients find by themselves in transparent and direct mode.
const HTTPS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 443);

/// What all rows share.
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    pub(super) inside: Inside,
    pub(super) authority: Authority,
    pub(super) clients: Clients,
}

/// What is left of one run.
pub(super) struct Outcome {
    pub(super) mode: Mode,
    pub(super) client: Finished,
    pub(super) log: Vec<Entry>,
    /// None in direct mode, which has no proxy.
    pub(super) ledger: Option<Ledger>,
    /// Where the client ran.
    pub(super) work: PathBuf,
}

impl Stage {
    /// Runs `row` in `mode`; returns what was compared.
    pub(super) async fn run(&self, row: &Row, mode: Mode) -> Result<String> {
        let words = row.name.split(|letter: char| !letter.is_alphanumeric());
        let words: Vec<&str> = words.chain([mode.word()]).filter(|word| !word.is_empty()).collect();
        let folder = self.folder.join(words.join("-"));
        let outcome = self.play(&row.scene(), mode, &folder).await?;
        let compared = outcome.compare()?;
        let seen = (row.check)(&outcome)?;
        Ok(match compared {
            Some(compared) => format!("{seen}; {compared}"),
            None => seen,
        })
    }

    /// Plays one scene in a folder of its own.
    pub(super) async fn play(
        &self,
        scene: &Scene<'_>,
        mode: Mode,
        folder: &Path,
    ) -> Result<Outcome> {
        fs::create_dir_all(folder)?;
        self.inside.map(if mode == Mode::Explicit { &[] } else { &NAMES })?;
        let address = if mode == Mode::Direct { HTTPS } else { SocketAddr::new(HTTPS.ip(), 0) };
        let endpoint =
            Endpoint::troubled(&self.authority, address, Log::default(), scene.trouble).await?;
        let codex = Codex::new(self.clients.codex(), folder)?;
        let mut client = self.client(scene, &codex);
        if let Some(limit) = scene.limit {
            client = bounded(&client, limit);
        }
        let finished = self.through(scene, mode, folder, &endpoint, client).await;
        let log = endpoint.stop().await;
        if let Ok(log) = &log {
            let lines: Vec<String> = log.iter().map(|entry| json!(entry).to_string()).collect();
            fs::write(folder.join("endpoint.jsonl"), lines.join("\n"))?;
        }
        let (client, setup) = finished?;
        let ledger = match setup {
            Some(setup) => {
                setup.check_sinks_agree()?;
                Some(Ledger::read(&setup.jsonl(), codex::KEY)?)
            }
            None => None,
        };
        Ok(Outcome { mode, client, log: log?, ledger, work: codex.work })
    }

    fn client(&self, scene: &Scene<'_>, codex: &Codex) -> Command {
        match scene.client {
            Client::Doctor => codex.doctor(),
            Client::Exec { model, prompt } => codex.exec(model, prompt),
            Client::Script(name) => {
                let mut command = self.clients.script(name);
                command.env_clear().current_dir(&codex.work);
                command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
                for key in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"] {
                    command.env(key, codex::KEY);
                }
                command
            }
        }
    }

    async fn through(
        &self,
        scene: &Scene<'_>,
        mode: Mode,
        folder: &Path,
        endpoint: &Endpoint,
        mut client: Command,
    ) -> Result<(Finished, Option<Setup>)> {
        if mode == Mode::Direct {
            let ca = folder.join("endpoint-ca.pem");
            fs::write(&ca, self.authority.pem())?;
            trust(&mut client, &ca);
            return Ok((process::run_limited(client, folder, "client", LIMIT).await?, None));
        }
        let transparent = (mode == Mode::Transparent).then_some(HTTPS);
        let setup = Setup::write(
            folder,
            transparent,
            endpoint.address(),
            self.authority.pem(),
            scene.policy,
        )?;
        if mode == Mode::Explicit && scene.client.is_codex() {
            let command = setup.run(&client);
            return Ok((
                process::run_limited(command, folder, "client", LIMIT).await?,
                Some(setup),
            ));
        }
        let proxy = setup.serve().await?;
        trust(&mut client, &proxy.ready.ca);
        if mode == Mode::Explicit {
            let address = proxy.ready.proxy.context("the ready line names no explicit listener")?;
            client.env("HTTPS_PROXY", format!("http://{address}"));
        }
        let finished = process::run_limited(client, folder, "client", LIMIT).await;
        proxy.stop().await?;
        Ok((finished?, Some(setup)))
    }
}

impl Outcome {
    fn compare(&self) -> Result<Option<Compared>> {
        let Some(ledger) = &self.ledger else { return Ok(None) };
        let words = || format!("the client said: {}", process::last_line(&self.client.stderr));
        compare(ledger, &self.log).with_context(words).map(Some)
    }
}

/// `client` under coreutils' `timeout`, with its environment and working folder.
fn bounded(client: &Command, limit: Duration) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--foreground", "--kill-after=2"]).arg(limit.as_secs().to_string());
    command.arg(client.get_program()).args(client.get_args()).env_clear();
    command.envs(client.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = client.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// Makes a client trust `ca`, and where it can be told, nothing else.
fn trust(client: &mut Command, ca: &Path) {
    for name in
        ["SSL_CERT_FILE", "CODEX_CA_CERTIFICATE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"]
    {
        client.env(name, ca);
    }
}
