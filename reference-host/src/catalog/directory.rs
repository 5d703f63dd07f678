//! What is in a directory: executables that are named like plugins, and those that only look like it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::component::Naming;
use super::find::Reason;

/// How much of a file is looked at, in bytes.
const LOOKED_AT: u64 = 512;

/// The entries named `packer-…`, sorted by name; a directory that cannot be listed is one rejected entry.
pub(super) fn list(directory: &Path) -> Vec<(PathBuf, Result<Naming, Reason>)> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return vec![(directory.to_owned(), Err(unlisted(&error)))],
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"packer-")));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), naming(&path))).collect()
}

fn unlisted(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::NotFound => Reason::Missing,
        io::ErrorKind::NotADirectory => Reason::NotADirectory,
        _ => Reason::Unreadable(error.to_string()),
    }
}

fn naming(path: &Path) -> Result<Naming, Reason> {
    let name = path.file_name().and_then(|name| name.to_str());
    let naming = name.and_then(Naming::of_file).ok_or(Reason::BadName)?;
    executable(path)?;
    Ok(naming)
}

/// Whether the path can be started, as far as can be told without starting it.
pub(super) fn executable(path: &Path) -> Result<(), Reason> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
            return Err(Reason::BrokenLink);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Reason::Missing),
        Err(error) => return Err(Reason::Unreadable(error.to_string())),
    };
    if metadata.is_dir() {
        return Err(Reason::Directory);
    }
    if !metadata.is_file() {
        return Err(Reason::NotAFile);
    }
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).map_err(|_| Reason::NotExecutable)?;
    if is_mere_text(path) { Err(Reason::NoInterpreter) } else { Ok(()) }
}

/// Whether it begins as a text does that says nothing of its interpreter: it would be taken for a shell script,
/// and each of its lines for a command.
fn is_mere_text(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LOOKED_AT).read_to_end(&mut start));
    read.is_ok_and(|length| length > 0)
        && !start.starts_with(b"#!")
        && !start.contains(&0)
        && std::str::from_utf8(&start).map_or_else(|error| error.error_len().is_none(), |_| true)
}
