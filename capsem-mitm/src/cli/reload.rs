//! The rule file and the files of credentials read again, when they change and on SIGHUP. Refuses to
//! know what they say: a file that cannot be read as a whole changes nothing.

use super::policy_file;
use crate::{
    LivePolicy,
    credential::{LiveCredentials, Reread},
    tap::aside,
};
use capsem_telemetry::{Fault, FaultClass, Ledger, Record, Side};
use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{signal::unix::Signal, time};

/// How often the files are looked at. A change is read once two looks in a row have seen the same
/// file, so that one written in pieces is not read in the middle.
const LOOK: Duration = Duration::from_millis(500);

/// What is read again, and whoever has to be told.
pub(crate) struct Reload {
    files: Vec<Watched>,
    policy: LivePolicy,
    credentials: LiveCredentials,
    ledger: Ledger,
}

/// A file that is looked at.
struct Watched {
    path: PathBuf,
    what: What,
    /// As it was at the last look.
    before: Stamp,
    /// As it was when it was read last.
    read: Stamp,
}

#[derive(Clone, Copy)]
enum What {
    Rules,
    Credential,
}

/// What tells a file from the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stamp {
    File {
        device: u64,
        inode: u64,
        len: u64,
        changed: (i64, i64),
    },
    /// No regular file: what becomes of it, as of a pipe when it is written to, is no change of it.
    NoFile {
        device: u64,
        inode: u64,
    },
    Gone(io::ErrorKind),
}

impl Reload {
    /// The files are to have been read just now.
    pub(crate) fn new(
        rules: Option<&Path>,
        policy: LivePolicy,
        credentials: LiveCredentials,
        ledger: Ledger,
    ) -> Self {
        let mut files: Vec<_> = rules.map(|it| Watched::new(it, What::Rules)).into_iter().collect();
        let values = credentials.files();
        files.extend(values.iter().map(|it| Watched::new(it, What::Credential)));
        Self { files, policy, credentials, ledger }
    }

    /// Follows the files for ever. `hang_up` is SIGHUP, where that means to read them again.
    pub(crate) async fn follow(mut self, mut hang_up: Option<Signal>) -> Infallible {
        loop {
            let asked = tokio::select! {
                () = time::sleep(LOOK) => false,
                () = next(&mut hang_up) => true,
            };
            let due: Vec<_> = self
                .files
                .iter_mut()
                .filter_map(|file| file.look(asked).then(|| file.target()))
                .collect();
            for (what, path) in due {
                // Thousands of rules take a while, which is nobody else's to wait for.
                aside(u64::MAX, || self.read(what, &path));
            }
        }
    }

    fn read(&self, what: What, path: &Path) {
        match what {
            What::Rules => self.read_rules(path),
            What::Credential => self.read_credential(path),
        }
    }

    fn read_rules(&self, path: &Path) {
        match policy_file::load(path) {
            Ok(policy) => {
                let (file, rules) = (path.display(), policy.rules().len());
                tracing::info!(%file, rules, "new rules are in force");
                self.policy.replace(policy);
            }
            Err(error) => {
                let detail = error.line();
                tracing::error!("the rules before it stay in force: {detail}");
                self.fault(FaultClass::Policy, detail);
            }
        }
    }

    fn read_credential(&self, path: &Path) {
        for Reread { host, outcome, .. } in self.credentials.reread(path) {
            match outcome {
                Ok(()) => tracing::info!(%host, "a new value of a credential is in force"),
                Err(error) => {
                    let detail = format!("the credential of {host}: {error}");
                    tracing::error!("the value before it stays in force: {detail}");
                    self.fault(FaultClass::Credential, detail);
                }
            }
        }
    }

    fn fault(&self, class: FaultClass, detail: String) {
        let (side, detail) = (Side::Proxy, Some(detail));
        let fault = Fault { conn: None, exchange: None, side, class, detail };
        self.ledger.record(Record::Fault(fault));
    }
}

impl Watched {
    fn new(path: &Path, what: What) -> Self {
        let read = stamp(path);
        Self { path: path.to_owned(), what, before: read.clone(), read }
    }

    fn target(&self) -> (What, PathBuf) {
        (self.what, self.path.clone())
    }

    /// Whether it is to be read: it has changed and is at rest, or somebody has `asked` for it.
    fn look(&mut self, asked: bool) -> bool {
        let now = stamp(&self.path);
        let settled = now == self.before;
        self.before = now;
        let due = asked || (settled && self.before != self.read);
        if due {
            self.read.clone_from(&self.before);
        }
        due
    }
}

fn stamp(path: &Path) -> Stamp {
    match fs::metadata(path) {
        Ok(file) if !file.is_file() => Stamp::NoFile { device: file.dev(), inode: file.ino() },
        Ok(file) => Stamp::File {
            device: file.dev(),
            inode: file.ino(),
            len: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        },
        Err(error) => Stamp::Gone(error.kind()),
    }
}

async fn next(hang_up: &mut Option<Signal>) {
    match hang_up {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
