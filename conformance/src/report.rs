//! A run, told to people and to programs.

mod again;
mod human;
mod json;
mod junit;
mod markdown;
mod verdict;

use crate::check::{Blame, Status};

pub(crate) use again::again;
pub use human::human;
pub use json::json;
pub use junit::junit;
pub use markdown::markdown;
pub(crate) use verdict::verdict;

/// The name under which reports count the versions of this suite.
pub(crate) const SUITE: &str = env!("CARGO_PKG_VERSION");

/// The counts in words, only those that are not zero; the passed ones always.
pub(crate) fn counts(of: impl Fn(Status) -> usize) -> String {
    let told = Status::ALL.into_iter().filter(|status| *status == Status::Pass || of(*status) > 0);
    told.map(|status| format!("{} {}", of(status), counted(status))).collect::<Vec<_>>().join(", ")
}

fn counted(status: Status) -> &'static str {
    match status {
        Status::Pass => "passed",
        Status::Fail => "failed",
        Status::Warn => "with a warning",
        Status::Flaky => "flaky",
        Status::ExpectedFail => "failed as expected",
        Status::UnexpectedPass => "passed unexpectedly",
        Status::NotApplicable => "not applicable",
        Status::NotExercised => "not exercised",
        Status::Skipped => "skipped",
        Status::Error => "ended in an error of the suite",
    }
}

/// Who has to act, in words.
fn blame(blame: Blame) -> &'static str {
    match blame {
        Blame::Plugin => "the plugin",
        Blame::Library => "mostly the RPC library of the plugin",
        Blame::Suite => "this suite, which is the host here; please report it",
        Blame::Environment => "the machine: `conformance selftest` tries what the suite needs of it",
    }
}

/// A line of the plugin's, without what could move a terminal's cursor.
pub(crate) fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// What may help when the system refuses to start a program.
pub(crate) fn start_hint(why: &str) -> Option<String> {
    let hint = match why {
        why if why.contains("os error 8") => "a script needs a #! line, a binary the right architecture",
        why if why.contains("os error 2") => "the file exists: its interpreter or loader does not",
        why if why.contains("os error 13") => "this user may not execute it",
        _ => return None,
    };
    Some(hint.to_owned())
}
