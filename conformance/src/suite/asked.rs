//! What a run is asked for, and how far it has come.

use std::time::Duration;

use crate::expect::Expectations;
use crate::scenario::Scenario;
use crate::spec::Level;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Patterns of ids to run; all if there are none.
    pub only: Vec<String>,
    /// Patterns of ids to leave out.
    pub skip: Vec<String>,
    /// How many checks run at once, beside those that mostly wait; 1 is one after another.
    pub jobs: usize,
    /// The factor by which every budget is stretched.
    pub slow: f64,
    /// The seed of what is made by chance.
    pub seed: u64,
    /// What the author of the plugin says of its work.
    pub scenario: Option<Scenario>,
    /// How long the first meeting may take, before `slow` stretches it.
    pub within: Duration,
    /// The weakest requirements that are tried.
    pub level: Level,
    /// Whether a SHOULD that is not met ends the command with an exit code of its own.
    pub strict: bool,
    /// Whether what was not exercised does.
    pub complete: bool,
    /// What is known to fail.
    pub expect: Option<Expectations>,
    /// Whether everything that was captured is kept, for a directory of transcripts.
    pub whole: bool,
    /// Of what the user typed, what a command that tries one requirement again has to repeat.
    pub flags: Vec<String>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The program is waited for.
    Meeting,
    /// So many of so many checks are done, and so many of these are not as they should be.
    Checking {
        /// How many are done.
        done: usize,
        /// How many there are.
        all: usize,
        /// How many of the done ones saw something broken.
        broken: usize,
    },
    /// So many checks that were late are to be run again.
    Again(usize),
}
