//! What is made for one file, as the host's ledger has it.
use std::{
    fs::{self, File, Metadata},
    hash::{BuildHasher, RandomState},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Stop;

/// How the name of every draft ends: nothing else is removed by it.
const DRAFT: &str = ".draft";

/// A draft, its target, and the directories above them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    draft: PathBuf,
    target: PathBuf,
    /// Missing until the draft is complete.
    #[serde(default)]
    mark: Option<Mark>,
    /// Those that were not there before, the outermost first.
    #[serde(default)]
    directories: Vec<PathBuf>,
}

/// By what a file is known under any name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    device: u64,
    number: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Mark {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Made {
    /// What writing `target` will make.
    pub(super) fn planned(target: &Path) -> Result<Self, Stop> {
        let refused = |why: &str| Stop::failed(format!("{} cannot be written: {why}", target.display()));
        let target = followed(target);
        match target.metadata() {
            Ok(there) if there.is_dir() => return Err(refused("it is a directory")),
            Ok(there) if !there.is_file() => return Err(refused("it is no regular file")),
            _ => {}
        }
        let name = target.file_name().ok_or_else(|| refused("it has no name"))?.to_string_lossy();
        let fresh = RandomState::new().hash_one(&target);
        // A name has at most 255 bytes.
        let name: String = name.chars().take(50).collect();
        let draft = target.with_file_name(format!(".{name}.{fresh:016x}{DRAFT}"));
        let above = target.parent().into_iter().flat_map(Path::ancestors);
        let missing = above.take_while(|one| !one.as_os_str().is_empty() && !one.exists());
        let mut directories: Vec<_> = missing.map(Path::to_owned).collect();
        directories.reverse();
        Ok(Self { draft, target, mark: None, directories })
    }

    pub(super) fn draft(&self) -> &Path {
        &self.draft
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Makes the directories and the draft.
    pub(super) fn make(&mut self) -> io::Result<File> {
        let mut made = Vec::new();
        for directory in std::mem::take(&mut self.directories) {
            match fs::create_dir(&directory) {
                Ok(()) => made.push(directory),
                // Somebody else, a build beside this one perhaps, was faster, and keeps it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    self.directories = made;
                    return Err(error);
                }
            }
        }
        self.directories = made;
        let file = File::options().read(true).write(true).create_new(true).open(&self.draft)?;
        if let Ok(replaced) = self.target.metadata() {
            file.set_permissions(replaced.permissions())?;
        }
        Ok(file)
    }

    /// The draft is complete, and looks like this.
    pub(super) fn mark(&mut self, metadata: &Metadata) {
        self.mark = Some(Mark::of(metadata));
    }

    pub(super) fn put(&self) -> io::Result<()> {
        fs::rename(&self.draft, &self.target)
    }

    /// Takes all of it away that is there. A second time does nothing.
    pub(super) fn undo(&self) -> io::Result<()> {
        if self.draft.extension().is_some_and(|extension| extension == &DRAFT[1..]) {
            remove(&self.draft)?;
        }
        let there = self.target.symlink_metadata().ok();
        if self.mark.is_some() && there.as_ref().map(Mark::of) == self.mark {
            remove(&self.target)?;
        }
        for directory in self.directories.iter().rev() {
            // A directory that somebody else uses by now is not empty, and stays.
            drop(fs::remove_dir(directory));
        }
        Ok(())
    }
}

/// Where a file is, or will be, when links are followed.
fn followed(target: &Path) -> PathBuf {
    target.canonicalize().unwrap_or_else(|_| target.to_owned())
}

/// Removes a file; nothing is left where nothing was, nor where a file is in place of a directory above it.
fn remove(path: &Path) -> io::Result<()> {
    let gone =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    match fs::remove_file(path) {
        Err(error) if gone(&error) => Ok(()),
        removed => removed,
    }
}
