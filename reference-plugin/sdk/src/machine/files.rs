//! Files and directories, to a machine and back.
use std::{
    fs::Permissions,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use bytes::{Bytes, BytesMut};
use packwire_wire::{FileInfo, Outcome, RemoteCommunicator, StreamReceiver, StreamSender, pipe};
use tempfile::NamedTempFile;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
};

use crate::{Cancellation, Stop, done, tree, unless_cancelled};

const CHUNK_BYTES: usize = 256 << 10;
/// What a file may do that came without a mode.
const DEFAULT_MODE: u32 = 0o644;

/// Writes a file on the machine, whose directory exists, and which is replaced as a whole.
///
/// # Errors
/// It could not be written, and is what it was.
pub async fn upload(
    communicator: &RemoteCommunicator,
    path: impl Into<String>,
    bytes: impl Into<Bytes>,
    mode: u32,
) -> Result<(), Stop> {
    let bytes = bytes.into();
    let info = FileInfo { size: Some(bytes.len() as u64), mode: Some(mode), modified: None };
    let mut content = communicator.upload(path, info).await?;
    content.write(bytes).await?;
    done(content.end().await?)
}

/// Copies a local file, of any size, to the machine, with its permission bits and its time.
///
/// # Errors
/// It could not be read or written; what was there is what it was.
pub async fn upload_file(
    communicator: &RemoteCommunicator,
    local: &Path,
    path: impl Into<String>,
    cancellation: &Cancellation,
) -> Result<(), Stop> {
    let unreadable = |error| Stop::failed(format!("{} cannot be read: {error}", local.display()));
    // Opening a fifo that nobody writes to would wait for ever.
    let metadata = tokio::fs::metadata(local).await.map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Stop::failed(format!("{} is no file", local.display())));
    }
    let mut file = File::open(local).await.map_err(unreadable)?;
    let metadata = file.metadata().await.map_err(unreadable)?;
    let (size, mode, modified) = (metadata.len(), metadata.mode() & 0o777, metadata.mtime());
    let info = FileInfo { size: Some(size), mode: Some(mode), modified: Some(modified) };
    let mut content = communicator.upload(path, info).await?;
    let copying = async {
        while let Some(bytes) = chunk(&mut file).await.map_err(unreadable)? {
            content.write(bytes).await?;
        }
        Ok::<_, Stop>(())
    };
    match unless_cancelled(cancellation, copying).await.and_then(|copied| copied) {
        Ok(()) => done(content.end().await?),
        Err(stop) => {
            // The machine is told; whether it hears changes nothing about why.
            drop(content.abort().await);
            Err(stop)
        }
    }
}

async fn chunk(file: &mut File) -> std::io::Result<Option<BytesMut>> {
    let mut bytes = BytesMut::with_capacity(CHUNK_BYTES);
    let read = file.read_buf(&mut bytes).await?;
    Ok((read > 0).then_some(bytes))
}

/// Reads a file of the machine, of at most `limit` bytes.
///
/// # Errors
/// It could not be read, or is larger.
pub async fn download(
    communicator: &RemoteCommunicator,
    path: impl Into<String>,
    cancellation: &Cancellation,
    limit: usize,
) -> Result<Vec<u8>, Stop> {
    let path = path.into();
    let (content, mut receiver) = pipe();
    let receive = async {
        let bytes = receiver.collect(limit.saturating_add(1)).await;
        receiver.finish(Outcome::Done);
        bytes
    };
    let (answer, bytes) =
        tokio::join!(communicator.download(path.clone(), content, cancellation.offer()), receive);
    done(answer?.0)?;
    let bytes = bytes?;
    if bytes.len() > limit {
        return Err(Stop::failed(format!("{path} has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Copies a file of the machine, of any size, to a local one, whose directory exists, and which is replaced as a whole.
///
/// # Errors
/// It could not be read or written; what was there is what it was.
pub async fn download_file(
    communicator: &RemoteCommunicator,
    path: impl Into<String>,
    local: &Path,
    cancellation: &Cancellation,
) -> Result<(), Stop> {
    let unwritable =
        |error: std::io::Error| Stop::failed(format!("{} cannot be written: {error}", local.display()));
    let above = local.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Gone when it is dropped before it is moved.
    let draft = NamedTempFile::new_in(above).map_err(unwritable)?;
    let mut file = File::from_std(draft.reopen().map_err(unwritable)?);
    let (content, receiver) = pipe();
    let token = cancellation.token().child_token();
    let receive = async {
        let received = write_all(receiver, &mut file).await;
        if let Ok(Err(_)) = received {
            // The machine need not send the rest.
            token.cancel();
        }
        received
    };
    let lent = Cancellation::local(token.clone());
    let (answer, received) = tokio::join!(communicator.download(path, content, lent.offer()), receive);
    let info = match (received, answer) {
        (Ok(Err(error)), _) => return Err(unwritable(error)),
        (received, answer) => {
            let (outcome, info) = answer?;
            done(outcome)?;
            drop(received?);
            info
        }
    };
    let mode = info.mode.unwrap_or(DEFAULT_MODE) & 0o777;
    draft.as_file().set_permissions(Permissions::from_mode(mode)).map_err(unwritable)?;
    draft.persist(local).map_err(|error| unwritable(error.error))?;
    Ok(())
}

/// Writes what comes, and gives the verdict on it. Outside is what came of the stream, inside what came of the file.
async fn write_all(
    mut from: StreamReceiver,
    into: &mut File,
) -> Result<std::io::Result<()>, packwire_wire::Aborted> {
    loop {
        let Some(bytes) = from.next().await? else { break };
        if let Err(error) = into.write_all(&bytes).await {
            from.finish(Outcome::failed(format!("the file cannot be written: {error}")));
            return Ok(Err(error));
        }
    }
    let flushed = into.flush().await;
    let told = |error: &std::io::Error| Outcome::failed(format!("the file cannot be written: {error}"));
    from.finish(flushed.as_ref().err().map_or(Outcome::Done, told));
    Ok(flushed)
}

/// Copies what is in a local directory into one on the machine, which is made if it is missing and appears whole, or
/// not at all: by the rules of [`tree`].
///
/// # Errors
/// The communicator has no feature `tree`, or why it could not be done.
pub async fn upload_tree(
    communicator: &RemoteCommunicator,
    local: &Path,
    path: impl Into<String>,
    cancellation: &Cancellation,
) -> Result<(), Stop> {
    check_trees(communicator).await?;
    let archive: StreamSender = communicator.upload_tree(path).await?;
    tree::send(local, archive, cancellation).await
}

/// Copies what is in a directory of the machine into a local one, which is made if it is missing and appears whole, or
/// not at all: by the rules of [`tree`].
///
/// # Errors
/// The communicator has no feature `tree`, or why it could not be done.
pub async fn download_tree(
    communicator: &RemoteCommunicator,
    path: impl Into<String>,
    local: &Path,
    cancellation: &Cancellation,
) -> Result<(), Stop> {
    check_trees(communicator).await?;
    let (archive, receiver) = pipe();
    let lent = Cancellation::local(cancellation.token().child_token());
    let receive = async {
        let received = tree::receive(receiver, local, cancellation).await;
        if let Err(Stop::Failed(_)) = received {
            // The machine need not send the rest.
            lent.token().cancel();
        }
        received
    };
    let (answer, received) = tokio::join!(communicator.download_tree(path, archive, lent.offer()), receive);
    match (received, answer) {
        // What we refused is why the machine stopped.
        (Err(Stop::Failed(diagnostics)), _) => Err(Stop::Failed(diagnostics)),
        (received, answer) => {
            done(answer?)?;
            received
        }
    }
}

async fn check_trees(communicator: &RemoteCommunicator) -> Result<(), Stop> {
    let info = communicator.info().await?;
    if info.features.iter().any(|feature| feature == "tree") {
        return Ok(());
    }
    Err(Stop::failed(format!(
        "the communicator `{}` cannot copy directories: it lacks the feature `tree`",
        info.kind
    )))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        Connection, ConnectionRun, Connector, Context, Diagnostic,
        testing::{Host, Machine, Opened},
    };

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Nothing {}

    /// Opens a machine that is there already.
    struct To(Machine);

    impl Connector for To {
        type Config = Nothing;
        type Connection = To;
        const SUMMARY: &'static str = "Opens a machine";

        fn prepare(&self, _: Nothing, _: &Context) -> Result<To, Vec<Diagnostic>> {
            Ok(To(self.0.clone()))
        }
    }

    impl Connection for To {
        type Communicator = Machine;

        async fn open(self, _: ConnectionRun) -> Result<Machine, Stop> {
            Ok(self.0)
        }
    }

    async fn open(machine: &Machine) -> Opened {
        Host::new().open(To(machine.clone()), serde_json::json!({})).await.unwrap()
    }

    fn never() -> Cancellation {
        Cancellation::local(CancellationToken::new())
    }

    fn why(result: Result<(), Stop>) -> String {
        match result {
            Ok(()) => "done".to_owned(),
            Err(Stop::Failed(diagnostics)) => diagnostics[0].summary.clone(),
            Err(Stop::Cancelled) => "cancelled".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_file_goes_there_and_comes_back() {
        let (machine, directory) = (Machine::new(), tempfile::tempdir().unwrap());
        let (there, back) = (directory.path().join("there"), directory.path().join("back"));
        fs::write(&there, vec![b'x'; 700_000]).unwrap();
        fs::set_permissions(&there, Permissions::from_mode(0o750)).unwrap();
        let opened = open(&machine).await;
        upload_file(&opened.communicator, &there, "/srv/x", &never()).await.unwrap();
        download_file(&opened.communicator, "/srv/x", &back, &never()).await.unwrap();
        assert_eq!(fs::read(&there).unwrap(), fs::read(&back).unwrap());
        assert_eq!(back.metadata().unwrap().mode() & 0o777, 0o750);
        opened.leave().await;
    }

    #[tokio::test]
    async fn a_download_that_fails_leaves_what_was_there() {
        let (machine, directory) = (Machine::new().with_file("/x", "new"), tempfile::tempdir().unwrap());
        let local = directory.path().join("local");
        fs::write(&local, "old").unwrap();
        let opened = open(&machine).await;
        let missing = download_file(&opened.communicator, "/y", &local, &never()).await;
        assert_eq!(why(missing), "there is no file /y");
        let stopped = Cancellation::local(CancellationToken::new());
        stopped.token().cancel();
        assert_eq!(why(upload_file(&opened.communicator, &local, "/x", &stopped).await), "cancelled");
        let nowhere = directory.path().join("no/where");
        let told = why(download_file(&opened.communicator, "/x", &nowhere, &never()).await);
        assert!(told.contains("no/where cannot be written: No such file"), "{told}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
        assert_eq!(
            (fs::read_to_string(&local).unwrap(), machine.files()["/x"].content.as_slice()),
            ("old".to_owned(), &b"new"[..])
        );
        opened.leave().await;
    }

    #[tokio::test]
    async fn a_tree_goes_there_and_comes_back() {
        let (machine, directory) = (Machine::new(), tempfile::tempdir().unwrap());
        let (there, back) = (directory.path().join("there"), directory.path().join("back"));
        fs::create_dir_all(there.join("a/empty")).unwrap();
        fs::write(there.join("a/file"), "content").unwrap();
        std::os::unix::fs::symlink("a/file", there.join("link")).unwrap();
        let opened = open(&machine).await;
        upload_tree(&opened.communicator, &there, "/srv", &never()).await.unwrap();
        assert_eq!(machine.files()["/srv/a/file"].content, b"content");
        assert_eq!(machine.links()["/srv/link"], "a/file");
        assert!(machine.directories().contains("/srv/a/empty"));
        download_tree(&opened.communicator, "/srv", &back, &never()).await.unwrap();
        assert_eq!(fs::read_to_string(back.join("link")).unwrap(), "content");
        assert!(back.join("a/empty").is_dir());
        opened.leave().await;
    }

    #[tokio::test]
    async fn what_cannot_be_copied_is_told_and_leaves_nothing() {
        let machine = Machine::new().with_file("/srv/ok", "").with_link("/srv/out", "../../etc");
        let directory = tempfile::tempdir().unwrap();
        let opened = open(&machine).await;
        let download =
            |path: &'static str| download_tree(&opened.communicator, path, directory.path(), &NEVER);
        static NEVER: std::sync::LazyLock<Cancellation> = std::sync::LazyLock::new(never);
        assert_eq!(why(download("/srv").await), "`out` is refused: it is a link that leads outside");
        assert_eq!(why(download("/none").await), "there is no directory /none");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let machine = machine.without_trees();
        let lacking = "the communicator `testing` cannot copy directories: it lacks the feature `tree`";
        assert_eq!(why(download("/srv").await), lacking);
        let before = machine.files();
        assert_eq!(why(upload_tree(&opened.communicator, directory.path(), "/x", &never()).await), lacking);
        assert_eq!(machine.files(), before);
        opened.leave().await;
    }
}
