//! Records as lines of JSON in a file, a pipe or on standard output.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;

use super::{Shortfall, Sink};
use crate::{Error, Stamped};

/// Appends each record as one line; one write per batch.
///
/// A line that a failing write cut short is completed before anything else is written, so a tear
/// is left only by a process that died. The tear of an earlier run stays one bad line of its own.
#[derive(Debug)]
pub struct Jsonl<W = File> {
    out: W,
    /// A regular file: it can be read back and made to last.
    regular: bool,
    /// Bytes owed to the output: the rest of a line that was cut.
    owed: Vec<u8>,
}

const NAME: &str = "jsonl";

/// Only the owner may read a ledger.
const FILE_MODE: u32 = 0o600;

impl Jsonl {
    /// Opens a file or a named pipe for appending; a new file is readable by its owner only.
    ///
    /// Fails with [`Error::InUse`] if another process writes to the same file. Opening a named
    /// pipe waits for its reader.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let cannot = |source: io::Error| Error::Open { path: path.into(), source: source.into() };
        // A pipe opened for reading too would be its own reader.
        let readable = !std::fs::metadata(path).is_ok_and(|found| !found.is_file());
        let out = OpenOptions::new()
            .read(readable)
            .append(true)
            .create(true)
            .mode(FILE_MODE)
            .open(path)
            .map_err(cannot)?;
        let regular = out.metadata().map_err(cannot)?.is_file();
        if regular {
            match out.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: path.into() }),
                Err(TryLockError::Error(source)) => return Err(cannot(source)),
            }
        }
        let mut sink = Self { out, regular, owed: Vec::new() };
        if sink.ends_torn().map_err(cannot)? {
            sink.owed.push(b'\n');
        }
        Ok(sink)
    }

    /// Writes to standard output, whatever that is.
    pub fn stdout() -> Result<Self, Error> {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let out = stdout.map_err(|source| Error::Sink { sink: NAME, source: source.into() })?;
        Ok(Self { out: out.into(), regular: false, owed: Vec::new() })
    }

    fn ends_torn(&mut self) -> io::Result<bool> {
        if !self.regular || self.out.metadata()?.len() == 0 {
            return Ok(false);
        }
        self.out.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        self.out.read_exact(&mut last)?;
        Ok(last != *b"\n")
    }
}

impl Sink for Jsonl {
    fn name(&self) -> &'static str {
        NAME
    }

    fn last_seq(&mut self) -> Result<Option<u64>, Error> {
        if !self.regular {
            return Ok(None);
        }
        last_seq(&mut self.out).map_err(|source| Error::Sink { sink: NAME, source: source.into() })
    }

    fn read_back(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), Error> {
        if !self.regular {
            return Ok(());
        }
        show_lines(&mut self.out, each)
            .map_err(|source| Error::Sink { sink: NAME, source: source.into() })
    }

    fn write(&mut self, batch: &[Stamped]) -> Result<(), Shortfall> {
        self.write_lines(batch)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let failed = |source: io::Error| Error::Sink { sink: NAME, source: source.into() };
        self.write_lines(&[]).map_err(|shortfall| shortfall.error)?;
        if self.regular { self.out.sync_data().map_err(failed) } else { Ok(()) }
    }
}

impl<W: Write> Jsonl<W> {
    /// Writes what is owed and the batch; the rest of a line that is cut becomes owed.
    fn write_lines(&mut self, batch: &[Stamped]) -> Result<(), Shortfall> {
        let mut bytes = std::mem::take(&mut self.owed);
        let mut borders = vec![bytes.len()];
        for record in batch {
            bytes.extend_from_slice(record.to_json().as_bytes());
            bytes.push(b'\n');
            borders.push(bytes.len());
        }
        let (written, outcome) = write_most(&mut self.out, &bytes);
        let Err(source) = outcome else { return Ok(()) };
        let taken = borders.partition_point(|border| *border < written);
        let border = borders.get(taken).copied().unwrap_or(written);
        self.owed = bytes.get(written..border).unwrap_or_default().to_vec();
        Err(Shortfall { taken, error: Error::Sink { sink: NAME, source: source.into() } })
    }
}

/// Writes until all is written or a write fails; says how much was written.
fn write_most(out: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

fn show_lines(file: &mut File, each: &mut dyn FnMut(&str)) -> io::Result<()> {
    file.rewind()?;
    let (mut lines, mut line) = (BufReader::new(file), Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        each(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

/// Bytes first read from a file's end to find its last record; most records are far smaller.
const WINDOW: u64 = 64 * 1024;

/// The `seq` of the last whole line of a file.
fn last_seq(file: &mut File) -> io::Result<Option<u64>> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let len = file.metadata()?.len();
    let mut window = WINDOW;
    loop {
        let start = len.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(len - start).read_to_end(&mut tail)?;
        // A window's first line is a piece of one, unless the window is the file.
        let lines = tail.split(|byte| *byte == b'\n').skip(usize::from(start > 0));
        let last = lines.filter_map(|line| serde_json::from_slice::<Numbered>(line).ok()).last();
        if last.is_some() || start == 0 {
            return Ok(last.map(|line| line.seq));
        }
        window = window.saturating_mul(4);
    }
}

#[cfg(test)]
mod tests;
