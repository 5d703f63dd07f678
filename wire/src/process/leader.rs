//! The first process of a session: how it ended, seen without reaping it.
//!
//! Until it is reaped its id stays its own, and with it the ids of the session and of its process group: what
//! is signalled by these ids meanwhile is never a stranger.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, waitid};

/// How often to look where the system cannot tell.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit status.
    Exited(i32),
    /// By a signal.
    Signalled {
        /// The signal's name without `SIG`, or its number where it has none.
        signal: String,
        /// Whether the system wrote a core file.
        core_dumped: bool,
    },
    /// Nobody knows: the process cannot be ended, or another part of the host took its status.
    Unknown,
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(out, "exited with status {status}"),
            Self::Signalled { signal, core_dumped: false } => write!(out, "was killed by signal {signal}"),
            Self::Signalled { signal, core_dumped: true } => {
                write!(out, "was killed by signal {signal} (core dumped)")
            }
            Self::Unknown => out.write_str("ended in a way that could not be seen"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Leader {
    pid: Pid,
    #[cfg(target_os = "linux")]
    pidfd: std::os::fd::OwnedFd,
    ended: OnceLock<Ended>,
}

impl Leader {
    /// The child of ours with this id, which must not be reaped but after [`Leader::peek`] has answered.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a process has an impossible id"))?;
        Ok(Self {
            pid,
            #[cfg(target_os = "linux")]
            pidfd: rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?,
            ended: OnceLock::new(),
        })
    }

    /// Its id, which is also that of its session and of its process group.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended; `None` as long as it lives. It stays unreaped.
    pub(super) fn peek(&self) -> Option<Ended> {
        if let Some(known) = self.ended.get() {
            return Some(known.clone());
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let seen = match waitid(self.wait_id(), options) {
            Ok(status) => read(&status?),
            Err(_) => Ended::Unknown,
        };
        Some(self.ended.get_or_init(|| seen).clone())
    }

    #[cfg(target_os = "linux")]
    fn wait_id(&self) -> WaitId<'_> {
        WaitId::PidFd(std::os::fd::AsFd::as_fd(&self.pidfd))
    }

    #[cfg(not(target_os = "linux"))]
    fn wait_id(&self) -> WaitId<'_> {
        WaitId::Pid(self.pid)
    }

    /// Waits until it has ended. It stays unreaped. Safe to cancel.
    pub(super) async fn exited(self: Arc<Self>) -> Ended {
        #[cfg(target_os = "linux")]
        if let Some(ended) = self.told().await {
            return ended;
        }
        loop {
            if let Some(ended) = self.peek() {
                return ended;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// As `exited`, told by the system through the pidfd; `None` if that cannot be waited for.
    #[cfg(target_os = "linux")]
    async fn told(&self) -> Option<Ended> {
        let watch = super::exceptions::Watch::on(self.pidfd.try_clone().ok()?).ok()?;
        if self.peek().is_none() {
            watch.readable().await.ok()?;
        }
        self.peek()
    }
}

fn read(status: &WaitIdStatus) -> Ended {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => Ended::Exited(status),
        (None, Some(signal)) => {
            Ended::Signalled { signal: signal_name(signal), core_dumped: status.dumped() }
        }
        (None, None) => Ended::Unknown,
    }
}

/// The name of a signal without `SIG`; its number where it has none.
pub fn signal_name(number: i32) -> String {
    const NAMES: [(Signal, &str); 26] = [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::ILL, "ILL"),
        (Signal::TRAP, "TRAP"),
        (Signal::ABORT, "ABRT"),
        (Signal::BUS, "BUS"),
        (Signal::FPE, "FPE"),
        (Signal::KILL, "KILL"),
        (Signal::USR1, "USR1"),
        (Signal::SEGV, "SEGV"),
        (Signal::USR2, "USR2"),
        (Signal::PIPE, "PIPE"),
        (Signal::ALARM, "ALRM"),
        (Signal::TERM, "TERM"),
        (Signal::CHILD, "CHLD"),
        (Signal::CONT, "CONT"),
        (Signal::STOP, "STOP"),
        (Signal::TSTP, "TSTP"),
        (Signal::TTIN, "TTIN"),
        (Signal::TTOU, "TTOU"),
        (Signal::XCPU, "XCPU"),
        (Signal::XFSZ, "XFSZ"),
        (Signal::VTALARM, "VTALRM"),
        (Signal::PROF, "PROF"),
        (Signal::SYS, "SYS"),
    ];
    let named = NAMES.iter().find(|(signal, _)| signal.as_raw() == number);
    named.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_named_as_people_name_them() {
        assert_eq!(signal_name(9), "KILL");
        assert_eq!(signal_name(15), "TERM");
        assert_eq!(signal_name(40), "40");
    }

    #[test]
    fn an_end_reads_as_the_end_of_a_sentence() {
        let killed = |core_dumped| Ended::Signalled { signal: "SEGV".into(), core_dumped };
        insta::assert_snapshot!(Ended::Exited(3), @"exited with status 3");
        insta::assert_snapshot!(killed(false), @"was killed by signal SEGV");
        insta::assert_snapshot!(killed(true), @"was killed by signal SEGV (core dumped)");
        insta::assert_snapshot!(Ended::Unknown, @"ended in a way that could not be seen");
    }
}
