//! The room in which this suite starts processes: each in a session of its own, each with an owner that ends it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Pid;

/// How much of what a probe says is read, in bytes: the first lines say it.
const MOST_SAID: u64 = 4096;

/// A program that is not started yet; its environment is empty until something is put into it.
pub(crate) struct Program(Command);

impl Program {
    #[expect(clippy::disallowed_methods, reason = "this is the room that starts the suite's processes")]
    pub(crate) fn new(path: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(path);
        command.env_clear();
        Self(command)
    }

    /// This suite itself: it is its own supervisor.
    pub(crate) fn ourselves() -> Self {
        Self::new("/proc/self/exe")
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn envs(
        mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        self.0.envs(variables);
        self
    }

    pub(crate) fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
        self.0.current_dir(directory);
        self
    }

    pub(crate) fn stdin(mut self, stdin: Stdio) -> Self {
        self.0.stdin(stdin);
        self
    }

    /// Starts it as leader of a session of its own, without a terminal, with pipes for its output.
    pub(crate) fn start(mut self) -> io::Result<Started> {
        self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = CommandWrap::from(self.0).wrap(ProcessSession).spawn()?;
        let gone = || io::Error::other("a pipe of the new process is missing");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
        let stdout = child.stdout().take().ok_or_else(gone)?;
        let stderr = child.stderr().take().ok_or_else(gone)?;
        Ok(Started { pid, stdin: child.stdin().take(), stdout, stderr, _child: child })
    }
}

/// A process just started. Dropping it neither ends nor reaps the process: its owner does, by its id.
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
    _child: Box<dyn ChildWrapper>,
}

/// How a command of `sh` ends in a directory, with these variables, and what it has said on stderr by then. It is short: a
/// probe.
pub(crate) fn probe(
    line: &str,
    directory: &Path,
    variables: Vec<(OsString, OsString)>,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    // Neither a pipe, which a process in its background would keep open, nor on a disk, which may be full.
    let mut said = File::from(memfd_create("probe", MemfdFlags::CLOEXEC)?);
    let mut program = Program::new("/bin/sh").args(["-c", line]).cwd(directory).stdin(Stdio::null());
    program.0.envs(variables);
    program.0.stdout(Stdio::null()).stderr(said.try_clone()?);
    let status = program.0.status()?;
    said.rewind()?;
    let mut first = Vec::new();
    said.take(MOST_SAID).read_to_end(&mut first)?;
    Ok((status, first))
}
