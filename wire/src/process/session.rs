//! A program in a session of its own, and the owner that ends every process of that session.
//!
//! A process that left the session (by `setsid`) is beyond a host, and so is one that became another user's.
//! Everything else ends with its owner: on
//! request, in order, or when it is dropped. The pipes to its output are never waited for: whoever inherited
//! them may hold them for ever.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

use super::leader::{Ended, Leader};

/// How long those that were asked to terminate may take.
const LAST_GRACE: Duration = Duration::from_secs(5);
/// How long to go on killing what does not die (an uninterruptible or a foreign user's process).
const KILL_WITHIN: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// What to start.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable: a path with a slash, best an absolute one.
    pub executable: PathBuf,
    /// Its arguments, without its own name.
    pub arguments: Vec<OsString>,
    /// Its whole environment: nothing is inherited beside it.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory; the host's own if `None`.
    pub directory: Option<PathBuf>,
}

/// The owner of a session. Dropping it kills every process of the session.
#[derive(Debug)]
pub struct Session {
    leader: Arc<Leader>,
    /// `None` once the leader is reaped.
    child: Option<Box<dyn ChildWrapper>>,
    output: Option<Output>,
}

/// The reading ends of what the session's processes print.
#[derive(Debug)]
pub struct Output {
    /// Their standard output.
    pub stdout: OwnedFd,
    /// Their standard error.
    pub stderr: OwnedFd,
}

impl Session {
    /// Starts a program as the leader of a new session without a terminal. Its standard input is empty.
    /// Needs a tokio runtime with I/O around it.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(program: &Program) -> io::Result<Self> {
        keep_zombies()?;
        let mut command = CommandWrap::from(command(program));
        let mut child = command.wrap(ProcessSession).spawn()?;
        let leader = match Leader::of(child.id()) {
            Ok(leader) => Arc::new(leader),
            Err(error) => {
                child.kill()?;
                return Err(error);
            }
        };
        let output = child.stdout().take().zip(child.stderr().take());
        let output = output.map(|(stdout, stderr)| Output { stdout: stdout.into(), stderr: stderr.into() });
        Ok(Self { leader, child: Some(child), output })
    }

    /// The id of the leader, and so of the session.
    pub fn id(&self) -> u32 {
        self.leader.pid().as_raw_nonzero().get().unsigned_abs()
    }

    /// What its processes print; `None` if it was taken before. Somebody has to read it, or they block.
    pub fn take_output(&mut self) -> Option<Output> {
        self.output.take()
    }

    /// Waits until the leader has ended; it stays unreaped, its id reserved. The future is independent of
    /// the session, may be dropped at any time, and needs a tokio runtime with I/O and time around it.
    pub fn exited(&self) -> impl Future<Output = Ended> + Send + use<> {
        Arc::clone(&self.leader).exited()
    }

    /// How the leader ended, if it has.
    pub fn has_exited(&self) -> Option<Ended> {
        self.leader.peek()
    }

    /// The ids of the session's living processes. Where there is no `/proc`: of its leader at most.
    pub fn members(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        self.each_living(|one| ids.push(one.pid().as_raw_nonzero().get().unsigned_abs()));
        ids
    }

    /// Asks every process of the session to terminate, and lets the stopped ones go on so that they can.
    pub fn terminate(&self) {
        self.each_living(|one| {
            one.signal(Signal::TERM);
            one.signal(Signal::CONT);
        });
    }

    /// Kills until no process of the session is left, or what is left will not die.
    pub async fn kill(&self) {
        let mut hunt = Hunt::new();
        while let Some(pause) = hunt.go_on(self.strike()) {
            tokio::time::sleep(pause).await;
        }
    }

    /// Ends the session: gives its leader `grace` to leave by itself, then asks what is left to terminate,
    /// soon after kills it, and reaps the leader. Cancelled, it kills at once.
    pub async fn end(self, grace: Duration) -> Ended {
        self.end_after(tokio::time::sleep(grace)).await
    }

    /// The same for a leader that may leave by itself until `patience` resolves.
    pub async fn end_after(mut self, patience: impl Future<Output = ()>) -> Ended {
        let has_left = tokio::select! {
            biased;
            _ = self.exited() => true,
            () = patience => false,
        };
        if !has_left || self.is_occupied() {
            self.terminate();
            self.vacated(LAST_GRACE).await;
            self.kill().await;
        }
        // Once more for the whole group: not every system shows who is left.
        self.signal_group(Signal::KILL);
        self.reap()
    }

    /// Waits until no process is left, for `within` at most.
    async fn vacated(&self, within: Duration) {
        let (end, mut pause) = (Instant::now() + within, FIRST_PAUSE);
        while self.is_occupied() && Instant::now() < end {
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    fn is_occupied(&self) -> bool {
        self.each_living(|_| {}) > 0
    }

    /// Kills what can be found now, and says how many that were.
    fn strike(&self) -> usize {
        // The group goes at one blow, in which nobody forks.
        self.signal_group(Signal::KILL);
        self.each_living(|one| one.signal(Signal::KILL))
    }

    /// The group's id is ours as long as the leader is unreaped.
    fn signal_group(&self, signal: Signal) {
        if self.owns_its_id() {
            let _ = kill_process_group(self.leader.pid(), signal);
        }
    }

    /// Whether the leader is unreaped, as far as one can know.
    fn owns_its_id(&self) -> bool {
        self.child.is_some() && self.leader.peek() != Some(Ended::Unknown)
    }

    /// Takes the leader's exit status from the system, which gives its id away: only after the last signal.
    fn reap(&mut self) -> Ended {
        match self.leader.peek() {
            Some(ended) => {
                if let Some(child) = self.child.take() {
                    // The leader has ended, so this does not wait.
                    drop(child.into_inner().wait());
                }
                ended
            }
            None => Ended::Unknown,
        }
    }

    /// Shows every living process of the session and says how many there were.
    #[cfg(target_os = "linux")]
    fn each_living(&self, mut show: impl FnMut(&Living<'_>)) -> usize {
        if !self.owns_its_id() {
            return 0;
        }
        match super::members::each(self.leader.pid(), |member| show(&Living::Member(member))) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.group_as_one(show),
            Err(_) => {
                show(&Living::Group(self));
                1
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn each_living(&self, show: impl FnMut(&Living<'_>)) -> usize {
        self.group_as_one(show)
    }

    /// What can be told of a session without `/proc`: its leader's group, as long as the leader lives.
    fn group_as_one(&self, mut show: impl FnMut(&Living<'_>)) -> usize {
        let lives = self.child.is_some() && self.leader.peek().is_none();
        if lives {
            show(&Living::Group(self));
        }
        usize::from(lives)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        let mut hunt = Hunt::new();
        while let Some(pause) = hunt.go_on(self.strike()) {
            std::thread::sleep(pause);
        }
        self.reap();
    }
}

/// Somebody to send a signal to.
enum Living<'a> {
    #[cfg(target_os = "linux")]
    Member(&'a super::members::Member),
    Group(&'a Session),
}

impl Living<'_> {
    fn pid(&self) -> Pid {
        match self {
            #[cfg(target_os = "linux")]
            Self::Member(member) => member.pid,
            Self::Group(session) => session.leader.pid(),
        }
    }

    fn signal(&self, signal: Signal) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Member(member) => member.signal(signal),
            Self::Group(session) => session.signal_group(signal),
        }
    }
}

/// When to strike again: until nobody is found, and once more after somebody was, since he may have forked
/// behind the eye's back.
struct Hunt {
    until: Instant,
    pause: Duration,
    found_before: usize,
}

impl Hunt {
    fn new() -> Self {
        Self { until: Instant::now() + KILL_WITHIN, pause: FIRST_PAUSE, found_before: 0 }
    }

    fn go_on(&mut self, found: usize) -> Option<Duration> {
        let over = found == 0 && self.found_before == 0;
        if over || Instant::now() > self.until {
            return None;
        }
        self.found_before = found;
        let pause = self.pause;
        self.pause = LONGEST_PAUSE.min(pause * 2);
        Some(pause)
    }
}

/// Makes sure that an ended leader waits to be reaped: a host may have inherited that SIGCHLD is ignored, by
/// which the system would reap it, and give its id away. A handler, whatever it does, ends that.
fn keep_zombies() -> io::Result<()> {
    signal(SignalKind::child()).map(drop)
}

#[expect(clippy::disallowed_methods, reason = "the room that starts processes; Session ends them")]
fn command(program: &Program) -> Command {
    let Program { executable, arguments, environment, directory } = program;
    let mut command = Command::new(executable);
    command.args(arguments).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(directory) = directory {
        command.current_dir(directory);
    }
    command
}
