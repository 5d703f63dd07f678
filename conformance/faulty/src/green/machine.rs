//! The communicator: commands and files of this machine.
use std::{cell::RefCell, os::unix::process::ExitStatusExt, rc::Rc, time::Duration};

use packwire_schema::{
    communicator_capnp::{communicator, exit, remote_process},
    connector_capnp::{connection, connector},
    stream_capnp::byte_stream,
    work_capnp::cancellation,
};
use rustix::process::{Pid, Signal};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin},
    sync::mpsc,
};

use super::{
    Green,
    config::{Config, Problem},
    files::Upload,
    outcome::{Ended, Once, cancelled, perform, say, write},
    prepare::{self, Verdict},
    tree::{self, Unpacking},
};
use crate::{fault::Fault, helper};

const CHUNK: usize = 64 << 10;

/// Prepares connections.
pub(crate) struct Connector(pub(crate) Green);

impl connector::Server for Connector {
    async fn prepare(
        self: Rc<Self>,
        params: connector::PrepareParams,
        mut results: connector::PrepareResults,
    ) -> Result<(), capnp::Error> {
        self.0.greet().await?;
        let params = params.get()?;
        let Verdict { config, problems } =
            prepare::read(self.0, params.get_config()?.as_bytes(), params.get_context()?)?;
        if let Some(config) = config {
            let work = Connection { green: self.0, config, once: Once::default() };
            results.get().set_connection(capnp_rpc::new_client(work));
        }
        write(&problems, |count| results.get().init_diagnostics(count));
        Ok(())
    }
}

struct Connection {
    green: Green,
    config: Config,
    once: Once,
}

impl connection::Server for Connection {
    async fn open(
        self: Rc<Self>,
        params: connection::OpenParams,
        mut results: connection::OpenResults,
    ) -> Result<(), capnp::Error> {
        let lent = params.get()?;
        let config = prepare::config_of(self.green, &self.config);
        let work = async { say(self.green, &config, &lent.get_ui()?, &lent.get_cancellation()?).await };
        let (stop, ui) = (lent.get_cancellation().ok(), lent.get_ui().ok());
        let ended = perform(self.green, &self.once, stop, ui, work).await?;
        let mut outcome = results.get().init_outcome();
        match (&ended, self.green.manner.fault()) {
            (_, Some(Fault::ForgottenOutcome)) => {}
            (Ended::Failed(_), Some(Fault::EmptyFailure)) => drop(outcome.init_failed(0)),
            (Ended::Done, _) => outcome.set_communicator(capnp_rpc::new_client(Machine(self.green))),
            (Ended::Failed(problem), _) => problem.write(outcome.init_failed(1).get(0)),
            (Ended::Cancelled, _) => outcome.set_cancelled(()),
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: connection::CloseParams,
        _results: connection::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

/// This machine.
struct Machine(Green);

impl communicator::Server for Machine {
    async fn info(
        self: Rc<Self>,
        _params: communicator::InfoParams,
        mut results: communicator::InfoResults,
    ) -> Result<(), capnp::Error> {
        let mut info = results.get().init_info();
        info.set_type("green");
        let mut features = info.init_features(2);
        features.set(0, "signal");
        features.set(1, "tree");
        Ok(())
    }

    async fn command(
        self: Rc<Self>,
        params: communicator::CommandParams,
        mut results: communicator::CommandResults,
    ) -> Result<(), capnp::Error> {
        let command = params.get()?.get_command()?;
        let line = command.get_line()?.to_str()?.to_owned();
        let (fault, mut input) = (self.0.manner.fault(), None);
        if command.get_stdin() {
            let (sender, receiver) = mpsc::channel(4);
            let stream = Input { fault, sender: RefCell::new(Some(sender)) };
            results.get().set_stdin(capnp_rpc::new_client(stream));
            input = Some(receiver);
        }
        let process = Process { fault, line, input: RefCell::new(input) };
        results.get().set_process(capnp_rpc::new_client(process));
        Ok(())
    }

    async fn upload(
        self: Rc<Self>,
        params: communicator::UploadParams,
        mut results: communicator::UploadResults,
    ) -> Result<(), capnp::Error> {
        let params = params.get()?;
        let (path, size) = (params.get_path()?.to_str()?.into(), params.get_file()?.get_size());
        let upload = Upload { fault: self.0.manner.fault(), path, size, bytes: RefCell::default() };
        results.get().set_content(capnp_rpc::new_client(upload));
        Ok(())
    }

    async fn download(
        self: Rc<Self>,
        params: communicator::DownloadParams,
        mut results: communicator::DownloadResults,
    ) -> Result<(), capnp::Error> {
        let params = params.get()?;
        let content = params.get_content()?;
        let bytes = tokio::fs::read(params.get_path()?.to_str()?).await?;
        send(&mut &bytes[..], &content, self.0.manner.fault()).await?;
        results.get().init_outcome().set_done(());
        Ok(())
    }

    async fn upload_tree(
        self: Rc<Self>,
        params: communicator::UploadTreeParams,
        mut results: communicator::UploadTreeResults,
    ) -> Result<(), capnp::Error> {
        let unpacking = Unpacking::into(params.get()?.get_path()?.to_str()?, self.0.manner.fault());
        results.get().set_archive(capnp_rpc::new_client(unpacking));
        Ok(())
    }

    async fn download_tree(
        self: Rc<Self>,
        params: communicator::DownloadTreeParams,
        mut results: communicator::DownloadTreeResults,
    ) -> Result<(), capnp::Error> {
        let params = params.get()?;
        let stream = params.get_archive()?;
        let mut outcome = results.get().init_outcome();
        match tree::pack(params.get_path()?.to_str()?.as_ref()) {
            Ok(archive) => {
                send(&mut &archive[..], &stream, None).await?;
                outcome.set_done(());
            }
            Err(error) => {
                drop(stream.abort_request().send().promise.await?);
                Problem::at("", &error.to_string()).write(outcome.init_failed(1).get(0));
            }
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: communicator::CloseParams,
        _results: communicator::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

/// The standard input of a command.
struct Input {
    fault: Option<Fault>,
    sender: RefCell<Option<mpsc::Sender<Vec<u8>>>>,
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
            drop(sender.send(params.get()?.get_bytes()?.to_vec()).await);
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

/// One command.
struct Process {
    fault: Option<Fault>,
    line: String,
    input: RefCell<Option<mpsc::Receiver<Vec<u8>>>>,
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
        let input = self.input.take();
        let mut child = helper::shell(&self.line, input.is_some())?;
        feed(input, child.stdin.take());
        let outputs = (child.stdout.take(), child.stderr.take());
        let mut exit = results.get().init_exit();
        tokio::select! {
            ended = self.to_its_end(&mut child, outputs, (&stdout, &stderr)) => self.tell(ended?, exit),
            () = cancelled(None, &stop) => {
                if self.fault == Some(Fault::OrphanRemoteCommand) {
                    std::mem::forget(child);
                } else {
                    end(child).await;
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
        let sending = async {
            let sent = async {
                if let Some(out) = &mut out { send_open(out, stdout, self.fault).await } else { Ok(()) }
            };
            let complained = async {
                if let Some(err) = &mut err { send_open(err, other, self.fault).await } else { Ok(()) }
            };
            let (sent, complained) = tokio::join!(sent, complained);
            sent.and(complained)?;
            drop(stdout.end_request().send().promise.await?);
            drop(stderr.end_request().send().promise.await?);
            Ok::<(), capnp::Error>(())
        };
        if self.fault == Some(Fault::ExitBeforeDrain) {
            tokio::select! {
                sent = sending => sent?,
                () = tokio::time::sleep(Duration::from_millis(40)) => {}
            }
        } else {
            sending.await?;
        }
        Ok(child.wait().await?)
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
async fn end(mut child: Child) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
    drop(child.wait().await);
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

/// Sends everything and ends the stream.
async fn send(
    from: &mut (impl AsyncRead + Unpin),
    stream: &byte_stream::Client,
    fault: Option<Fault>,
) -> Result<(), capnp::Error> {
    send_open(from, stream, fault).await?;
    stream.end_request().send().promise.await.map(drop)
}

async fn send_open(
    from: &mut (impl AsyncRead + Unpin),
    stream: &byte_stream::Client,
    fault: Option<Fault>,
) -> Result<(), capnp::Error> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let bytes = translated(&buffer[..count], fault);
        let mut request = stream.write_request();
        request.get().set_bytes(&bytes);
        request.send().promise.await?;
    }
}

fn translated(bytes: &[u8], fault: Option<Fault>) -> Vec<u8> {
    match fault {
        Some(Fault::Utf8LossyOutput) => String::from_utf8_lossy(bytes).into_owned().into_bytes(),
        Some(Fault::CrlfTranslation) => bytes
            .iter()
            .flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] })
            .collect(),
        _ => bytes.to_vec(),
    }
}
