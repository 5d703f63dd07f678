//! What one does with a machine: run commands, line by line; move files.
mod files;

use packwire_wire::{Exit, Outcome, RemoteCommand, RemoteCommunicator, StreamReceiver, pipe};

pub use crate::lines::Line;
use crate::{
    Cancellation, Stop, Ui,
    lines::{Chunks, listen, show},
};
pub use files::{download, download_file, download_tree, upload, upload_file, upload_tree};

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
    run(communicator, command, cancellation, |line| show(ui, line)).await
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

/// A word that the shells of Unix take as it is.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
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

impl Chunks for StreamReceiver {
    type Chunk = bytes::Bytes;

    async fn chunk(&mut self) -> Option<bytes::Bytes> {
        self.next().await.unwrap_or_default()
    }

    fn ended(self) {
        self.finish(Outcome::Done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_is_one_word() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
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
