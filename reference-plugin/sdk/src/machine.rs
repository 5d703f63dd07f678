//! What one does with a machine: run commands, line by line; move files.
use bytes::Bytes;
use packwire_wire::{
    Aborted, Exit, FileInfo, Outcome, RemoteCommand, RemoteCommunicator, StreamReceiver, pipe,
};

use crate::{Cancellation, Stop, Ui, done};

/// Bytes of one line; a longer one is told in parts.
const LINE_BYTES: usize = 64 << 10;

/// A line that a command printed, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// To its standard output.
    Stdout(String),
    /// To its standard error.
    Stderr(String),
}

/// Runs a command and tells each line as it comes; the command waits while a line is told.
///
/// # Errors
/// The call itself failed. How the command ended is the [`Exit`].
pub async fn run<T, F>(
    communicator: &RemoteCommunicator,
    command: impl Into<String>,
    cancellation: &Cancellation,
    tell: T,
) -> Result<Exit, Stop>
where
    T: FnMut(Line) -> F,
    F: Future<Output = ()>,
{
    let (process, _) = communicator.command(RemoteCommand::new(command)).await?;
    let ((stdout, output), (stderr, errors)) = (pipe(), pipe());
    let (exit, ()) =
        tokio::join!(process.run(stdout, stderr, cancellation.offer()), listen(output, errors, tell));
    // It has run: nothing depends on whether the other side hears that.
    drop(process.close().await);
    Ok(exit?)
}

/// Runs a command and shows its output: standard output as details, standard error as errors.
///
/// # Errors
/// As [`run`].
pub async fn run_showing(
    communicator: &RemoteCommunicator,
    command: impl Into<String>,
    cancellation: &Cancellation,
    ui: &Ui,
) -> Result<Exit, Stop> {
    let show = |line| async {
        // A Ui that fails fails the run's other calls as well; the command is not to blame.
        drop(match line {
            Line::Stdout(text) => ui.message(shown(&text)).await,
            Line::Stderr(text) => ui.error(shown(&text)).await,
        });
    };
    run(communicator, command, cancellation, show).await
}

/// Runs a command that must succeed, and brings back what it printed to its standard output.
///
/// # Errors
/// The command failed; its standard error is the detail.
pub async fn output(
    communicator: &RemoteCommunicator,
    command: impl Into<String>,
    cancellation: &Cancellation,
) -> Result<String, Stop> {
    let command = command.into();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let keep = |line| {
        match line {
            Line::Stdout(text) => stdout.push(text),
            Line::Stderr(text) => stderr.push(text),
        }
        std::future::ready(())
    };
    let exit = run(communicator, command.as_str(), cancellation, keep).await?;
    succeeded(&format!("`{command}`"), exit, &[0]).map_err(|stop| match stop {
        Stop::Failed(mut diagnostics) => {
            diagnostics.iter_mut().for_each(|one| one.detail = stderr.join("\n"));
            Stop::Failed(diagnostics)
        }
        Stop::Cancelled => Stop::Cancelled,
    })?;
    Ok(stdout.join("\n"))
}

/// Whether a command ended with one of these statuses; `what` begins the sentence that says how else.
///
/// # Errors
/// It ended in another way, which the error names.
pub fn succeeded(what: &str, exit: Exit, valid: &[i32]) -> Result<(), Stop> {
    match exit {
        Exit::Status(status) if valid.contains(&status) => Ok(()),
        Exit::Status(status) => Err(Stop::failed(format!("{what} exited with status {status}"))),
        Exit::Signal(name) => Err(Stop::failed(format!("{what} was ended by signal {name}"))),
        Exit::Lost(why) => Err(Stop::failed(format!("the connection broke while {what} ran: {why}"))),
        Exit::Failed(diagnostics) => Err(Stop::Failed(diagnostics)),
        Exit::Cancelled => Err(Stop::Cancelled),
    }
}

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

/// Tells the lines of both streams until both have ended.
async fn listen<T, F>(stdout: StreamReceiver, stderr: StreamReceiver, mut tell: T)
where
    T: FnMut(Line) -> F,
    F: Future<Output = ()>,
{
    let (mut stdout, mut stderr) = (Lines::of(stdout), Lines::of(stderr));
    loop {
        let line = tokio::select! {
            Some(line) = stdout.next() => Line::Stdout(line),
            Some(line) = stderr.next() => Line::Stderr(line),
            else => return,
        };
        tell(line).await;
    }
}

/// The lines of one stream.
struct Lines {
    /// `None` once it has ended.
    stream: Option<StreamReceiver>,
    pending: Vec<u8>,
}

impl Lines {
    fn of(stream: StreamReceiver) -> Self {
        Self { stream: Some(stream), pending: Vec::new() }
    }

    /// The next line; `None` after the last. May be dropped and asked again.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.take_line() {
                return Some(line);
            }
            match self.stream.as_mut()?.next().await {
                Ok(Some(bytes)) => self.pending.extend_from_slice(&bytes),
                ended => self.end(&ended),
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.pending.iter().position(|&byte| byte == b'\n');
        let (length, skipped) = match end {
            Some(end) => (end.min(LINE_BYTES), usize::from(end <= LINE_BYTES)),
            None if self.pending.len() > LINE_BYTES => (LINE_BYTES, 0),
            // The last line may have no end.
            None if self.stream.is_none() && !self.pending.is_empty() => (self.pending.len(), 0),
            None => return None,
        };
        let rest = self.pending.split_off(length + skipped);
        let line = std::mem::replace(&mut self.pending, rest);
        Some(String::from_utf8_lossy(&line[..length]).into_owned())
    }

    fn end(&mut self, ended: &Result<Option<Bytes>, Aborted>) {
        if let Some(stream) = self.stream.take().filter(|_| ended.is_ok()) {
            stream.finish(Outcome::Done);
        }
    }
}

/// A line as a terminal would have left it: what a carriage return overwrote is gone, and so is trailing space.
fn shown(line: &str) -> String {
    let line = line.trim_end();
    line.rsplit_once('\r').map_or(line, |(_, last)| last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pending: impl Into<Vec<u8>>) -> Vec<String> {
        let mut lines = Lines { stream: None, pending: pending.into() };
        std::iter::from_fn(|| lines.take_line()).collect()
    }

    #[test]
    fn lines_end_where_they_end_and_the_last_one_needs_no_end() {
        assert_eq!(lines("a\n\nb"), ["a", "", "b"]);
        assert_eq!(lines(b"\xff\n"), ["\u{fffd}"]);
        assert!(lines("").is_empty());
    }

    #[test]
    fn an_endless_line_is_told_in_parts() {
        let long = vec![b'x'; 2 * LINE_BYTES + 1];
        let told: Vec<_> = lines(long).iter().map(String::len).collect();
        assert_eq!(told, [LINE_BYTES, LINE_BYTES, 1]);
    }

    #[test]
    fn what_was_overwritten_is_not_shown() {
        assert_eq!(shown("10%\r20%\r  30% \r\n"), "  30%");
    }

    #[test]
    fn every_way_to_fail_is_named() {
        let told = |exit| {
            succeeded("`x`", exit, &[0, 3]).map_err(|stop| match stop {
                Stop::Failed(diagnostics) => diagnostics[0].summary.clone(),
                Stop::Cancelled => "cancelled".to_owned(),
            })
        };
        assert_eq!(told(Exit::Status(3)), Ok(()));
        assert_eq!(told(Exit::Status(1)), Err("`x` exited with status 1".to_owned()));
        assert_eq!(told(Exit::Signal("KILL".into())), Err("`x` was ended by signal KILL".to_owned()));
        assert_eq!(
            told(Exit::Lost("gone".into())),
            Err("the connection broke while `x` ran: gone".to_owned())
        );
        assert_eq!(told(Exit::Cancelled), Err("cancelled".to_owned()));
    }
}
