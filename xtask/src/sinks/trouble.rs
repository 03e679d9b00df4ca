//! What befalls the place a ledger is written to, and how it is mended. Refuses to know the proxy
//! but as a process that writes there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::process;

/// The disk, as it is and as it is once it was given room.
const DISK: &str = "size=1m";
const ROOM: &str = "remount,size=64m";

/// Why a ledger cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A named pipe whose reader reads nothing.
    Unread,
    /// A named pipe whose reader is stopped.
    Stopped,
    /// A disk of 1 MiB that something else fills: ENOSPC.
    Full,
    /// A limit on the size of files: EFBIG.
    Limit,
    /// `/dev/full`: no room ever.
    Device,
}

/// The place itself.
pub(super) struct Place {
    trouble: Trouble,
    folder: PathBuf,
    reader: Option<Reader>,
}

enum Reader {
    /// Reads to the end once it is told to.
    Thread { read: mpsc::Sender<()>, done: JoinHandle<io::Result<u64>> },
    /// Reads as long as it runs.
    Cat(Child),
}

impl Trouble {
    /// Whether it is the reader that is missing: a write neither fails nor ends.
    pub(super) fn stalls(self) -> bool {
        matches!(self, Self::Unread | Self::Stopped)
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Unread => "nobody reads",
            Self::Stopped => "the reader is stopped",
            Self::Full => "the disk is full",
            Self::Limit => "files are limited",
            Self::Device => "/dev/full",
        }
    }
}

impl Place {
    /// Makes the place in `folder`; whoever is to read from it does not yet.
    pub(super) fn make(trouble: Trouble, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut place = Self { trouble, folder: folder.to_owned(), reader: None };
        match trouble {
            Trouble::Unread | Trouble::Stopped => {
                process::run(Command::new("mkfifo").arg(place.lines()))?;
                place.reader = Some(place.reader()?);
            }
            Trouble::Full => {
                let mount = ["-t", "tmpfs", "-o", DISK, "tmpfs"];
                process::run(Command::new("mount").args(mount).arg(folder))?;
            }
            Trouble::Limit | Trouble::Device => {}
        }
        Ok(place)
    }

    /// Where the lines are to go.
    pub(super) fn lines(&self) -> PathBuf {
        match self.trouble {
            Trouble::Device => "/dev/full".into(),
            _ => self.folder.join("events.jsonl"),
        }
    }

    /// Where the tables are to go.
    pub(super) fn tables(&self) -> PathBuf {
        self.folder.join("session.db")
    }

    /// Where the lines can be read.
    pub(super) fn kept(&self) -> PathBuf {
        if self.trouble.stalls() { self.folder.join("read.jsonl") } else { self.lines() }
    }

    /// Lets the trouble begin, for the process `id`.
    pub(super) fn hurt(&self, id: Pid) -> Result<()> {
        match (self.trouble, &self.reader) {
            (Trouble::Stopped, Some(Reader::Cat(cat))) => signal(cat, Signal::STOP),
            (Trouble::Full, _) => self.fill(),
            (Trouble::Limit, _) => {
                let longest = [self.lines(), self.tables()];
                let sizes = longest.iter().filter_map(|file| Some(fs::metadata(file).ok()?.len()));
                limit(id, sizes.max())
            }
            _ => Ok(()), // it has been there from the beginning
        }
    }

    /// Ends the trouble.
    pub(super) fn mend(&self, id: Pid) -> Result<()> {
        match (self.trouble, &self.reader) {
            (_, Some(Reader::Thread { read, .. })) => Ok(read.send(())?),
            (_, Some(Reader::Cat(cat))) => signal(cat, Signal::CONT),
            (Trouble::Full, _) => {
                process::run(Command::new("mount").args(["-o", ROOM]).arg(&self.folder))
            }
            (Trouble::Limit, _) => limit(id, None),
            _ => Ok(()),
        }
    }

    /// Waits until what was written has been read: whoever wrote must be gone.
    pub(super) fn drain(&mut self) -> Result<()> {
        match self.reader.take() {
            Some(Reader::Thread { read, done }) => {
                let _ = read.send(()); // it may have been told, and be done
                done.join().map_err(|_| anyhow!("the reader died"))??;
            }
            Some(Reader::Cat(mut cat)) => {
                cat.wait()?;
            }
            None => {}
        }
        Ok(())
    }

    fn reader(&self) -> Result<Reader> {
        let (pipe, kept) = (self.lines(), self.kept());
        if self.trouble == Trouble::Stopped {
            let cat = Command::new("cat").arg(pipe).stdout(File::create(kept)?).spawn();
            return Ok(Reader::Cat(cat.context("cannot start `cat`")?));
        }
        let (read, told) = mpsc::channel();
        let done = std::thread::spawn(move || {
            // Opening waits for the writer, as the writer waits for it.
            let mut pipe = File::open(pipe)?;
            let _ = told.recv(); // whoever would tell has gone: there is no point in waiting
            io::copy(&mut pipe, &mut File::create(kept)?)
        });
        Ok(Reader::Thread { read, done })
    }

    /// Fills the disk to its last page.
    fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        loop {
            match ballast.write(&[0; 512]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("cannot fill the disk"),
            }
        }
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(Reader::Cat(cat)) = &mut self.reader {
            let _ = cat.kill(); // it may have ended
            let _ = cat.wait();
        }
        if self.trouble == Trouble::Full {
            // The namespace ends soon, and the mount with it.
            let _ = Command::new("umount").arg(&self.folder).stderr(Stdio::null()).status();
        }
    }
}

fn signal(child: &Child, signal: Signal) -> Result<()> {
    let id = Pid::from_raw(child.id().cast_signed()).context("process id 0")?;
    kill_process(id, signal).context("cannot signal the reader")
}

/// Limits what files of the process may grow to, in a way that can be taken back.
fn limit(id: Pid, bytes: Option<u64>) -> Result<()> {
    prlimit(Some(id), Resource::Fsize, Rlimit { current: bytes, maximum: None })
        .map(drop)
        .context("cannot limit the process's files")
}
