//! A run → the exit code, chosen in one place.

use crate::check::{Level, Status};
use crate::preflight::Preflight;
use crate::suite::Run;

/// How a run ends the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything is as was asked.
    Verified,
    /// A MUST failed.
    Failed,
    /// A MUST is flaky, so that nobody can say whether it is met.
    Flaky(usize),
    /// With `--strict`: a SHOULD is not met, or flaky.
    Strict(usize),
    /// With `--complete`: something was not exercised.
    Incomplete(usize),
    /// Nothing above, but expectations are stale.
    Stale(usize),
    /// The suite itself failed.
    Ours,
    /// The program started and never attached.
    NeverAttached,
}

/// How this run ends the command: what makes the verdict doubtful goes before what makes it bad.
pub fn of(run: &Run) -> Ending {
    let of_level = |level: Level, status: Status| {
        run.results.iter().filter(|(rule, verdict)| rule.level == level && verdict.status == status).count()
    };
    let flaky = of_level(Level::Must, Status::Flaky);
    let unmet = run.count(Status::Warn) + run.count(Status::Flaky) - flaky;
    let untried = run.count(Status::NotExercised);
    match run.met {
        Preflight::NeverAttached { .. } | Preflight::CannotStart(_) => Ending::NeverAttached,
        Preflight::Attached(..) if run.count(Status::Error) > 0 => Ending::Ours,
        Preflight::Attached(..) if run.count(Status::Fail) > 0 => Ending::Failed,
        Preflight::Attached(..) if flaky > 0 => Ending::Flaky(flaky),
        Preflight::Attached(..) if run.options.strict && unmet > 0 => Ending::Strict(unmet),
        Preflight::Attached(..) if run.options.complete && untried > 0 => Ending::Incomplete(untried),
        Preflight::Attached(..) if !run.stale.is_empty() => Ending::Stale(run.stale.len()),
        Preflight::Attached(..) => Ending::Verified,
    }
}

impl Ending {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Failed | Self::Flaky(_) | Self::Strict(_) | Self::Incomplete(_) => 1,
            Self::Ours => 3,
            Self::NeverAttached => 4,
            Self::Stale(_) => 5,
        }
    }

    /// Why the exit code is not 0, where the verdict does not tell.
    pub(crate) fn because(self) -> Option<String> {
        let why = match self {
            Self::Verified | Self::Failed | Self::Ours | Self::NeverAttached => return None,
            Self::Flaky(count) => format!("{count} MUST kept no limit the first time"),
            Self::Strict(count) => format!("{count} SHOULD not met, and --strict was asked for"),
            Self::Incomplete(count) => format!("{count} not exercised, and --complete was asked for"),
            Self::Stale(count) => format!("{count} stale in the file of --expect"),
        };
        Some(format!("exit code {}: {why}", self.code()))
    }
}
