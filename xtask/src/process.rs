//! The one place of the chores that starts processes. Each is waited for before its function returns.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use miette::Diagnostic;
use thiserror::Error;

/// A program that a chore needs did not do its part.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ProcessError {
    /// The program is not installed.
    #[error("{program} is not installed")]
    Missing {
        program: String,
        #[help]
        install: Option<&'static str>,
    },
    /// The program could not be started, or not be spoken to.
    #[error("{program} could not be run in {}", directory.display())]
    Broken { program: String, directory: PathBuf, source: io::Error },
    /// The program ended with another status than 0.
    #[error("`{command}` ended with {status}")]
    Failed {
        command: String,
        status: ExitStatus,
        #[help]
        stderr: String,
    },
}

/// Runs a program to its end in `directory`, with `input` as its standard input, and gives what it printed.
pub(crate) fn output<A: AsRef<OsStr>>(
    program: &str,
    arguments: &[A],
    directory: &Path,
    input: &[u8],
) -> Result<Vec<u8>, ProcessError> {
    let mut command = command(program);
    command.args(arguments).current_dir(directory).env_remove("PWD");
    let answer = speak(&mut command, input).map_err(|error| explain(error, program, directory))?;
    if answer.status.success() {
        return Ok(answer.stdout);
    }
    Err(ProcessError::Failed {
        command: shown_command(program, arguments),
        status: answer.status,
        stderr: String::from_utf8_lossy(&answer.stderr).trim_end().to_owned(),
    })
}

/// Runs a program to its end in `directory`; it prints where we print.
pub(crate) fn shown<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    directory: &Path,
) -> Result<(), ProcessError> {
    let name = program.display().to_string();
    let mut command = command(&name);
    command.args(arguments).current_dir(directory).env_remove("PWD").stdin(Stdio::null());
    let status = command.status().map_err(|error| explain(error, &name, directory))?;
    if status.success() {
        return Ok(());
    }
    let stderr = "its own words are above".to_owned();
    Err(ProcessError::Failed { command: shown_command(&name, arguments), status, stderr })
}

/// Runs a program to its end in `directory`, and gives its status and what it printed, however it ended.
pub(crate) fn whatever<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    directory: &Path,
) -> Result<std::process::Output, ProcessError> {
    let name = program.display().to_string();
    let mut command = command(&name);
    command.args(arguments).current_dir(directory).env_remove("PWD");
    speak(&mut command, &[]).map_err(|error| explain(error, &name, directory))
}

/// A program that runs and prints nothing; dropped, it is ended.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: &[A],
        directory: &Path,
    ) -> Result<Self, ProcessError> {
        let name = program.display().to_string();
        let mut command = command(&name);
        command.args(arguments).current_dir(directory).env_remove("PWD");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(|error| explain(error, &name, directory))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        self.0.try_wait().map(|status| status.is_some())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn shown_command<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> String {
    let arguments = arguments.iter().map(|argument| argument.as_ref().to_string_lossy());
    std::iter::once(program.into()).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::disallowed_methods, reason = "the chores' one place: `output` waits for what it starts")]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// The input is smaller than a pipe's buffer, or the program reads it all before it prints.
fn speak(command: &mut Command, input: &[u8]) -> io::Result<std::process::Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let told = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let answer = child.wait_with_output()?;
    match told {
        // It ended without reading: its status and its last words say why.
        Err(error) if answer.status.success() => Err(error),
        _ => Ok(answer),
    }
}

fn explain(error: io::Error, program: &str, directory: &Path) -> ProcessError {
    let program = program.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound if directory.is_dir() => {
            ProcessError::Missing { install: install(&program), program }
        }
        _ => ProcessError::Broken { program, directory: directory.to_owned(), source: error },
    }
}

fn install(program: &str) -> Option<&'static str> {
    (program == "capnp").then_some("install it with: apt-get install capnproto")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_compiler_is_told_with_the_command_that_installs_it() {
        let error = explain(io::ErrorKind::NotFound.into(), "capnp", Path::new("."));
        assert_eq!(error.to_string(), "capnp is not installed");
        assert_eq!(error.help().unwrap().to_string(), "install it with: apt-get install capnproto");
    }

    #[test]
    fn a_program_that_fails_is_told_with_its_last_words() {
        let error = output("cargo", &["no-such-subcommand"], Path::new("."), b"")
            .expect_err("cargo has no such word");
        assert!(error.help().unwrap().to_string().contains("no-such-subcommand"), "{error:?}");
    }

    #[test]
    fn a_missing_directory_is_not_taken_for_a_missing_program() {
        let error = output("cargo", &["version"], Path::new("/no/such/directory"), b"").unwrap_err();
        assert!(matches!(error, ProcessError::Broken { .. }), "{error:?}");
    }
}
