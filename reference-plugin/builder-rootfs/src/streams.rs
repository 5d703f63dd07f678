//! Bytes between the pipes of a process and whoever asked for it.
use std::{io, os::fd::AsFd, time::Duration};

use bytes::BytesMut;
use packwire_plugin::{Outcome, StreamSender, process::Group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{ChildStderr, ChildStdin, ChildStdout},
};
use tokio_util::sync::CancellationToken;

/// How long output goes on after its command has ended: a child in the background may hold the pipe.
pub(crate) const AFTERGLOW: Duration = Duration::from_secs(1);
const CHUNK_BYTES: usize = 64 << 10;

/// The other ends of a process's standard streams.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

impl Pipes {
    /// Those of a leader, for the first and only time.
    pub(crate) fn of(group: &mut Group) -> io::Result<Self> {
        let missing = || io::Error::other("a pipe is missing");
        let leader = group.pipes();
        Ok(Self {
            stdin: leader.stdin.take().map(ChildStdin::from_std).transpose()?,
            stdout: ChildStdout::from_std(leader.stdout.take().ok_or_else(missing)?)?,
            stderr: ChildStderr::from_std(leader.stderr.take().ok_or_else(missing)?)?,
        })
    }
}

/// Sends what comes out of a pipe until it ends, or is `over`; then ends the stream. The error is for people.
pub(crate) async fn send(
    mut pipe: impl AsyncRead + AsFd + Unpin,
    mut into: StreamSender,
    over: CancellationToken,
) -> Result<(), String> {
    let mut failed = None;
    loop {
        let bytes = tokio::select! {
            biased;
            () = over.cancelled() => break,
            bytes = read(&mut pipe, CHUNK_BYTES) => bytes,
        };
        match bytes {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => pass(bytes, &mut into, &mut failed).await,
            Err(error) => {
                failed.get_or_insert(error.to_string());
                break;
            }
        }
    }
    if over.is_cancelled() {
        // What was written before that moment is the command's, however slowly it is read.
        let left = rustix::io::ioctl_fionread(&pipe).unwrap_or(0);
        let left = usize::try_from(left).unwrap_or(0);
        if let Ok(bytes) = read(&mut pipe, left).await {
            pass(bytes, &mut into, &mut failed).await;
        }
    }
    end(into, failed).await
}

/// Passes bytes on. Once nobody takes them they are dropped, and the command goes on.
async fn pass(bytes: BytesMut, into: &mut StreamSender, failed: &mut Option<String>) {
    if failed.is_none()
        && let Err(broken) = into.write(bytes).await
    {
        *failed = Some(broken.to_string());
    }
}

/// Ends a stream, and says what became of it.
async fn end(into: StreamSender, failed: Option<String>) -> Result<(), String> {
    match (failed, into.end().await) {
        (Some(why), _) => Err(why),
        (None, Ok(Outcome::Done)) => Ok(()),
        (None, Ok(Outcome::Cancelled)) => Err("its receiver gave up".to_owned()),
        (None, Ok(Outcome::Failed(diagnostics))) => {
            Err(diagnostics.into_iter().map(|one| one.summary).collect::<Vec<_>>().join(", "))
        }
        (None, Err(broken)) => Err(broken.to_string()),
    }
}

/// Some bytes, at most `most` of them; none at the end.
async fn read(pipe: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<BytesMut> {
    if most == 0 {
        return Ok(BytesMut::new());
    }
    let mut bytes = BytesMut::with_capacity(most);
    pipe.read_buf(&mut bytes).await?;
    Ok(bytes)
}
