//! A host in a process of its own, so that it can be killed as a host is killed: with SIGKILL, mid-session.

use std::io::{self, Write};
use std::process::{ChildStdin, Stdio};
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::room::{Program, Started};
use super::{Manners, Plugin, Rig, family};
use crate::check::Stop;
use crate::supervisor::{Job, SUPERVISE, Task};

/// A plugin in session with a host that is another process.
pub struct Doomed {
    /// The plugin; what it prints goes to its host, and nobody reads it once that is dead.
    pub plugin: Rc<Plugin>,
    host: Process,
}

impl Doomed {
    /// Kills the host. The plugin falls to this rig, which then sees how it ends.
    pub fn kill_host(&self) {
        family::signal(self.host.pid.as_raw_nonzero().get(), Signal::KILL);
    }
}

/// What the host in the other process says once its plugin has attached.
#[derive(Serialize, Deserialize)]
struct Attached {
    plugin: i32,
}

impl Rig {
    /// A session whose host is a process of its own.
    pub async fn attach_to_doomed_host(&self) -> Result<Doomed, Stop> {
        let (host, mut says) =
            self.doomed_host().map_err(|error| Stop::rig("a second host cannot be started", error))?;
        let mut line = String::new();
        let patience = self.stretch(self.patience()) + Duration::from_secs(1);
        // A host that says nothing in time has no plugin; which of the two it was does not matter.
        let heard = tokio::time::timeout(patience, says.read_line(&mut line)).await;
        let attached = heard.is_ok().then(|| serde_json::from_str::<Attached>(&line).ok()).flatten();
        let plugin = attached.and_then(|attached| Pid::from_raw(attached.plugin));
        let Some(pid) = plugin else {
            return self.record.lacks(
                None,
                super::attaches_in(self.patience()),
                "it did not attach to a second host".to_owned(),
            );
        };
        let plugin = Rc::new(Plugin::foreign(pid, self.started.borrow().len(), self.record.clone()));
        self.started.borrow_mut().push((plugin.clone(), None));
        Ok(Doomed { plugin, host })
    }

    fn doomed_host(&self) -> io::Result<(Process, BufReader<Receiver>)> {
        let root = self.places.sockets.join(format!("d{}", self.hosts.replace(self.hosts.get() + 1)));
        std::fs::create_dir(&root)?;
        let job = Job { task: Task::Host, rig: self.job.clone(), root };
        let mut line = serde_json::to_vec(&job)?;
        line.push(b'\n');
        let started = Program::ourselves().args([SUPERVISE]).stdin(Stdio::piped()).start()?;
        let Started { pid, mut stdin, stdout, .. } = started;
        let says = BufReader::new(Receiver::from_owned_fd(stdout.into())?);
        if let Some(stdin) = &mut stdin {
            stdin.write_all(&line)?;
        }
        Ok((Process { pid, _alive: stdin }, says))
    }

    /// The other process: attaches, says so, and holds the session until it is killed or its parent is gone.
    pub(crate) async fn host_until_killed(self) -> io::Result<()> {
        if let Ok(session) = self.attach(Manners::default()).await {
            let mut stdout = io::stdout().lock();
            serde_json::to_writer(&mut stdout, &Attached { plugin: session.plugin.pid() })?;
            stdout.write_all(b"\n")?;
            stdout.flush()?;
            drop(stdout);
            std::future::pending::<()>().await;
        }
        self.finish(None).await;
        Err(io::Error::other("the plugin did not attach"))
    }
}

/// A host's process; dropping this kills it.
struct Process {
    pid: Pid,
    _alive: Option<ChildStdin>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is not reaped before the rig is finished, so this id is still its own.
        family::signal(self.pid.as_raw_nonzero().get(), Signal::KILL);
    }
}
