//! The child that this plugin starts where a plugin with a child is needed. It ends by itself within minutes.
use std::{
    io,
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};

use crate::{fault::Fault, launch::TOKEN};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a child that was left behind stays.
const LEFT_BEHIND: Duration = Duration::from_secs(180);

/// The life of the child: as long as the plugin holds the other end of its stdin, or a while longer.
pub(crate) fn be(stay: bool, hide: bool) -> ExitCode {
    if hide {
        hide_further();
    } else if stay {
        std::thread::sleep(LEFT_BEHIND);
    } else {
        wait_for_stdin(Duration::from_secs(600));
    }
    ExitCode::SUCCESS
}

/// Returns when nobody holds the other end of stdin any longer, or when the time is over. Nothing is read.
pub(crate) fn wait_for_stdin(within: Duration) {
    let stdin = io::stdin();
    let mut sources = [PollFd::new(&stdin, PollFlags::empty())];
    let within = Timespec { tv_sec: within.as_secs().cast_signed(), tv_nsec: 0 };
    match poll(&mut sources, Some(&within)) {
        Ok(_) | Err(_) => {}
    }
}

/// A child that lives as long as this value.
pub(crate) struct Helper(Child);

impl Helper {
    /// Starts it: the end of its stdin will end it.
    pub(crate) fn start() -> io::Result<Self> {
        Ok(Self(command().arg("helper").stdin(Stdio::piped()).spawn()?))
    }
}

impl Helper {
    /// The same, with what a fault gives it.
    pub(crate) fn start_as(fault: Option<Fault>) -> io::Result<Self> {
        let mut command = command();
        if fault == Some(Fault::ChildInheritsEnv) {
            command.env(TOKEN, "inherited");
        }
        Ok(Self(command.arg("helper").stdin(Stdio::piped()).spawn()?))
    }
}

/// Starts a child that ends at once, and never asks how.
pub(crate) fn leave_dead() {
    if let Ok(child) = command().args(["helper"]).stdin(Stdio::null()).spawn() {
        std::mem::forget(child);
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        match self.0.wait() {
            Ok(_) | Err(_) => {}
        }
    }
}

/// Starts a child that hides.
pub(crate) fn hide() -> io::Result<()> {
    let mut child = command().args(["helper", "--hide"]).stdin(Stdio::null()).spawn()?;
    child.wait().map(drop)
}

/// Leaves the session, leaves a child that ignores signals, and ends: nobody above knows that child.
fn hide_further() {
    // Who leads a group already cannot leave its session; then the child alone hides.
    let _ = rustix::process::setsid();
    let deaf = "trap '' TERM INT HUP QUIT; exec \"$0\" helper --stay";
    let program = std::env::current_exe().unwrap_or_default();
    match shell_of_its_own(deaf).arg(program).spawn() {
        Ok(_) | Err(_) => {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process that nobody owns is what is imitated here; it ends by itself"
)]
fn shell_of_its_own(line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Starts a child and leaves it.
pub(crate) fn leave_behind() {
    match command().args(["helper", "--stay"]).stdin(Stdio::null()).spawn() {
        Ok(_) | Err(_) => {}
    }
}

/// A command of `sh`, with pipes, in a process group of its own.
#[expect(clippy::disallowed_methods, reason = "its owner waits for it, or ends it; dropped, it is killed")]
pub(crate) fn shell(line: &str, with_stdin: bool) -> io::Result<tokio::process::Child> {
    let mut command = tokio::process::Command::new("/bin/sh");
    command.args(["-c", line]).process_group(0);
    command.stdin(if with_stdin { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

#[expect(
    clippy::disallowed_methods,
    reason = "plugins with children are what is imitated here; each ends by itself"
)]
fn command() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
