//! Files and trees, to and from where the tree is.
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use packwire_plugin::{
    FileInfo,
    tree::{pack, unpack},
};
use rustix::{
    fs::{Mode, OFlags, fchmod, fstat, futimens},
    process::fchdir,
};
use serde::{Deserialize, Serialize};

use super::Place;
use crate::tree::{Tree, times};

/// What an upload may do that does not say.
const DEFAULT_MODE: u32 = 0o644;

/// What to move. What goes into the tree comes as [`Frames`] on standard input, what comes out goes to standard
/// output.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Transfer {
    Upload {
        path: PathBuf,
        file: Given,
    },
    /// Its output begins with a line that is a [`Given`].
    Download {
        path: PathBuf,
    },
    UploadTree {
        path: PathBuf,
    },
    DownloadTree {
        path: PathBuf,
    },
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Given {
    size: Option<u64>,
    mode: Option<u32>,
    modified: Option<i64>,
}

impl From<FileInfo> for Given {
    fn from(FileInfo { size, mode, modified }: FileInfo) -> Self {
        Self { size, mode, modified }
    }
}

impl From<Given> for FileInfo {
    fn from(Given { size, mode, modified }: Given) -> Self {
        Self { size, mode, modified }
    }
}

impl Transfer {
    pub(super) fn run(self, place: &Place) -> Result<(), String> {
        let tree = place.enter().map_err(|error| format!("the tree cannot be entered: {error}"))?;
        match self {
            Self::Upload { path, file } => upload(&tree, &path, file),
            Self::Download { path } => {
                download(&tree, &path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
            }
            Self::UploadTree { path } => upload_tree(&tree, &path),
            Self::DownloadTree { path } => download_tree(&tree, &path),
        }
    }
}

fn upload(tree: &Tree, path: &Path, file: Given) -> Result<(), String> {
    let unwritable = |error: io::Error| format!("{} cannot be written: {error}", path.display());
    let spot = tree.spot(path).map_err(unwritable)?;
    let mut draft = spot.draft().map_err(unwritable)?;
    // One byte more than was announced is enough to know.
    let mut content =
        Frames::of(io::stdin().lock()).take(file.size.map_or(u64::MAX, |size| size.saturating_add(1)));
    let written = io::copy(&mut content, &mut draft.file).map_err(unwritable)?;
    match file.size {
        Some(size) if written > size => {
            return Err(format!("{}: more than the {size} bytes came that were announced", path.display()));
        }
        Some(size) if written < size => {
            return Err(format!("{}: {written} of {size} bytes came", path.display()));
        }
        _ => {}
    }
    let dressed = || -> io::Result<()> {
        fchmod(&draft.file, Mode::from_raw_mode(file.mode.unwrap_or(DEFAULT_MODE) & 0o7777))?;
        if let Some(modified) = file.modified {
            futimens(&draft.file, &times(modified))?;
        }
        Ok(())
    };
    dressed().and_then(|()| draft.publish()).map_err(unwritable)
}

fn download(tree: &Tree, path: &Path) -> io::Result<()> {
    let mut file = tree.read(path)?;
    let stat = fstat(&file)?;
    let given = Given {
        size: u64::try_from(stat.st_size).ok(),
        mode: Some(stat.st_mode & 0o7777),
        modified: Some(stat.st_mtime),
    };
    let mut output = io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(&given)?)?;
    io::copy(&mut file, &mut output)?;
    output.flush()
}

fn upload_tree(tree: &Tree, path: &Path) -> Result<(), String> {
    let unusable = |error: io::Error| format!("{} cannot be used: {error}", path.display());
    let directory = go_to(tree, path).map_err(unusable)?;
    let mut archive = Frames::of(io::stdin().lock());
    unpack(&mut archive, &directory).map_err(|error| error.to_string())?;
    // What follows an archive is nothing; but it has to have an end.
    io::copy(&mut archive, &mut io::sink()).map(drop).map_err(unusable)
}

/// Makes a directory of the tree the working directory, or the one above it where it is missing; brings back its path
/// from there. This process has one thread and nothing else to do.
fn go_to(tree: &Tree, path: &Path) -> io::Result<PathBuf> {
    match tree.open(path, OFlags::PATH | OFlags::DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let spot = tree.spot(path)?;
            fchdir(spot.fd())?;
            Ok(Path::new(".").join(&spot.name))
        }
        opened => {
            fchdir(opened?)?;
            Ok(".".into())
        }
    }
}

fn download_tree(tree: &Tree, path: &Path) -> Result<(), String> {
    let directory =
        go_to(tree, path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    pack(&directory, io::stdout().lock()).map_err(|error| error.to_string())
}

/// Bytes in frames: a length of 4 bytes, little-endian, before each. An empty frame is the end; without it the sender
/// gave up, which is an error.
#[derive(Debug)]
pub(crate) struct Frames<R> {
    from: R,
    left: usize,
    ended: bool,
}

impl<R: Read> Frames<R> {
    fn of(from: R) -> Self {
        Self { from, left: 0, ended: false }
    }
}

impl Frames<()> {
    /// What is sent before so many bytes.
    pub(crate) fn header(bytes: usize) -> [u8; 4] {
        u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            let mut header = [0; 4];
            self.from.read_exact(&mut header).map_err(gave_up)?;
            self.left = u32::from_le_bytes(header) as usize;
            self.ended = self.left == 0;
        }
        if self.ended {
            return Ok(0);
        }
        let most = buffer.len().min(self.left);
        let read = self.from.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 && most > 0 {
            return Err(gave_up(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left -= read;
        Ok(read)
    }
}

fn gave_up(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { io::Error::other("its sender gave up") } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(parts: &[&str]) -> Vec<u8> {
        parts.iter().flat_map(|part| [&Frames::header(part.len())[..], part.as_bytes()].concat()).collect()
    }

    #[test]
    fn frames_are_read_to_their_end_and_no_further() {
        let mut text = String::new();
        let sent = frames(&["one ", "two", "", "three"]);
        assert_eq!(Frames::of(&sent[..]).read_to_string(&mut text).unwrap(), 7);
        assert_eq!(text, "one two");
    }

    #[test]
    fn a_sender_that_gives_up_is_no_end() {
        for sent in [&frames(&["one", ""])[..9], &frames(&["one"]), &frames(&["one"])[..5], &[]] {
            let error = Frames::of(sent).read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.to_string(), "its sender gave up");
        }
    }
}
