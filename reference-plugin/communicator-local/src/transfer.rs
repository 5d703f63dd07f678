//! Files to and from this machine.
use std::{
    fs::Permissions,
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use packwire_plugin::{
    Cancellation, FileInfo, Outcome, Stop, StreamReceiver, StreamSender, done, outcome, unless_cancelled,
};
use tempfile::NamedTempFile;
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncWriteExt},
};

const CHUNK_BYTES: usize = 256 << 10;
/// What an upload may do that does not say.
const DEFAULT_MODE: u32 = 0o644;

/// Replaces a file as a whole, when all of the new one is there.
pub(crate) async fn upload(path: &Path, info: FileInfo, content: StreamReceiver) -> Outcome {
    outcome(receive(path, info, content).await)
}

async fn receive(path: &Path, info: FileInfo, mut content: StreamReceiver) -> Result<(), Stop> {
    let unwritable =
        |error: io::Error| Stop::failed(format!("{} cannot be written: {error}", path.display()));
    let parent = path.parent().unwrap_or(path);
    // Gone when it is dropped before it is moved.
    let draft = NamedTempFile::new_in(parent).map_err(unwritable)?;
    let mut file = File::from_std(draft.reopen().map_err(unwritable)?);
    let mut written = 0;
    while let Some(bytes) = content.next().await.map_err(|_| Stop::Cancelled)? {
        written += bytes.len() as u64;
        if info.size.is_some_and(|size| written > size) {
            break;
        }
        file.write_all(&bytes).await.map_err(unwritable)?;
    }
    file.flush().await.map_err(unwritable)?;
    check_size(path, info, written)?;
    let file = file.into_std().await;
    dress(&file, info).map_err(unwritable)?;
    draft.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

fn check_size(path: &Path, info: FileInfo, written: u64) -> Result<(), Stop> {
    match info.size {
        Some(size) if written > size => Err(Stop::failed(format!(
            "{}: more than the {size} bytes came that were announced",
            path.display()
        ))),
        Some(size) if written < size => {
            Err(Stop::failed(format!("{}: {written} of {size} bytes came", path.display())))
        }
        _ => Ok(()),
    }
}

/// Gives a file its mode and time.
fn dress(file: &std::fs::File, info: FileInfo) -> io::Result<()> {
    let mode = info.mode.unwrap_or(DEFAULT_MODE) & 0o7777;
    file.set_permissions(Permissions::from_mode(mode))?;
    match info.modified.and_then(time) {
        Some(modified) => file.set_modified(modified),
        None => Ok(()),
    }
}

/// A time in seconds since 1970; `None` where this machine cannot express it.
fn time(seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// Sends a file, and says what it is.
pub(crate) async fn download(
    path: &Path,
    mut content: StreamSender,
    cancellation: &Cancellation,
) -> (Outcome, FileInfo) {
    let sent = unless_cancelled(cancellation, send(path, &mut content)).await.and_then(|sent| sent);
    let ended = match sent {
        Ok(info) => match content.end().await.map_err(Stop::from).and_then(done) {
            Ok(()) => return (Outcome::Done, info),
            Err(stop) => stop,
        },
        Err(stop) => {
            // The receiver may be gone already; it has been told why by then.
            drop(content.abort().await);
            stop
        }
    };
    (outcome(Err(ended)), FileInfo::default())
}

async fn send(path: &Path, content: &mut StreamSender) -> Result<FileInfo, Stop> {
    let unreadable = |error: io::Error| Stop::failed(format!("{} cannot be read: {error}", path.display()));
    // Opening a pipe that nobody writes to would wait for ever.
    if !fs::metadata(path).await.map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("it is no regular file")));
    }
    let mut file = File::open(path).await.map_err(unreadable)?;
    let metadata = file.metadata().await.map_err(unreadable)?;
    let mut sent = 0;
    loop {
        let mut bytes = bytes::BytesMut::with_capacity(CHUNK_BYTES);
        if file.read_buf(&mut bytes).await.map_err(unreadable)? == 0 {
            break;
        }
        sent += bytes.len() as u64;
        content.write(bytes).await?;
    }
    Ok(FileInfo { size: Some(sent), mode: Some(metadata.mode() & 0o7777), modified: Some(metadata.mtime()) })
}
