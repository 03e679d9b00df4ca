//! What the system says of a running process: its descriptors and its memory, out of `/proc`.
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
        let status = fs::read_to_string(self.place("status")).context("the process is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let figure = line.and_then(|line| line.trim().strip_suffix(" kB"));
        figure.and_then(|figure| figure.parse().ok()).context("no VmRSS in /proc")
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

    fn place(self, name: &str) -> String {
        format!("/proc/{}/{name}", self.id)
    }
}
