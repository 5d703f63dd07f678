//! The whole run: a first meeting, then every selected check under a supervisor of its own, then the verdicts.

mod again;
mod asked;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::check::{Blame, Check, Evidence, Observation, Outcome, Requirement, Status, Stop, Verdict};
use crate::expect::{ExpectError, Stale};
use crate::judge::{self, Ran};
use crate::memory::Memory;
use crate::preflight::{Introduction, Preflight};
use crate::rig::{self, RigJob};
use crate::scenario::ScenarioError;
use crate::select::{self, SelectError};
use crate::selftest::ROOM_ADVICE;
use crate::spec::{self, Level, Party, Seen, SpecError};
use crate::step::Step;
use crate::subject::Subject;
use crate::supervisor::{self, Answer, Job, SupervisorError, Task};
use crate::{checks, report};

pub use asked::{Options, Progress};

/// How long one check may take beside an attach, before `--slow` stretches it.
const OVERRUN: Duration = Duration::from_secs(120);
/// How long the end of a check may take: everything that it started is ended, and looked at.
const WIND_DOWN: Duration = Duration::from_secs(30);
/// A check that lasts longer than this does so by waiting.
const IDLE: Duration = Duration::from_secs(1);
/// The longest directory for the directories of checks, in bytes.
const LONGEST_ROOT: usize = 40;
/// What only a mistake of ours can bring about.
const OTHER_QUESTION: &str = "a supervisor answered another question";
/// How long a check waits for an attach at least, however quick the first one was.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// The expectations are none.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Expect(#[from] ExpectError),
    /// The program cannot be started.
    #[error("{why}")]
    CannotStart {
        /// Its path, and what the system said.
        why: String,
        /// What may help.
        #[help]
        hint: Option<String>,
    },
    /// There is no room for the checks.
    #[error("no directory for a check can be made")]
    #[diagnostic(help("{ROOM_ADVICE}"))]
    Directory(#[source] io::Error),
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
    /// Expectations that should be taken out.
    pub stale: Vec<Stale>,
    /// What was captured around the processes of each check, by its id; empty unless all of it was to be kept.
    pub captured: Vec<(String, Vec<Evidence>)>,
    /// What was asked for.
    pub options: Options,
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

/// What every check of a run shares.
struct Context<'a> {
    subject: &'a Subject,
    options: &'a Options,
    /// How long a check waits for an attach, before `slow` stretches it.
    patience: Duration,
    /// The components that the plugin has, as `builder custom-cloud`.
    offered: &'a [String],
    /// What all supervisors may need together.
    memory: &'a Memory,
}

/// Runs what was asked for. This process becomes a subreaper, and at the end everything below it is ended.
pub async fn run(
    subject: &Subject,
    options: &Options,
    mut progress: impl FnMut(Progress),
) -> Result<Run, SuiteError> {
    let began = Instant::now();
    // What a supervisor that crashed leaves behind falls to us.
    rig::become_subreaper().map_err(|error| SuiteError::Ours(error.to_string()))?;
    let (requirements, wanted) = (requirements()?, selected(options)?);
    progress(Progress::Meeting);
    let met = meet(subject, options).await?;
    if let (Some(scenario), Preflight::Attached(introduction, _)) = (&options.scenario, &met) {
        scenario.fits(&introduction.components)?;
    }
    let by_name = !options.only.is_empty();
    let chosen = checks::all().filter(|check| wanted.iter().any(|id| id == check.id));
    let chosen = chosen.filter(|check| by_name || is_worth_trying(check, &met)).collect();
    let (patience, offered, memory) = (patience(&met, options), offered(&met), &Memory::default());
    let context = Context { subject, options, patience, offered, memory };
    let ran = run_all(&context, chosen, &mut progress).await;
    let flaky = again::run_again(&context, &ran, |left| progress(Progress::Again(left))).await;
    rig::end_descendants(rig::own_pid(), &[]);
    let captured = if options.whole { captured(&ran) } else { Vec::new() };
    let mut verdicts = judge::judge(ran);
    again::tell_apart(&mut verdicts, &flaky);
    let never = !matches!(met, Preflight::Attached(..));
    let result = |requirement: &Requirement| {
        let known = verdicts.iter().find(|verdict| verdict.id == requirement.id);
        let verdict = known.cloned().unwrap_or_else(|| untried(requirement, never, &wanted));
        (requirement.clone(), verdict)
    };
    let mut results: Vec<(Requirement, Verdict)> = requirements.iter().map(result).collect();
    let stale = options.expect.as_ref().map(|known| known.apply(&mut results)).unwrap_or_default();
    Ok(Run { met, results, took: began.elapsed(), stale, captured, options: options.clone() })
}

/// Ends what a run that is not awaited any longer may have left below this process.
pub(crate) fn end_everything() {
    rig::end_descendants(rig::own_pid(), &[]);
}

/// The ids that are asked for; an error if a pattern matches none of those that there are, or nothing is left.
pub(crate) fn selected(options: &Options) -> Result<Vec<String>, SuiteError> {
    let requirements = requirements()?;
    let all: Vec<&str> = requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    select::known(&all, options.only.iter().chain(&options.skip))?;
    let ids: Vec<&str> = of_level(&requirements, options.level).collect();
    let selected = select::select(&ids, &options.only, &options.skip)?;
    Ok(selected.into_iter().map(str::to_owned).collect())
}

/// The requirements that this suite could try, in the order of SPEC.md.
pub(crate) fn requirements() -> Result<Vec<Requirement>, SpecError> {
    Ok(spec::requirements(spec::SPEC)?.into_iter().filter(is_ours).collect())
}

fn of_level(requirements: &[Requirement], weakest: Level) -> impl Iterator<Item = &str> {
    let is_wanted = move |one: &&Requirement| weakest != Level::Must || one.level == Level::Must;
    requirements.iter().filter(is_wanted).map(|requirement| requirement.id.as_str())
}

fn captured(ran: &[Ran]) -> Vec<(String, Vec<Evidence>)> {
    let of = |(check, result): &Ran| Some((check.id.to_owned(), result.as_ref().ok()?.evidence.clone()));
    ran.iter().filter_map(of).collect()
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

fn untried(requirement: &Requirement, never: bool, wanted: &[String]) -> Verdict {
    let (status, reason) = match () {
        () if !wanted.contains(&requirement.id) => (Status::Skipped, "left out by --only, --skip or --level"),
        () if never => (Status::NotExercised, "the program never attached"),
        () => (Status::NotExercised, "this version of the suite has no check for it"),
    };
    judge::empty(&requirement.id, status, Some(reason.to_owned()), Blame::Suite)
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
    let memory = &Memory::default();
    let context = Context { subject, options, patience: options.within, offered: &[], memory };
    match supervise(&context, task).await {
        Ok(Answer::Preflight(Preflight::CannotStart(why))) => {
            Err(SuiteError::CannotStart { hint: report::start_hint(&why), why })
        }
        Ok(Answer::Preflight(met)) => Ok(met),
        Ok(_) => Err(SuiteError::Ours(OTHER_QUESTION.to_owned())),
        Err(SuperviseError::Supervisor(why @ SupervisorError::Memory(_))) => Ok(too_much(&why)),
        Err(SuperviseError::Directory(error)) => Err(SuiteError::Directory(error)),
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
    context: &Context<'_>,
    chosen: Vec<&'static Check>,
    progress: &mut impl FnMut(Progress),
) -> Vec<Ran> {
    let (all, jobs) = (chosen.len(), context.options.jobs);
    let mut order: Vec<(usize, &'static Check)> = chosen.into_iter().enumerate().collect();
    order.sort_by_key(|(_, check)| std::cmp::Reverse(check.lasts));
    // Who only waits needs no processor, and would keep those waiting that do.
    let (idle, busy): (Vec<_>, Vec<_>) =
        order.into_iter().partition(|(_, check)| check.lasts >= IDLE && jobs > 1);
    let run = |(index, check)| async move { (index, run_one(context, check).await) };
    let idle = futures::stream::iter(idle.into_iter().map(run)).buffer_unordered(all.max(1));
    let busy = futures::stream::iter(busy.into_iter().map(run)).buffer_unordered(jobs.max(1));
    let mut runs = std::pin::pin!(futures::stream::select(idle, busy));
    let (mut ran, mut broken): (Vec<(usize, Ran)>, usize) = (Vec::new(), 0);
    progress(Progress::Checking { done: 0, all, broken });
    while let Some(one) = runs.next().await {
        broken += usize::from(is_broken(&one.1));
        ran.push(one);
        progress(Progress::Checking { done: ran.len(), all, broken });
    }
    ran.sort_by_key(|(index, _)| *index);
    ran.into_iter().map(|(_, ran)| ran).collect()
}

fn is_broken((_, result): &Ran) -> bool {
    result.as_ref().map_or(true, |outcome| outcome.observations.iter().any(|seen| !seen.held))
}

async fn run_one(context: &Context<'_>, check: &'static Check) -> Ran {
    let began = Instant::now();
    let within = longest(context.options);
    match supervise(context, Task::Check { id: check.id.to_owned(), within }).await {
        Ok(Answer::Check(outcome)) => (check, Ok(outcome)),
        Ok(_) => (check, Err(OTHER_QUESTION.to_owned())),
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

/// How long one check may take.
fn longest(options: &Options) -> Duration {
    (OVERRUN + options.within).mul_f64(options.slow)
}

/// Why a job has no answer.
#[derive(Debug, thiserror::Error)]
enum SuperviseError {
    #[error("no directory for a check: {0}")]
    Directory(#[from] io::Error),
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
}

async fn supervise(context: &Context<'_>, task: Task) -> Result<Answer, SuperviseError> {
    let Context { subject, options, patience, offered, memory } = *context;
    let root = fresh_directory()?;
    let rig = RigJob {
        subject: subject.clone(),
        slow: options.slow,
        patience,
        seed: options.seed,
        scenario: options.scenario.clone(),
        offered: offered.to_vec(),
        whole: options.whole,
    };
    let job = Job { task, rig, root: root.path().to_owned() };
    // A check that takes too long ends itself; its supervisor is ended if even that takes too long.
    Ok(supervisor::supervised(&job, longest(options) + WIND_DOWN, memory).await?)
}

/// Has a supervisor go through something step by step.
pub(crate) async fn steps(subject: &Subject, task: Task, within: Duration) -> Result<Vec<Step>, SuiteError> {
    rig::become_subreaper().map_err(|error| SuiteError::Ours(error.to_string()))?;
    let ours = |error: &dyn std::fmt::Display| SuiteError::Ours(error.to_string());
    let root = fresh_directory().map_err(SuiteError::Directory)?;
    let job = Job { task, rig: RigJob::by_hand(subject.clone()), root: root.path().to_owned() };
    let answer = supervisor::supervised(&job, OVERRUN + within, &Memory::default()).await;
    rig::end_descendants(rig::own_pid(), &[]);
    match answer {
        Ok(Answer::Steps(steps)) => Ok(steps),
        Ok(_) => Err(SuiteError::Ours(OTHER_QUESTION.to_owned())),
        Err(error) => Err(ours(&error)),
    }
}

/// Where TMPDIR says, unless that is too long: the path of a socket has at most 100 bytes.
pub(crate) fn fresh_directory() -> io::Result<tempfile::TempDir> {
    let wanted = std::env::temp_dir();
    let root = if wanted.as_os_str().len() <= LONGEST_ROOT { wanted } else { PathBuf::from("/tmp") };
    tempfile::Builder::new().prefix("pwc-").rand_bytes(8).tempdir_in(root)
}
