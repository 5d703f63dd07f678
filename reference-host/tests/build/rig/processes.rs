//! The processes of a world: all that have its folder in their environment, as working directory or as an argument.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// A living process.
#[derive(Debug)]
pub(crate) struct Process {
    id: Pid,
    executable: PathBuf,
    #[expect(dead_code, reason = "`Debug` shows it where a process should not be")]
    arguments: String,
}

impl Process {
    fn read(id: Pid) -> Self {
        let place = PathBuf::from(format!("/proc/{}", id.as_raw_nonzero()));
        let arguments = fs::read(place.join("cmdline")).unwrap_or_default();
        Self {
            id,
            executable: fs::read_link(place.join("exe")).unwrap_or_default(),
            arguments: String::from_utf8_lossy(&arguments).replace('\0', " "),
        }
    }

    /// Whether it runs this program, and no script; links may lead to the program.
    pub(crate) fn runs(&self, program: &Path) -> bool {
        fs::canonicalize(program).is_ok_and(|program| self.executable == program)
    }

    /// Kills it, where it has not ended meanwhile.
    pub(crate) fn kill(&self) {
        let _may_have_ended = rustix::process::kill_process(self.id, Signal::KILL);
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.id, signal).unwrap();
    }
}

/// The living processes of the world in this folder.
pub(crate) fn of(folder: &Path) -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    ids.filter(|&id| belongs(id, folder)).map(Process::read).collect()
}

fn belongs(id: Pid, folder: &Path) -> bool {
    let place = PathBuf::from(format!("/proc/{}", id.as_raw_nonzero()));
    let says = |file: &str| {
        let (text, folder) = (fs::read(place.join(file)).unwrap_or_default(), folder.as_os_str().as_bytes());
        text.windows(folder.len()).any(|part| part == folder)
    };
    says("environ")
        || says("cmdline")
        || fs::read_link(place.join("cwd")).is_ok_and(|at| at.starts_with(folder))
}

/// Kills them, and those that they start meanwhile.
pub(crate) fn end(folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let left = of(folder)
        && !left.is_empty()
        && Instant::now() < deadline
    {
        for process in left {
            let _may_have_ended = rustix::process::kill_process(process.id, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
