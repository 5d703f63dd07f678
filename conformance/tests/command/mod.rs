//! Runs the `conformance` command as a person would, and looks at what it leaves behind.
#![expect(clippy::disallowed_methods, reason = "tests own the processes that they start")]
#![expect(clippy::unwrap_used, reason = "this is part of tests, though not of a test function")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

const CONFORMANCE: &str = env!("CARGO_BIN_EXE_conformance");

/// Exit code and output of one run, with what changes from run to run replaced.
pub(crate) fn conformance(arguments: &[&str]) -> String {
    in_(Path::new("/"), arguments)
}

/// The same from a directory that is also the first of the PATH.
pub(crate) fn in_(directory: &Path, arguments: &[&str]) -> String {
    told(command(arguments).current_dir(directory).env("PATH", path_with(directory)))
}

fn told(command: &mut Command) -> String {
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let code = output.status.code().map_or_else(|| output.status.to_string(), |code| code.to_string());
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    constant(&format!("exit {code}\n{out}{err}"))
}

/// The same with another directory for temporary files.
pub(crate) fn below(temp: &Path, arguments: &[&str]) -> String {
    told(command(arguments).env("TMPDIR", temp))
}

/// The same with a standard output that takes nothing.
pub(crate) fn to_a_full_disk(arguments: &[&str]) -> String {
    told(command(arguments).stdout(fs::File::create("/dev/full").unwrap()))
}

/// A run that is not awaited, with another directory for temporary files.
pub(crate) fn start_below(temp: &Path, arguments: &[&str]) -> Running {
    Running(
        command(arguments).env("TMPDIR", temp).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(),
    )
}

/// A run in progress; dropping it kills it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn end_by(mut self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.0), signal).unwrap();
        self.0.wait().unwrap();
    }

    /// Stops the supervisor below it, so that it cannot answer.
    pub(crate) fn stop_supervisor(&self) {
        let children = format!("/proc/{0}/task/{0}/children", self.0.id());
        let children = fs::read_to_string(children).unwrap();
        let supervisor =
            children.split_ascii_whitespace().next().and_then(|id| Pid::from_raw(id.parse().ok()?));
        rustix::process::kill_process(supervisor.unwrap(), Signal::STOP).unwrap();
    }

    pub(crate) fn code(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(CONFORMANCE);
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn path_with(directory: &Path) -> std::ffi::OsString {
    let known = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(directory.to_owned()).chain(std::env::split_paths(&known))).unwrap()
}

/// Makes an executable file.
pub(crate) fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A binary that no machine has an emulator for.
pub(crate) fn of_another_machine(place: &Path) -> String {
    let path = script(place, "of-another-machine", "");
    let mut bytes = fs::read("/bin/true").unwrap();
    (bytes[18], bytes[19]) = (0x99, 0);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// An argument for `sleep` that no other process has.
pub(crate) fn unique_seconds() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("1000.{}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The ids of living processes with this word among their arguments, our own commands left out.
pub(crate) fn called(word: &str) -> Vec<String> {
    let line = |pid: &str| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let has = |pid: &str| {
        let line = line(pid);
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.contains(&word.as_bytes()) && words[0] != CONFORMANCE.as_bytes()
    };
    let ids =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()) && has(id)).collect()
}

pub(crate) fn nobody_is_called(word: &str) {
    let left = called(word);
    assert!(left.is_empty(), "left running: {left:?}");
}

/// Waits for the kernel; a deadline and no hope.
pub(crate) fn until(within: Duration, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + within;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {within:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Replaces the version of the suite, and times such as `0.1 s`.
fn constant(text: &str) -> String {
    let text = text.replace(env!("CARGO_PKG_VERSION"), "[version]");
    let mut pieces = text.split(' ').peekable();
    let mut told = Vec::new();
    while let Some(piece) = pieces.next() {
        let time = piece.contains('.') && piece.parse::<f64>().is_ok();
        match pieces.next_if(|unit| {
            time && unit.strip_prefix('s').is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
        }) {
            Some(unit) => told.push(format!("[seconds]{}", &unit[1..])),
            None => told.push(piece.to_owned()),
        }
    }
    told.join(" ")
}
