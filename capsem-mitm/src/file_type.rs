//! The words for what a path can name in place of a regular file. Opens nothing.

use std::{fs::FileType, os::unix::fs::FileTypeExt as _};

/// What it is, if it is no regular file.
pub(crate) fn no_file(kind: FileType) -> Option<&'static str> {
    Some(if kind.is_file() {
        return None;
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    })
}
