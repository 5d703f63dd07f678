//! The whole run: a first meeting, then every selected check under a supervisor of its own, then the verdicts.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::check::{Blame, Check, Observation, Outcome, Requirement, Status, Stop, Verdict};
use crate::judge::{self, Ran};
use crate::memory::Memory;
use crate::preflight::{Introduction, Preflight};
use crate::rig::{self, RigJob};
use crate::scenario::{Scenario, ScenarioError};
use crate::select::{self, SelectError};
use crate::spec::{self, Level, Party, Seen, SpecError};
use crate::subject::Subject;
use crate::supervisor::{self, Answer, Job, SupervisorError, Task};
use crate::{checks, report};

/// How long one check may take before its supervisor is ended, before `--slow` stretches it.
const OVERRUN: Duration = Duration::from_secs(120);
/// A check that lasts longer than this does so by waiting.
const IDLE: Duration = Duration::from_secs(1);
/// The longest directory for the directories of checks, in bytes.
const LONGEST_ROOT: usize = 40;
/// How long a check waits for an attach at least, however quick the first one was.
const PATIENCE: Duration = Duration::from_secs(10);

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
}

/// Why a run came to no verdict.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum SuiteError {
    /// The suite was built with a specification that it cannot read.
    #[error("SPEC.md cannot be read")]
    Spec(#[from] SpecError),
    /// The selection is none.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Select(#[from] SelectError),
    /// The scenario is not one of this plugin.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Scenario(#[from] ScenarioError),
    /// The program cannot be started.
    #[error("{why}")]
    CannotStart {
        /// Its path, and what the system said.
        why: String,
        /// What may help.
        #[help]
        hint: Option<String>,
    },
    /// The suite itself failed.
    #[error("the suite itself failed: {0}")]
    Ours(String),
}

/// What a run yields.
pub struct Run {
    /// What the plugin said of itself, or why it never attached.
    pub met: Preflight,
    /// The requirements that bind plugins and can be seen, in the order of SPEC.md, each with its verdict.
    pub results: Vec<(Requirement, Verdict)>,
    /// How long all of it took.
    pub took: Duration,
}

impl Run {
    /// What the plugin said of itself, if it attached.
    pub fn introduction(&self) -> Option<&Introduction> {
        match &self.met {
            Preflight::Attached(introduction, _) => Some(introduction),
            _ => None,
        }
    }

    /// How many requirements have this verdict.
    pub fn count(&self, status: Status) -> usize {
        self.results.iter().filter(|(_, verdict)| verdict.status == status).count()
    }
}

/// Runs what was asked for. This process becomes a subreaper, and at the end everything below it is ended.
///
///  `progress` hears how many of how many checks are done.
pub async fn run(
    subject: &Subject,
    options: &Options,
    mut progress: impl FnMut(usize, usize),
) -> Result<Run, SuiteError> {
    let began = Instant::now();
    // What a supervisor that crashed leaves behind falls to us.
    rig::become_subreaper().map_err(|error| SuiteError::Ours(error.to_string()))?;
    let requirements = spec::requirements(spec::SPEC)?;
    let requirements: Vec<Requirement> = requirements.into_iter().filter(is_ours).collect();
    let ids: Vec<&str> = requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    let (wanted, left_out) = select::select(&ids, &options.only, &options.skip)?;
    let met = meet(subject, options).await?;
    if let (Some(scenario), Preflight::Attached(introduction, _)) = (&options.scenario, &met) {
        scenario.fits(&introduction.components)?;
    }
    let chosen: Vec<&'static Check> = checks::all().filter(|check| wanted.contains(&check.id)).collect();
    let never = !matches!(met, Preflight::Attached(..));
    let by_name = !options.only.is_empty();
    let chosen = chosen.into_iter().filter(|check| by_name || is_worth_trying(check, &met)).collect();
    let verdicts = judge::judge(run_all(subject, options, chosen, &met, &mut progress).await);
    rig::end_descendants(rig::own_pid(), &[]);
    let result = |requirement: Requirement| {
        let known = verdicts.iter().find(|verdict| verdict.id == requirement.id);
        let verdict = known.cloned().unwrap_or_else(|| untried(&requirement, never, &left_out));
        (requirement, verdict)
    };
    let results = requirements.iter().cloned().map(result).collect();
    Ok(Run { met, results, took: began.elapsed() })
}

/// Whether a requirement is one that this suite could try: it binds plugins and can be seen.
fn is_ours(requirement: &Requirement) -> bool {
    requirement.binds == Party::Plugin
        && requirement.level != Level::May
        && !matches!(requirement.seen, Seen::Unobservable(_))
}

/// Nobody wants forty verdicts on a program that never attaches: only the one rule is tried whose breach may explain
/// that, and what was asked for by name.
fn is_worth_trying(check: &Check, met: &Preflight) -> bool {
    match met {
        Preflight::Attached(..) => true,
        Preflight::NeverAttached { connections, .. } => {
            *connections > 0 && check.id == "attach.bootstrap-then-attach"
        }
        Preflight::CannotStart(_) => false,
    }
}

fn untried(requirement: &Requirement, never: bool, left_out: &[&str]) -> Verdict {
    let id = requirement.id.as_str();
    let (status, reason) = match () {
        () if left_out.contains(&id) => (Status::Skipped, "left out by --only or --skip"),
        () if never => (Status::NotExercised, "the program never attached"),
        () => (Status::NotExercised, "this version of the suite has no check for it"),
    };
    judge::empty(id, status, Some(reason.to_owned()), Blame::Suite)
}

/// How long a check waits for an attach, before `slow` stretches it: three times what the first one took.
fn patience(met: &Preflight, options: &Options) -> Duration {
    match met {
        Preflight::Attached(_, took) => {
            took.mul_f64(3.0 / options.slow).clamp(PATIENCE, PATIENCE.max(options.within))
        }
        _ => options.within,
    }
}

/// The components that the plugin has, as `builder custom-cloud`.
fn offered(met: &Preflight) -> &[String] {
    match met {
        Preflight::Attached(introduction, _) => &introduction.components,
        _ => &[],
    }
}

async fn meet(subject: &Subject, options: &Options) -> Result<Preflight, SuiteError> {
    let task = Task::Preflight { within: options.within };
    match supervise(subject, options, task, options.within, &[], &Memory::default()).await {
        Ok(Answer::Preflight(Preflight::CannotStart(why))) => {
            Err(SuiteError::CannotStart { hint: report::start_hint(&why), why })
        }
        Ok(Answer::Preflight(met)) => Ok(met),
        Ok(Answer::Check(_)) => Err(SuiteError::Ours("a supervisor answered another question".to_owned())),
        Err(SuperviseError::Supervisor(why @ SupervisorError::Memory(_))) => Ok(too_much(&why)),
        Err(why) => Err(SuiteError::Ours(why.to_string())),
    }
}

/// What came of a first meeting that had to be ended.
fn too_much(why: &SupervisorError) -> Preflight {
    Preflight::NeverAttached {
        end: Some(format!("was ended: {why}")),
        waited_ms: 0,
        connections: 1,
        packer: false,
        log: Vec::new(),
    }
}

/// Runs checks side by side, the longest first, and answers in the order in which they were given.
async fn run_all(
    subject: &Subject,
    options: &Options,
    chosen: Vec<&'static Check>,
    met: &Preflight,
    progress: &mut impl FnMut(usize, usize),
) -> Vec<Ran> {
    let (all, patience, offered) = (chosen.len(), patience(met, options), offered(met));
    let memory = &Memory::default();
    let mut order: Vec<(usize, &'static Check)> = chosen.into_iter().enumerate().collect();
    order.sort_by_key(|(_, check)| std::cmp::Reverse(check.lasts));
    // Who only waits needs no processor, and would keep those waiting that do.
    let (idle, busy): (Vec<_>, Vec<_>) =
        order.into_iter().partition(|(_, check)| check.lasts >= IDLE && options.jobs > 1);
    let run = |(index, check)| async move {
        (index, run_one(subject, options, check, patience, offered, memory).await)
    };
    let idle = futures::stream::iter(idle.into_iter().map(run)).buffer_unordered(all.max(1));
    let busy = futures::stream::iter(busy.into_iter().map(run)).buffer_unordered(options.jobs.max(1));
    let mut runs = std::pin::pin!(futures::stream::select(idle, busy));
    let mut ran: Vec<(usize, Ran)> = Vec::new();
    progress(0, all);
    while let Some(one) = runs.next().await {
        ran.push(one);
        progress(ran.len(), all);
    }
    ran.sort_by_key(|(index, _)| *index);
    ran.into_iter().map(|(_, ran)| ran).collect()
}

async fn run_one(
    subject: &Subject,
    options: &Options,
    check: &'static Check,
    patience: Duration,
    offered: &[String],
    memory: &Memory,
) -> Ran {
    let began = Instant::now();
    match supervise(subject, options, Task::Check(check.id.to_owned()), patience, offered, memory).await {
        Ok(Answer::Check(outcome)) => (check, Ok(outcome)),
        Ok(Answer::Preflight(_)) => (check, Err("a supervisor answered another question".to_owned())),
        Err(SuperviseError::Supervisor(why @ SupervisorError::Memory(_))) => {
            (check, Ok(cut_short(&why, began)))
        }
        Err(why) => (check, Err(why.to_string())),
    }
}

/// What came of a check in which the plugin sent more than can be heard.
fn cut_short(why: &SupervisorError, began: Instant) -> Outcome {
    let observation = Observation {
        expected: "what the plugin sends fits into the suite's memory, so that the rule can be tried"
            .to_owned(),
        observed: why.to_string(),
        held: false,
        measured: None,
        prerequisite: true,
        process: None,
    };
    Outcome {
        observations: vec![observation],
        stop: Some(Stop::Prerequisite),
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        ..Outcome::default()
    }
}

/// Why a job has no answer.
#[derive(Debug, thiserror::Error)]
enum SuperviseError {
    #[error("no directory for a check: {0}")]
    Directory(#[from] io::Error),
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
}

async fn supervise(
    subject: &Subject,
    options: &Options,
    task: Task,
    patience: Duration,
    offered: &[String],
    memory: &Memory,
) -> Result<Answer, SuperviseError> {
    let root = fresh_directory()?;
    let rig = RigJob {
        subject: subject.clone(),
        slow: options.slow,
        patience,
        seed: options.seed,
        scenario: options.scenario.clone(),
        offered: offered.to_vec(),
    };
    let job = Job { task, rig, root: root.path().to_owned() };
    let within = (OVERRUN + options.within).mul_f64(options.slow);
    Ok(supervisor::supervised(&job, within, memory).await?)
}

/// Where TMPDIR says, unless that is too long: the path of a socket has at most 100 bytes.
fn fresh_directory() -> io::Result<tempfile::TempDir> {
    let wanted = std::env::temp_dir();
    let root = if wanted.as_os_str().len() <= LONGEST_ROOT { wanted } else { PathBuf::from("/tmp") };
    tempfile::Builder::new().prefix("pwc-").rand_bytes(8).tempdir_in(root)
}
