//! A program and its children: a process group with an owner that ends it on every path.
//!
//! The leader stays unreaped until the last signal was sent, so that its id, which is the group's, is nobody else's.
use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use packwire_wire::{Exit, process::signal_name};
use rustix::{
    io::retry_on_intr,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid},
};
use tokio::signal::unix::{SignalKind, signal};

use super::Program;

/// How long those that were asked to terminate may take.
const GRACE: Duration = Duration::from_secs(5);

/// Held while a program starts: until then it has all files open that this process has.
static STARTING: Mutex<()> = Mutex::new(());

/// Keeps programs from starting while it is held.
pub(super) fn starting() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The processes of one program: itself, and its children that stayed in its process group. Dropped, they are killed.
#[derive(Debug)]
pub struct Group {
    leader: Child,
    id: Pid,
}

impl Group {
    /// Starts a program, with pipes for its output.
    ///
    /// # Errors
    /// The system could not start it.
    pub fn start(program: &Program) -> io::Result<Self> {
        // Where SIGCHLD is ignored, as can be inherited, the system would give the leader's id away.
        drop(signal(SignalKind::child())?);
        let mut leader = {
            let _starting = starting();
            command(program).spawn()?
        };
        match i32::try_from(leader.id()).ok().and_then(Pid::from_raw) {
            Some(id) => Ok(Self { leader, id }),
            None => {
                leader.kill()?;
                Err(io::Error::other("a process has an impossible id"))
            }
        }
    }

    /// The pipes of the leader, each once.
    pub fn pipes(&mut self) -> &mut Child {
        &mut self.leader
    }

    /// Waits until the leader has ended, and says how. It stays unreaped.
    pub async fn ended(&self) -> Exit {
        let id = self.id;
        let waited = tokio::task::spawn_blocking(move || {
            retry_on_intr(|| waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT))
        });
        match waited.await {
            Ok(Ok(Some(status))) => read(&status),
            other => Exit::failed(format!("nobody knows how the command ended: {other:?}")),
        }
    }

    /// Asks all processes to terminate, and kills after a while what is left.
    pub async fn end(self) {
        self.signal(Signal::TERM);
        // A stopped one could not hear it.
        self.signal(Signal::CONT);
        let deadline = tokio::time::Instant::now() + GRACE;
        drop(tokio::time::timeout_at(deadline, self.ended()).await);
        while self.is_occupied() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether others than the leader are left. True where that cannot be seen.
    pub fn is_occupied(&self) -> bool {
        let Ok(all) = std::fs::read_dir("/proc") else { return true };
        let names = all.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let leader = self.id.to_string();
        names.filter(|name| *name != leader).any(|name| is_living_member(&name, self.id))
    }

    fn signal(&self, signal: Signal) {
        // There may be nobody left to hear it.
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        drop(self.leader.wait());
    }
}

/// Whether `/proc/NAME` is a process of the group, and no zombie.
fn is_living_member(name: &str, group: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).unwrap_or_default();
    // After the command's name, which may contain anything: state, parent, group.
    let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    let lives = fields.next().is_some_and(|state| !state.starts_with(['Z', 'X']));
    lives && fields.nth(1) == Some(group.to_string().as_str())
}

fn read(status: &WaitIdStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => Exit::Status(status),
        (None, Some(signal)) => Exit::Signal(signal_name(signal)),
        (None, None) => Exit::failed("the command ended in a way that could not be seen"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the room that starts programs; Group ends them")]
fn command(program: &Program) -> Command {
    let Program { executable, arguments, environment, directory, with_input } = program;
    let mut command = Command::new(executable);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value))).process_group(0);
    if let Some(directory) = directory {
        command.current_dir(directory);
    }
    command.stdin(if *with_input { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
