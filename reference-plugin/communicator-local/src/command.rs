//! One command, from its line to its exit.
use std::{io, path::Path, pin::pin};

use packwire_plugin::{
    Cancellation, CommandIo, Exit, RemoteCommand, StreamReceiver,
    process::{Group, Program},
};
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStderr, ChildStdin, ChildStdout},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::output::{self, AFTERGLOW};

/// Runs a command, and brings back what it left in the background.
pub(crate) async fn run(directory: &Path, command: RemoteCommand, io: CommandIo) -> (Exit, Option<Group>) {
    if command.pty {
        return (unstarted("this communicator has no terminals", io).await, None);
    }
    let started = Group::start(&program(&command.line, directory, io.stdin.is_some()));
    let (group, pipes) = match started.and_then(|mut group| Ok((Pipes::of(&mut group)?, group))) {
        Ok((pipes, group)) => (group, pipes),
        Err(error) => return (unstarted(&format!("the command cannot be started: {error}"), io).await, None),
    };
    let CommandIo { stdin, stdout, stderr, cancellation } = io;
    // Aborted when the command has ended: what still comes for it is dropped.
    let _feeding = AbortOnDropHandle::new(tokio::spawn(feed(stdin, pipes.stdin)));
    let over = CancellationToken::new();
    let mut sending = pin!(async {
        tokio::join!(
            output::send(pipes.stdout, stdout, over.clone()),
            output::send(pipes.stderr, stderr, over.clone())
        )
    });
    let mut living = pin!(live(group, &cancellation));
    let ((exit, group), sent) = tokio::select! {
        sent = &mut sending => (living.await, sent),
        ended = &mut living => match timeout(AFTERGLOW, &mut sending).await {
            Ok(sent) => (ended, sent),
            Err(_) => {
                over.cancel();
                (ended, sending.await)
            }
        },
    };
    (delivered(exit, sent), group.filter(Group::is_occupied))
}

/// The shell that runs a line in a directory.
fn program(line: &str, directory: &Path, with_input: bool) -> Program {
    Program {
        executable: "/bin/sh".into(),
        arguments: vec!["-c".into(), line.into()],
        // What a command leaves there goes with the communicator.
        environment: vec![("TMPDIR".into(), directory.into())],
        directory: Some(directory.to_owned()),
        with_input,
    }
}

/// Ends the streams of a command that was never started, and says why.
pub(crate) async fn unstarted(why: &str, io: CommandIo) -> Exit {
    let CommandIo { stdin: _, stdout, stderr, cancellation: _ } = io;
    drop(tokio::join!(stdout.end(), stderr.end()));
    Exit::failed(why)
}

/// Waits until a command has ended by itself, or ends all of its processes.
async fn live(group: Group, cancellation: &Cancellation) -> (Exit, Option<Group>) {
    let ended = tokio::select! {
        ended = group.ended() => Some(ended),
        () = cancellation.cancelled() => None,
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

/// The pipes of a command.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

impl Pipes {
    fn of(group: &mut Group) -> io::Result<Self> {
        let missing = || io::Error::other("a pipe is missing");
        let leader = group.pipes();
        Ok(Self {
            stdin: leader.stdin.take().map(ChildStdin::from_std).transpose()?,
            stdout: ChildStdout::from_std(leader.stdout.take().ok_or_else(missing)?)?,
            stderr: ChildStderr::from_std(leader.stderr.take().ok_or_else(missing)?)?,
        })
    }
}
