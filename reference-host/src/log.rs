//! The log: `PACKER_LOG` shows it on stderr, `PACKER_LOG_PATH` writes it to a file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use time::macros::format_description;

use crate::ui::{Secrets, escaped};

/// A longer line is cut.
const LONGEST: usize = 64 << 10;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// What helps to find a bug.
    Debug,
    /// What happens.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

const LEVELS: [(&str, Level); 5] = [
    ("[TRACE]", Level::Trace),
    ("[DEBUG]", Level::Debug),
    ("[INFO]", Level::Info),
    ("[WARN]", Level::Warn),
    ("[ERROR]", Level::Error),
];

impl Level {
    /// The level that a line begins with, and the rest of it.
    #[must_use]
    pub fn split(line: &str) -> (Option<Self>, &str) {
        for (mark, level) in LEVELS {
            if let Some(rest) = line.strip_prefix(mark) {
                return (Some(level), rest.strip_prefix(' ').unwrap_or(rest));
            }
        }
        (None, line)
    }

    fn mark(self) -> &'static str {
        LEVELS.iter().find(|(_, level)| *level == self).map_or("", |(mark, _)| mark)
    }
}

/// Why there is no log where one was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the log file {} cannot be written", path.display())]
pub struct LogError {
    /// The file as `PACKER_LOG_PATH` names it.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub why: io::Error,
}

/// One place where log lines go.
pub struct Outlet {
    /// It.
    pub writer: Box<dyn Write + Send>,
    /// Whether who reads there also sees what builds print, as on a terminal; a file tells of that, too.
    pub beside_output: bool,
}

/// Where log lines go: nowhere, to stderr, to a file, to both.
pub struct Log {
    outlets: Mutex<Vec<Outlet>>,
    clock: fn() -> OffsetDateTime,
    secrets: Arc<Secrets>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    /// Writes to all of `outlets`, with times from `clock`.
    #[must_use]
    pub fn new(outlets: Vec<Outlet>, clock: fn() -> OffsetDateTime, secrets: Arc<Secrets>) -> Self {
        Self { outlets: Mutex::new(outlets), clock, secrets }
    }

    /// Writes one line of `source`: a plugin's name, or `packwire`. A level that the line begins with is kept.
    pub fn line(&self, source: &str, line: &str) {
        let (level, text) = Level::split(line);
        self.write(level, source, text, |_| true);
    }

    /// Writes one line of our own.
    pub fn say(&self, level: Level, text: &str) {
        self.write(Some(level), "packwire", text, |_| true);
    }

    /// Writes one line that people were shown, where it is not shown already.
    pub fn shown(&self, text: &str) {
        self.write(None, "ui", text, |outlet| !outlet.beside_output);
    }

    fn write(&self, level: Option<Level>, source: &str, text: &str, takes: impl Fn(&Outlet) -> bool) {
        let mut outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        if !outlets.iter().any(&takes) {
            return;
        }
        let text = escaped(&self.secrets.masked(text.trim_end()));
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let mark = level.map(|level| format!("{} ", level.mark())).unwrap_or_default();
        let line = format!("{} {}: {mark}{text}\n", stamp((self.clock)()), escaped(source));
        for Outlet { writer, .. } in outlets.iter_mut().filter(|outlet| takes(outlet)) {
            let _gone = writer.write_all(line.as_bytes()).and_then(|()| writer.flush());
        }
    }
}

fn stamp(time: OffsetDateTime) -> String {
    let format = format_description!("[year]/[month]/[day] [hour]:[minute]:[second]");
    time.format(&format).unwrap_or_default()
}

/// Whether `PACKER_LOG` asks for a log: it is neither empty nor `0`.
#[must_use]
pub fn is_wanted(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0")
}

/// Opens the file of `PACKER_LOG_PATH` to append to it; a new one is readable by its owner alone.
///
/// # Errors
/// The file cannot be opened.
pub fn open(path: &Path) -> Result<File, LogError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|why| LogError { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use time::macros::datetime;

    fn logged(lines: &[&str]) -> (String, u32) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("packwire.log");
        let secrets = Arc::new(Secrets::default());
        secrets.add("hunter22").unwrap();
        for line in lines {
            let file = Outlet { writer: Box::new(open(&path).unwrap()), beside_output: false };
            let log = Log::new(vec![file], || datetime!(2026-11-22 10:13:59 UTC), secrets.clone());
            log.line("packer-builder-file", line);
        }
        let mode = path.metadata().unwrap().permissions().mode();
        (std::fs::read_to_string(&path).unwrap(), mode & 0o777)
    }

    #[test]
    fn lines_are_appended_with_time_name_and_level() {
        let (text, mode) = logged(&["hello", "[WARN] careful", "ui: hunter22 \u{1b}[0m"]);
        assert_eq!(mode, 0o600);
        insta::assert_snapshot!(text, @r"
        2026/11/22 10:13:59 packer-builder-file: hello
        2026/11/22 10:13:59 packer-builder-file: [WARN] careful
        2026/11/22 10:13:59 packer-builder-file: ui: <sensitive> \u{1b}[0m
        ");
    }

    #[test]
    fn a_long_line_is_cut() {
        let (text, _) = logged(&[&"é".repeat(LONGEST)]);
        assert!(text.len() < LONGEST + 100);
    }

    #[test]
    fn zero_and_nothing_ask_for_no_log() {
        assert!(is_wanted(Some(OsStr::new("1"))));
        assert!(!is_wanted(Some(OsStr::new("0"))));
        assert!(!is_wanted(Some(OsStr::new(""))));
        assert!(!is_wanted(None));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path()).unwrap_err().to_string().contains("cannot be written"));
    }
}
