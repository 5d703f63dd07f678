//! One command: the shell that runs its line, and who serves it.
use std::path::Path;

use packwire_plugin::{
    CommandIo, Exit, RemoteCommand,
    process::{self, Group, Pipes, Program},
};
use tokio_util::sync::CancellationToken;

/// Runs a command, and brings back what it left in the background.
pub(crate) async fn run(directory: &Path, command: RemoteCommand, io: CommandIo) -> (Exit, Option<Group>) {
    if command.pty {
        return (process::unstarted("this communicator has no terminals", io).await, None);
    }
    let started = Group::start(&program(&command.line, directory, io.stdin.is_some()));
    match started.and_then(|mut group| Ok((Pipes::of(&mut group)?, group))) {
        Ok((pipes, group)) => process::serve(group, pipes, io, &CancellationToken::new()).await,
        Err(error) => {
            let why = format!("the command cannot be started: {error}");
            (process::unstarted(&why, io).await, None)
        }
    }
}

/// The shell that runs a line in a directory.
fn program(line: &str, directory: &Path, with_input: bool) -> Program {
    Program {
        executable: "/bin/sh".into(),
        arguments: vec!["-c".into(), line.into()],
        // What a command leaves there goes with the communicator.
        environment: vec![("TMPDIR".into(), directory.into())],
        directory: Some(directory.to_owned()),
        with_input,
    }
}
