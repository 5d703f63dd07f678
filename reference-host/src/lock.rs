//! Locks between processes that the system ends with whoever holds them, however that one ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// A lock on a file or directory, held until it is dropped. No child inherits it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// The lock on what is open as `file` and stands at `path`; `None` where somebody else holds it, or where
    /// something else, or nothing, stands there by now.
    ///
    /// # Errors
    /// The file system has no locks, or cannot be read.
    pub(crate) fn of(file: File, path: &Path, shared: bool) -> io::Result<Option<Self>> {
        let wanted = if shared {
            FlockOperation::NonBlockingLockShared
        } else {
            FlockOperation::NonBlockingLockExclusive
        };
        match flock(&file, wanted) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Whoever held it may have removed it meanwhile: a lock on what nobody else finds keeps nobody out.
        let still_there = is_at(&file, path)?;
        Ok(still_there.then_some(Self { _file: file }))
    }

    /// The lock on the file at `path`, which is made where it is not there.
    ///
    /// # Errors
    /// As [`Lock::of`]; the file cannot be made.
    pub(crate) fn on(path: &Path, shared: bool) -> io::Result<Option<Self>> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        Self::of(file, path, shared)
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_or_many_that_share_hold_a_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let alone = Lock::on(&path, false).unwrap().unwrap();
        assert!(Lock::on(&path, false).unwrap().is_none());
        assert!(Lock::on(&path, true).unwrap().is_none());
        drop(alone);
        let _many = [Lock::on(&path, true).unwrap().unwrap(), Lock::on(&path, true).unwrap().unwrap()];
        assert!(Lock::on(&path, false).unwrap().is_none());
    }

    #[test]
    fn what_was_removed_or_replaced_is_not_locked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let old = File::create(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(Lock::of(old.try_clone().unwrap(), &path, false).unwrap().is_none());
        let _new = File::create(&path).unwrap();
        assert!(Lock::of(old, &path, false).unwrap().is_none());
    }
}
