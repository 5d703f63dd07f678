//! One process of the program under test: what it prints, how it ends, what it holds.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::captured::Captured;
use super::launch::{Held, Stderr};
use super::record::Record;
use super::room::Started;
use super::{Relative, Socket, family, sockets};
use crate::check::Stop;

/// How long a stream may stay open behind the process that wrote it.
const DRAIN: Duration = Duration::from_millis(200);

/// How long a crash may take from the loss of the link to the end of the process.
const DEATH: Duration = Duration::from_millis(300);

/// How often a process is looked at while its end is awaited.
const GLANCE: Duration = Duration::from_millis(2);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(number) => match Signal::from_named_raw(*number) {
                Some(signal) => write!(f, "was killed by {}", name_of(signal)),
                None => write!(f, "was killed by signal {number}"),
            },
        }
    }
}

/// `SIGTERM`; rustix only has `"Signal::TERM"`, for programmers.
fn name_of(signal: Signal) -> String {
    format!("{signal:?}").replace("Signal::", "SIG").replace('"', "")
}

/// A process of the program under test.
pub struct Plugin {
    pub(super) pid: Pid,
    pub(super) index: usize,
    pub(super) started: Instant,
    pub(super) record: Rc<Record>,
    pub(super) stdin: Option<Held>,
    pub(super) stdout: Rc<Captured>,
    pub(super) stderr: Rc<Captured>,
    /// What comes out of standard error, where nobody takes it.
    unread: Option<OwnedFd>,
    /// The signals that the check itself sent: their effect is no crash.
    pub(super) signalled: RefCell<Vec<i32>>,
    ended: Cell<Option<(End, Duration)>>,
}

impl Plugin {
    pub(super) fn new(
        started: Started,
        stdin: Option<Held>,
        reads: Stderr,
        (index, record): (usize, Rc<Record>),
    ) -> std::io::Result<Self> {
        let stdout = Captured::of(OwnedFd::from(started.stdout), &record)?;
        let (stderr, unread) = match reads {
            Stderr::Read => (Captured::of(OwnedFd::from(started.stderr), &record)?, None),
            Stderr::Unread => (Rc::default(), Some(OwnedFd::from(started.stderr))),
            Stderr::Closed => (Rc::default(), None),
        };
        Ok(Self { stdin, stdout, stderr, unread, ..Self::foreign(started.pid, index, record) })
    }

    /// A process that somebody else started and whose output nobody keeps.
    pub(super) fn foreign(pid: Pid, index: usize, record: Rc<Record>) -> Self {
        Self {
            pid,
            index,
            started: Instant::now(),
            record,
            stdin: None,
            stdout: Rc::default(),
            stderr: Rc::default(),
            unread: None,
            signalled: RefCell::default(),
            ended: Cell::default(),
        }
    }

    /// Its process id: the leader of its session.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The time since it was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// What it wrote to standard error so far, whatever is not UTF-8 replaced.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr_bytes()).into_owned()
    }

    /// The bytes that it wrote to standard error so far; of very many, a line stands in for those of the middle.
    pub fn stderr_bytes(&self) -> Vec<u8> {
        self.stderr.bytes()
    }

    /// The bytes that it wrote to standard output so far; of very many, a line stands in for those of the middle.
    pub fn stdout_bytes(&self) -> Vec<u8> {
        self.stdout.bytes()
    }

    /// How many bytes it wrote to standard output so far.
    pub fn stdout_total(&self) -> usize {
        self.stdout.total()
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<End> {
        if self.ended.get().is_none()
            && let Some(end) = family::ended(self.pid)
        {
            self.ended.set(Some((end, self.started.elapsed())));
        }
        self.ended.get().map(|(end, _)| end)
    }

    /// The time from its start to its end, once `ended` or `exit` has seen that.
    pub fn lifetime(&self) -> Option<Duration> {
        self.ended.get().map(|(_, lifetime)| lifetime)
    }

    /// Waits for its end, and for the rest of its output; `within` is stretched by `--slow`.
    pub async fn exit(&self, within: Duration) -> Option<End> {
        let end = tokio::time::timeout(self.record.stretch(within), self.gone()).await.ok();
        if end.is_some() {
            drop(tokio::time::timeout(DRAIN, self.drained()).await);
        }
        end
    }

    /// What is to be told of it where an answer was looked for: that it has ended, if it has. One that did not answer is
    /// given a moment: its link is lost before it is gone.
    pub async fn end_or(&self, is_answered: bool, told: String) -> String {
        let end = if is_answered { self.ended() } else { self.exit(DEATH).await };
        end.map_or(told, |end| format!("it {end}"))
    }

    /// Waits for its end and records whether it is the promised one in time; the clock starts now.
    pub async fn exits_with(&self, code: i32, within: Duration) -> Option<End> {
        self.exits_as("", code, within).await
    }

    /// The same, with words before the promise that say in which case it is made.
    pub async fn exits_as(&self, case: &str, code: i32, within: Duration) -> Option<End> {
        let began = Instant::now();
        let end = self.exit(within).await;
        let took = self.ended.get().map_or_else(|| began.elapsed(), |(_, at)| (self.started + at) - began);
        let expected = format!("{case}exits with status {code} within {} s", within.as_secs_f64());
        let observed = end.map_or_else(|| "it was still running then".to_owned(), |end| end.to_string());
        self.saw_in(expected, end == Some(End::Code(code)), observed, within, took);
        end
    }

    /// Records something that was looked at on this process; answers whether it held.
    pub fn saw(&self, expected: impl Into<String>, held: bool, observed: impl Into<String>) -> bool {
        self.record.saw(Some(self.index), expected.into(), held, observed.into())
    }

    /// Records a promise about many things at once; those that broke it are told, the first of them in full.
    pub fn saw_of_all(&self, expected: impl Into<String>, total: usize, broken: Vec<String>) -> bool {
        let observed = match broken.len() {
            0 => format!("{total} of {total} did"),
            1 => format!("1 of {total} did not: {}", broken[0]),
            more => format!("{more} of {total} did not, such as {}", broken[0]),
        };
        self.saw(expected, broken.is_empty(), observed)
    }

    /// Whether anything was recorded so far, on any process of the rig.
    pub fn has_observations(&self) -> bool {
        !self.record.observations().is_empty()
    }

    /// How many processes are its children, dead ones that it has not waited for included.
    pub(crate) fn children_of_any_state(&self) -> usize {
        family::children(self.pid())
    }

    /// The inodes of the sockets that it holds.
    pub(crate) fn socket_inodes(&self) -> HashSet<u64> {
        sockets::inodes(self.pid())
    }

    /// Leaves no room in its standard error, which nobody reads.
    pub(crate) fn fill_stderr(&self) -> std::io::Result<()> {
        let Some(unread) = &self.unread else { return Ok(()) };
        let path = format!("/proc/self/fd/{}", unread.as_raw_fd());
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut pipe = std::fs::File::options().write(true).custom_flags(nonblocking).open(path)?;
        // A page is taken whole or not at all.
        loop {
            match pipe.write(&[b'\n'; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// The memory that it and its living descendants share with nobody, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.household().into_iter().filter_map(crate::memory::private_memory).sum()
    }

    /// The terminals that it has open.
    pub(crate) fn terminals(&self) -> Vec<String> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).into_iter().flatten().flatten();
        let targets = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let names = targets.map(|target| target.display().to_string());
        names.filter(|name| name == "/dev/tty" || name.starts_with("/dev/pts/")).collect()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Records something that was looked at, with the time that it took beside its limit (before `--slow`).
    pub fn saw_in(
        &self,
        expected: impl Into<String>,
        held: bool,
        observed: impl Into<String>,
        limit: Duration,
        took: Duration,
    ) -> bool {
        self.record.timed(Some(self.index), expected.into(), held, observed.into(), limit, took)
    }

    /// Records that something is missing which the requirement builds on, and ends the check.
    pub fn lacks<T>(&self, expected: impl Into<String>, observed: impl Into<String>) -> Result<T, Stop> {
        self.record.lacks(Some(self.index), expected.into(), observed.into())
    }

    /// The same where what is missing did not come in time.
    pub(super) fn lacks_in_time<T>(
        &self,
        expected: impl Into<String>,
        observed: impl Into<String>,
        limit: Duration,
    ) -> Result<T, Stop> {
        self.record.lacks_in_time(Some(self.index), expected.into(), observed.into(), limit)
    }

    /// What a message held, or the end of the check: a message that cannot be read is the plugin's doing.
    pub fn read<T>(&self, what: &str, value: capnp::Result<T>) -> Result<T, Stop> {
        value.or_else(|error| self.lacks(format!("{what} can be read"), error.to_string()))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.signalled.borrow_mut().push(signal.as_raw());
        family::signal(self.pid(), signal);
    }

    /// A crash is what is expected of it: that is no finding.
    pub(crate) fn may_crash(&self) {
        self.signalled.borrow_mut().extend(super::watch::CRASHES.map(Signal::as_raw));
    }

    /// Its living descendants.
    pub fn descendants(&self) -> Vec<Relative> {
        family::descendants(self.pid())
    }

    /// The processor time that it and its living descendants have used.
    pub fn cpu_time(&self) -> Duration {
        self.household().into_iter().filter_map(sockets::cpu_time).sum()
    }

    /// The most memory that it and its living descendants ever held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.household().into_iter().filter_map(sockets::peak_memory).sum()
    }

    /// The network and Unix sockets that it and its living descendants hold.
    pub fn sockets(&self) -> Vec<Socket> {
        sockets::held_by(&self.household())
    }

    /// The inodes of all sockets that it and its living descendants hold.
    pub(crate) fn inodes_of_all_sockets(&self) -> HashSet<u64> {
        sockets::inodes_of(&self.household())
    }

    /// How many of the bytes put into its standard input are still there, and how many were put.
    pub fn stdin_left(&self) -> Option<(usize, usize)> {
        let held = self.stdin.as_ref()?;
        let left = rustix::io::ioctl_fionread(&held.read).ok()?;
        Some((usize::try_from(left).ok()?, held.put))
    }

    pub(super) fn household(&self) -> Vec<i32> {
        let below = self.descendants().into_iter().map(|relative| relative.pid);
        std::iter::once(self.pid()).chain(below).collect()
    }

    /// Asks the kernel again and again: nothing else leaves the remains unreaped and needs no unsafe code.
    async fn gone(&self) -> End {
        loop {
            match self.ended() {
                Some(end) => return end,
                None => tokio::time::sleep(GLANCE).await,
            }
        }
    }

    async fn drained(&self) {
        self.stdout.closed().await;
        self.stderr.closed().await;
    }

    /// The last lines of its log, this many at most.
    pub(super) fn log_tail(&self, most: usize) -> Vec<String> {
        let text = self.stderr();
        let mut lines: Vec<&str> = text.lines().rev().take(most).collect();
        lines.reverse();
        lines.iter().map(|line| line.chars().take(300).collect()).collect()
    }
}
