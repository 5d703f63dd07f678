//! How a process of the program under test is started.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;

use super::room::{Program, Started};
use crate::subject::Subject;

/// More entries than this are not listed.
const LITTER: usize = 1000;

/// How a process is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its variables beside those that its program needs to be found.
    pub variables: Vec<(OsString, OsString)>,
    /// Its working directory; the rig's own empty one if none is named.
    pub directory: Option<PathBuf>,
    /// Whether that directory, which is empty, is gone when the program starts.
    pub deleted: bool,
    /// Its standard input.
    pub stdin: Stdin,
    /// Who reads its standard error.
    pub stderr: Stderr,
    /// The terminal of its session, if it has one.
    pub terminal: Option<PathBuf>,
    /// Whether `HOME` and `TMPDIR` name the rig's fresh directories, or are not set at all.
    pub homely: bool,
}

/// What a process finds at its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing: `/dev/null`.
    #[default]
    Empty,
    /// No open descriptor.
    Closed,
    /// A pipe with these bytes in it, never closed.
    Holding(Vec<u8>),
}

/// Who reads what a process writes to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stderr {
    /// The rig, which keeps it.
    #[default]
    Read,
    /// Nobody, although somebody could.
    Unread,
    /// Nobody: the other end is closed.
    Closed,
}

impl Launch {
    /// Without any of the three variables.
    pub fn bare() -> Self {
        let (stdin, stderr) = (Stdin::Empty, Stderr::Read);
        Self {
            variables: Vec::new(),
            directory: None,
            deleted: false,
            stdin,
            stderr,
            terminal: None,
            homely: true,
        }
    }

    /// The same with one variable set; it replaces an earlier value.
    #[must_use]
    pub fn with(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut without = self.without(name);
        without.variables.push((name.into(), value.as_ref().to_owned()));
        without
    }

    /// The same without one variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// The same with another standard input.
    #[must_use]
    pub fn stdin(self, stdin: Stdin) -> Self {
        Self { stdin, ..self }
    }

    /// The same with another reader of its standard error.
    #[must_use]
    pub fn stderr(self, stderr: Stderr) -> Self {
        Self { stderr, ..self }
    }

    /// The same with a terminal that belongs to its session.
    #[must_use]
    pub fn terminal(self, path: impl Into<PathBuf>) -> Self {
        Self { terminal: Some(path.into()), ..self }
    }

    /// The same in another working directory.
    #[must_use]
    pub fn within(self, directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()), ..self }
    }

    /// Starts the program; a pipe for its standard input is kept.
    pub(super) fn start(&self, subject: &Subject, places: &Places) -> io::Result<(Started, Option<Held>)> {
        let (stdin, kept) = self.stdin.open()?;
        let directory = self.directory.as_ref().unwrap_or(&places.work);
        // Only a shell does this to itself for us without unsafe code of our own.
        let shell = |line| Program::new("/bin/sh").args(["-c", line]);
        let program = match (&self.stdin, &self.terminal) {
            _ if self.deleted => {
                shell("rmdir \"$0\" && exec \"$@\"").args([directory]).args([&subject.program])
            }
            (Stdin::Closed, _) => shell("exec \"$0\" \"$@\" <&-").args([&subject.program]),
            // The leader of a session that opens a terminal has it from then on.
            (_, Some(terminal)) => {
                shell(": <> \"$0\"; exec \"$@\"").args([terminal.as_path(), &subject.program])
            }
            _ => Program::new(&subject.program),
        };
        let program = program.args(&subject.arguments).envs(subject.environment()).envs(self.home(places));
        let started = program.envs(self.variables.iter().cloned()).cwd(directory).stdin(stdin).start()?;
        Ok((started, kept))
    }

    fn home(&self, places: &Places) -> Vec<(&'static str, PathBuf)> {
        let fresh = vec![("HOME", places.home.clone()), ("TMPDIR", places.temp.clone())];
        if self.homely { fresh } else { Vec::new() }
    }
}

/// Both ends of a pipe that is somebody's standard input: it sees neither an end of file nor is it the last reader.
pub(super) struct Held {
    pub(super) read: OwnedFd,
    pub(super) put: usize,
    _write: OwnedFd,
}

impl Stdin {
    fn open(&self) -> io::Result<(Stdio, Option<Held>)> {
        let Self::Holding(bytes) = self else { return Ok((Stdio::null(), None)) };
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        std::fs::File::from(write.try_clone()?).write_all(bytes)?;
        Ok((Stdio::from(read.try_clone()?), Some(Held { read, _write: write, put: bytes.len() })))
    }
}

/// The fresh directories of one rig.
#[derive(Clone, Debug)]
pub struct Places {
    /// `HOME` of what is started.
    pub home: PathBuf,
    /// `TMPDIR` of what is started.
    pub temp: PathBuf,
    /// The working directory of what is started.
    pub work: PathBuf,
    /// Where hosts put their sockets.
    pub sockets: PathBuf,
}

impl Places {
    /// Makes them below a directory that exists.
    pub(super) fn below(root: &std::path::Path) -> io::Result<Self> {
        let make = |name: &str| {
            let path = root.join(name);
            std::fs::create_dir(&path).map(|()| path)
        };
        Ok(Self { home: make("home")?, temp: make("tmp")?, work: make("work")?, sockets: make("s")? })
    }

    /// Everything that lies in `HOME`, `TMPDIR` and the working directory, relative to their parent.
    /// Of very many only the first are found.
    pub fn litter(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut waiting = vec![self.home.clone(), self.temp.clone(), self.work.clone()];
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                if found.len() == LITTER {
                    break;
                }
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    waiting.push(path.clone());
                }
                found.push(
                    self.home.parent().and_then(|root| path.strip_prefix(root).ok()).unwrap_or(&path).into(),
                );
            }
        }
        found.sort();
        found
    }
}
