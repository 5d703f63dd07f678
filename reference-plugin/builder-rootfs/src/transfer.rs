//! Files and trees between a stream and the process that is where the tree is.
use std::io;

use bytes::BytesMut;
use packwire_plugin::{
    Cancellation, Exit, FileInfo, Outcome, Stop, StreamReceiver, StreamSender, done, outcome,
    process::{Group, Pipes},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{ChildStderr, ChildStdin, ChildStdout},
};
use tokio_util::sync::CancellationToken;

use crate::inside::{Frames, Given};

const CHUNK_BYTES: usize = 256 << 10;
/// How much of a complaint is read.
const COMPLAINT_BYTES: u64 = 64 << 10;

type Started = io::Result<(Group, Pipes)>;

/// Passes a stream to a process. Where it is aborted, the process hears that it did not end.
pub(crate) async fn receive(started: Started, content: StreamReceiver, over: &CancellationToken) -> Outcome {
    let work = async {
        let (group, Pipes { stdin, stdout: _, stderr }) = started.map_err(unstarted)?;
        let (fed, complaint) = tokio::join!(feed(content, stdin, over), complaint(stderr));
        let succeeded = succeeded(&group, &complaint).await;
        // Of an upload that was given up nobody asks more.
        if fed == Fed::GivenUp { Err(Stop::Cancelled) } else { succeeded }
    };
    outcome(work.await)
}

/// Sends what a process says of a file, and then its content.
pub(crate) async fn send_file(
    started: Started,
    mut content: StreamSender,
    cancellation: &Cancellation,
    over: &CancellationToken,
) -> (Outcome, FileInfo) {
    let mut info = FileInfo::default();
    let sent = unless_over(cancellation, over, async {
        let (group, Pipes { stdin: _, stdout, stderr }) = started.map_err(unstarted)?;
        let mut stdout = BufReader::new(stdout);
        let passing = async {
            let mut line = String::new();
            stdout.read_line(&mut line).await.map_err(unreadable)?;
            if let Ok(given) = serde_json::from_str::<Given>(&line) {
                info = given.into();
            }
            let begun = stdout.buffer().to_vec();
            if !begun.is_empty() {
                content.write(begun).await?;
            }
            pass(stdout.into_inner(), &mut content).await
        };
        finished(group, passing, stderr).await
    });
    let sent = sent.await;
    match end(content, sent).await {
        Outcome::Done => (Outcome::Done, info),
        other => (other, FileInfo::default()),
    }
}

/// Sends what a process packs.
pub(crate) async fn send_tree(
    started: Started,
    mut archive: StreamSender,
    cancellation: &Cancellation,
    over: &CancellationToken,
) -> Outcome {
    let sent = unless_over(cancellation, over, async {
        let (group, Pipes { stdin: _, stdout, stderr }) = started.map_err(unstarted)?;
        finished(group, pass(stdout, &mut archive), stderr).await
    });
    let sent = sent.await;
    end(archive, sent).await
}

/// Does both, and then waits for the process. Where passing fails, the process is ended.
async fn finished(
    group: Group,
    passing: impl Future<Output = Result<(), Stop>>,
    stderr: ChildStderr,
) -> Result<(), Stop> {
    let (passed, complaint) =
        tokio::try_join!(passing, async { Ok(complaint(stderr).await) }).map(|both| (both.0, both.1))?;
    let () = passed;
    succeeded(&group, &complaint).await
}

async fn unless_over(
    cancellation: &Cancellation,
    over: &CancellationToken,
    work: impl Future<Output = Result<(), Stop>>,
) -> Result<(), Stop> {
    tokio::select! {
        ended = work => ended,
        () = cancellation.cancelled() => Err(Stop::Cancelled),
        () = over.cancelled() => Err(Stop::Cancelled),
    }
}

/// Ends a stream, well or not.
async fn end(stream: StreamSender, sent: Result<(), Stop>) -> Outcome {
    match sent {
        Ok(()) => outcome(stream.end().await.map_err(Stop::from).and_then(done)),
        Err(stop) => {
            // The receiver may be gone already; it has been told why by then.
            drop(stream.abort().await);
            outcome(Err(stop))
        }
    }
}

/// How a stream came to its end.
#[derive(Debug, PartialEq, Eq)]
enum Fed {
    All,
    GivenUp,
    /// The process did not want it any more, and says why itself.
    Unwanted,
}

async fn feed(mut content: StreamReceiver, into: Option<ChildStdin>, over: &CancellationToken) -> Fed {
    let Some(mut into) = into else { return Fed::Unwanted };
    loop {
        let next = tokio::select! {
            next = content.next() => next,
            () = over.cancelled() => return Fed::GivenUp,
        };
        let bytes = match next {
            Ok(Some(bytes)) if bytes.is_empty() => continue,
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(_) => return Fed::GivenUp,
        };
        let header = Frames::header(bytes.len());
        if into.write_all(&header).await.is_err() || into.write_all(&bytes).await.is_err() {
            return Fed::Unwanted;
        }
    }
    match into.write_all(&Frames::header(0)).await {
        Ok(()) => Fed::All,
        Err(_) => Fed::Unwanted,
    }
}

async fn pass(mut from: ChildStdout, into: &mut StreamSender) -> Result<(), Stop> {
    loop {
        let mut bytes = BytesMut::with_capacity(CHUNK_BYTES);
        if from.read_buf(&mut bytes).await.map_err(unreadable)? == 0 {
            return Ok(());
        }
        into.write(bytes).await?;
    }
}

async fn complaint(stderr: ChildStderr) -> String {
    let mut bytes = Vec::new();
    drop(stderr.take(COMPLAINT_BYTES).read_to_end(&mut bytes).await);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

async fn succeeded(group: &Group, complaint: &str) -> Result<(), Stop> {
    match group.ended().await {
        Exit::Status(0) => Ok(()),
        _ if !complaint.is_empty() => Err(Stop::failed(complaint)),
        other => Err(Stop::failed(format!("the process that moves files ended early: {other:?}"))),
    }
}

fn unstarted(error: io::Error) -> Stop {
    Stop::failed(format!("no process can be started to move files: {error}"))
}

fn unreadable(error: io::Error) -> Stop {
    Stop::failed(format!("the process that moves files cannot be read: {error}"))
}
