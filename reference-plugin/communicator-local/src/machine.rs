//! The open communicator: a directory, and the processes that commands left in the background.
use std::{
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use packwire_plugin::{
    Cancellation, CommandIo, Communicator, CommunicatorInfo, Exit, FileInfo, Outcome, RemoteCommand,
    StreamReceiver, StreamSender, outcome,
    process::{self, Group},
    tree,
};
use tokio_util::sync::CancellationToken;

use crate::{command, transfer};

/// This machine, while it is open.
#[derive(Debug)]
pub(crate) struct Machine {
    directory: PathBuf,
    /// The processes that commands left in the background, until the communicator is closed.
    open: Mutex<Option<Vec<Group>>>,
}

impl Machine {
    /// This machine, at work in an empty directory of its own.
    pub(crate) fn open(directory: PathBuf) -> Self {
        Self { directory, open: Mutex::new(Some(Vec::new())) }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Vec<Group>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path of this machine.
    fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// Keeps the processes that a command left in the background.
    fn keep(&self, group: Group) {
        let mut locked = self.locked();
        match locked.as_mut() {
            Some(background) => background.push(group),
            None => {
                // Closed meanwhile. A group that is dropped is ended.
                drop(locked);
                drop(group);
            }
        }
    }
}

impl Communicator for Machine {
    async fn info(&self) -> CommunicatorInfo {
        CommunicatorInfo {
            kind: "local".to_owned(),
            system: std::env::consts::OS.to_owned(),
            host: String::new(),
            port: 0,
            user: std::env::var("USER").unwrap_or_default(),
            features: vec!["signal".to_owned(), "tree".to_owned()],
        }
    }

    async fn run(&self, command: RemoteCommand, io: CommandIo) -> Exit {
        if self.locked().is_none() {
            return process::unstarted("the communicator is closed", io).await;
        }
        let (exit, background) = command::run(&self.directory, command, io).await;
        if let Some(group) = background {
            self.keep(group);
        }
        exit
    }

    async fn upload(&self, path: String, file: FileInfo, content: StreamReceiver) -> Outcome {
        transfer::upload(&self.path(&path), file, content).await
    }

    async fn download(
        &self,
        path: String,
        content: StreamSender,
        cancellation: Cancellation,
    ) -> (Outcome, FileInfo) {
        transfer::download(&self.path(&path), content, &cancellation).await
    }

    async fn upload_tree(&self, path: String, archive: StreamReceiver) -> Outcome {
        // Whoever sends it aborts the stream to stop it.
        let never = Cancellation::local(CancellationToken::new());
        outcome(tree::receive(archive, self.path(&path), &never).await)
    }

    async fn download_tree(
        &self,
        path: String,
        archive: StreamSender,
        cancellation: Cancellation,
    ) -> Outcome {
        outcome(tree::send(self.path(&path), archive, &cancellation).await)
    }

    async fn close(&self) {
        let Some(background) = self.locked().take() else { return };
        for group in background {
            group.end().await;
        }
        // The host removes it, too; but it may be gone, and nobody has a use for it.
        match std::fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                packwire_plugin::log::warn(format!("{} is left: {error}", self.directory.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
}
