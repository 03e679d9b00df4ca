//! A Linux namespace in which nothing can leave: one loopback interface, and a hosts file of our own.
//!
//! Works as root and, where unprivileged user namespaces are on, as anyone. Refuses to know what
//! runs inside.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};

use crate::process;

/// Runs this program again with `arguments`, inside new network and mount namespaces.
pub(crate) fn reenter(arguments: &[OsString]) -> Result<ExitStatus> {
    if !process::exists("unshare") {
        bail!(
            "`unshare` is missing; on Linux `apt install util-linux` installs it, elsewhere there is none"
        );
    }
    let probe = unshare().arg("true").output().context("cannot start `unshare`")?;
    if !probe.status.success() {
        bail!(
            "this machine gives us no namespace ({}); run as root, or allow user namespaces with \
             `sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0`",
            String::from_utf8_lossy(&probe.stderr).trim()
        );
    }
    let mut again = unshare();
    again.arg(std::env::current_exe()?).args(arguments);
    again.status().context("cannot start `unshare`")
}

/// Up to the command to be run inside.
fn unshare() -> Command {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--net", "--mount", "--"]);
    unshare
}

/// The inside of such a namespace, made ready.
pub(crate) struct Inside {
    hosts: PathBuf,
}

impl Inside {
    /// Brings `lo` up and mounts a hosts file kept in `folder`. Fails if there is any other
    /// interface: then this is not the inside.
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        let others: Vec<String> = interfaces()?.into_iter().filter(|name| name != "lo").collect();
        if !others.is_empty() {
            bail!("not in a namespace of our own: there is {}", others.join(", "));
        }
        raise_loopback()?;
        let inside = Self { hosts: folder.join("hosts") };
        inside.map(&[])?;
        mount(&inside.hosts, Path::new("/etc/hosts"))?;
        // Names stand in the hosts file or nowhere, and who asks further is answered soon.
        replace(folder, "/etc/nsswitch.conf", "hosts: files dns\n")?;
        replace(
            folder,
            "/etc/resolv.conf",
            "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        )?;
        Ok(inside)
    }

    /// Lets `names`, and no other, resolve to 127.0.0.1.
    pub(crate) fn map(&self, names: &[&str]) -> Result<()> {
        let names = ["localhost"].iter().chain(names);
        let lines: Vec<String> = names.map(|name| format!("127.0.0.1 {name}\n")).collect();
        fs::write(&self.hosts, lines.concat()).context("cannot write the hosts file")
    }
}

/// Every interface of this namespace, by `/proc/net/dev`.
fn interfaces() -> Result<Vec<String>> {
    let table = fs::read_to_string("/proc/net/dev").context("cannot read /proc/net/dev")?;
    let names = table.lines().skip(2).filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

/// By iproute2 where it is, else by the ioctl it would make: a raised flag on `lo`.
fn raise_loopback() -> Result<()> {
    if Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status()
        .is_ok_and(|status| status.success())
    {
        return Ok(());
    }
    const SIOCSIFFLAGS: &str = "import fcntl, socket, struct\n\
        up = struct.pack('16sh22x', b'lo', 0x1)\n\
        fcntl.ioctl(socket.socket(), 0x8914, up)\n";
    process::run(Command::new("python3").args(["-c", SIOCSIFFLAGS]))
        .context("cannot bring `lo` up; `apt install iproute2` helps")
}

/// Puts `text` in the place of a file, where there is one.
fn replace(folder: &Path, file: &str, text: &str) -> Result<()> {
    let file = Path::new(file);
    if !file.exists() {
        return Ok(());
    }
    let ours = folder.join(file.file_name().unwrap_or_default());
    fs::write(&ours, text)?;
    mount(&ours, file)
}

fn mount(ours: &Path, over: &Path) -> Result<()> {
    process::run(Command::new("mount").arg("--bind").args([ours, over]))
}
