//! What `--transcripts DIR` keeps: for each check that ran, what was said on the wire and in the log, and how to run it
//! again.
//!
//! `run.json` is for programs; each `ID.txt` is for people, and simple enough for `grep`: messages begin with the time,
//! log lines with `|`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::check::{Evidence, Level, Requirement, Status, Verdict};
use crate::report;
use crate::rig::Sender;
use crate::subject::Subject;
use crate::suite::Run;

/// The file that says what the others are.
const INDEX: &str = "run.json";

/// What was run, and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// The version of this format.
    packwire_transcripts: u32,
    /// The version of the suite that wrote it.
    pub(crate) suite: String,
    /// Where the command was typed.
    pub(crate) directory: PathBuf,
    /// The options that made the run what it was.
    pub(crate) flags: Vec<String>,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// The verdict in words.
    pub(crate) verdict: String,
    /// The checks that ran.
    pub(crate) checks: Vec<RecordedCheck>,
}

/// One check that ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RecordedCheck {
    /// The requirement.
    pub(crate) id: String,
    /// Its level.
    pub(crate) level: Level,
    /// How it did.
    pub(crate) status: Status,
}

/// Why there are no transcripts.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[expect(missing_docs, reason = "each variant is said by its message")]
pub enum TranscriptError {
    #[error("{} has other files in it", .path.display())]
    #[diagnostic(help("--transcripts needs a directory that is new, empty, or of an earlier run"))]
    Foreign { path: PathBuf },
    #[error("the transcripts cannot be written: {}", .path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("{} is no directory of transcripts", .path.display())]
    #[diagnostic(help("`conformance --transcripts DIR …` makes one"))]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} is not understood", .path.display())]
    NotUnderstood { path: PathBuf, source: serde_json::Error },
    #[error("{} has version {version}, and this suite knows version 1", .path.display())]
    Version { path: PathBuf, version: u32 },
    #[error("no recorded check is like that")]
    #[diagnostic(help("`--only '*'` takes all; the directory has {known}"))]
    Nothing { known: String },
}

/// Makes the directory, and takes out of it what an earlier run has left there.
pub(crate) fn prepare(directory: &Path) -> Result<(), TranscriptError> {
    let failed = |source| TranscriptError::Unwritable { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    if !directory.join(INDEX).exists() {
        let empty = std::fs::read_dir(directory).map_err(failed)?.next().is_none();
        return if empty { Ok(()) } else { Err(TranscriptError::Foreign { path: directory.to_owned() }) };
    }
    for check in Recorded::read(directory)?.checks {
        // What somebody has taken away already is gone, too.
        drop(std::fs::remove_file(file_of(directory, &check.id)));
    }
    std::fs::remove_file(directory.join(INDEX)).map_err(failed)
}

/// Writes all that a run has captured.
pub(crate) fn write(directory: &Path, run: &Run, subject: &Subject) -> Result<(), TranscriptError> {
    let mut checks = Vec::new();
    for (id, captured) in &run.captured {
        let Some((rule, verdict)) = run.results.iter().find(|(rule, _)| rule.id == *id) else { continue };
        put(&file_of(directory, id), &text(rule, verdict, captured))?;
        checks.push(RecordedCheck { id: id.clone(), level: rule.level, status: verdict.status });
    }
    let recorded = Recorded {
        packwire_transcripts: 1,
        suite: report::SUITE.to_owned(),
        directory: std::env::current_dir().unwrap_or_default(),
        flags: run.options.flags.clone(),
        command: subject.typed.clone(),
        verdict: report::verdict(run),
        checks,
    };
    let path = directory.join(INDEX);
    let index = serde_json::to_string_pretty(&recorded)
        .map_err(|source| TranscriptError::NotUnderstood { path: path.clone(), source })?;
    put(&path, &(index + "\n"))
}

fn put(path: &Path, text: &str) -> Result<(), TranscriptError> {
    std::fs::write(path, text).map_err(|source| TranscriptError::Unwritable { path: path.to_owned(), source })
}

/// Ids are dotted words, so that they are good names of files; what somebody else wrote into an index may be no id.
fn file_of(directory: &Path, id: &str) -> PathBuf {
    let name: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() || ".-+".contains(c) { c } else { '_' }).collect();
    directory.join(format!("{name}.txt"))
}

fn text(rule: &Requirement, verdict: &Verdict, captured: &[Evidence]) -> String {
    let mut text = format!("{}  {}  {}\n{}\n", rule.id, rule.level, verdict.status.word(), rule.sentence);
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{line}");
    };
    if let Some(reason) = &verdict.reason {
        line(format_args!("reason    {}", report::printable(reason)));
    }
    for finding in &verdict.findings {
        line(format_args!("expected  {}", report::printable(&finding.expected)));
        line(format_args!("observed  {}", report::printable(&finding.observed)));
    }
    for (index, evidence) in captured.iter().enumerate() {
        line(format_args!("\nprocess {}", index + 1));
        evidence.transcript.iter().for_each(|message| line(format_args!("{}", report::printable(message))));
        evidence.log.iter().for_each(|said| line(format_args!("| {}", report::printable(said))));
    }
    text
}

impl Recorded {
    /// Reads the index of a directory.
    pub(crate) fn read(directory: &Path) -> Result<Self, TranscriptError> {
        let path = directory.join(INDEX);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| TranscriptError::Unreadable { path: directory.to_owned(), source })?;
        let recorded: Self = serde_json::from_str(&text)
            .map_err(|source| TranscriptError::NotUnderstood { path: path.clone(), source })?;
        match recorded.packwire_transcripts {
            1 => Ok(recorded),
            version => Err(TranscriptError::Version { path, version }),
        }
    }
}

/// Which lines of a transcript are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Only messages of this side, and no log.
    pub(crate) from: Option<Sender>,
    /// Only messages and log lines with this text.
    pub(crate) containing: Option<String>,
}

impl Filter {
    /// The transcript of one check, as far as it is asked for.
    pub(crate) fn read(&self, directory: &Path, id: &str) -> Result<String, TranscriptError> {
        let path = file_of(directory, id);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| TranscriptError::Unreadable { path: path.clone(), source })?;
        let shown = text.lines().filter(|line| self.shows(line)).map(report::printable);
        Ok(shown.map(|line| line + "\n").collect())
    }

    fn shows(&self, line: &str) -> bool {
        let is_log = line.starts_with('|');
        let sender = [Sender::Host, Sender::Plugin].into_iter().find(|sender| is_message(line, *sender));
        if !is_log && sender.is_none() {
            return true;
        }
        let of_side = self.from.is_none_or(|from| sender == Some(from));
        of_side && self.containing.as_ref().is_none_or(|wanted| line.contains(wanted.as_str()))
    }
}

/// `   12 ms  link 0  plugin → host  …`
fn is_message(line: &str, sender: Sender) -> bool {
    let words: Vec<&str> = line.split_whitespace().take(7).collect();
    matches!(words[..], [time, "ms", "link", _, a, b, c]
        if time.bytes().all(|byte| byte.is_ascii_digit()) && format!("{a} {b} {c}") == sender.arrow())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 5] = [
        "exit.leave  MUST  fail",
        "process 1",
        "    12 ms  link 0  plugin → host  call 1  Host.attach on cap 0",
        "    13 ms  link 0  host → plugin  return 1  results",
        "| [INFO]     13 ms  link 0  host → plugin  is what I say",
    ];

    fn shown(from: Option<Sender>, containing: Option<&str>) -> Vec<usize> {
        let filter = Filter { from, containing: containing.map(str::to_owned) };
        (0..LINES.len()).filter(|index| filter.shows(LINES[*index])).collect()
    }

    #[test]
    fn filters_leave_the_headings() {
        assert_eq!(shown(None, None), [0, 1, 2, 3, 4]);
        assert_eq!(shown(Some(Sender::Plugin), None), [0, 1, 2]);
        assert_eq!(shown(Some(Sender::Host), None), [0, 1, 3]);
        assert_eq!(shown(None, Some("INFO")), [0, 1, 4]);
    }

    #[test]
    fn only_directories_of_ours_are_emptied() {
        let place = tempfile::tempdir().unwrap();
        let fresh = place.path().join("a/b");
        prepare(&fresh).unwrap();
        std::fs::write(fresh.join("precious.txt"), "").unwrap();
        assert!(matches!(prepare(&fresh), Err(TranscriptError::Foreign { .. })));
        let index = r#"{"packwire_transcripts":1,"suite":"","directory":"/","flags":[],"command":[],"verdict":"",
            "checks":[{"id":"../../x","level":"MUST","status":"fail"},{"id":"exit.leave","level":"MUST","status":"fail"}]}"#;
        std::fs::write(fresh.join(INDEX), index).unwrap();
        std::fs::write(fresh.join("exit.leave.txt"), "").unwrap();
        std::fs::write(place.path().join("x.txt"), "").unwrap();
        prepare(&fresh).unwrap();
        assert!(fresh.join("precious.txt").exists() && place.path().join("x.txt").exists());
        assert!(!fresh.join("exit.leave.txt").exists() && !fresh.join(INDEX).exists());
    }
}
