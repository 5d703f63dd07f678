//! What a check is, what it may observe, and what becomes of its observations.

use std::fmt;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

use crate::rig::Rig;
pub use crate::spec::{Level, Requirement};

/// Code that tries one requirement of SPEC.md on a fresh process of the plugin.
pub struct Check {
    /// The id of the requirement, as SPEC.md spells it.
    pub id: &'static str,
    /// The level that the author of the check read in SPEC.md; the trace compares the two.
    pub level: Level,
    /// What the check needs from the plugin or its author.
    pub class: Class,
    /// A few words for people.
    pub title: &'static str,
    /// Why the requirement exists.
    pub why: &'static str,
    /// How the suite looks from outside.
    pub seen: &'static str,
    /// The limits that it measures against.
    pub budgets: &'static [Budget],
    /// The faults of the `faulty` plugin that must turn this check red.
    pub mutants: &'static [&'static str],
    /// About how long a conforming plugin keeps it busy: the longest checks are started first.
    pub lasts: Duration,
    /// The check itself.
    pub run: Run,
}

/// The form of a check: it asks the rig for processes and hosts, and records what it observed there.
pub type Run = for<'a> fn(&'a Rig) -> LocalBoxFuture<'a, Checked>;

/// The end of a check. What it found is in its observations; `Err` only says why it went no further.
pub type Checked = Result<(), Stop>;

/// Why a check went no further.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stop", content = "why")]
pub enum Stop {
    /// Something that the requirement builds on is missing; the observation that says so is recorded.
    Prerequisite,
    /// The requirement does not apply to this plugin.
    NotApplicable(String),
    /// The author of the plugin has not said how it can be tried.
    NotExercised(String),
    /// The suite itself failed.
    Rig(String),
}

impl Stop {
    /// The suite itself failed: at what, and how.
    pub fn rig(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Rig(format!("{what}: {error}"))
    }
}

/// What a check needs before it can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing: any binary will do (class U).
    Any,
    /// A component that the plugin declares (class D).
    Declared,
    /// A scenario file from the plugin's author (class F).
    Scenario,
    /// Nothing, but it is mostly the RPC library that answers for it (class L).
    Library,
}

/// A limit that a check measures against, before `--slow` stretches it.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// What is measured.
    pub what: &'static str,
    /// The longest that it may take.
    pub limit: Duration,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// What the requirement promises.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// Whether the two agree.
    pub held: bool,
    /// The time it took, where time is part of the promise.
    pub measured: Option<Measured>,
    /// Something that the requirement builds on was missing, not the requirement itself.
    pub prerequisite: bool,
    /// The process that it was seen on, as an index into the evidence.
    pub process: Option<usize>,
}

/// A measured time beside its limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The limit after `--slow`, in milliseconds.
    pub limit_ms: u64,
    /// What was measured, in milliseconds.
    pub took_ms: u64,
}

/// What was captured around one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The messages on its connections, symbolically, oldest first.
    pub transcript: Vec<String>,
    /// Its last log lines, oldest first.
    pub log: Vec<String>,
}

impl Evidence {
    /// How many messages at its end are shown beside a finding.
    pub const MESSAGES: usize = 40;
    /// How many log lines at its end are shown beside a finding.
    pub const LINES: usize = 20;

    /// The end of it: what is shown beside a finding.
    pub fn end(&self) -> Self {
        let last = |lines: &[String], most: usize| lines[lines.len().saturating_sub(most)..].to_vec();
        Self { transcript: last(&self.transcript, Self::MESSAGES), log: last(&self.log, Self::LINES) }
    }
}

/// Something that a watcher saw beside what the check looked at; it belongs to the requirement named.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sighting {
    /// The requirement that it speaks about, or none: then it belongs to the check that it was seen in.
    pub id: Option<String>,
    /// What was seen.
    pub observation: Observation,
}

/// All that one run of a check yields: what its supervisor reports.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// What the check looked at, in order.
    pub observations: Vec<Observation>,
    /// What the watchers saw.
    pub sightings: Vec<Sighting>,
    /// One entry for each process that was started.
    pub evidence: Vec<Evidence>,
    /// Why it went no further, if it did not reach its end.
    pub stop: Option<Stop>,
    /// How long all of it took, in milliseconds.
    pub took_ms: u64,
}

/// The answer of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything that it looked at was as the requirement says.
    Pass,
    /// Not as a MUST says.
    Fail,
    /// Not as a SHOULD says.
    Warn,
    /// It missed a limit of time, and kept it when it was run again alone.
    Flaky,
    /// It fails, and `--expect` says so.
    ExpectedFail,
    /// It passes, and `--expect` says that it fails.
    UnexpectedPass,
    /// The requirement does not apply to this plugin.
    NotApplicable,
    /// Nothing has tried this requirement yet.
    NotExercised,
    /// The user left it out.
    Skipped,
    /// The suite itself failed.
    Error,
}

impl Status {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Pass,
        Self::Fail,
        Self::Warn,
        Self::Flaky,
        Self::ExpectedFail,
        Self::UnexpectedPass,
        Self::NotApplicable,
        Self::NotExercised,
        Self::Skipped,
        Self::Error,
    ];

    /// The word that people and programs read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Flaky => "flaky",
            Self::ExpectedFail => "expected-fail",
            Self::UnexpectedPass => "unexpected-pass",
            Self::NotApplicable => "not-applicable",
            Self::NotExercised => "not-exercised",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }

    /// Whether this says something about the plugin, and not only why nothing is said.
    pub fn is_an_answer(self) -> bool {
        !matches!(self, Self::NotExercised | Self::Skipped | Self::Error)
    }
}

/// Who has to act on a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The plugin.
    Plugin,
    /// The RPC library that the plugin uses.
    Library,
    /// This suite.
    Suite,
    /// The machine that the suite runs on: no room, no descriptors, no memory.
    Environment,
}

/// One disagreement between a requirement and what was seen, with its evidence.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What the requirement promises.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// Something that the requirement builds on was missing.
    pub prerequisite: bool,
    /// The check that it was seen in, where that is another one.
    pub seen_in: Option<String>,
    /// The transcript and the log around it.
    pub evidence: Evidence,
}

/// A requirement, and how the plugin did.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The id of the requirement.
    pub id: String,
    /// The answer.
    pub status: Status,
    /// The answer in words, where it is neither pass nor a finding.
    pub reason: Option<String>,
    /// What disagreed.
    pub findings: Vec<Finding>,
    /// Who has to act.
    pub blame: Blame,
    /// How many things were looked at.
    pub observed: usize,
    /// The components that they were about, where that is known: `builder custom-cloud`.
    pub components: Vec<String>,
    /// The measured times beside their limits.
    pub measured: Vec<Measured>,
    /// How long the check took, in milliseconds.
    pub took_ms: u64,
}
