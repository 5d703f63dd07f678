//! One line that renews itself, on a terminal only, and is gone when all is done.

use std::io::Write;
use std::time::Instant;

use super::screen;
use crate::suite::Progress;

/// The line; dropping it wipes it away.
pub(super) struct Line {
    began: Instant,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { began: Instant::now() }
    }

    pub(super) fn say(&self, progress: Progress) {
        if let Some(columns) = screen::columns() {
            show(&fitting(progress, self.began.elapsed().as_secs(), columns));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if screen::columns().is_some() {
            show("");
        }
    }
}

fn show(line: &str) {
    let mut stderr = std::io::stderr().lock();
    // Where standard error takes nothing there is nobody to be patient.
    drop(write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush()));
}

/// As much as stands in one row: of a line that goes on in the next one, a part would stay behind.
fn fitting(progress: Progress, seconds: u64, columns: usize) -> String {
    let words = format!("{} · {seconds} s", words(progress));
    let whole = format!("{}{words}", bar(progress));
    let fits = |line: &str| line.chars().count() < columns;
    if fits(&whole) { whole } else { words.chars().take(columns.saturating_sub(1)).collect() }
}

fn bar(progress: Progress) -> String {
    const WIDTH: usize = 20;
    let Progress::Checking { done, all, .. } = progress else { return String::new() };
    let filled = (WIDTH * done).checked_div(all).unwrap_or(WIDTH);
    format!("{}{} ", "█".repeat(filled), "░".repeat(WIDTH - filled))
}

fn words(progress: Progress) -> String {
    match progress {
        Progress::Meeting => "waiting for the plugin to attach".to_owned(),
        Progress::Checking { done, all, broken } => {
            let broken = if broken > 0 { format!(", {broken} broken") } else { String::new() };
            format!("{done} of {all} checks done{broken}")
        }
        Progress::Again(left) => format!("trying again, alone, what was late: {left} left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Progress; 5] = [
        Progress::Meeting,
        Progress::Checking { done: 0, all: 0, broken: 0 },
        Progress::Checking { done: 30, all: 117, broken: 0 },
        Progress::Checking { done: 117, all: 117, broken: 2 },
        Progress::Again(2),
    ];

    #[test]
    fn the_line_tells_how_far_a_run_is() {
        insta::assert_snapshot!(ALL.map(|progress| fitting(progress, 9, 80)).join("\n"), @r"
        waiting for the plugin to attach · 9 s
        ████████████████████ 0 of 0 checks done · 9 s
        █████░░░░░░░░░░░░░░░ 30 of 117 checks done · 9 s
        ████████████████████ 117 of 117 checks done, 2 broken · 9 s
        trying again, alone, what was late: 2 left · 9 s
        ");
    }

    #[test]
    fn the_line_stays_in_one_row_however_narrow_the_terminal_is() {
        insta::assert_snapshot!(ALL.map(|progress| fitting(progress, 9, 20)).join("\n"), @r"
        waiting for the plu
        0 of 0 checks done 
        30 of 117 checks do
        117 of 117 checks d
        trying again, alone
        ");
        for columns in 0..100 {
            for line in ALL.map(|progress| fitting(progress, 1000, columns)) {
                assert!(line.chars().count() < columns.max(1), "{columns}: {line}");
            }
        }
    }
}
