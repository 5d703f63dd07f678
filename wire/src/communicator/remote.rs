//! The user's end: a way to a machine that was lent to us.
use packwire_schema::communicator_capnp::{communicator as schema, remote_process, tunnel};

use super::{CommunicatorInfo, Exit, FileInfo, RemoteCommand};
use crate::{
    broken::Broken,
    cancellation::OfferedCancellation,
    limits,
    place::{Place, lend, remote, send},
    read,
    room::{Adopted, Remote},
    stream::{OfferedStream, StreamSender},
    value::Outcome,
};

remote! {
    /// A way to a machine that was lent to us.
    RemoteCommunicator: schema::Client
}

remote! {
    /// A command on a machine, which runs once.
    RemoteProcess: remote_process::Client
}

remote! {
    /// A TCP connection from a machine, which runs once.
    RemoteTunnel: tunnel::Client
}

impl RemoteCommunicator {
    /// What it is, and which optional features it has.
    pub async fn info(&self) -> Result<CommunicatorInfo, Broken> {
        self.0
            .call("Communicator.info", Some(limits::QUICK_WITHIN), |Adopted { client, .. }| {
                let sent = send(client.info_request());
                async move { CommunicatorInfo::read(sent?.await?.get()?.get_info()?) }
            })
            .await
    }

    /// Makes a command ready, not started yet; with somewhere to write its input if it asks for that.
    pub async fn command(
        &self,
        command: RemoteCommand,
    ) -> Result<(RemoteProcess, Option<StreamSender>), Broken> {
        self.0
            .call("Communicator.command", Some(limits::QUICK_WITHIN), move |Adopted { client, link }| {
                let mut request = client.command_request();
                command.write(request.get().init_command());
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let process = read::required(answer.has_process(), || answer.get_process(), "process")?;
                    let stdin = read::optional(answer.has_stdin(), || answer.get_stdin())?;
                    let process = RemoteProcess(Remote::adopt(&link, process));
                    Ok((process, stdin.map(|stdin| StreamSender::adopt(&link, stdin))))
                }
            })
            .await
    }

    /// Begins to write a file; the verdict is the answer to the stream's end.
    pub async fn upload(&self, path: impl Into<String>, file: FileInfo) -> Result<StreamSender, Broken> {
        let path = path.into();
        self.0
            .call("Communicator.upload", Some(limits::QUICK_WITHIN), move |Adopted { client, link }| {
                let mut request = client.upload_request();
                request.get().set_path(path);
                file.write(request.get().init_file());
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let content = read::required(answer.has_content(), || answer.get_content(), "content")?;
                    Ok(StreamSender::adopt(&link, content))
                }
            })
            .await
    }

    /// Reads a file into a stream of ours, which has ended when this answers.
    pub async fn download(
        &self,
        path: impl Into<String>,
        content: OfferedStream,
        cancellation: OfferedCancellation,
    ) -> Result<(Outcome, FileInfo), Broken> {
        let path = path.into();
        self.0
            .call("Communicator.download", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let mut request = client.download_request();
                request.get().set_path(path);
                let mut params = request.get();
                lend!(params at &place; set_content: content, set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    Ok((Outcome::read(answer.get_outcome()?)?, FileInfo::read(answer.get_file()?)))
                }
            })
            .await
    }

    /// Begins to unpack a tar stream below a directory. Only with the feature `tree`.
    pub async fn upload_tree(&self, path: impl Into<String>) -> Result<StreamSender, Broken> {
        let path = path.into();
        self.0
            .call("Communicator.uploadTree", Some(limits::QUICK_WITHIN), move |Adopted { client, link }| {
                let mut request = client.upload_tree_request();
                request.get().set_path(path);
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let archive = read::required(answer.has_archive(), || answer.get_archive(), "archive")?;
                    Ok(StreamSender::adopt(&link, archive))
                }
            })
            .await
    }

    /// Packs a directory into a stream of ours. Only with the feature `tree`.
    pub async fn download_tree(
        &self,
        path: impl Into<String>,
        archive: OfferedStream,
        cancellation: OfferedCancellation,
    ) -> Result<Outcome, Broken> {
        let path = path.into();
        self.0
            .call("Communicator.downloadTree", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let mut request = client.download_tree_request();
                request.get().set_path(path);
                let mut params = request.get();
                lend!(params at &place; set_archive: archive, set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Outcome::read(sent?.await?.get()?.get_outcome()?)
                }
            })
            .await
    }

    /// Makes a TCP connection from the machine ready, not opened yet, with somewhere to write what goes out. Only with
    /// the feature `dial`.
    pub async fn dial(
        &self,
        host: impl Into<String>,
        port: u16,
    ) -> Result<(RemoteTunnel, StreamSender), Broken> {
        let host = host.into();
        self.0
            .call("Communicator.dial", Some(limits::QUICK_WITHIN), move |Adopted { client, link }| {
                let mut request = client.dial_request();
                request.get().set_host(host);
                request.get().set_port(port);
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let tunnel = read::required(answer.has_tunnel(), || answer.get_tunnel(), "tunnel")?;
                    let outgoing =
                        read::required(answer.has_outgoing(), || answer.get_outgoing(), "outgoing")?;
                    Ok((RemoteTunnel(Remote::adopt(&link, tunnel)), StreamSender::adopt(&link, outgoing)))
                }
            })
            .await
    }

    /// Says that the machine is not needed any more.
    pub async fn close(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("Communicator.close", Some(limits::QUICK_WITHIN), |client| {
                send(client.close_request())
            })
            .await
    }
}

impl RemoteProcess {
    /// Runs the command to its end; its output has ended when this answers.
    pub async fn run(
        &self,
        stdout: OfferedStream,
        stderr: OfferedStream,
        cancellation: OfferedCancellation,
    ) -> Result<Exit, Broken> {
        self.0
            .call("RemoteProcess.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let mut request = client.run_request();
                let mut params = request.get();
                lend!(params at &place; set_stdout: stdout, set_stderr: stderr, set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Exit::read(sent?.await?.get()?.get_exit()?)
                }
            })
            .await
    }

    /// Says that the command will not be run.
    pub async fn close(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("RemoteProcess.close", Some(limits::QUICK_WITHIN), |client| {
                send(client.close_request())
            })
            .await
    }
}

impl RemoteTunnel {
    /// Opens the connection; what comes in goes into `incoming`. Answers when both directions have ended.
    pub async fn run(
        &self,
        incoming: OfferedStream,
        cancellation: OfferedCancellation,
    ) -> Result<Outcome, Broken> {
        self.0
            .call("Tunnel.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let mut request = client.run_request();
                let mut params = request.get();
                lend!(params at &place; set_incoming: incoming, set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Outcome::read(sent?.await?.get()?.get_outcome()?)
                }
            })
            .await
    }

    /// Says that it will not be run.
    pub async fn close(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("Tunnel.close", Some(limits::QUICK_WITHIN), |client| send(client.close_request()))
            .await
    }
}
