//! The two files of an authority on disk. Refuses to know what is in them.
//!
//! The key exists before the certificate does, and each appears whole, so whoever sees both sees
//! one pair. Only the holder of the lock creates, so there is one creator.

use super::error::CaError;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

const KEY: &str = "ca-key.pem";
const CERTIFICATE: &str = "ca.pem";
const LOCK: &str = ".lock";

/// Bytes of a file that is read. A key or certificate has less than two thousand.
const MAX_FILE: u64 = 64 * 1024;

/// The folder of an authority.
#[derive(Clone, Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

/// The texts of the two files.
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) certificate: String,
}

impl Store {
    /// Makes the folder if it is not there, and checks that it is ours alone.
    pub(super) fn open(dir: &Path) -> Result<Self, CaError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(io_error("create the folder", dir))?;
        let found = fs::metadata(dir).map_err(io_error("look at", dir))?;
        check_owner(dir, found.uid())?;
        if found.mode() & 0o022 != 0 {
            return Err(CaError::FolderExposed { path: dir.into(), mode: found.mode() & 0o7777 });
        }
        Ok(Self { dir: dir.into() })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn key_path(&self) -> PathBuf {
        self.dir.join(KEY)
    }

    pub(super) fn certificate_path(&self) -> PathBuf {
        self.dir.join(CERTIFICATE)
    }

    /// Reads the pair; makes and keeps one first if there is none.
    pub(super) fn read_or_create(
        &self,
        make: impl FnOnce() -> Result<Pair, CaError>,
    ) -> Result<Pair, CaError> {
        // Without the lock first: an authority in use needs no writing.
        if !self.is_complete() {
            let _lock = self.lock()?;
            match (exists(&self.key_path()), exists(&self.certificate_path())) {
                (true, true) => {}
                (false, false) => self.create(&make()?)?,
                (true, false) => return Err(half(self.key_path(), self.certificate_path())),
                (false, true) => return Err(half(self.certificate_path(), self.key_path())),
            }
        }
        Ok(Pair {
            key: read(&self.key_path(), Secrecy::Secret)?,
            certificate: read(&self.certificate_path(), Secrecy::Public)?,
        })
    }

    fn is_complete(&self) -> bool {
        exists(&self.key_path()) && exists(&self.certificate_path())
    }

    /// Waits for the lock, which ends with the file it returns, or with the process.
    fn lock(&self) -> Result<File, CaError> {
        let path = self.dir.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(io_error("open", &path))?;
        file.lock().map_err(io_error("lock", &path))?;
        Ok(file)
    }

    fn create(&self, pair: &Pair) -> Result<(), CaError> {
        write(&self.key_path(), &pair.key, 0o600)?;
        write(&self.certificate_path(), &pair.certificate, 0o644)
    }
}

/// Whether something bears this name, be it a link to nowhere.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn half(present: PathBuf, missing: PathBuf) -> CaError {
    CaError::Half { present, missing }
}

/// Puts a file in place whole: under a name of its own first, then by a link that replaces nothing.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), CaError> {
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    // Left by a process of the same id that was killed here; the lock says that none is at work.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("remove", &draft)(error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(io_error("create", &draft))?;
    let kept = file
        .write_all(text.as_bytes())
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    kept.map_err(io_error("write", path))?;
    removed.map_err(io_error("remove", &draft))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Secret,
    Public,
}

/// Reads a file of ours. What is checked is the file that was opened, not the name.
fn read(path: &Path, secrecy: Secrecy) -> Result<String, CaError> {
    let named = path.symlink_metadata().map_err(io_error("look at", path))?;
    if !named.is_file() {
        return Err(CaError::NotAFile { path: path.into() });
    }
    let file = File::open(path).map_err(io_error("open", path))?;
    let opened = file.metadata().map_err(io_error("look at", path))?;
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(CaError::NotAFile { path: path.into() });
    }
    check_owner(path, opened.uid())?;
    if secrecy == Secrecy::Secret && opened.mode() & 0o077 != 0 {
        return Err(CaError::KeyExposed { path: path.into(), mode: opened.mode() & 0o7777 });
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(io_error("read", path))?;
    Ok(text)
}

fn check_owner(path: &Path, owner: u32) -> Result<(), CaError> {
    let user = rustix::process::geteuid().as_raw();
    if owner == user { Ok(()) } else { Err(CaError::Owner { path: path.into(), owner, user }) }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CaError {
    move |error| CaError::Io { doing, path: path.into(), error }
}
