//! One line that renews itself, on a terminal only, and is gone when all is done.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use crate::suite::Progress;

/// The line; dropping it wipes it away.
pub(super) struct Line {
    began: Instant,
    on_terminal: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), on_terminal: std::io::stderr().is_terminal() }
    }

    pub(super) fn say(&self, progress: Progress) {
        self.show(&format!("{} · {} s", words(progress), self.began.elapsed().as_secs()));
    }

    fn show(&self, line: &str) {
        if self.on_terminal {
            let mut stderr = std::io::stderr().lock();
            // Where standard error takes nothing there is nobody to be patient.
            drop(write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush()));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.show("");
    }
}

fn words(progress: Progress) -> String {
    const WIDTH: usize = 20;
    match progress {
        Progress::Meeting => "waiting for the plugin to attach".to_owned(),
        Progress::Checking { done, all, broken } => {
            let filled = (WIDTH * done).checked_div(all).unwrap_or(WIDTH);
            let bar = format!("{}{}", "█".repeat(filled), "░".repeat(WIDTH - filled));
            let broken = if broken > 0 { format!(", {broken} broken") } else { String::new() };
            format!("{bar} {done} of {all} checks done{broken}")
        }
        Progress::Again(left) => format!("trying again, alone, what was late: {left} left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_a_run_is() {
        let told = [
            Progress::Meeting,
            Progress::Checking { done: 0, all: 0, broken: 0 },
            Progress::Checking { done: 30, all: 117, broken: 0 },
            Progress::Checking { done: 117, all: 117, broken: 2 },
            Progress::Again(2),
        ]
        .map(words);
        insta::assert_snapshot!(told.join("\n"), @r"
        waiting for the plugin to attach
        ████████████████████ 0 of 0 checks done
        █████░░░░░░░░░░░░░░░ 30 of 117 checks done
        ████████████████████ 117 of 117 checks done, 2 broken
        trying again, alone, what was late: 2 left
        ");
    }
}
