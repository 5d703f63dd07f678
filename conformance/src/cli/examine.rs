//! `doctor`, `selftest` and `--wait`: what is told step by step, without a verdict.

use std::time::Duration;

use super::progress::Line;
use super::typed::DoctorArgs;
use super::{Failure, NEVER_ATTACHED, OURS, VERIFIED, print, screen, work};
use crate::step::{self, Step};
use crate::subject::Subject;
use crate::suite::{self, Progress, SuiteError};
use crate::supervisor::Task;
use crate::{selftest, wait};

/// The steps of an attach that have to be fine for it to be one.
const ATTACHED: usize = 4;

/// How long the suite has to try itself.
const SELFTEST: Duration = Duration::from_secs(30);

/// Tells the first hour of a plugin.
pub(super) fn doctor(typed: &DoctorArgs) -> Result<u8, Failure> {
    let (program, arguments) = typed.plugin.split_first().ok_or(SuiteError::Ours("no program".to_owned()))?;
    let subject = Subject::resolve(program, arguments)?;
    let within = Duration::from_secs_f64(typed.within);
    let line = Line::new();
    line.say(Progress::Meeting);
    let steps = steps(&subject, Task::Doctor { within }, within)?;
    drop(line);
    let found = Step::fine("found", subject.program.display().to_string());
    let (all_fine, attached) =
        (steps.iter().all(Step::is_fine), steps.iter().filter(|it| it.is_fine()).count());
    let steps: Vec<Step> = std::iter::once(found).chain(steps).collect();
    let ending = if all_fine {
        "it attaches and leaves; now `conformance PLUGIN` tries every rule"
    } else {
        "the first thing to mend"
    };
    let command = subject.typed.join(" ");
    print(&format!("doctor of {command}\n{}{ending}\n", step::told(&steps, screen::has_colours())))?;
    Ok(match attached {
        _ if all_fine => VERIFIED,
        ATTACHED.. => super::FAILED,
        _ => NEVER_ATTACHED,
    })
}

/// Tells whether this machine has what the suite needs.
pub(super) fn selftest() -> Result<u8, Failure> {
    let steps = match suite::fresh_directory() {
        Ok(_) => steps(&selftest::subject(), Task::Selftest, SELFTEST)?,
        Err(error) => vec![selftest::no_directory(&error)],
    };
    let all_fine = steps.iter().all(Step::is_fine);
    let ending = if all_fine {
        "this machine has what the suite needs"
    } else {
        "verdicts from here cannot be trusted"
    };
    print(&format!("{}{ending}\n", step::told(&steps, screen::has_colours())))?;
    Ok(if all_fine { VERIFIED } else { OURS })
}

/// Is a host for a plugin that somebody else starts.
pub(super) fn wait() -> Result<u8, Failure> {
    let root = suite::fresh_directory().map_err(SuiteError::Directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| SuiteError::Ours(error.to_string()))?;
    let attached = tokio::task::LocalSet::new().block_on(&runtime, wait::wait(root.path()))?;
    Ok(if attached { VERIFIED } else { NEVER_ATTACHED })
}

fn steps(subject: &Subject, task: Task, within: Duration) -> Result<Vec<Step>, Failure> {
    work::unless_interrupted(async { Ok(suite::steps(subject, task, within).await?) })
}
