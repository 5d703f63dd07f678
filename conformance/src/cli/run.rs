//! The main command: what was typed → a run → its reports.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::progress::Line;
use super::typed::{Format, RunArgs, Weakest};
use super::{Failure, may_colour, print};
use crate::expect::{self, Expectations};
use crate::report;
use crate::scenario::Scenario;
use crate::spec::Level;
use crate::subject::Subject;
use crate::suite::{self, Options, Run, SuiteError};
use crate::transcripts;

/// Runs what was asked for, writes all reports, and answers with the exit code.
pub(super) fn run(typed: RunArgs) -> Result<u8, Failure> {
    let (format, write_expect) = (typed.format, typed.write_expect.clone());
    let (reports, transcripts) = (typed.report.clone(), typed.transcripts.clone());
    let run = tried(typed, transcripts.as_deref(), &reports)?;
    let (run, subject) = (&run.0, &run.1);
    for (format, path) in &reports {
        let text = written(*format, run, subject, false)?;
        std::fs::write(path, text).map_err(|source| Failure::Report { path: path.clone(), source })?;
    }
    if let Some(directory) = &transcripts {
        transcripts::write(directory, run, subject)?;
    }
    if let Some(path) = &write_expect {
        expect::write(path, &run.results, run.options.expect.as_ref()).map_err(SuiteError::from)?;
    }
    let colour = std::io::stdout().is_terminal() && may_colour();
    print(&written(format, run, subject, colour)?)?;
    Ok(crate::ending::of(run).code())
}

/// What is wrong with what was typed is said before anything is started.
fn tried(
    typed: RunArgs,
    transcripts: Option<&Path>,
    reports: &[(Format, PathBuf)],
) -> Result<(Run, Subject), Failure> {
    let flags = flags(&typed);
    let RunArgs { only, skip, level, strict, complete, scenario, expect, jobs, slow, within, seed, .. } =
        typed;
    let (program, arguments) = typed.plugin.split_first().ok_or(SuiteError::Ours("no program".to_owned()))?;
    let scenario = scenario.as_deref().map(Scenario::read).transpose().map_err(SuiteError::from)?;
    let expect = expect.as_deref().map(Expectations::read).transpose().map_err(SuiteError::from)?;
    let cores = || std::thread::available_parallelism().map_or(2, usize::from);
    let options = Options {
        only,
        skip,
        jobs: jobs.map_or_else(cores, usize::from),
        slow,
        seed,
        scenario,
        within: Duration::from_secs_f64(within),
        level: Level::from(level),
        strict,
        complete,
        expect,
        whole: transcripts.is_some(),
        flags,
    };
    suite::selected(&options)?;
    let subject = Subject::resolve(program, arguments)?;
    can_be_written(reports.iter().map(|(_, path)| path))?;
    if let Some(directory) = transcripts {
        transcripts::prepare(directory)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let line = Line::new();
    let run = runtime.block_on(suite::run(&subject, &options, |progress| line.say(progress)))?;
    Ok((run, subject))
}

/// Finds out before the run, which may take a while; what stands in the files stays until there is something new.
fn can_be_written<'a>(mut paths: impl Iterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    let open = |path: &PathBuf| {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.map(drop).map_err(|source| Failure::Report { path: path.clone(), source })
    };
    paths.try_for_each(open)
}

/// Of what was typed, what a command that tries one requirement again has to repeat.
fn flags(typed: &RunArgs) -> Vec<String> {
    let mut flags = Vec::new();
    let mut flag = |name: &str, value: Option<String>| {
        flags.extend(value.into_iter().flat_map(|value| [format!("--{name}"), value]));
    };
    flag("scenario", typed.scenario.as_deref().map(|path| path.to_string_lossy().into_owned()));
    flag("slow", (typed.slow != 1.0).then(|| typed.slow.to_string()));
    flag("within", (typed.within != 30.0).then(|| typed.within.to_string()));
    flag("seed", (typed.seed != 1).then(|| typed.seed.to_string()));
    if typed.strict && typed.level == Weakest::Should {
        flags.push("--strict".to_owned());
    }
    flags
}

fn written(format: Format, run: &Run, subject: &Subject, colour: bool) -> Result<String, Failure> {
    Ok(match format {
        Format::Human => report::human(run, subject, colour),
        Format::Json => report::json(run, subject)?,
        Format::Junit => report::junit(run, subject),
        Format::Markdown => report::markdown(run, subject),
    })
}
