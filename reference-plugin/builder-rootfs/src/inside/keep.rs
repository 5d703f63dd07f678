//! Namespaces, and the two processes that hold them: one outside of the process namespace, whose child is its init.
//!
//! When the init ends, the kernel ends everything in there. It ends when its standard input does, the other end of
//! which the plugin alone has: a plugin that is killed takes all with it.
use std::{fs, io, io::Write, os::fd::AsFd, path::PathBuf};

use nix::{
    sched::{CloneFlags, unshare},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{WaitOptions, getegid, geteuid, wait},
};
use serde::{Deserialize, Serialize};

use super::{Task, mounts};
use crate::config::Bound;

/// The namespaces to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Keep {
    /// The directory that is to be the root.
    pub(crate) tree: PathBuf,
    /// Whether a user namespace is needed, in which this user is root, and the only one.
    pub(crate) user: bool,
    pub(crate) mounts: Vec<Bound>,
    pub(crate) system_mounts: bool,
    /// A copy of the host's file, which commands may change.
    pub(crate) resolv_conf: Option<PathBuf>,
}

/// What is said on standard output when all is ready, or cannot be, on one line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// What was made in the tree for the mounts, the outermost first.
    pub(crate) made: Vec<PathBuf>,
    /// Why there are no namespaces.
    pub(crate) failed: Option<String>,
}

impl Keep {
    pub(super) fn run(self) -> Result<(), String> {
        if self.user {
            own_user_namespace()
                .map_err(|error| format!("no user namespace can be made: {}", limit(&error)))?;
        }
        let kinds = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS;
        unshare(kinds).map_err(|error| format!("no namespaces can be made: {}", io::Error::from(error)))?;
        let ended = Task::Init(self)
            .run_in_child()
            .map_err(|error| format!("no process can be started in a namespace: {error}"))?;
        // It has told why.
        if ended.success() { Ok(()) } else { Err(String::new()) }
    }

    pub(super) fn run_as_init(self) -> Result<(), String> {
        let mut kept = Kept::default();
        kept.failed = mounts::make(&self, &mut kept.made).err();
        let mut children = SigSet::empty();
        children.add(Signal::SIGCHLD);
        let watched = || -> io::Result<()> {
            children.thread_block()?;
            let orphans = SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
            writeln!(io::stdout(), "{}", serde_json::to_string(&kept)?)?;
            if kept.failed.is_some() { Ok(()) } else { outlast(&orphans) }
        };
        watched().map_err(|error| format!("the namespaces cannot be kept: {error}"))
    }
}

/// Moves into a user namespace in which this user is root.
fn own_user_namespace() -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    // Else groups could be dropped that take rights away.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// The system's words for it speak of a device.
fn limit(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "there may be no more (user.max_user_namespaces)".to_owned(),
        _ => error.to_string(),
    }
}

/// Waits until the standard input ends, and reaps whom others left behind meanwhile.
fn outlast(orphans: &SignalFd) -> io::Result<()> {
    let input = io::stdin();
    loop {
        let (mut both, there) = (
            [PollFd::new(&input, PollFlags::IN), PollFd::from_borrowed_fd(orphans.as_fd(), PollFlags::IN)],
            PollFlags::empty(),
        );
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => drop(polled?),
        }
        let [input, _] = &both;
        // Nobody writes anything: whatever happens there is the end.
        if input.revents() != there {
            return Ok(());
        }
        while let Ok(Some(_)) = orphans.read_signal() {}
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }
}
