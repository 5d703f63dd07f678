//! What a run has said, without what differs from run to run.

use std::path::Path;

/// The whole of a run's output, and how it ended.
pub(crate) struct Said {
    line: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) ended: String,
}

impl Said {
    pub(super) fn new(folder: &Path, line: &str, [stdout, stderr]: [String; 2], ended: String) -> Self {
        let constant =
            |text: String| constant(&without_waits(&text).replace(&folder.display().to_string(), "FOLDER"));
        Self { line: line.to_owned(), stdout: constant(stdout), stderr: constant(stderr), ended }
    }

    /// The same with the lines of builds that ran side by side sorted by build, each build's own order kept; what
    /// follows the summary's first line stays as it is.
    pub(crate) fn by_build(mut self) -> Self {
        let (builds, summary) = self.stdout.split_once("\n==> Wait completed").unwrap();
        let mut told: Vec<String> = Vec::new();
        for line in builds.lines() {
            match told.last_mut().filter(|_| is_continued(line)) {
                Some(last) => *last = format!("{last}\n{line}"),
                None => told.push(line.to_owned()),
            }
        }
        told.sort_by_key(|line| build_of(line));
        self.stdout = format!("{}\n\n==> Wait completed{summary}", told.join("\n"));
        self
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, stdout, stderr, ended } = self;
        write!(f, "$ packwire {line}\n{stdout}")?;
        if !stderr.is_empty() {
            write!(f, "--- stderr ---\n{stderr}")?;
        }
        writeln!(f, "--- {ended} ---")
    }
}

/// Whether a line goes on with what the one above it says: details of a failure are set in by two.
fn is_continued(line: &str) -> bool {
    line.starts_with("  ") && !line.starts_with("    ")
}

/// The build that a line of a build is about.
fn build_of(line: &str) -> String {
    let line = line.trim_start_matches("==> ").trim_start();
    let line = line.strip_prefix("Build '").unwrap_or(line);
    line.chars().take_while(|&character| character.is_alphanumeric() || character == '-').collect()
}

/// What is told where the machine is slow; whoever wants to see it waits for it with `Run::until_said`.
fn without_waits(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with("Waiting up to ")).collect()
}

/// Replaces ids, and lengths of time such as `1 second 406 milliseconds`.
fn constant(text: &str) -> String {
    text.split_inclusive('\n').map(|line| constant_line(&without_ids(line))).collect()
}

/// Replaces UUIDs, with hyphens or without.
fn without_ids(line: &str) -> String {
    let mut told = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let begins = !told.ends_with(|character: char| character.is_ascii_hexdigit());
        let id = [36, 32].into_iter().filter_map(|length| rest.get(..length)).find(|text| is_id(text));
        match id.filter(|_| begins) {
            Some(id) => {
                told.push_str("[id]");
                rest = &rest[id.len()..];
            }
            None => {
                told.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    told
}

fn is_id(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let hyphens: Vec<_> = text.match_indices('-').map(|(at, _)| at).collect();
    digits == 32 && digits + hyphens.len() == text.len() && (hyphens.is_empty() || hyphens == [8, 13, 18, 23])
}

fn constant_line(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut told: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let is_length = words[at].parse::<u64>().is_ok()
            && words.get(at + 1).is_some_and(|unit| unit_and_rest(unit).is_some());
        if !is_length {
            told.push(words[at].to_owned());
            at += 1;
            continue;
        }
        let rest = unit_and_rest(words[at + 1]).unwrap_or_default();
        match told.last_mut().filter(|last| *last == TIME) {
            Some(last) => last.push_str(rest),
            None => told.push(format!("{TIME}{rest}")),
        }
        at += 2;
    }
    told.join(" ")
}

const TIME: &str = "[time]";

fn unit_and_rest(word: &str) -> Option<&str> {
    const UNITS: [&str; 5] = ["hour", "minute", "second", "millisecond", "microsecond"];
    let rest = UNITS.iter().find_map(|unit| word.strip_prefix(unit))?;
    Some(rest.strip_prefix('s').unwrap_or(rest))
}
