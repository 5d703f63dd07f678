//! Temporary directories: in the ledger before they are made, and out of it when they are gone.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::ledger::{Entry, Kept, Ledger, Maker, NotKept};

/// An empty directory of one run's own. It must be [taken back](Self::take_back): dropped, it stays in the ledger.
#[derive(Debug)]
pub(super) struct TempDirectory {
    path: PathBuf,
    kept: Kept,
}

/// Why there is no directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoDirectory {
    #[error(transparent)]
    NotKept(#[from] NotKept),
    #[error("{} cannot be made: {why}", path.display())]
    NotMade { path: PathBuf, why: io::Error },
}

impl TempDirectory {
    /// Makes one below `temporary` that nobody else has.
    pub(super) async fn make(temporary: &Path, ledger: &Ledger, maker: Maker) -> Result<Self, NoDirectory> {
        let path = temporary.join(format!("packwire-{}", uuid::Uuid::new_v4().simple()));
        let kept = ledger.remember(Entry::Directory { path: path.clone(), maker }).await?;
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path, kept }),
            Err(why) => {
                kept.strike().await?;
                Err(NoDirectory::NotMade { path, why })
            }
        }
    }

    /// Where it is, absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it with all that is in it. What cannot be removed stays in the ledger.
    pub(super) async fn take_back(self) -> Result<(), String> {
        let Self { path, kept } = self;
        remove(&path, &kept).await
    }
}

/// Removes a directory that the ledger names, then its entry.
pub(crate) async fn remove(path: &Path, kept: &Kept) -> Result<(), String> {
    let directory = path.to_owned();
    let removed = tokio::task::spawn_blocking(move || remove_tree(&directory)).await;
    match removed.map_err(io::Error::from).flatten() {
        Ok(()) => kept.strike().await.map_err(|why| why.to_string()),
        Err(why) => Err(format!("{} cannot be removed: {why}", path.display())),
    }
}

/// Removes a directory of ours, also where its owner may not write in parts of it; one that is gone is no matter.
fn remove_tree(directory: &Path) -> io::Result<()> {
    match fs::symlink_metadata(directory) {
        Ok(there) if !there.is_dir() || there.uid() != rustix::process::geteuid().as_raw() => {
            return Err(io::Error::other("it is no directory of this user"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(_) | Err(_) => {}
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(directory)?;
            fs::remove_dir_all(directory)
        }
        done => done,
    }
}

/// Gives the owner all rights on a directory and those below it; links are not followed.
fn open_up(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Claim, claim, runs};
    use crate::services::tests::{ledger, maker};

    // host.temp-dir-private
    #[tokio::test]
    async fn it_is_private_and_goes_with_all_that_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let directory = TempDirectory::make(folder.path(), &ledger, maker()).await.unwrap();
        let path = directory.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/c"), "c").unwrap();
        fs::set_permissions(path.join("a"), Permissions::from_mode(0o500)).unwrap();
        directory.take_back().await.unwrap();
        assert!(!path.exists());
        assert!(ledger.close().unwrap().is_empty());
        assert!(runs(&folder.path().join("ledger")).unwrap().is_empty());
    }

    // host.temp-dir-ledger
    #[tokio::test]
    async fn the_ledger_tells_of_one_that_a_dead_host_left() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("ledger");
        let path = {
            let ledger = ledger(folder.path());
            let directory = TempDirectory::make(folder.path(), &ledger, maker()).await.unwrap();
            directory.path().to_owned()
        };
        let run = runs(&place).unwrap().remove(0);
        let Claim::Ours(book) = claim(&place, &run).unwrap() else { panic!("its host is gone") };
        let left = Ledger::of_book(*book);
        let (kept, entry) = left.picked(|_| true).remove(0);
        assert_eq!(entry, Entry::Directory { path: path.clone(), maker: maker() });
        remove(&path, &kept).await.unwrap();
        assert!(!path.exists() && !kept.is_left());
        // Twice is no matter.
        remove(&path, &kept).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_directory_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let directory = TempDirectory::make(folder.path(), &ledger, maker()).await.unwrap();
        let path = directory.path().to_owned();
        fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink(folder.path(), &path).unwrap();
        let refused = directory.take_back().await.unwrap_err();
        assert!(refused.ends_with("it is no directory of this user"), "{refused}");
        assert_eq!(ledger.close().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn one_that_cannot_be_made_leaves_no_entry() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let refused = TempDirectory::make(&folder.path().join("nowhere"), &ledger, maker()).await;
        assert!(matches!(refused, Err(NoDirectory::NotMade { .. })));
        assert!(ledger.close().unwrap().is_empty());
    }
}
