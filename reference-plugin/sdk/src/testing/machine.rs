//! A machine that is none: scripted answers, and files in memory.
mod trees;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use packwire_wire::{
    CommandIo, Communicator, CommunicatorInfo, Exit, FileInfo, Outcome, RemoteCancellation, RemoteCommand,
    StreamReceiver, StreamSender,
};

use crate::stop::outcome;

/// A machine whose answers a test writes beforehand. Clones are the same machine.
///
/// A command that nothing was said of ends with status 0, without a word.
#[derive(Clone, Debug, Default)]
pub struct Machine(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    script: Vec<Line>,
    commands: Vec<String>,
    files: BTreeMap<String, File>,
    directories: BTreeSet<String>,
    links: BTreeMap<String, String>,
    without_trees: bool,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Line {
    part: String,
    answer: Answer,
    /// How often it still answers.
    left: usize,
}

#[derive(Debug, Clone)]
enum Answer {
    Exit { exit: Exit, stdout: String, stderr: String },
    Hang,
}

/// A file on the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// What is in it.
    pub content: Vec<u8>,
    /// Its permission bits, where they were said.
    pub mode: Option<u32>,
}

impl Machine {
    /// A machine without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same; a command that contains `part` prints this and exits with this status.
    #[must_use]
    pub fn answering(self, part: &str, status: i32, stdout: &str, stderr: &str) -> Self {
        let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
        self.with(part, Answer::Exit { exit: Exit::Status(status), stdout, stderr })
    }

    /// The same; a command that contains `part` ends in this way, without a word.
    #[must_use]
    pub fn ending(self, part: &str, exit: Exit) -> Self {
        self.with(part, Answer::Exit { exit, stdout: String::new(), stderr: String::new() })
    }

    /// The same; the first commands that contain `part`, so many of them, end in this way.
    #[must_use]
    pub fn ending_first(self, times: usize, part: &str, exit: Exit) -> Self {
        let answer = Answer::Exit { exit, stdout: String::new(), stderr: String::new() };
        let line = Line { part: part.to_owned(), answer, left: times };
        self.locked().script.push(line);
        self
    }

    /// The same; a command that contains `part` ends when it is cancelled.
    #[must_use]
    pub fn hanging(self, part: &str) -> Self {
        self.with(part, Answer::Hang)
    }

    /// The same, with a file.
    #[must_use]
    pub fn with_file(self, path: &str, content: &str) -> Self {
        let file = File { content: content.into(), mode: None };
        drop(self.locked().files.insert(path.to_owned(), file));
        self
    }

    /// The same, with a symbolic link.
    #[must_use]
    pub fn with_link(self, path: &str, target: &str) -> Self {
        drop(self.locked().links.insert(path.to_owned(), target.to_owned()));
        self
    }

    /// The same, whose communicator lacks the feature `tree`.
    #[must_use]
    pub fn without_trees(self) -> Self {
        self.locked().without_trees = true;
        self
    }

    /// The commands that were run, in order.
    pub fn commands(&self) -> Vec<String> {
        self.locked().commands.clone()
    }

    /// The files by their paths.
    pub fn files(&self) -> BTreeMap<String, File> {
        self.locked().files.clone()
    }

    /// The directories that came as such: of a tree, not by an upload of files.
    pub fn directories(&self) -> BTreeSet<String> {
        self.locked().directories.clone()
    }

    /// The targets of symbolic links, by the paths of the links.
    pub fn links(&self) -> BTreeMap<String, String> {
        self.locked().links.clone()
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.locked().closed
    }

    fn with(self, part: &str, answer: Answer) -> Self {
        self.locked().script.push(Line { part: part.to_owned(), answer, left: usize::MAX });
        self
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a command and finds its answer.
    fn answer(&self, command: &str) -> Answer {
        let mut state = self.locked();
        state.commands.push(command.to_owned());
        let line = state.script.iter_mut().find(|line| line.left > 0 && command.contains(&line.part));
        let silent = || Answer::Exit { exit: Exit::Status(0), stdout: String::new(), stderr: String::new() };
        line.map_or_else(silent, |line| {
            line.left -= 1;
            line.answer.clone()
        })
    }
}

impl Communicator for Machine {
    async fn info(&self) -> CommunicatorInfo {
        CommunicatorInfo {
            kind: "testing".to_owned(),
            system: "linux".to_owned(),
            host: "192.0.2.1".to_owned(),
            port: 22,
            user: "root".to_owned(),
            features: if self.locked().without_trees { Vec::new() } else { vec!["tree".to_owned()] },
        }
    }

    async fn run(&self, command: RemoteCommand, io: CommandIo) -> Exit {
        let CommandIo { stdin: _, mut stdout, mut stderr, cancellation } = io;
        let exit = match self.answer(&command.line) {
            Answer::Exit { exit, stdout: printed, stderr: complained } => {
                // What a stream refuses, its end tells.
                drop(tokio::join!(stdout.write(printed), stderr.write(complained)));
                exit
            }
            Answer::Hang => {
                cancellation.cancelled().await;
                Exit::Cancelled
            }
        };
        drop(tokio::join!(stdout.end(), stderr.end()));
        exit
    }

    async fn upload(&self, path: String, file: FileInfo, mut content: StreamReceiver) -> Outcome {
        let Ok(bytes) = content.collect(usize::MAX).await else { return Outcome::Cancelled };
        if file.size.is_some_and(|size| size != bytes.len() as u64) {
            return Outcome::failed(format!("{path}: {} bytes came", bytes.len()));
        }
        drop(self.locked().files.insert(path, File { content: bytes, mode: file.mode }));
        Outcome::Done
    }

    async fn download(
        &self,
        path: String,
        mut content: StreamSender,
        _: RemoteCancellation,
    ) -> (Outcome, FileInfo) {
        let Some(file) = self.locked().files.get(&path).cloned() else {
            drop(content.abort().await);
            return (Outcome::failed(format!("there is no file {path}")), FileInfo::default());
        };
        let info = FileInfo { size: Some(file.content.len() as u64), mode: file.mode, modified: None };
        let sent = async {
            content.write(file.content).await?;
            crate::done(content.end().await?)
        };
        (outcome(sent.await), info)
    }

    async fn upload_tree(&self, path: String, mut archive: StreamReceiver) -> Outcome {
        let Ok(bytes) = archive.collect(usize::MAX).await else { return Outcome::Cancelled };
        match trees::unpack(&bytes, &path) {
            Ok(unpacked) => {
                unpacked.merge_into(&mut self.locked());
                Outcome::Done
            }
            Err(error) => Outcome::failed(error.to_string()),
        }
    }

    async fn download_tree(&self, path: String, mut archive: StreamSender, _: RemoteCancellation) -> Outcome {
        let packed = trees::pack(&self.locked(), &path);
        match packed {
            Ok(bytes) => {
                let sent = async {
                    archive.write(bytes).await?;
                    crate::done(archive.end().await?)
                };
                outcome(sent.await)
            }
            Err(why) => {
                drop(archive.abort().await);
                Outcome::failed(why)
            }
        }
    }

    async fn close(&self) {
        self.locked().closed = true;
    }
}
