//! The tree as a machine: what a builder lends its provisioners.
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use packwire_plugin::{
    Cancellation, CommandIo, Communicator, CommunicatorInfo, Exit, FileInfo, Outcome, RemoteCommand,
    StreamReceiver, StreamSender,
    process::{self, Group, Pipes},
};
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio_util::sync::CancellationToken;

use crate::{
    inside::{Place, Report, Requested, Task, Transfer},
    transfer,
};

const CLOSED: &str = "the build is over, and its machine with it";

/// The tree, while the build lasts.
#[derive(Debug)]
pub(crate) struct Machine {
    place: Place,
    shell: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    /// A directory for what is told of commands, each file once.
    reports: PathBuf,
    reported: AtomicU64,
    /// The processes that commands left in the background.
    background: Mutex<Vec<Group>>,
    over: CancellationToken,
    /// Read by whoever uses the machine; written, once nobody does, by whoever ends it.
    used: RwLock<()>,
}

impl Machine {
    pub(crate) fn new(
        place: Place,
        shell: &str,
        environment: BTreeMap<OsString, OsString>,
        reports: PathBuf,
    ) -> Self {
        Self {
            place,
            shell: shell.into(),
            environment,
            reports,
            reported: AtomicU64::new(0),
            background: Mutex::default(),
            over: CancellationToken::new(),
            used: RwLock::default(),
        }
    }

    /// Ends all that runs, and takes no more.
    pub(crate) async fn end(&self) {
        self.over.cancel();
        let _nobody = self.used.write().await;
        let background = std::mem::take(&mut *self.background.lock().unwrap_or_else(PoisonError::into_inner));
        for group in background {
            group.end().await;
        }
    }

    /// Somebody uses the machine; `None` where it is over.
    async fn enter(&self) -> Option<RwLockReadGuard<'_, ()>> {
        let entered = self.used.read().await;
        (!self.over.is_cancelled()).then_some(entered)
    }

    /// Starts a process that does something where the tree is.
    fn start(&self, task: &Task) -> io::Result<(Group, Pipes)> {
        let mut group = Group::start(&task.program(&self.environment)?)?;
        let pipes = Pipes::of(&mut group)?;
        Ok((group, pipes))
    }

    async fn run_in_tree(&self, command: RemoteCommand, io: CommandIo) -> Exit {
        let report = self.reports.join(self.reported.fetch_add(1, Ordering::Relaxed).to_string());
        let names = || self.environment.keys().cloned().collect();
        let requested = Requested {
            shell: self.shell.clone(),
            line: command.line,
            // The host's shell has the host's environment.
            environment: (!matches!(self.place, Place::Directory(_))).then(names),
            report: report.clone(),
        };
        let (group, mut pipes) = match self.start(&Task::Command(self.place.clone(), requested)) {
            Ok(started) => started,
            Err(error) => {
                return process::unstarted(&format!("the command cannot be started: {error}"), io).await;
            }
        };
        if !command.stdin {
            pipes.stdin = None;
        }
        let (exit, group) = process::serve(group, pipes, io, &self.over).await;
        if let Some(group) = group {
            self.background.lock().unwrap_or_else(PoisonError::into_inner).push(group);
        }
        reported(exit, &report)
    }

    fn transferring(&self, transfer: Transfer) -> io::Result<(Group, Pipes)> {
        self.start(&Task::Transfer(self.place.clone(), transfer))
    }
}

/// How a command ended whose process ended in this way.
fn reported(exit: Exit, report: &Path) -> Exit {
    let told = std::fs::read(report).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    drop(std::fs::remove_file(report));
    match (exit, told) {
        (exit @ (Exit::Cancelled | Exit::Failed(_) | Exit::Lost(_)), _) => exit,
        (_, Some(Report::Status(status))) => Exit::Status(status),
        (_, Some(Report::Signal(name))) => Exit::Signal(name),
        (_, Some(Report::Failed(why))) => Exit::failed(why),
        // The process that waited for it was killed: so was the command.
        (exit, None) => exit,
    }
}

impl Communicator for Machine {
    async fn info(&self) -> CommunicatorInfo {
        CommunicatorInfo {
            kind: "rootfs".to_owned(),
            system: "linux".to_owned(),
            host: String::new(),
            port: 0,
            user: match self.place {
                Place::Directory(_) => String::new(),
                _ => "root".to_owned(),
            },
            features: vec!["signal".to_owned(), "tree".to_owned()],
        }
    }

    async fn run(&self, command: RemoteCommand, io: CommandIo) -> Exit {
        let Some(_used) = self.enter().await else { return process::unstarted(CLOSED, io).await };
        if command.pty {
            return process::unstarted("this communicator has no terminals", io).await;
        }
        self.run_in_tree(command, io).await
    }

    async fn upload(&self, path: String, file: FileInfo, content: StreamReceiver) -> Outcome {
        let Some(_used) = self.enter().await else { return Outcome::failed(CLOSED) };
        let started = self.transferring(Transfer::Upload { path: path.into(), file: file.into() });
        transfer::receive(started, content, &self.over).await
    }

    async fn download(
        &self,
        path: String,
        content: StreamSender,
        cancellation: Cancellation,
    ) -> (Outcome, FileInfo) {
        let Some(_used) = self.enter().await else { return (Outcome::failed(CLOSED), FileInfo::default()) };
        let started = self.transferring(Transfer::Download { path: path.into() });
        transfer::send_file(started, content, &cancellation, &self.over).await
    }

    async fn upload_tree(&self, path: String, archive: StreamReceiver) -> Outcome {
        let Some(_used) = self.enter().await else { return Outcome::failed(CLOSED) };
        let started = self.transferring(Transfer::UploadTree { path: path.into() });
        transfer::receive(started, archive, &self.over).await
    }

    async fn download_tree(
        &self,
        path: String,
        archive: StreamSender,
        cancellation: Cancellation,
    ) -> Outcome {
        let Some(_used) = self.enter().await else { return Outcome::failed(CLOSED) };
        let started = self.transferring(Transfer::DownloadTree { path: path.into() });
        transfer::send_tree(started, archive, &cancellation, &self.over).await
    }
}
