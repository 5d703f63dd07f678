//! The owner's end: a way to a machine as its owner writes it.
use std::{cell::RefCell, rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::communicator_capnp::{communicator as schema, remote_process};

use super::{CommunicatorInfo, Exit, FileInfo, RemoteCommand, RemoteCommunicator};
use crate::{
    cancellation::RemoteCancellation,
    link::LinkState,
    place::{Place, Seed, answered, offered, size},
    read,
    room::Panicked,
    stream::{StreamReceiver, StreamSender, unoffered},
    value::{Outcome, panicked},
};

/// A way to a machine, as its owner writes it.
pub trait Communicator: Send + Sync + 'static {
    /// What it is, and which optional features it has.
    fn info(&self) -> impl Future<Output = CommunicatorInfo> + Send;

    /// Runs a command. Its output has ended, and that end was answered, before this answers (`comm.end-before-run`).
    fn run(&self, command: RemoteCommand, io: CommandIo) -> impl Future<Output = Exit> + Send;

    /// Writes a file, which replaces an older one at its end only; the answer is the verdict on the stream.
    fn upload(
        &self,
        path: String,
        file: FileInfo,
        content: StreamReceiver,
    ) -> impl Future<Output = Outcome> + Send;

    /// Reads a file. The stream is ended or aborted before this answers.
    fn download(
        &self,
        path: String,
        content: StreamSender,
        cancellation: RemoteCancellation,
    ) -> impl Future<Output = (Outcome, FileInfo)> + Send;

    /// Unpacks a tar stream below a directory. Only with the feature `tree`.
    fn upload_tree(&self, path: String, archive: StreamReceiver) -> impl Future<Output = Outcome> + Send {
        drop((path, archive));
        std::future::ready(Outcome::failed("this communicator carries no trees"))
    }

    /// Packs a directory as a tar stream. Only with the feature `tree`.
    fn download_tree(
        &self,
        path: String,
        archive: StreamSender,
        cancellation: RemoteCancellation,
    ) -> impl Future<Output = Outcome> + Send {
        drop((path, archive, cancellation));
        std::future::ready(Outcome::failed("this communicator carries no trees"))
    }

    /// The machine is not needed any more.
    fn close(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What a command reads and writes, and what ends it.
#[derive(Debug)]
pub struct CommandIo {
    /// What it reads; `None` means that its input is empty.
    pub stdin: Option<StreamReceiver>,
    /// Where its output goes.
    pub stdout: StreamSender,
    /// Where its errors go.
    pub stderr: StreamSender,
    /// When it is to be ended on the machine.
    pub cancellation: RemoteCancellation,
}

offered! {
    /// A [`Communicator`] that we lend.
    OfferedCommunicator: schema::Client
}

impl OfferedCommunicator {
    /// Lends `communicator`.
    pub fn new(communicator: impl Communicator) -> Self {
        Self::shared(Arc::new(communicator))
    }

    /// Lends a communicator that its owner keeps.
    pub fn shared(communicator: Arc<impl Communicator>) -> Self {
        Self(Seed::serving(communicator, |communicator, place| {
            new_client(ServedCommunicator { communicator, place })
        }))
    }
}

impl From<&RemoteCommunicator> for OfferedCommunicator {
    /// Lends on what was lent to us.
    fn from(communicator: &RemoteCommunicator) -> Self {
        Self(Seed::passing(&communicator.0))
    }
}

struct ServedCommunicator<C> {
    communicator: Arc<C>,
    place: Place,
}

impl<C: Communicator> ServedCommunicator<C> {
    /// Runs a consumer of a new stream; its outcome is the verdict on it.
    fn receive<F: Future<Output = Outcome> + Send>(
        &self,
        consume: impl FnOnce(Arc<C>, StreamReceiver) -> F + Send + 'static,
    ) -> packwire_schema::stream_capnp::byte_stream::Client {
        let (inlet, mut receiver) = unoffered();
        let verdict = receiver.take_verdict();
        let (communicator, room) = (self.communicator.clone(), self.place.room().clone());
        self.place.room().start_on_authors(async move {
            let consumed = room.on_authors(async move { consume(communicator, receiver).await }).await;
            let outcome = consumed.unwrap_or_else(|Panicked(text)| Outcome::Failed(panicked(&text)));
            if let Some(verdict) = verdict {
                verdict.give(outcome);
            }
        });
        inlet.serve(&self.place)
    }
}

impl<C: Communicator> schema::Server for ServedCommunicator<C> {
    async fn info(
        self: Rc<Self>,
        _: schema::InfoParams,
        mut results: schema::InfoResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let communicator = self.communicator.clone();
        let info = self.place.ask_author(async move { communicator.info().await }).await?;
        info.write(results.get().init_info());
        answered(results)
    }

    async fn command(
        self: Rc<Self>,
        params: schema::CommandParams,
        mut results: schema::CommandResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let command = RemoteCommand::read(params.get()?.get_command()?)?;
        let mut stdin = None;
        if command.stdin {
            let (inlet, mut receiver) = unoffered();
            // A command may stop reading when it likes: that its input ended is all there is to say of it.
            if let Some(verdict) = receiver.take_verdict() {
                verdict.give(Outcome::Done);
            }
            results.get().set_stdin(inlet.serve(&self.place));
            stdin = Some(receiver);
        }
        results.get().set_process(new_client(ServedProcess {
            communicator: self.communicator.clone(),
            place: self.place.clone(),
            command: RefCell::new(Some((command, stdin))),
        }));
        answered(results)
    }

    async fn upload(
        self: Rc<Self>,
        params: schema::UploadParams,
        mut results: schema::UploadResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let (path, file) = {
            let params = params.get()?;
            (read::text(params.get_path())?, FileInfo::read(params.get_file()?))
        };
        let content = self.receive(move |communicator, content| async move {
            communicator.upload(path, file, content).await
        });
        results.get().set_content(content);
        answered(results)
    }

    async fn download(
        self: Rc<Self>,
        params: schema::DownloadParams,
        mut results: schema::DownloadResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let (path, content, cancellation) = {
            let (params, link) = (params.get()?, &self.place.link);
            let cancellation = read::optional(params.has_cancellation(), || params.get_cancellation())?;
            (
                read::text(params.get_path())?,
                StreamSender::adopt(link, params.get_content()?),
                RemoteCancellation::adopt(link, cancellation),
            )
        };
        let communicator = self.communicator.clone();
        let work = async move { communicator.download(path, content, cancellation).await };
        let (outcome, file) = self
            .place
            .room()
            .on_authors(work)
            .await
            .unwrap_or_else(|Panicked(text)| (Outcome::Failed(panicked(&text)), FileInfo::default()));
        outcome.write(results.get().init_outcome());
        file.write(results.get().init_file());
        answered(results)
    }

    async fn upload_tree(
        self: Rc<Self>,
        params: schema::UploadTreeParams,
        mut results: schema::UploadTreeResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let path = read::text(params.get()?.get_path())?;
        let archive = self.receive(move |communicator, archive| async move {
            communicator.upload_tree(path, archive).await
        });
        results.get().set_archive(archive);
        answered(results)
    }

    async fn download_tree(
        self: Rc<Self>,
        params: schema::DownloadTreeParams,
        mut results: schema::DownloadTreeResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let (path, archive, cancellation) = {
            let (params, link) = (params.get()?, &self.place.link);
            let cancellation = read::optional(params.has_cancellation(), || params.get_cancellation())?;
            (
                read::text(params.get_path())?,
                StreamSender::adopt(link, params.get_archive()?),
                RemoteCancellation::adopt(link, cancellation),
            )
        };
        let communicator = self.communicator.clone();
        let work = async move { communicator.download_tree(path, archive, cancellation).await };
        self.place
            .room()
            .on_authors(work)
            .await
            .unwrap_or_else(|Panicked(text)| Outcome::Failed(panicked(&text)))
            .write(results.get().init_outcome());
        answered(results)
    }

    async fn close(
        self: Rc<Self>,
        _: schema::CloseParams,
        _: schema::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let communicator = self.communicator.clone();
        self.place.ask_author(async move { communicator.close().await }).await
    }
}

struct ServedProcess<C> {
    communicator: Arc<C>,
    place: Place,
    command: RefCell<Option<(RemoteCommand, Option<StreamReceiver>)>>,
}

impl<C: Communicator> remote_process::Server for ServedProcess<C> {
    async fn run(
        self: Rc<Self>,
        params: remote_process::RunParams,
        mut results: remote_process::RunResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let exit = match command_io(&params, &self.place.link) {
            Err(missing) => Exit::failed(missing),
            Ok((stdout, stderr, cancellation)) => match self.command.take() {
                None => Exit::failed("a command runs once: ask the communicator for another"),
                Some((command, stdin)) => {
                    let communicator = self.communicator.clone();
                    let io = CommandIo { stdin, stdout, stderr, cancellation };
                    let ran =
                        self.place.room().on_authors(async move { communicator.run(command, io).await });
                    ran.await.unwrap_or_else(|Panicked(text)| Exit::Failed(panicked(&text)))
                }
            },
        };
        exit.write(results.get().init_exit());
        answered(results)
    }

    async fn close(
        self: Rc<Self>,
        _: remote_process::CloseParams,
        _: remote_process::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        drop(self.command.take());
        Ok(())
    }
}

fn command_io(
    params: &remote_process::RunParams,
    link: &Rc<LinkState>,
) -> Result<(StreamSender, StreamSender, RemoteCancellation), String> {
    let reader = params.get().map_err(|error| error.to_string())?;
    if !reader.has_stdout() || !reader.has_stderr() {
        return Err("a command needs somewhere for its output: stdout or stderr is null".to_owned());
    }
    let read = || {
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        Ok((
            StreamSender::adopt(link, reader.get_stdout()?),
            StreamSender::adopt(link, reader.get_stderr()?),
            RemoteCancellation::adopt(link, cancellation),
        ))
    };
    read().map_err(|error: capnp::Error| error.to_string())
}
