//! What a build makes, in words that another process can go by.
use std::{
    fs::{self, File},
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};
use tempfile::TempPath;

/// All that a build may have made so far. The host is told of it before it is made.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// Directories that were not there before, the outermost first.
    directories: Vec<PathBuf>,
    /// The file while it is being written, under a name that nobody else has.
    draft: PathBuf,
    /// The file when it is whole, if it is the one that was the draft.
    target: PathBuf,
    /// Which file that is, once it is begun.
    file: Option<Identity>,
    #[serde(skip)]
    is_whole: bool,
}

/// A file whatever it is called: its number is given to another one when it is gone, so its birth counts, too.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    device: u64,
    number: u64,
    /// In nanoseconds since 1970; `None` where the system does not keep it.
    born: Option<u64>,
}

impl Identity {
    fn of(file: &fs::Metadata) -> Self {
        let born = file.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|time| u64::try_from(time.as_nanos()).ok());
        Self { device: file.dev(), number: file.ino(), born }
    }
}

impl Made {
    /// What will be made for this target, an absolute path.
    pub(crate) fn of(target: &Path) -> Self {
        let parent = target.parent().unwrap_or(target);
        let mut directories: Vec<_> =
            parent.ancestors().take_while(|one| !one.exists()).map(ToOwned::to_owned).collect();
        directories.reverse();
        let anything = RandomState::new().build_hasher().finish();
        let draft = parent.join(format!(".packer-file-{anything:016x}"));
        Self { directories, draft, target: target.to_owned(), file: None, is_whole: false }
    }

    /// What the host is told.
    pub(crate) fn told(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// What the host was told.
    pub(crate) fn from_told(text: &str) -> Result<Self, String> {
        serde_json::from_str(text)
            .map_err(|error| format!("the host remembers what nobody can read: {error}"))
    }

    /// Where the file goes.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The directory of the file.
    pub(crate) fn parent(&self) -> &Path {
        self.target.parent().unwrap_or(&self.target)
    }

    /// Whether the file is in its place.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The draft has become the file.
    pub(crate) fn moved(&mut self) {
        self.is_whole = true;
    }

    /// Makes the directories.
    pub(crate) fn directories(&self) -> io::Result<()> {
        for one in &self.directories {
            match fs::create_dir(one) {
                // Somebody else, a build beside this one perhaps, was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
        }
        Ok(())
    }

    /// Begins the file: mode 0600, and gone when it is dropped before it is moved.
    pub(crate) fn draft(&mut self) -> io::Result<TempPath> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(&self.draft)?;
        self.file = Some(Identity::of(&file.metadata()?));
        TempPath::try_from_path(&self.draft)
    }

    /// Takes away what is there of it.
    pub(crate) fn remove(&self) -> Result<(), String> {
        let there = self.target.symlink_metadata().ok().as_ref().map(Identity::of);
        if there.is_some() && there == self.file {
            remove(&self.target)?;
        }
        remove(&self.draft)?;
        for directory in self.directories.iter().rev() {
            // A directory that somebody else uses by now is not empty, and stays.
            drop(fs::remove_dir(directory));
        }
        Ok(())
    }
}

fn remove(file: &Path) -> Result<(), String> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}", file.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
