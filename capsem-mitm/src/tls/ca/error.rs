//! Why there is no authority, or no leaf. Each message ends with what mends it.

use crate::authority::Host;
use std::{io, path::PathBuf};

/// A certificate authority that cannot be used, or a leaf that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// The system refused something.
    #[error("cannot {doing} {}: {error}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A symbolic link, device or folder in a file's place: someone else may say what it holds.
    #[error("{} is not a plain file; move it away and put the file itself there", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// A key that others can read is a key that others may have.
    #[error(
        "{} can be used by others (mode {mode:04o}); if nobody has read it, run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    KeyExposed {
        /// The key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A folder in which others can put another key.
    #[error(
        "{} can be written by others (mode {mode:04o}); run: chmod 700 {}",
        path.display(),
        path.display()
    )]
    FolderExposed {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something that belongs to another user.
    #[error(
        "{} belongs to user {owner}, not to user {user}; run: chown {user} {}",
        path.display(),
        path.display()
    )]
    Owner {
        /// The file or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// One file of the pair without the other.
    #[error(
        "{} is there without {}; put that back, or start anew with: rm {}",
        present.display(),
        missing.display(),
        present.display()
    )]
    Half {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// A file that holds something else than it should.
    #[error("{} is no {expected}; put it back, or start anew with: rm -r {}", path.display(), dir.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// The folder of the authority.
        dir: PathBuf,
    },
    /// A certificate for another key.
    #[error(
        "the key and the certificate in {} are not of one pair; start anew with: rm -r {}",
        dir.display(),
        dir.display()
    )]
    Mismatch {
        /// The folder of the authority.
        dir: PathBuf,
    },
    /// A certificate whose time has not come or is over.
    #[error(
        "the certificate in {} is not valid at this time; look at the clock, or start anew with: \
         rm -r {}",
        dir.display(),
        dir.display()
    )]
    NotValidNow {
        /// The folder of the authority.
        dir: PathBuf,
    },
    /// The library refused to make a key or a certificate.
    #[error("cannot make a certificate for {subject}: {error}")]
    Make {
        /// For whom.
        subject: String,
        /// What the library said.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes; look at its kernel log")]
    Random,
    /// A leaf asked for at a time outside the authority's own.
    #[error("cannot make a certificate for {host}: the authority is not valid at this time")]
    OutsideValidity {
        /// For whom.
        host: Host,
    },
}
