//! The processes below this one, found in `/proc`, and how they are ended.
//!
//! A supervisor is a subreaper: whatever the plugin starts stays below it, whatever session it moves to.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

/// A process that is alive, as `/proc` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relative {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// The id of its session.
    pub session: i32,
    /// What it was called with.
    pub command: String,
}

/// Makes this process the one that orphans below it fall to.
pub(crate) fn become_subreaper() -> rustix::io::Result<()> {
    rustix::process::set_child_subreaper(Some(Pid::INIT))
}

/// The living descendants of a process; those that have ended and only wait to be reaped do not count.
pub(crate) fn descendants(of: i32) -> Vec<Relative> {
    let mut children: HashMap<i32, Vec<Stat>> = HashMap::new();
    for stat in everybody() {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut waiting = vec![of];
    let mut seen = HashSet::new();
    while let Some(parent) = waiting.pop() {
        for stat in children.remove(&parent).unwrap_or_default() {
            if seen.insert(stat.pid) {
                waiting.push(stat.pid);
                found.extend((!stat.dead).then(|| stat.relative()));
            }
        }
    }
    found
}

/// How many children a process has, those that have ended and wait to be reaped included.
pub(crate) fn children(of: i32) -> usize {
    everybody().filter(|stat| stat.parent == of).count()
}

/// Ends every descendant of a process that `spare` does not name, and what they start meanwhile.
pub(crate) fn end_descendants(of: i32, spare: &[i32]) {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut seen_none = false;
    loop {
        let mut left = descendants(of);
        left.retain(|relative| !spare.contains(&relative.pid));
        // A process whose parent ends while all are looked at one by one may seem to be nobody's child, once.
        if (left.is_empty() && seen_none) || Instant::now() > deadline {
            return;
        }
        seen_none = left.is_empty();
        for relative in left {
            signal(relative.pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal to a process that may be gone already.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // Gone already is what we want anyway.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Takes the remains of all children that have ended.
pub(crate) fn reap_all() {
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
}

/// Takes the remains of one child that has ended.
pub(crate) fn reap(pid: Pid) {
    let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
}

/// How a child ended, if it has; its remains are left, and with them its id.
pub(crate) fn ended(pid: Pid) -> Option<super::End> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = rustix::process::waitid(WaitId::Pid(pid), options).ok()??;
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(super::End::Code(code)),
        (None, Some(signal)) => Some(super::End::Signal(signal)),
        (None, None) => None,
    }
}

fn everybody() -> impl Iterator<Item = Stat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Stat::of)
}

/// What `/proc/PID/stat` tells of a process.
struct Stat {
    pid: i32,
    parent: i32,
    session: i32,
    dead: bool,
}

impl Stat {
    /// The second field of the file is a name in brackets that may hold anything.
    fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
        let dead = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        Some(Self { pid, parent, session, dead })
    }

    fn relative(&self) -> Relative {
        let Self { pid, parent, session, dead: _ } = *self;
        Relative { pid, parent, session, command: command_of(pid) }
    }
}

fn command_of(pid: i32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}
