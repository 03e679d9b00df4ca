//! What the kernel does for a measurement: where a process runs, what it has spent, what it holds.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The two CPUs of a run: one for both ends, one for the proxy.
#[derive(Clone, Copy)]
pub struct Cpus {
    /// Where the ends are.
    pub ends: usize,
    /// Where the proxy is, but when latency is measured.
    pub proxy: usize,
}

impl Cpus {
    /// The first two this process may run on.
    pub fn two() -> Result<Self> {
        let may = sched_getaffinity(Pid::from_raw(0))?;
        let mut cpus = (0..CpuSet::count()).filter(|&cpu| may.is_set(cpu).unwrap_or(false));
        let (Some(ends), Some(proxy)) = (cpus.next(), cpus.next()) else {
            bail!("this needs two CPUs: one for both ends, one for the proxy");
        };
        Ok(Self { ends, proxy })
    }
}

/// Binds the calling thread, and what it starts from now on, to a CPU.
pub fn stay_on(cpu: usize) -> Result<()> {
    bind(Pid::from_raw(0), cpu)
}

/// Binds every thread of a process to a CPU.
pub fn move_to(process: u32, cpu: usize) -> Result<()> {
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = thread?.file_name().to_string_lossy().parse()?;
        bind(Pid::from_raw(thread), cpu)?;
    }
    Ok(())
}

fn bind(thread: Pid, cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(thread, &set).with_context(|| format!("cannot stay on CPU {cpu}"))
}

/// User and system time of all threads of a process, those that ended too.
pub fn spent(process: u32) -> Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(process.cast_signed()))?;
    Ok(Duration::from(clock_gettime(clock)?))
}

/// Bytes of memory a process holds.
pub fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmRSS")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}

/// Lets this process, and what it starts, have as many sockets as the system allows.
pub fn raise_open_files(wanted: u64) -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if most < wanted {
        bail!("{wanted} open files are needed and {most} are allowed; raise `ulimit -Hn`");
    }
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}
