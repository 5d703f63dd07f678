//! The user's end: a way to a machine that was lent to us.
use packwire_schema::communicator_capnp::{communicator as schema, remote_process};

use super::{CommunicatorInfo, Exit, FileInfo, RemoteCommand};
use crate::{
    broken::Broken,
    cancellation::OfferedCancellation,
    limits,
    place::{Place, remote, send},
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
                if let Some(content) = content.0.at(&place) {
                    request.get().set_content(content);
                }
                if let Some(cancellation) = cancellation.0.at(&place) {
                    request.get().set_cancellation(cancellation);
                }
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
                if let Some(archive) = archive.0.at(&place) {
                    request.get().set_archive(archive);
                }
                if let Some(cancellation) = cancellation.0.at(&place) {
                    request.get().set_cancellation(cancellation);
                }
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Outcome::read(sent?.await?.get()?.get_outcome()?)
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
                if let Some(stdout) = stdout.0.at(&place) {
                    request.get().set_stdout(stdout);
                }
                if let Some(stderr) = stderr.0.at(&place) {
                    request.get().set_stderr(stderr);
                }
                if let Some(cancellation) = cancellation.0.at(&place) {
                    request.get().set_cancellation(cancellation);
                }
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
