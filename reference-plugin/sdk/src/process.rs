//! Programs on the host's machine. What is started here is ended here, with its children, on every path.
mod group;
mod serving;

use std::{
    ffi::OsString,
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    pin::pin,
    time::Duration,
};

use bytes::BytesMut;
use packwire_wire::Exit;
use tempfile::TempPath;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

use crate::{
    Cancellation, Stop, Ui,
    lines::{Chunks, Line, listen, show},
};
pub use group::Group;
pub use serving::{Pipes, serve, unstarted};

/// How long output goes on after a program has ended: a child in the background may hold the pipe.
const AFTERGLOW: Duration = Duration::from_secs(1);
const SCRIPT_MODE: u32 = 0o700;
const CHUNK_BYTES: usize = 64 << 10;

/// A program to start. Its output comes through pipes; it has the environment of the plugin, and more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Its path, or a name that is looked up in `PATH`.
    pub executable: PathBuf,
    /// What follows its name.
    pub arguments: Vec<OsString>,
    /// Variables beside those of the plugin.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it works; `None` for where the plugin does.
    pub directory: Option<PathBuf>,
    /// Whether its input is a pipe; otherwise that is empty.
    pub with_input: bool,
}

/// Runs a program and tells each line of its output as it comes.
///
/// When it has ended, so have the children that stayed in its process group: they are asked to terminate, and killed
/// 5 s later. The same happens to all of them when the work is cancelled.
///
/// # Errors
/// It could not be started. How it ended is the [`Exit`].
pub async fn run<T, F>(program: &Program, cancellation: &Cancellation, tell: T) -> Result<Exit, Stop>
where
    T: FnMut(Line) -> F,
    F: Future<Output = ()>,
{
    let (group, Pipes { stdout, stderr, .. }) = start(program).map_err(|error| {
        Stop::failed(format!("{} cannot be started: {error}", program.executable.display()))
    })?;
    let mut listening = pin!(listen(Pipe::of(stdout), Pipe::of(stderr), tell));
    let mut living = pin!(live(group, cancellation));
    Ok(tokio::select! {
        () = &mut listening => living.await,
        exit = &mut living => {
            drop(timeout(AFTERGLOW, listening).await);
            exit
        }
    })
}

/// Runs a program and shows its output: standard output as details, standard error as errors.
///
/// # Errors
/// As [`run`].
pub async fn run_showing(program: &Program, cancellation: &Cancellation, ui: &Ui) -> Result<Exit, Stop> {
    run(program, cancellation, |line| show(ui, line)).await
}

/// Writes a script into a file of its own, which nobody else may read, and which is removed when the path is dropped.
///
/// No program starts meanwhile: as long as it had the file open for writing, nobody could run it.
///
/// # Errors
/// The file could not be made.
pub fn make_script(text: &str, extension: &str) -> io::Result<TempPath> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("packwire-").suffix(extension).permissions(Permissions::from_mode(SCRIPT_MODE));
    let _starting = group::starting();
    let mut file = builder.tempfile()?;
    file.write_all(text.as_bytes())?;
    Ok(file.into_temp_path())
}

fn start(program: &Program) -> io::Result<(Group, Pipes)> {
    let mut group = Group::start(program)?;
    let pipes = Pipes::of(&mut group)?;
    Ok((group, pipes))
}

/// Waits until a program has ended by itself, or is to stop; then ends what is left of it.
async fn live(group: Group, cancellation: &Cancellation) -> Exit {
    let exit = tokio::select! {
        exit = group.ended() => exit,
        () = cancellation.cancelled() => Exit::Cancelled,
    };
    group.end().await;
    exit
}

/// One stream of a program's output.
struct Pipe<R> {
    from: R,
    buffer: BytesMut,
}

impl<R> Pipe<R> {
    fn of(from: R) -> Self {
        Self { from, buffer: BytesMut::new() }
    }
}

impl<R: AsyncRead + Unpin + Send> Chunks for Pipe<R> {
    type Chunk = BytesMut;

    async fn chunk(&mut self) -> Option<BytesMut> {
        self.buffer.reserve(CHUNK_BYTES);
        // A pipe that cannot be read has no more to say.
        self.from.read_buf(&mut self.buffer).await.ok().filter(|read| *read > 0)?;
        Some(self.buffer.split())
    }

    fn ended(self) {}
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn shell(line: &str) -> Program {
        let arguments = vec!["-c".into(), line.into()];
        Program { executable: "/bin/sh".into(), arguments, ..Program::default() }
    }

    async fn seen(program: &Program, cancellation: &CancellationToken) -> (Exit, Vec<String>) {
        let mut lines = Vec::new();
        let keep = |line| {
            let (Line::Stdout(text) | Line::Stderr(text)) = line;
            if text == "cancel" {
                cancellation.cancel();
            }
            lines.push(text);
            std::future::ready(())
        };
        let exit = run(program, &Cancellation::local(cancellation.clone()), keep).await.unwrap();
        (exit, lines)
    }

    fn lives(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_program_is_told_its_surroundings_and_says_how_it_ended() {
        let mut program = shell("echo $GREETING; pwd; cat; exit 3");
        program.environment.push(("GREETING".into(), "hello".into()));
        program.directory = Some("/".into());
        let seen = seen(&program, &CancellationToken::new()).await;
        assert_eq!(seen, (Exit::Status(3), vec!["hello".to_owned(), "/".to_owned()]));
    }

    #[tokio::test]
    async fn children_end_with_their_program_whether_it_is_cancelled_or_not() {
        for (line, expected) in [
            ("sleep 1000 & echo $!", Exit::Status(0)),
            ("sleep 1000 & echo $!; echo cancel; wait", Exit::Cancelled),
        ] {
            let (exit, lines) = seen(&shell(line), &CancellationToken::new()).await;
            assert_eq!(exit, expected);
            assert!(!lives(&lines[0]), "{lines:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_script_can_run_as_soon_as_it_is_made() {
        let runs = (0..32).map(|number| async move {
            let script = make_script(&format!("#!/bin/sh\nexit {number}\n"), ".sh").unwrap();
            let program = Program { executable: script.to_path_buf(), ..Program::default() };
            assert_eq!(seen(&program, &CancellationToken::new()).await.0, Exit::Status(number));
            script.to_path_buf()
        });
        let runs: Vec<_> = runs.map(tokio::spawn).collect();
        for run in runs {
            assert!(!run.await.unwrap().exists());
        }
    }

    #[tokio::test]
    async fn what_cannot_be_started_is_named() {
        let program = Program { executable: "/nowhere/x".into(), ..Program::default() };
        let never = Cancellation::local(CancellationToken::new());
        let stop = run(&program, &never, |_| std::future::ready(())).await.unwrap_err();
        assert_eq!(
            stop,
            Stop::failed("/nowhere/x cannot be started: No such file or directory (os error 2)")
        );
    }
}
