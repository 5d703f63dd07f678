//! One command, from its start to its exit, as seen from the plugin.
use std::pin::pin;

use packwire_plugin::{Cancellation, CommandIo, Exit, StreamReceiver, process::Group};
use tokio::{io::AsyncWriteExt, process::ChildStdin, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::streams::{self, AFTERGLOW, Pipes};

/// Runs a command to its end, and brings back what it left in the background.
pub(crate) async fn run(
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
        tokio::join!(
            streams::send(pipes.stdout, stdout, ended.clone()),
            streams::send(pipes.stderr, stderr, ended.clone())
        )
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
pub(crate) async fn unstarted(why: &str, io: CommandIo) -> Exit {
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
