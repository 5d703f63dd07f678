//! A program as a command of a communicator: between its pipes and whoever asked for it.
use std::{io, os::fd::AsFd, pin::pin};

use bytes::BytesMut;
use packwire_wire::{CommandIo, Exit, Outcome, StreamReceiver, StreamSender};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin, ChildStdout},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{AFTERGLOW, CHUNK_BYTES, Group};
use crate::Cancellation;

/// The other ends of a process's standard streams.
#[derive(Debug)]
pub struct Pipes {
    /// What it reads; `None` where its input is empty.
    pub stdin: Option<ChildStdin>,
    /// Its output.
    pub stdout: ChildStdout,
    /// Its errors.
    pub stderr: ChildStderr,
}

impl Pipes {
    /// Those of a group's leader, for the first and only time.
    ///
    /// # Errors
    /// They were taken before, or cannot be used.
    pub fn of(group: &mut Group) -> io::Result<Self> {
        let missing = || io::Error::other("a pipe is missing");
        let leader = group.pipes();
        Ok(Self {
            stdin: leader.stdin.take().map(ChildStdin::from_std).transpose()?,
            stdout: ChildStdout::from_std(leader.stdout.take().ok_or_else(missing)?)?,
            stderr: ChildStderr::from_std(leader.stderr.take().ok_or_else(missing)?)?,
        })
    }
}

/// Serves a started program as a command of a communicator, to its end, and brings back what it left in the background.
///
/// `over` ends it as its own cancellation does: the communicator has no more use for it. Output goes on for 1 s when the
/// program has ended, and both ends of it are answered before this answers (`comm.end-before-run`).
pub async fn serve(
    group: Group,
    pipes: Pipes,
    io: CommandIo,
    over: &CancellationToken,
) -> (Exit, Option<Group>) {
    let CommandIo { stdin, stdout, stderr, cancellation } = io;
    // Aborted when the command has ended: what still comes for it is dropped.
    let _feeding = AbortOnDropHandle::new(tokio::spawn(feed(stdin, pipes.stdin)));
    let ended = CancellationToken::new();
    let mut sending = pin!(async {
        tokio::join!(send(pipes.stdout, stdout, ended.clone()), send(pipes.stderr, stderr, ended.clone()))
    });
    let mut living = pin!(live(group, &cancellation, over));
    let ((exit, group), sent) = tokio::select! {
        sent = &mut sending => (living.await, sent),
        lived = &mut living => match timeout(AFTERGLOW, &mut sending).await {
            Ok(sent) => (lived, sent),
            Err(_) => {
                ended.cancel();
                (lived, sending.await)
            }
        },
    };
    (delivered(exit, sent), group.filter(Group::is_occupied))
}

/// Ends the streams of a command that was never started, and says why.
pub async fn unstarted(why: &str, io: CommandIo) -> Exit {
    let CommandIo { stdin: _, stdout, stderr, cancellation: _ } = io;
    drop(tokio::join!(stdout.end(), stderr.end()));
    Exit::failed(why)
}

/// Waits until a command has ended by itself, or ends all of its processes.
async fn live(group: Group, cancellation: &Cancellation, over: &CancellationToken) -> (Exit, Option<Group>) {
    let ended = tokio::select! {
        ended = group.ended() => Some(ended),
        () = cancellation.cancelled() => None,
        () = over.cancelled() => None,
    };
    match ended {
        Some(exit) => (exit, Some(group)),
        None => {
            group.end().await;
            (Exit::Cancelled, None)
        }
    }
}

/// How a command ended whose output went, or did not go, where it should.
fn delivered(exit: Exit, (stdout, stderr): (Result<(), String>, Result<(), String>)) -> Exit {
    match (exit, stdout, stderr) {
        (exit, Ok(()), Ok(())) | (exit @ (Exit::Cancelled | Exit::Failed(_)), _, _) => exit,
        (_, Err(why), _) => Exit::failed(format!("its standard output could not be delivered: {why}")),
        (_, _, Err(why)) => Exit::failed(format!("its standard error could not be delivered: {why}")),
    }
}

/// Writes what comes for a command into its input, for as long as it reads.
async fn feed(from: Option<StreamReceiver>, into: Option<ChildStdin>) {
    let (Some(mut from), Some(mut into)) = (from, into) else { return };
    while let Ok(Some(bytes)) = from.next().await {
        if into.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Sends what comes out of a pipe until it ends, or is `over`; then ends the stream. The error is for people.
async fn send(
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
