//! The open communicator: a directory, and the processes that commands left in the background.
use std::{
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use packwire_plugin::{
    Cancellation, CommandIo, Communicator, CommunicatorInfo, Exit, FileInfo, Outcome, RemoteCommand,
    StreamReceiver, StreamSender, outcome, process::Group, tree,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{command, transfer};

/// This machine, while it is open.
#[derive(Debug)]
pub(crate) struct Machine {
    directory: PathBuf,
    open: Mutex<Option<Open>>,
}

/// What ends with the communicator.
#[derive(Debug)]
struct Open {
    background: Vec<Group>,
    directory: TempDir,
}

impl Machine {
    pub(crate) fn open() -> io::Result<Self> {
        let private = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("packwire-local-").permissions(private).tempdir()?;
        let path = directory.path().to_owned();
        Ok(Self { directory: path, open: Mutex::new(Some(Open { background: Vec::new(), directory })) })
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
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
            Some(open) => open.background.push(group),
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
            features: vec!["tree".to_owned()],
        }
    }

    async fn run(&self, command: RemoteCommand, io: CommandIo) -> Exit {
        if self.locked().is_none() {
            return command::unstarted("the communicator is closed", io).await;
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
        let open = self.locked().take();
        if let Some(Open { background, directory }) = open {
            for group in background {
                group.end().await;
            }
            let path: &Path = directory.path();
            let path = path.to_owned();
            if let Err(error) = directory.close() {
                packwire_plugin::log::warn(format!("{} is left: {error}", path.display()));
            }
        }
    }
}
