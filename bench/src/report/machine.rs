//! Where and when a run was made, and the versions in it.

use std::process::Command;

use anyhow::{Context, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::harness::Plan;

/// What this was built from.
const LOCK: &str = include_str!("../../Cargo.lock");

/// The version of a crate in this build.
pub fn version(package: &str) -> &'static str {
    let named = LOCK.split("[[package]]\n").find(|entry| {
        entry.lines().next().is_some_and(|line| line == format!("name = \"{package}\""))
    });
    let line = named.and_then(|entry| entry.lines().nth(1)).unwrap_or_default();
    line.trim_start_matches("version = ").trim_matches('"')
}

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
    pub fn caption(&self) -> String {
        let Self { date, cpu, rustc, .. } = self;
        let day = date.split('T').next().unwrap_or(date);
        let rustc = rustc.split(" (").next().unwrap_or(rustc);
        format!("{day}, {cpu}, {rustc}; cargo xtask bench codec")
    }

    /// A list in Markdown.
    pub fn lines(&self, plan: Plan) -> String {
        let Self { date, cpu, cpus, kernel, rustc, load } = self;
        let arch = std::env::consts::ARCH;
        let Plan { rounds, slice } = plan;
        format!(
            "- {date}, {arch}, {cpus} CPUs {cpu}, Linux {kernel}, load average before: {load}\n\
             - `cargo xtask bench codec --record` writes `codec.md`, `codec.json` and `codec.svg` in \
             `xtask/record/{arch}`; `--json FILE` the rows alone.\n\
             - {rustc}; release, thin LTO, one codegen unit, default target-cpu. The codec has \
             overflow checks, as its workspace's release profile has; peers and floors have none, \
             as is the default.\n\
             - {rounds} rounds, in each of them every row of a case in turn for {slice:?}; CPU time \
             of the thread; medians. The goals' ratios are of medians, and beside them the median \
             of the ratios of each round.\n\
             - Before it is timed, each row runs the same code over the same frames into a sink \
             that compares every byte; while timed, frames and bytes are counted. A row that is \
             wrong shows FAILED and the command fails.\n\
             - One pass is at least 256 KiB of frames, at least four of them unless payloads are \
             read: then one of 1 MiB is enough, so that the code shows and not the memory. Buffers \
             begin on a page. Keys of masked streams are random; of text they have no high bit, so \
             that what is unmasked in place stays UTF-8 when the next pass masks it again.\n\
             - UTF-8 in floors: a loop over words for ASCII of at most 128 bytes, else simdutf8. Peers \
             that leave it to their user get simdutf8.\n\
             - Peers are the newest releases this toolchain builds; wtx has later ones that ask for a \
             newer compiler.\n\
             - `encode`: floors and the codec take keys from a xorshift generator, peers make their \
             own as they do by default.\n\
             - `inflate`: `response.output_text.delta` events of a size, zlib level 6, context \
             takeover, one event a message; a delta of a few tokens has 256 bytes.\n"
        )
    }
}
