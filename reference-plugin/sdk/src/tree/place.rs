//! Places below an open directory, reached name by name and never through a link.
use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fchmod, mkdirat, openat, statat},
    io::Errno,
};

use super::TreeError;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens the directory in which all other names start; the way to it may be a link.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, TreeError> {
    let opened = openat(CWD, path, DIRECTORY, Mode::empty());
    opened.map_err(|error| TreeError::io(format!("{} cannot be opened", path.display()), error))
}

/// Opens a directory that is one, and no link.
pub(super) fn open_directory(at: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    openat(at, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
}

/// Opens a directory further down, all of whose ancestors are real directories.
pub(super) fn descend(root: &OwnedFd, parts: &[OsString]) -> io::Result<OwnedFd> {
    let mut here = root.try_clone()?;
    for part in parts {
        here = open_directory(&here, part)?;
    }
    Ok(here)
}

/// The same, where missing directories are made on the way.
pub(super) fn descend_making(root: &OwnedFd, parts: &[OsString]) -> Result<OwnedFd, (OsString, Errno)> {
    let failed = |part: &OsString| {
        let part = part.clone();
        move |error| (part, error)
    };
    let mut here = root.try_clone().map_err(|_| (OsString::from("."), Errno::MFILE))?;
    for part in parts {
        here = match open_directory(&here, part) {
            Err(Errno::NOENT) => make_directory(&here, part, 0o755).map_err(failed(part))?,
            opened => opened.map_err(failed(part))?,
        };
    }
    Ok(here)
}

/// Makes a directory with exactly these bits.
pub(super) fn make_directory(at: impl AsFd, name: &OsStr, mode: u32) -> Result<OwnedFd, Errno> {
    mkdirat(&at, name, Mode::RWXU)?;
    let made = open_directory(&at, name)?;
    fchmod(&made, Mode::from_raw_mode(mode))?;
    Ok(made)
}

/// What there is under a name, a link being a link; `None` where nothing is.
pub(super) fn look(at: impl AsFd, name: &OsStr) -> Result<Option<Stat>, Errno> {
    match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// What people call it.
pub(super) fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a link",
        FileType::Fifo => "a fifo",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something unknown",
    }
}

/// The names in a directory, in the order of their bytes.
pub(super) fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}
