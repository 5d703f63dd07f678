//! A person at a terminal: the command on it, what stands on the screen, and what is typed.
#![expect(clippy::disallowed_methods, reason = "the command is killed where it is not awaited")]

mod screen;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that leads a session of its own, whose terminal this is; dropping it closes the terminal, and kills it.
pub(crate) struct Seat {
    columns: u16,
    /// The side of the terminal that a person is at.
    person: Option<File>,
    command: Child,
    /// All bytes that came so far.
    pub(crate) shown: Vec<u8>,
}

impl Seat {
    /// Starts a program on a terminal of this width, with these variables beside PATH.
    pub(crate) fn start(columns: u16, variables: &[(&str, &str)], program: &str, arguments: &[&str]) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        tcsetwinsize(&person, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let path = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        // Only a session has a terminal of its own, and only its leader hears that it is gone.
        let mut command = Command::new("setsid");
        // And whoever started the tests may ignore the signals of terminals: `nohup`, and shells in the background.
        let deaf_to_nothing = ["--ctty", "env", "--default-signal=HUP,INT,QUIT,TERM", program];
        command.args(deaf_to_nothing).args(arguments).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).envs(variables.iter().copied());
        let terminal = || Stdio::from(File::options().read(true).write(true).open(&path).unwrap());
        let command = command.stdin(terminal()).stdout(terminal()).stderr(terminal()).spawn().unwrap();
        Self { columns, person: Some(File::from(person)), command, shown: Vec::new() }
    }

    /// Waits until this was shown.
    pub(crate) fn until_shown(&mut self, text: &str) {
        while !self.raw().contains(text) {
            assert!(self.read(), "it ended, and showed {:?}", self.raw());
        }
    }

    /// What a person types.
    pub(crate) fn types(&mut self, keys: &[u8]) {
        self.person.as_mut().unwrap().write_all(keys).unwrap();
    }

    /// Closes the window.
    pub(crate) fn goes_away(&mut self) {
        self.person = None;
    }

    /// Waits for the end, as a shell would; answers the exit code and what then stands on the screen.
    pub(crate) fn ends(mut self) -> Seen {
        while self.person.is_some() && self.read() {}
        let status = self.ended();
        let screen = screen::text(&self.raw(), usize::from(self.columns));
        Seen { code: status.code(), screen, raw: self.raw() }
    }

    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.command.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it runs on");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Reads what is shown next; false when nobody holds the terminal any longer.
    fn read(&mut self) -> bool {
        let person = self.person.as_mut().unwrap();
        let patience = Timespec { tv_sec: 60, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(person, PollFlags::IN)], Some(&patience)).unwrap();
        assert!(ready > 0, "nothing happens, after {:?}", String::from_utf8_lossy(&self.shown));
        let mut bytes = [0; 4096];
        // Where nobody holds the other side, reading fails.
        let count = person.read(&mut bytes).unwrap_or(0);
        self.shown.extend(&bytes[..count]);
        count > 0
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.person = None;
        drop(self.command.kill());
        drop(self.command.wait());
    }
}

/// What came of a command.
pub(crate) struct Seen {
    pub(crate) code: Option<i32>,
    /// What stands on the screen in the end; a row that the width has broken is one line again.
    pub(crate) screen: String,
    /// Everything, with the letters that move the cursor.
    pub(crate) raw: String,
}

/// That nobody with this word among its arguments runs, and that a directory is empty, now or very soon.
pub(crate) fn nothing_is_left(word: &str, directory: &Path) {
    let left = || called(word).count() + fs::read_dir(directory).unwrap().count();
    let deadline = Instant::now() + Duration::from_secs(10);
    while left() > 0 {
        assert!(Instant::now() < deadline, "left: {:?}", called(word).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until somebody with this word among its arguments runs.
pub(crate) fn until_called(word: &str) {
    let deadline = Instant::now() + PATIENCE;
    while called(word).next().is_none() {
        assert!(Instant::now() < deadline, "nobody is called {word}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The command lines of `sleep` with this argument.
fn called(word: &str) -> impl Iterator<Item = String> {
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("cmdline"));
    let lines = all.filter_map(|path| fs::read_to_string(path).ok());
    lines.filter(move |line| {
        let words: Vec<&str> = line.split_terminator('\0').collect();
        matches!(words[..], [program, argument] if program.ends_with("sleep") && argument == word)
    })
}
