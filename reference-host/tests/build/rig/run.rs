//! One run of `packwire` that goes on.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use super::{AT_LAST, Said, World, until};

/// A run in progress; dropping it kills it, and the world all that it has started.
pub(crate) struct Run<'world> {
    world: &'world World,
    line: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl<'world> Run<'world> {
    pub(super) fn of(world: &'world World, line: &str, mut command: Command) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let output = |name: &str| world.folder().join(format!("{name}.{number}"));
        let (stdout, stderr) = (output("stdout"), output("stderr"));
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        Self { world, line: line.to_owned(), child: command.spawn().unwrap(), stdout, stderr }
    }

    /// Waits until stdout has this text.
    pub(crate) fn until_said(&self, text: &str) {
        until(&format!("stdout says {text:?}"), || {
            String::from_utf8_lossy(&fs::read(&self.stdout).unwrap()).contains(text)
        });
    }

    /// Whether it is over; it can be sent a signal all the same.
    pub(crate) fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), look).unwrap().is_some()
    }

    /// Sends `packwire` a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end, and yields what was said until then.
    pub(crate) fn said(mut self) -> Said {
        let deadline = Instant::now() + AT_LAST;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "`{}` does not end:\n{}", self.line, self.output());
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let ended = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("killed by {signal:?}"),
        };
        let text = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Said::new(self.world.folder(), &self.line, [text(&self.stdout), text(&self.stderr)], ended)
    }

    fn output(&self) -> String {
        let text = |path: &PathBuf| fs::read_to_string(path).unwrap_or_default();
        format!("{}--- stderr ---\n{}", text(&self.stdout), text(&self.stderr))
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
