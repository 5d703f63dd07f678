//! A process for each check: this suite, executed again.
//!
//! It is a subreaper, so that every orphan falls to it and belongs to this check, and it is bounded in time: when it
//! overruns, everything below it is ended and nothing survives. It ends everything itself when the suite is gone.

use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{SignalKind, signal};

use crate::check::{Outcome, Stop};
use crate::memory::Memory;
use crate::preflight::{self, Preflight};
use crate::rig::{self, Program, Rig, RigJob, Started, own_pid};
use crate::step::Step;
use crate::{checks, doctor, selftest};

/// The hidden argument that makes this suite a supervisor.
pub const SUPERVISE: &str = "__supervise";

/// The longest answer of a supervisor, in bytes: what it tells is bounded where it is recorded.
const ANSWER: u64 = 8 << 20;

/// What a supervisor is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) rig: RigJob,
    /// A fresh directory, with a path short enough for sockets.
    pub(crate) root: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Try one requirement.
    Check {
        id: String,
        /// What is left is ended then, so that what was seen until then can be told.
        within: Duration,
    },
    /// See whether the program attaches at all.
    Preflight { within: Duration },
    /// Go through the attach of the program step by step.
    Doctor { within: Duration },
    /// Go through what the suite needs of the machine.
    Selftest,
    /// Be a host in session until killed; there is no answer.
    Host,
}

/// What a supervisor answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Check(Outcome),
    Preflight(Preflight),
    Steps(Vec<Step>),
}

/// Why a supervisor gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SupervisorError {
    #[error("the supervisor cannot be started: {0}")]
    Start(io::Error),
    #[error("the check overran its {} s and was ended", .0.as_secs())]
    Overrun(Duration),
    #[error("the plugin made the suite hold {} MiB, more than it can, and the check was ended", .0 >> 20)]
    Memory(usize),
    #[error("the supervisor answered nothing that can be read ({problem}); it said: {said}")]
    Unreadable { problem: String, said: String },
}

/// Runs a job in a process of its own; nothing of it is left when this answers, or when it is dropped.
pub(crate) async fn supervised(
    job: &Job,
    within: Duration,
    memory: &Memory,
) -> Result<Answer, SupervisorError> {
    let program = Program::ourselves().args([SUPERVISE]).stdin(Stdio::piped());
    let (supervisor, mut pipes) = Supervisor::start(program, job).map_err(SupervisorError::Start)?;
    let talk = async {
        let (mut answer, mut said) = (Vec::new(), Vec::new());
        let (mut answers, mut says) = ((&mut pipes.0).take(ANSWER), (&mut pipes.1).take(ANSWER));
        let (read, heard) = tokio::join!(answers.read_to_end(&mut answer), says.read_to_end(&mut said));
        read.and(heard).map(|_| (answer, said))
    };
    let talk = tokio::select! {
        talk = tokio::time::timeout(within, talk) => talk.map_err(|_| SupervisorError::Overrun(within))?,
        held = memory.exceeded_by(supervisor.pid()) => return Err(SupervisorError::Memory(held)),
    };
    drop(supervisor);
    let (answer, said) = talk.map_err(SupervisorError::Start)?;
    serde_json::from_slice(&answer).map_err(|problem| SupervisorError::Unreadable {
        problem: problem.to_string(),
        said: String::from_utf8_lossy(&said).trim().to_owned(),
    })
}

/// Owns a supervisor process: dropping it ends it and everything below it.
struct Supervisor {
    pid: Pid,
    /// Open for as long as we live: its end tells the supervisor that we are gone.
    _alive: Option<std::process::ChildStdin>,
}

impl Supervisor {
    fn start(program: Program, job: &Job) -> io::Result<(Self, (Receiver, Receiver))> {
        let Started { pid, stdin, stdout, stderr, .. } = program.start()?;
        let mut supervisor = Self { pid, _alive: stdin };
        let mut line = serde_json::to_vec(job)?;
        line.push(b'\n');
        if let Some(stdin) = &mut supervisor._alive {
            stdin.write_all(&line)?;
        }
        let pipes = (Receiver::from_owned_fd(stdout.into())?, Receiver::from_owned_fd(stderr.into())?);
        Ok((supervisor, pipes))
    }
}

impl Supervisor {
    fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let pid = self.pid();
        // While it lives, stopped or not, it is the one that orphans fall to, so it goes last.
        rig::end_descendants(pid, &[]);
        rig::signal(pid, Signal::KILL);
        while rig::ended(self.pid).is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        rig::reap(self.pid);
    }
}

/// The other side: reads a job, does it, and writes its answer.
pub fn supervise() -> ExitCode {
    match read_job().and_then(run_to_end) {
        Ok(answer) => match serde_json::to_writer(io::stdout().lock(), &answer) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_job() -> io::Result<Job> {
    let mut line = String::new();
    io::BufReader::new(io::stdin().lock().take(1 << 20)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

fn run_to_end(job: Job) -> io::Result<Answer> {
    rig::become_subreaper()?;
    let root = job.root.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let parent_gone = {
        let _entered = runtime.enter();
        let_signals_through()?;
        watch_parent()?
    };
    let work = async {
        tokio::select! {
            answer = run(job) => answer,
            () = parent_gone => Err(io::Error::other("the suite is gone")),
        }
    };
    let answer = tokio::task::LocalSet::new().block_on(&runtime, work);
    rig::end_descendants(own_pid(), &[]);
    rig::reap_all();
    if answer.is_err() {
        // The suite removes the directory, unless it is gone.
        drop(std::fs::remove_dir_all(root));
    }
    answer
}

/// A signal that we inherited as ignored, as from a shell that started us in the background, would be ignored by the
/// plugin, too; one that we handle has its default there.
fn let_signals_through() -> io::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup()] {
        drop(signal(kind)?);
    }
    Ok(())
}

/// Resolves when nobody holds the other end of our standard input any longer.
fn watch_parent() -> io::Result<impl Future<Output = ()>> {
    let stdin: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let mut pipe = Receiver::from_owned_fd(stdin)?;
    Ok(async move {
        let mut byte = [0];
        while let Ok(1..) = pipe.read(&mut byte).await {}
    })
}

async fn run(job: Job) -> io::Result<Answer> {
    let Job { task, rig, root } = job;
    let rig = Rig::new(rig, &root)?;
    match task {
        Task::Preflight { within } => Ok(Answer::Preflight(preflight::meet(rig, within).await)),
        Task::Doctor { within } => Ok(Answer::Steps(doctor::examine(rig, within).await)),
        Task::Selftest => Ok(Answer::Steps(selftest::examine(rig).await)),
        Task::Host => {
            Err(rig.host_until_killed().await.err().unwrap_or_else(|| io::Error::other("the host has ended")))
        }
        Task::Check { id, within } => {
            let check =
                checks::find(&id).ok_or_else(|| io::Error::other(format!("there is no check {id}")))?;
            let ended = tokio::time::timeout(within, (check.run)(&rig)).await;
            let stop: Option<Stop> = ended.map_or_else(|_| Some(rig.overran(within)), Result::err);
            Ok(Answer::Check(rig.finish(stop).await))
        }
    }
}
