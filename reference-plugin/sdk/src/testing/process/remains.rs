//! What is there when a plugin has ended, and should not be.
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use packwire_wire::process::{Ended, Logs, Session};
use tempfile::TempDir;

use crate::Stop;

/// How long a plugin may take to end; machines that test are busy.
const LEAVE_WITHIN: Duration = Duration::from_secs(60);
/// How long a process that was killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);
const LAST_LINES_WITHIN: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What outlives the link of a plugin: its processes, what they print, and its `TMPDIR`.
#[derive(Debug)]
pub(super) struct Remains {
    pub(super) session: Session,
    pub(super) logs: Logs,
    pub(super) temporary: TempDir,
}

impl Remains {
    /// Waits until the plugin has ended by itself. In any case nothing is left of it after that.
    pub(super) async fn ended(self) -> Result<Ended, Stop> {
        let in_time = tokio::time::timeout(LEAVE_WITHIN, self.session.exited()).await.is_ok();
        let processes = if in_time { self.left_processes().await } else { Vec::new() };
        let Self { session, mut logs, temporary } = self;
        let ended = session.end(Duration::ZERO).await;
        logs.finish(LAST_LINES_WITHIN).await;
        let log = logs.last_lines().join("\n");
        if !in_time {
            let within = LEAVE_WITHIN.as_secs();
            return Err(Stop::failed(format!("the plugin did not end within {within} s; its log: {log}")));
        }
        let files = files(temporary.path());
        match processes.into_iter().chain(files).collect::<Vec<_>>() {
            left if left.is_empty() => Ok(ended),
            left => {
                let left = left.join(", ");
                Err(Stop::failed(format!("the plugin {ended}, and left {left}; its log: {log}")))
            }
        }
    }

    /// Waits until the plugin, which was killed, is gone, and ends the rest of its session.
    pub(super) async fn killed(self) -> Ended {
        drop(self.session.exited().await);
        self.session.end(Duration::ZERO).await
    }

    /// The processes of the session that are there when those are gone which were killed.
    async fn left_processes(&self) -> Vec<String> {
        let since = Instant::now();
        loop {
            let members = self.session.members();
            if members.is_empty() || since.elapsed() > GONE_WITHIN {
                return members.into_iter().map(named).collect();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn named(process: u32) -> String {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    format!("the process {process} ({})", line.trim_end())
}

/// The paths of all that is below a directory, relative to it and sorted; nothing where there is no directory.
pub fn files(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut beyond = vec![directory.to_owned()];
    while let Some(next) = beyond.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            all.extend(path.strip_prefix(directory).map(|path| path.display().to_string()));
            beyond.extend(entry.file_type().is_ok_and(|kind| kind.is_dir()).then_some(path));
        }
    }
    all.sort();
    all
}

/// Whether there is a process of this id that has not ended.
pub fn lives(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

/// Waits until something that no [`Halt`](crate::testing::Halt) tells of is so.
///
/// # Errors
/// It is not so after a long time.
pub async fn until(condition: impl Fn() -> bool) -> Result<(), Stop> {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(LEAVE_WITHIN, waiting).await;
    waited.map_err(|_| Stop::failed(format!("it is not so after {} s", LEAVE_WITHIN.as_secs())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use packwire_wire::process::{LogLine, LogSink, Program, inherited_environment};

    use super::*;

    struct Unread;

    impl LogSink for Unread {
        fn line(&self, _: &LogLine) {}
    }

    fn script(script: &str) -> Remains {
        let temporary = tempfile::tempdir().unwrap();
        let mut environment = inherited_environment(&["TMPDIR"]);
        environment.push(("TMPDIR".into(), temporary.path().into()));
        let arguments = vec!["-c".into(), script.into()];
        let program = Program { executable: "/bin/sh".into(), arguments, environment, directory: None };
        let mut session = Session::start(&program).unwrap();
        let logs = Logs::follow(session.take_output().unwrap(), Arc::new(Unread)).unwrap();
        Remains { session, logs, temporary }
    }

    async fn told(run: &str) -> String {
        match script(run).ended().await {
            Ok(ended) => ended.to_string(),
            Err(Stop::Failed(diagnostics)) => diagnostics[0].summary.clone(),
            Err(Stop::Cancelled) => "cancelled".to_owned(),
        }
    }

    #[tokio::test]
    async fn who_leaves_nothing_has_ended_well() {
        assert_eq!(told("exit 4").await, "exited with status 4");
    }

    #[tokio::test]
    async fn a_file_that_is_left_is_named() {
        let told = told("mkdir $TMPDIR/a; echo > $TMPDIR/a/b; echo last words").await;
        assert_eq!(told, "the plugin exited with status 0, and left a, a/b; its log: last words");
    }

    #[tokio::test]
    async fn a_process_that_is_left_is_named_and_ended() {
        let remains = script("sleep 1000 & echo $! > $TMPDIR/id; exit 3");
        let id = remains.temporary.path().join("id");
        until(|| fs::read_to_string(&id).is_ok_and(|id| id.ends_with('\n'))).await.unwrap();
        let id: u32 = fs::read_to_string(&id).unwrap().trim().parse().unwrap();
        let Err(Stop::Failed(diagnostics)) = remains.ended().await else { panic!("it left something") };
        let told = format!("exited with status 3, and left the process {id} (sleep 1000), id;");
        assert!(diagnostics[0].summary.contains(&told), "{diagnostics:?}");
        assert!(!lives(id));
    }
}
