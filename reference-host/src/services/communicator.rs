//! The host's own communicator in front of a plugin's: the one place to revoke, bound and end what goes through.

use std::sync::Arc;

use packwire_wire::{
    Broken, CommandIo, Communicator, CommunicatorInfo, Diagnostic, Exit, FileInfo, OfferedCancellation,
    Outcome, RemoteCancellation, RemoteCommand, RemoteCommunicator, StreamReceiver, StreamSender, TunnelIo,
    pipe,
};
use tokio_util::sync::CancellationToken;

use crate::catalog::Kind;
use crate::grace::stalled;
use crate::plugins::Running;

/// A communicator of a component, as the host lends it.
pub(super) struct Wrapped {
    inner: RemoteCommunicator,
    /// The process that it lives in, where the host has opened it itself.
    running: Option<Arc<Running>>,
}

impl Wrapped {
    pub(super) fn new(inner: RemoteCommunicator, running: Arc<Running>) -> Self {
        Self { inner, running: Some(running) }
    }
}

/// Carries all bytes of one stream into another, window by window, and the verdict back.
async fn carry(mut from: StreamReceiver, mut to: StreamSender) -> Outcome {
    loop {
        match from.next().await {
            Ok(Some(bytes)) => {
                if let Err(broken) = to.write(bytes).await {
                    return Outcome::failed(broken.to_string());
                }
            }
            Ok(None) => {
                let outcome = to.end().await.unwrap_or_else(|broken| Outcome::failed(broken.to_string()));
                from.finish(outcome.clone());
                return outcome;
            }
            Err(aborted) => {
                // Whoever aborted knows; that the other end may be gone as well changes nothing.
                drop(to.abort().await);
                return Outcome::failed(aborted.to_string());
            }
        }
    }
}

/// As [`carry`], for output of a run: once that is cancelled, what nobody takes any more is dropped, so that the
/// command can always end.
async fn carry_output(from: StreamReceiver, to: StreamSender, cancelled: CancellationToken) {
    let (mut from, mut to) = (from, Some(to));
    loop {
        match from.next().await {
            Ok(Some(bytes)) => {
                let Some(sender) = to.as_mut() else { continue };
                let written = tokio::select! {
                    written = sender.write(bytes) => written.is_ok(),
                    () = stalled(&cancelled) => false,
                };
                if !written {
                    to = None;
                }
            }
            Ok(None) => {
                let outcome = match to {
                    Some(sender) => tokio::select! {
                        ended = sender.end() => ended.unwrap_or_else(|broken| Outcome::failed(broken.to_string())),
                        () = stalled(&cancelled) => Outcome::Cancelled,
                    },
                    None if cancelled.is_cancelled() => Outcome::Cancelled,
                    None => Outcome::failed("the output could not be delivered"),
                };
                return from.finish(outcome);
            }
            Err(_) => return,
        }
    }
}

impl Wrapped {
    /// A run of the component, for which its process has time when the link is lost.
    async fn counted<T>(&self, run: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
        match &self.running {
            Some(running) => running.run(Kind::Communicator, run).await,
            None => run.await,
        }
    }

    async fn told(&self, broken: Broken) -> String {
        match &self.running {
            Some(running) => running.explain(broken).await.to_string(),
            None => broken.to_string(),
        }
    }

    /// An upload of ours that ends as the component's does.
    async fn forward(&self, sender: Result<StreamSender, Broken>, content: StreamReceiver) -> Outcome {
        match sender {
            Ok(sender) => carry(content, sender).await,
            Err(broken) => Outcome::failed(self.told(broken).await),
        }
    }
}

impl Communicator for Wrapped {
    async fn info(&self) -> CommunicatorInfo {
        self.inner.info().await.unwrap_or_default()
    }

    async fn run(&self, command: RemoteCommand, io: CommandIo) -> Exit {
        let CommandIo { stdin, stdout, stderr, cancellation } = io;
        let (process, remote_stdin) = match self.inner.command(command).await {
            Ok(started) => started,
            // The plugin is gone or broken, and not the machine: there is nothing to wait for.
            Err(broken) => return Exit::Failed(vec![Diagnostic::error(self.told(broken).await)]),
        };
        let ((out, output), (err, errors)) = (pipe(), pipe());
        let cancelled = cancellation.token().clone();
        let feeding = stdin.zip(remote_stdin).map(|(from, to)| tokio::spawn(carry(from, to)));
        let carrying = [
            tokio::spawn(carry_output(output, stdout, cancelled.clone())),
            tokio::spawn(carry_output(errors, stderr, cancelled.clone())),
        ];
        let exit = self.counted(process.run(out, err, OfferedCancellation::from(cancelled))).await;
        for carried in carrying {
            drop(carried.await);
        }
        if let Some(feeding) = feeding {
            feeding.abort();
        }
        // A plugin that is gone has closed it.
        drop(process.close().await);
        match exit {
            Ok(exit) => exit,
            Err(broken) => Exit::Lost(self.told(broken).await),
        }
    }

    async fn upload(&self, path: String, file: FileInfo, content: StreamReceiver) -> Outcome {
        self.forward(self.inner.upload(path, file).await, content).await
    }

    async fn download(
        &self,
        path: String,
        content: StreamSender,
        cancellation: RemoteCancellation,
    ) -> (Outcome, FileInfo) {
        let (offered, received) = pipe();
        let carrying = tokio::spawn(carry(received, content));
        let downloaded = self.inner.download(path, offered, cancellation.offer()).await;
        drop(carrying.await);
        match downloaded {
            Ok(downloaded) => downloaded,
            Err(broken) => (Outcome::failed(self.told(broken).await), FileInfo::default()),
        }
    }

    async fn upload_tree(&self, path: String, archive: StreamReceiver) -> Outcome {
        self.forward(self.inner.upload_tree(path).await, archive).await
    }

    async fn download_tree(
        &self,
        path: String,
        archive: StreamSender,
        cancellation: RemoteCancellation,
    ) -> Outcome {
        let (offered, received) = pipe();
        let carrying = tokio::spawn(carry(received, archive));
        let downloaded = self.inner.download_tree(path, offered, cancellation.offer()).await;
        drop(carrying.await);
        match downloaded {
            Ok(outcome) => outcome,
            Err(broken) => Outcome::failed(self.told(broken).await),
        }
    }

    async fn dial(&self, host: String, port: u16, io: TunnelIo) -> Outcome {
        let TunnelIo { outgoing, incoming, cancellation } = io;
        let (tunnel, remote_outgoing) = match self.inner.dial(host, port).await {
            Ok(dialed) => dialed,
            Err(broken) => return Outcome::failed(self.told(broken).await),
        };
        let (offered, received) = pipe();
        let feeding = tokio::spawn(carry(outgoing, remote_outgoing));
        let carrying = tokio::spawn(carry_output(received, incoming, cancellation.token().clone()));
        let outcome = self.counted(tunnel.run(offered, cancellation.offer())).await;
        drop(carrying.await);
        feeding.abort();
        // A plugin that is gone has closed it.
        drop(tunnel.close().await);
        match outcome {
            Ok(outcome) => outcome,
            Err(broken) => Outcome::failed(self.told(broken).await),
        }
    }
}

/// A communicator that a builder lends to the hook, as the host lends it on to one provisioner.
pub(crate) fn lend_on(communicator: RemoteCommunicator) -> impl Communicator {
    Wrapped { inner: communicator, running: None }
}
