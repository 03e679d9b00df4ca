//! Where and when a benchmark ran. Refuses to know which.

use std::process::Command;

use anyhow::{Context, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The machine and the moment.
pub struct Machine {
    date: String,
    cpu: String,
    cpus: usize,
    kernel: String,
    rustc: String,
    load: String,
}

impl Machine {
    /// Asks the system.
    ///
    /// # Errors
    ///
    /// When no compiler says its version, or the system no number of CPUs.
    pub fn read() -> Result<Self> {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let field = |name: &str| {
            let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
            let found = fields.find(|(key, _)| key.trim() == name);
            found.map_or_else(|| "?".to_owned(), |(_, value)| value.trim().to_owned())
        };
        let (name, family) = (field("model name"), field("cpu family"));
        let rustc = Command::new("rustc").arg("--version").output().context("cannot run rustc")?;
        let kernel = read("/proc/sys/kernel/osrelease");
        let now = OffsetDateTime::now_utc().replace_nanosecond(0)?;
        Ok(Self {
            date: now.format(&Rfc3339)?,
            cpu: format!("{name} (family {family}, model {})", field("model")),
            cpus: std::thread::available_parallelism()?.get(),
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_owned(),
            rustc: String::from_utf8_lossy(&rustc.stdout).trim().to_owned(),
            load: read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
        })
    }

    /// One line under a plot.
    pub fn caption(&self, command: &str) -> String {
        let Self { date, cpu, rustc, .. } = self;
        let day = date.split('T').next().unwrap_or(date);
        let rustc = rustc.split(" (").next().unwrap_or(rustc);
        format!("{day}, {cpu}, {rustc}; {command}")
    }

    /// One line of a report.
    pub fn line(&self) -> String {
        let Self { date, cpu, cpus, kernel, load, .. } = self;
        let arch = std::env::consts::ARCH;
        format!("{date}, {arch}, {cpus} CPUs {cpu}, Linux {kernel}, load average before: {load}")
    }

    /// The compiler, as it calls itself.
    pub fn rustc(&self) -> &str {
        &self.rustc
    }
}
