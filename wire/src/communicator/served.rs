//! The owner's end: a way to a machine as its owner writes it.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::communicator_capnp::communicator as schema;

use super::{
    CommunicatorInfo, Exit, FileInfo, RemoteCommand, RemoteCommunicator,
    started::{ServedProcess, ServedTunnel},
};
use crate::{
    cancellation::RemoteCancellation,
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

    /// Opens a TCP connection from the machine to `host` and `port` as seen from there, and answers when both
    /// directions have ended. Only with the feature `dial`.
    fn dial(&self, host: String, port: u16, io: TunnelIo) -> impl Future<Output = Outcome> + Send {
        drop((host, io));
        std::future::ready(Outcome::failed(format!(
            "this communicator opens no tunnels, such as to port {port}"
        )))
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

/// Both directions of a tunnel, and what ends it.
#[derive(Debug)]
pub struct TunnelIo {
    /// What goes out; its verdict is the owner's to give.
    pub outgoing: StreamReceiver,
    /// Where what comes in goes.
    pub incoming: StreamSender,
    /// When it is to be closed.
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
        // A consumer has no cancellation of its own, and its sender may be slow to abort.
        inlet.abort_on(self.place.link.stopping.clone());
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
        let process = ServedProcess::new(&self.communicator, &self.place, command, stdin);
        results.get().set_process(new_client(process));
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

    async fn dial(
        self: Rc<Self>,
        params: schema::DialParams,
        mut results: schema::DialResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let (host, port) = {
            let params = params.get()?;
            (read::text(params.get_host())?, params.get_port())
        };
        let (inlet, outgoing) = unoffered();
        results.get().set_outgoing(inlet.serve(&self.place));
        let tunnel = ServedTunnel::new(&self.communicator, &self.place, (host, port, outgoing));
        results.get().set_tunnel(new_client(tunnel));
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
