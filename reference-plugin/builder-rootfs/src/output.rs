//! Where the output goes: made beside its place, and put there when it is whole.
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use packwire_plugin::{Artifact, ArtifactDestroy, ArtifactInfo, Diagnostic, Outcome, Stop};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use serde::{Deserialize, Serialize};

/// The kind of artifact.
const BUILDER_ID: &str = "packwire.rootfs";

/// What a build makes outside of its temporary directory, as the ledger has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// The output while it is no output yet.
    draft: PathBuf,
    /// Where it goes.
    output: PathBuf,
    /// Device and number of the draft, by which it is known again at its place; missing before it is made.
    #[serde(default)]
    file: Option<(u64, u64)>,
    /// Directories above it that were not there before, the outermost first.
    #[serde(default)]
    directories: Vec<PathBuf>,
}

impl Made {
    /// What making an output will make.
    pub(crate) fn planned(output: &Path) -> Self {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        // A name has at most 255 bytes.
        let name: String = name.chars().take(50).collect();
        let draft = output.with_file_name(format!(".{name}.{}.draft", uuid::Uuid::new_v4().simple()));
        let above = output.parent().into_iter().flat_map(Path::ancestors);
        let mut directories: Vec<_> = above
            .take_while(|one| !one.as_os_str().is_empty() && !one.exists())
            .map(Path::to_owned)
            .collect();
        directories.reverse();
        Self { draft, output: output.to_owned(), file: None, directories }
    }

    pub(crate) fn output(&self) -> &Path {
        &self.output
    }

    /// Takes all of it away that is there. A second time does nothing.
    pub(crate) fn undo(&self) -> io::Result<()> {
        remove(&self.draft)?;
        if self.file.is_some() && self.file == identity(&self.output) {
            remove(&self.output)?;
        }
        for directory in self.directories.iter().rev() {
            // A directory that somebody else uses by now is not empty, and stays.
            drop(fs::remove_dir(directory));
        }
        Ok(())
    }
}

/// Device and number of what a path leads to.
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Removes a file or a directory with all in it; nothing is left where nothing was.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// An output under way. Dropped, all that was made for it goes again.
#[derive(Debug)]
pub(crate) struct Draft {
    made: Made,
    kept: bool,
}

impl Draft {
    /// Makes the directories and an empty draft; `directory` says which kind.
    pub(crate) fn make(made: Made, directory: bool) -> Result<Self, Stop> {
        let mut draft = Self { made, kept: false };
        let make = || -> io::Result<()> {
            fs::create_dir_all(draft.made.draft.parent().unwrap_or(Path::new("/")))?;
            if directory {
                fs::create_dir(&draft.made.draft)
            } else {
                fs::File::create_new(&draft.made.draft).map(drop)
            }
        };
        make().map_err(|error| unusable(&draft.made.output, &error))?;
        draft.made.file = identity(&draft.made.draft);
        Ok(draft)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.made.draft
    }

    /// What the ledger has of it.
    pub(crate) fn made(&self) -> &Made {
        &self.made
    }

    /// Puts it in its place; in that of another only where it `may_replace` it.
    pub(crate) fn publish(&self, may_replace: bool) -> Result<(), Stop> {
        let Made { draft, output, .. } = &self.made;
        match renameat_with(CWD, draft, CWD, output, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if may_replace => {
                // The old one is at the draft's place then, and goes with it.
                let swapped = renameat_with(CWD, draft, CWD, output, RenameFlags::EXCHANGE);
                swapped.map_err(io::Error::from).and_then(|()| remove(draft))
            }
            Err(Errno::EXIST) => return Err(exists(output)),
            Err(error) => Err(error.into()),
        }
        .map_err(|error| unusable(output, &error))
    }

    /// It stays, wherever it is.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    /// Takes all away that was made for it, or says what is left.
    pub(crate) fn undo(mut self) -> io::Result<()> {
        self.kept = true;
        self.made.undo()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = self.made.undo()
        {
            packwire_plugin::log::warn(format!("{} is left: {error}", self.made.draft.display()));
        }
    }
}

/// Why an output cannot be made: something is there.
pub(crate) fn exists(output: &Path) -> Stop {
    let exists = Diagnostic::error(format!("{} exists", output.display()));
    exists.at("/output").with_detail("A forced build replaces it.").into()
}

fn unusable(output: &Path, error: &io::Error) -> Stop {
    Diagnostic::error(format!("{} cannot be made: {error}", output.display())).at("/output").into()
}

/// The output as an artifact. Destroying it removes it.
#[derive(Debug)]
pub(crate) struct RootfsArtifact {
    info: ArtifactInfo,
    output: PathBuf,
}

impl RootfsArtifact {
    /// An output that is in its place, by its digest.
    pub(crate) fn of(output: PathBuf, digest: String, description: String) -> io::Result<Self> {
        let mut files = Vec::new();
        list(&output, &mut files)?;
        files.sort();
        let info = ArtifactInfo {
            builder_id: BUILDER_ID.to_owned(),
            id: digest,
            description,
            files,
            extensions: String::new(),
        };
        Ok(Self { info, output })
    }
}

fn list(path: &Path, files: &mut Vec<String>) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        files.push(path.display().to_string());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        list(&entry?.path(), files)?;
    }
    Ok(())
}

impl Artifact for RootfsArtifact {
    async fn describe(&self) -> ArtifactInfo {
        self.info.clone()
    }

    async fn destroy(&self, _: ArtifactDestroy) -> Outcome {
        match remove(&self.output) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::failed(format!("{} cannot be removed: {error}", self.output.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        for directory in [false, true] {
            drop(Draft::make(Made::planned(&place.path().join("a/b/out")), directory).unwrap());
            assert!(names(place.path()).is_empty());
        }
    }

    #[test]
    fn an_output_is_replaced_only_where_that_is_allowed() {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("out");
        fs::create_dir_all(output.join("old")).unwrap();
        let draft = Draft::make(Made::planned(&output), true).unwrap();
        fs::write(draft.path().join("new"), "").unwrap();
        assert_eq!(draft.publish(false).unwrap_err(), exists(&output));
        draft.publish(true).unwrap();
        draft.keep();
        assert_eq!((names(place.path()), names(&output)), (vec!["out".to_owned()], vec!["new".to_owned()]));
    }

    #[test]
    fn what_the_ledger_has_is_undone_at_every_step_and_twice() {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("a/out");
        let planned = Made::planned(&output);
        planned.undo().unwrap();
        let draft = Draft::make(planned, false).unwrap();
        let entry = serde_json::to_string(draft.made()).unwrap();
        draft.publish(false).unwrap();
        draft.keep();
        let made: Made = serde_json::from_str(&entry).unwrap();
        made.undo().unwrap();
        made.undo().unwrap();
        assert!(names(place.path()).is_empty());
    }

    #[test]
    fn an_output_of_somebody_else_is_not_undone() {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("out");
        let draft = Draft::make(Made::planned(&output), false).unwrap();
        fs::write(&output, "theirs").unwrap();
        drop(draft);
        assert_eq!(names(place.path()), ["out"]);
    }
}
