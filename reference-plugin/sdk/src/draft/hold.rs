//! One at a time: for files that several builds add to.
use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{Cancellation, Stop, unless_cancelled};

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Nobody else, in this process or another, holds files in the same directories until this is dropped.
#[derive(Debug)]
pub struct Hold {
    _directories: Vec<File>,
}

/// Waits until all of these files can be held. They need not be there yet, but their directories have to.
///
/// What is locked are the directories: they stay while files come and go in them, and nothing has to be made for the
/// lock. The system lets go of it when a process dies.
///
/// # Errors
/// A directory cannot be opened or locked, or the wait was cancelled.
pub async fn hold(files: &[PathBuf], cancellation: &Cancellation) -> Result<Hold, Stop> {
    let mut directories = files.iter().map(|file| directory_of(file)).collect::<Result<Vec<_>, _>>()?;
    // In an order that is the same for all, and each but once: nobody waits for who waits for them.
    directories.sort_by_key(|(identity, _, _)| *identity);
    directories.dedup_by_key(|(identity, _, _)| *identity);
    for (_, path, directory) in &directories {
        let locked = unless_cancelled(cancellation, lock(directory)).await?;
        locked.map_err(|error| unusable(path, &error.into()))?;
    }
    Ok(Hold { _directories: directories.into_iter().map(|(_, _, directory)| directory).collect() })
}

type Directory = ((u64, u64), PathBuf, File);

fn directory_of(file: &Path) -> Result<Directory, Stop> {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let path = file.parent().unwrap_or(Path::new("/")).to_owned();
    let open = || {
        let directory = File::open(&path)?;
        let metadata = directory.metadata()?;
        Ok(((metadata.dev(), metadata.ino()), directory))
    };
    let (identity, directory) = open().map_err(|error| unusable(&path, &error))?;
    Ok((identity, path, directory))
}

async fn lock(directory: &File) -> Result<(), Errno> {
    loop {
        match flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => tokio::time::sleep(LOOK_EVERY).await,
            Err(Errno::INTR) => {}
            locked => return locked,
        }
    }
}

fn unusable(path: &Path, error: &io::Error) -> Stop {
    Stop::failed(format!("{} cannot be locked: {error}", path.display()))
}
