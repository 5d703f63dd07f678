//! The living processes of a session, found by its id in `/proc` and signalled so that a reused process id is
//! never hit.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;

use nix::unistd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process that was of the session, and alive, after `pidfd` had been fixed to it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) pid: Pid,
    pidfd: OwnedFd,
}

impl Member {
    /// Sends a signal to this very process; one that is gone, or that we may not signal, is passed over.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }
}

/// Shows every living process of the session, one after another, and says how many there were; zombies (the
/// leader among them) are not living. One that cannot be looked at counts, though it cannot be shown.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn each(session: Pid, mut show: impl FnMut(&Member)) -> io::Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc")? {
        let pid = process_id(&entry?.file_name());
        if let Some(pid) = pid.filter(|&pid| is_of(pid, session)) {
            match member(pid, session) {
                Ok(Some(member)) => show(&member),
                Ok(None) => continue,
                Err(_) => {}
            }
            count += 1;
        }
    }
    Ok(count)
}

/// A first look, which spares opening a file for each process of the machine. (rustix's `getsid` cannot be
/// asked: it takes the session 0 of the kernel's threads for impossible and panics.)
fn is_of(pid: Pid, session: Pid) -> bool {
    let asked = unistd::Pid::from_raw(pid.as_raw_nonzero().get());
    unistd::getsid(Some(asked)).is_ok_and(|found| found.as_raw() == session.as_raw_nonzero().get())
}

/// The pidfd comes first, the look at the session after it: were the id given to a stranger in between, then
/// the pidfd is that of the old process, which is dead and takes no signal, or the look shows the stranger.
///
/// `None` if it is gone, a zombie, or a stranger.
fn member(pid: Pid, session: Pid) -> io::Result<Option<Member>> {
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(None),
        opened => opened?,
    };
    let stat = match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(error) if is_gone(&error) => return Ok(None),
        read => read?,
    };
    let is_member = Stat::read(&stat).is_some_and(|stat| stat.session == session && stat.lives());
    Ok(is_member.then_some(Member { pid, pidfd }))
}

/// What `/proc` answers for a process that ended before, or while, its file was opened.
fn is_gone(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::SRCH].into_iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn process_id(name: &OsStr) -> Option<Pid> {
    name.to_str()?.parse().ok().and_then(Pid::from_raw)
}

/// What matters here of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    session: Pid,
    threads: u32,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // The name of the program stands in parentheses and may itself hold spaces and parentheses.
        let (_, after_name) = text.rsplit_once(')')?;
        let mut fields = after_name.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let session = Pid::from_raw(fields.nth(2)?.parse().ok()?)?;
        let threads = fields.nth(13)?.parse().ok()?;
        Some(Self { state, session, threads })
    }

    /// A process whose main thread has ended shows as a zombie, and goes on while other threads do.
    fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X') || self.threads > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stat(state: char, threads: u32) -> Stat {
        let text = format!("4711 (a) R 1 (b) {state} 1 2 99 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 7");
        Stat::read(&text).unwrap()
    }

    #[test]
    fn a_program_may_have_any_name() {
        let read = stat('S', 3);
        assert_eq!(read, Stat { state: 'S', session: Pid::from_raw(99).unwrap(), threads: 3 });
    }

    #[test]
    fn a_zombie_is_dead_unless_it_has_threads() {
        assert!(stat('S', 1).lives());
        assert!(stat('T', 1).lives());
        assert!(!stat('Z', 1).lives());
        assert!(!stat('X', 0).lives());
        assert!(stat('Z', 2).lives());
    }

    #[test]
    fn this_process_is_a_member_of_its_own_session() {
        // There is none that has an id here, if it is one of another pid namespace.
        if let Some(session) = Pid::from_raw(unistd::getsid(None).unwrap().as_raw()) {
            let ours = rustix::process::getpid();
            let mut found = Vec::new();
            let count = each(session, |member| found.push(member.pid)).unwrap();
            assert!(found.contains(&ours));
            assert_eq!(found.len(), count);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = Stat::read(&text);
        }
    }
}
