//! The suite itself: installed from `PyPI` and turned into Python 3 below the target folder, run as
//! fuzzing client or fuzzing server.
//!
//! Refuses to know what it is run against.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::cases::{self, Case};
use crate::install::{self, Stamp};
use crate::{paths, process};

/// All cases of one share take minutes; the suite gives none of them more than eight.
const LIMIT: Duration = Duration::from_hours(1);
/// How long a fuzzing server may take to start, and to end after its last case.
const PATIENCE: Duration = Duration::from_secs(20);

/// The installed suite.
pub(super) struct Suite {
    folder: PathBuf,
    python: PathBuf,
}

/// What one process of the suite is to do.
#[derive(Serialize)]
pub(super) struct Share {
    pub(super) agent: &'static str,
    pub(super) cases: Vec<Case>,
    /// Where it leaves its results.
    pub(super) results: PathBuf,
}

/// The suite's report: by arrangement, by case.
pub(super) type Report = HashMap<String, HashMap<String, Reported>>;

/// What the suite says of one case.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reported {
    pub(super) behavior: String,
    pub(super) behavior_close: String,
    pub(super) remote_close_code: Option<u16>,
    /// Milliseconds.
    pub(super) duration: u64,
    #[serde(rename = "reportfile")]
    pub(super) file: String,
}

impl Suite {
    /// Installs it where it is not yet.
    pub(super) fn install() -> Result<Self> {
        install::need_python()?;
        let folder = paths::target().join("autobahn");
        install::copy("autobahn", &folder)?;
        install::copy("autobahn/wsaccel", &folder.join("wsaccel"))?;
        let suite = Self { python: folder.join("venv/bin/python"), folder };
        let pins = ["requirements.txt", "sdists.txt", "port.py", "octets.py"];
        let pins = pins.map(|name| format!("autobahn/{name}"));
        let stamp = Stamp::of(&suite.folder, &pins.each_ref().map(String::as_str))?;
        if stamp.holds() {
            return Ok(suite);
        }
        eprintln!("installing the Autobahn suite into {} ...", suite.folder.display());
        install::venv(&suite.folder)?;
        let sources = ["--no-binary", ":all:", "--no-build-isolation"];
        process::run(
            install::pip(&suite.python, "download")
                .args(sources)
                .args(["-r", "sdists.txt", "-d", "sdists"])
                .current_dir(&suite.folder),
        )?;
        process::run(suite.script("port.py").args(["sdists", "lib"]))
            .context("the suite is not the one the port was written for")?;
        stamp.set()?;
        Ok(suite)
    }

    /// Every case there is.
    pub(super) fn cases(&self) -> Result<Vec<Case>> {
        let listed = process::read(self.script("fuzz.py").arg("cases"))?;
        let cases: Vec<Case> = serde_json::from_str(&listed)?;
        ensure!(cases.len() == cases::ALL, "the suite has {} cases", cases.len());
        Ok(cases)
    }

    /// Runs a fuzzing client through its share. It connects to `to` and asks for `host`.
    pub(super) async fn client(&self, share: &Share, to: SocketAddr, host: &str) -> Result<()> {
        let mut spec = serde_json::to_value(share)?;
        spec["url"] = format!("ws://{host}/").into();
        spec["connect"] = serde_json::json!([to.ip(), to.port()]);
        let mut command = self.script("fuzz.py");
        command.arg("client").arg(spec.to_string());
        let (folder, name) = share.log();
        let finished = process::run_limited(command, folder, &name, LIMIT).await?;
        if !finished.status.success() {
            bail!("the fuzzing client failed: {}", process::last_line(&finished.stderr));
        }
        Ok(())
    }

    /// Starts a fuzzing server for its share.
    pub(super) async fn server(&self, share: &Share) -> Result<Server> {
        let mut command = self.script("fuzz.py");
        command.arg("server").arg(serde_json::to_string(share)?);
        let (folder, name) = share.log();
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(folder.join(format!("{name}.err")))?);
        let mut process = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().context("no stdout")?);
        tokio::time::timeout(PATIENCE, stdout.read_line(&mut line))
            .await
            .context("the fuzzing server did not start")??;
        let port: u16 = line.trim().parse().context("the fuzzing server did not start")?;
        Ok(Server { process, address: (Ipv4Addr::LOCALHOST, port).into() })
    }

    /// Makes one report in `folder` out of what runs left, and reads it.
    pub(super) fn report(&self, folder: &Path, results: &[PathBuf]) -> Result<Report> {
        fs::create_dir_all(folder)?;
        process::read(self.script("fuzz.py").arg("report").arg(folder).args(results))?;
        let index = fs::read_to_string(folder.join("index.json"))?;
        serde_json::from_str(&index).context("the report is not as the suite writes it")
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        // Its own warnings are about the age of what it was written with.
        command.args(["-X", "utf8", "-W", "ignore"]).arg(self.folder.join(name));
        command.env("PYTHONPATH", self.folder.join("lib")).current_dir(&self.folder);
        command
    }
}

impl Share {
    /// Folder and name of what the process prints, beside its results.
    fn log(&self) -> (&Path, String) {
        let name = self.results.file_stem().unwrap_or_default().to_string_lossy();
        (self.results.parent().unwrap_or(Path::new("")), name.into_owned())
    }
}

/// A fuzzing server.
pub(super) struct Server {
    process: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Waits for it to write its results, which it does once all its cases were run.
    pub(super) async fn finish(mut self, agent: &str) -> Result<()> {
        match tokio::time::timeout(PATIENCE, self.process.wait()).await {
            Ok(status) => ensure!(status?.success(), "the fuzzing server of {agent} failed"),
            Err(_) => eprintln!("{agent}: the fuzzing server waits for cases that did not come"),
        }
        Ok(())
    }
}
