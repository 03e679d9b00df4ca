//! The rule file read again, when it changes and on SIGHUP. Refuses to know what it says: a file
//! that cannot be read as a whole changes nothing.

use super::policy_file;
use crate::LivePolicy;
use capsem_telemetry::{Fault, FaultClass, Ledger, Record, Side};
use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{signal::unix::Signal, time};

/// How often the file is looked at. A change is read once two looks in a row have seen the same
/// file, so that one written in pieces is not read in the middle.
const LOOK: Duration = Duration::from_millis(500);

/// Whoever has to be told.
pub(crate) struct Reload {
    pub(crate) path: PathBuf,
    pub(crate) policy: LivePolicy,
    pub(crate) ledger: Ledger,
}

/// What tells a file from the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stamp {
    File { device: u64, inode: u64, len: u64, changed: (i64, i64) },
    Gone(io::ErrorKind),
}

impl Reload {
    /// Follows the file for ever. `hang_up` is SIGHUP, where that means to read it again.
    pub(crate) async fn follow(self, mut hang_up: Option<Signal>) -> Infallible {
        let mut read = stamp(&self.path);
        let mut before = read.clone();
        loop {
            tokio::select! {
                () = time::sleep(LOOK) => {
                    let now = stamp(&self.path);
                    let settled = now == before;
                    before = now;
                    if !settled || before == read {
                        continue;
                    }
                }
                () = next(&mut hang_up) => before = stamp(&self.path),
            }
            read = before.clone();
            self.read();
        }
    }

    fn read(&self) {
        let file = self.path.display();
        match policy_file::load(&self.path) {
            Ok(policy) => {
                tracing::info!(%file, rules = policy.rules().len(), "new rules are in force");
                self.policy.replace(policy);
            }
            Err(error) => {
                let detail = error.line();
                tracing::error!("the rules before it stay in force: {detail}");
                let (side, class) = (Side::Proxy, FaultClass::Policy);
                let detail = Some(detail);
                let fault = Fault { conn: None, exchange: None, side, class, detail };
                self.ledger.record(Record::Fault(fault));
            }
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    match fs::metadata(path) {
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
