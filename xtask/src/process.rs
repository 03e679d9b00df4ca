//! Child processes: run to the end, or to a time limit that nothing survives.
//!
//! Refuses to know what they are for.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// What a process left behind.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// Runs `command` in a process group of its own with its output in `FOLDER/NAME.out` and `.err`.
///
/// Past `limit`, and also after a normal end, the whole group is killed: a client may leave
/// helpers behind. Fails if it cannot start or does not end in time, not if it ends badly.
pub(crate) async fn run_limited(
    mut command: Command,
    folder: &Path,
    name: &str,
    limit: Duration,
) -> Result<Finished> {
    use std::os::unix::process::CommandExt;
    let (out, err) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.err")));
    command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .process_group(0);
    let program = command.get_program().to_owned();
    let began = Instant::now();
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let ended = tokio::time::timeout(limit, child.wait()).await;
    let took = began.elapsed();
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL); // ESRCH: nothing was left
    }
    let read = |path: &Path| fs::read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
    let (stdout, stderr) = (read(&out)?, read(&err)?);
    let Ok(status) = ended else {
        bail!(
            "{} did not end within {limit:?}; its last words: {}",
            program.display(),
            last_line(&stderr)
        );
    };
    Ok(Finished { status: status?, stdout, stderr, took })
}

/// Asks the process to end, as Ctrl-C would.
pub(crate) fn interrupt(id: u32) -> Result<()> {
    let id = Pid::from_raw(id.cast_signed()).context("process id 0")?;
    kill_process(id, Signal::INT).context("cannot signal the process")
}

/// Runs `command` with this process's own output; fails unless it ends well.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs `command` and returns what it printed on stdout. If it ends badly all it said is shown.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        eprint!("{said}{}", String::from_utf8_lossy(&output.stderr));
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    Ok(said)
}

/// Whether `program` can be started at all.
pub(crate) fn exists(program: &str) -> bool {
    let mut probe = Command::new(program);
    probe.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// The last line with anything in it.
pub(crate) fn last_line(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(nothing)")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
