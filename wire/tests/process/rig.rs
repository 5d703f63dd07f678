//! A script in a session, its log, and eyes on the processes around it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use packwire_wire::process::{LogLine, LogSink, Logs, Program, Session};

/// Longer than anything here may take: who waits so long has hung.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A shell script as the plugin's executable, with an environment of `PATH` alone.
pub(crate) fn script(text: &str) -> Program {
    Program {
        executable: "/bin/sh".into(),
        arguments: vec!["-c".into(), text.into()],
        environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        directory: None,
    }
}

/// A script that runs, and what it printed.
pub(crate) struct Running {
    pub(crate) session: Session,
    pub(crate) logs: Logs,
    pub(crate) seen: Arc<Seen>,
}

impl Running {
    pub(crate) fn script(text: &str) -> Self {
        Self::start(&script(text))
    }

    pub(crate) fn start(program: &Program) -> Self {
        let mut session = Session::start(program).unwrap();
        let seen = Arc::new(Seen::default());
        let logs = Logs::follow(session.take_output().unwrap(), Arc::clone(&seen) as _).unwrap();
        Self { session, logs, seen }
    }

    /// Waits for a line that begins with `word` and gives the number behind it.
    pub(crate) async fn number(&self, word: &str) -> u32 {
        let line = until(word, || self.seen.texts().into_iter().find(|line| line.starts_with(word))).await;
        line[word.len()..].trim().parse().unwrap()
    }

    /// Waits for this line.
    pub(crate) async fn says(&self, line: &str) {
        until(line, || self.seen.texts().into_iter().find(|seen| seen == line)).await;
    }
}

/// A sink that keeps every line.
#[derive(Default)]
pub(crate) struct Seen(Mutex<Vec<LogLine>>);

impl LogSink for Seen {
    fn line(&self, line: &LogLine) {
        self.0.lock().unwrap().push(line.clone());
    }
}

impl Seen {
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines().into_iter().map(|line| line.text).collect()
    }
}

/// Looks until there is something; fails, saying `what`, when it takes too long.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < LONG, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The letter that `/proc` gives for a process; `None` if there is no such process.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a process is there and not a zombie that waits for a parent which is not ours.
pub(crate) fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The entries of a directory.
pub(crate) fn entries(directory: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A process that is no member of the session it came from; it is killed when the test is over.
pub(crate) struct Stray {
    pub(crate) id: u32,
}

impl Drop for Stray {
    fn drop(&mut self) {
        let pid = i32::try_from(self.id).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
