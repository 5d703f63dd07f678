//! Commands of this machine.
use std::{cell::RefCell, os::unix::process::ExitStatusExt, pin::pin, rc::Rc, time::Duration};

use packwire_schema::{
    communicator_capnp::{exit, remote_process},
    stream_capnp::byte_stream,
    work_capnp::cancellation,
};
use rustix::process::{Pid, Signal};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin},
    sync::{Mutex, mpsc},
};
use tokio_util::sync::CancellationToken;

use super::{
    config::Problem,
    outcome::cancelled,
    sending::{finish, send_until},
};
use crate::{fault::Fault, helper};

/// Whose turn it is, where commands wait for each other.
static TURN: Mutex<()> = Mutex::const_new(());

/// When a command is asked how it ended, where that is late.
const REAPED: Duration = Duration::from_millis(500);

/// How long output goes on that a child in the background holds.
const AFTERGLOW: Duration = Duration::from_secs(1);

const NO_TERMINALS: &str = "this machine has no terminals";

/// The standard input of a command.
pub(super) struct Input {
    pub(super) fault: Option<Fault>,
    pub(super) sender: RefCell<Option<mpsc::Sender<Vec<u8>>>>,
}

impl byte_stream::Server for Input {
    /// When nobody reads any longer, the bytes are dropped.
    async fn write(
        self: Rc<Self>,
        params: byte_stream::WriteParams,
        _results: byte_stream::WriteResults,
    ) -> Result<(), capnp::Error> {
        let sender = self.sender.borrow().clone();
        if let Some(sender) = sender {
            let bytes = params.get()?.get_bytes()?.to_vec();
            if self.fault == Some(Fault::ReordersCalls) && bytes.len() % 2 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            match self.fault {
                Some(Fault::BuffersEverything) => hold(sender, bytes),
                _ => drop(sender.send(bytes).await),
            }
        }
        Ok(())
    }

    async fn end(
        self: Rc<Self>,
        _params: byte_stream::EndParams,
        mut results: byte_stream::EndResults,
    ) -> Result<(), capnp::Error> {
        let sender = self.sender.take();
        let closed = sender.as_ref().is_none_or(mpsc::Sender::is_closed);
        if self.fault == Some(Fault::StdinNeverClosed) {
            std::mem::forget(sender);
        }
        let mut outcome = results.get().init_outcome();
        match self.fault {
            Some(Fault::EpipeFailsEnd) if closed => {
                Problem::at("", "the command does not read").write(outcome.init_failed(1).get(0));
            }
            _ => outcome.set_done(()),
        }
        Ok(())
    }

    async fn abort(
        self: Rc<Self>,
        _params: byte_stream::AbortParams,
        _results: byte_stream::AbortResults,
    ) -> Result<(), capnp::Error> {
        drop(self.sender.take());
        Ok(())
    }
}

/// Keeps bytes until there is room for them.
#[expect(clippy::disallowed_methods, reason = "this plugin's only thread is its RPC thread")]
fn hold(sender: mpsc::Sender<Vec<u8>>, bytes: Vec<u8>) {
    drop(tokio::task::spawn_local(async move { sender.send(bytes).await }));
}

/// One command.
pub(super) struct Process {
    pub(super) fault: Option<Fault>,
    /// Whether what was ended is left to itself for a while.
    pub(super) reaps_late: bool,
    pub(super) line: String,
    /// Whether a terminal was asked for, which this machine does not have.
    pub(super) pty: bool,
    pub(super) input: RefCell<Option<mpsc::Receiver<Vec<u8>>>>,
}

impl remote_process::Server for Process {
    async fn run(
        self: Rc<Self>,
        params: remote_process::RunParams,
        mut results: remote_process::RunResults,
    ) -> Result<(), capnp::Error> {
        let lent = params.get()?;
        let (stdout, stderr) = (lent.get_stdout()?, lent.get_stderr()?);
        let stop: cancellation::Client = lent.get_cancellation()?;
        if self.pty && self.fault != Some(Fault::IgnoresPty) {
            drop(stdout.end_request().send().promise.await?);
            drop(stderr.end_request().send().promise.await?);
            Problem::at("", NO_TERMINALS).write(results.get().init_exit().init_failed(1).get(0));
            return Ok(());
        }
        let input = self.input.take();
        let _turn = if self.fault == Some(Fault::SerialCommands) { Some(TURN.lock().await) } else { None };
        let mut child = helper::shell(&self.line, input.is_some())?;
        feed(input, child.stdin.take());
        let outputs = (child.stdout.take(), child.stderr.take());
        let mut exit = results.get().init_exit();
        tokio::select! {
            ended = self.to_its_end(&mut child, outputs, (&stdout, &stderr)) => match ended {
                Ok(status) => self.tell(status, exit),
                Err(error) => Problem::at("", &error.extra).write(exit.init_failed(1).get(0)),
            },
            () = cancelled(None, &stop) => {
                if self.fault == Some(Fault::OrphanRemoteCommand) {
                    std::mem::forget(child);
                } else {
                    end(child, self.reaps_late).await;
                }
                drop(stdout.end_request().send().promise.await?);
                drop(stderr.end_request().send().promise.await?);
                exit.set_cancelled(());
            }
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: remote_process::CloseParams,
        _results: remote_process::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

type Outputs = (Option<tokio::process::ChildStdout>, Option<tokio::process::ChildStderr>);

impl Process {
    async fn to_its_end(
        &self,
        child: &mut Child,
        (mut out, mut err): Outputs,
        (stdout, stderr): (&byte_stream::Client, &byte_stream::Client),
    ) -> Result<std::process::ExitStatus, capnp::Error> {
        let other = if self.fault == Some(Fault::MergesStderr) { stdout } else { stderr };
        let (group, over) = (child.id(), CancellationToken::new());
        let sending = async {
            let sent = async {
                match &mut out {
                    Some(out) => send_until(&over, out, stdout, self.fault).await,
                    None => Ok(()),
                }
            };
            let complained = async {
                match &mut err {
                    Some(err) => send_until(&over, err, other, self.fault).await,
                    None => Ok(()),
                }
            };
            let (sent, complained) = tokio::join!(sent, complained);
            match sent.and(complained) {
                Err(_) if self.fault == Some(Fault::SwallowsOutputError) => {}
                sent => sent?,
            }
            finish(stdout, self.fault).await?;
            finish(stderr, self.fault).await
        };
        let mut sending = pin!(sending);
        tokio::select! {
            sent = &mut sending => sent?,
            () = self.is_over(child) => match self.fault {
                Some(Fault::ExitBeforeDrain) => {}
                Some(Fault::CutsSlowOutput) => {
                    finish(stdout, self.fault).await?;
                    finish(stderr, self.fault).await?;
                }
                Some(Fault::WaitsForBackground) => sending.await?,
                _ => {
                    over.cancel();
                    sending.await?;
                    kill(group);
                }
            },
        }
        Ok(child.wait().await?)
    }

    /// Waits until nothing more is to come of a command.
    async fn is_over(&self, child: &mut Child) {
        if self.fault == Some(Fault::ExitBeforeDrain) {
            return tokio::time::sleep(Duration::from_millis(40)).await;
        }
        drop(child.wait().await);
        tokio::time::sleep(AFTERGLOW).await;
    }

    fn tell(&self, status: std::process::ExitStatus, mut exit: exit::Builder<'_>) {
        match (status.code(), status.signal()) {
            (Some(code), _) => exit.set_status(code),
            (None, _) if self.fault == Some(Fault::StatusZeroOnSignal) => exit.set_status(0),
            (None, number) => {
                let number = number.unwrap_or_default();
                let name = Signal::from_named_raw(number).map(|signal| format!("{signal:?}"));
                let name = name.unwrap_or_default().replace("Signal::", "").replace('"', "");
                match self.fault {
                    Some(Fault::SignalAsNumber) => exit.set_signal(number.to_string()),
                    _ => exit.set_signal(&name),
                }
            }
        }
    }
}

/// Ends all processes of a command.
#[expect(clippy::disallowed_methods, reason = "this plugin's only thread is its RPC thread")]
async fn end(mut child: Child, late: bool) {
    kill(child.id());
    if late {
        drop(tokio::task::spawn_local(async move {
            tokio::time::sleep(REAPED).await;
            drop(child.wait().await);
        }));
    } else {
        drop(child.wait().await);
    }
}

/// Kills what is left of a process group.
fn kill(group: Option<u32>) {
    if let Some(pid) = group.and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
}

#[expect(clippy::disallowed_methods, reason = "this plugin's only thread is its RPC thread")]
fn feed(input: Option<mpsc::Receiver<Vec<u8>>>, stdin: Option<ChildStdin>) {
    if let (Some(mut input), Some(mut stdin)) = (input, stdin) {
        drop(tokio::task::spawn_local(async move {
            while let Some(bytes) = input.recv().await {
                if stdin.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }));
    }
}
