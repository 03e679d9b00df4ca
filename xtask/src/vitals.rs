//! What the system says of a running process: descriptors, memory and CPU time, out of `/proc`.
//!
//! Refuses to know what the process is.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How often a figure that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A process that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    id: u32,
}

impl Vitals {
    pub(crate) fn of(id: u32) -> Self {
        Self { id }
    }

    /// Open descriptors.
    pub(crate) fn descriptors(self) -> Result<usize> {
        Ok(fs::read_dir(self.place("fd")).context("the process is gone")?.count())
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most that was resident since [`forget_peak`](Self::forget_peak), in KiB.
    pub(crate) fn peak(self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// Lets the peak begin anew from what is resident now.
    pub(crate) fn forget_peak(self) -> Result<()> {
        fs::write(self.place("clear_refs"), "5").context("cannot reset the peak of memory")
    }

    /// CPU time of all threads, in the kernel and out of it, in steps of the clock's tick.
    pub(crate) fn cpu(self) -> Result<Duration> {
        let stat = fs::read_to_string(self.place("stat")).context("the process is gone")?;
        // The name before it may have spaces and brackets.
        let (_, fields) = stat.rsplit_once(')').context("no name in /proc")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks = ticks.sum::<Result<u64, _>>().context("no times in /proc")?;
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_millis(ticks * 1000 / per_second))
    }

    /// Waits until no more than `most` descriptors are open; says how many are.
    pub(crate) async fn descriptors_back_to(self, most: usize, within: Duration) -> Result<usize> {
        let wait = async {
            loop {
                let open = self.descriptors()?;
                if open <= most {
                    return Ok(open);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(within, wait).await {
            Ok(open) => open,
            Err(_) => bail!("{} descriptors are open, {most} were before", self.descriptors()?),
        }
    }

    /// A figure in KiB.
    fn status(self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(self.place("status")).context("the process is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let figure = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let figure = figure.and_then(|figure| figure.parse().ok());
        figure.with_context(|| format!("no {name} in /proc"))
    }

    fn place(self, name: &str) -> String {
        format!("/proc/{}/{name}", self.id)
    }
}
