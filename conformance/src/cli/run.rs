//! The main command: what was typed → a run → its reports.

use std::path::PathBuf;
use std::time::Duration;

use super::progress::Line;
use super::typed::{Format, RunArgs, Weakest};
use super::{Failure, print, screen, work};
use crate::expect::{self, Expectations};
use crate::report;
use crate::scenario::Scenario;
use crate::spec::Level;
use crate::subject::Subject;
use crate::suite::{self, Options, Run, SuiteError};
use crate::{transcripts, writable};

/// Runs what was asked for, writes all reports, and answers with the exit code.
pub(super) fn run(typed: RunArgs) -> Result<u8, Failure> {
    let told = Told {
        format: typed.format,
        reports: typed.report.clone(),
        transcripts: typed.transcripts.clone(),
        write_expect: typed.write_expect.clone(),
    };
    let (options, subject) = asked(typed, &told)?;
    work::unless_interrupted(async {
        let run = tried(&subject, &options).await?;
        work::patiently(move || told.tell(&run, &subject)).await
    })
}

async fn tried(subject: &Subject, options: &Options) -> Result<Run, Failure> {
    let line = Line::new();
    Ok(suite::run(subject, options, |progress| line.say(progress)).await?)
}

/// Where a run is told.
struct Told {
    format: Format,
    reports: Vec<(Format, PathBuf)>,
    transcripts: Option<PathBuf>,
    write_expect: Option<PathBuf>,
}

impl Told {
    fn tell(&self, run: &Run, subject: &Subject) -> Result<u8, Failure> {
        for (format, path) in &self.reports {
            let text = written(*format, run, subject, false)?;
            std::fs::write(path, text).map_err(|source| Failure::Report { path: path.clone(), source })?;
        }
        if let Some(directory) = &self.transcripts {
            transcripts::write(directory, run, subject)?;
        }
        if let Some(path) = &self.write_expect {
            expect::write(path, &run.results, run.options.expect.as_ref()).map_err(SuiteError::from)?;
        }
        print(&written(self.format, run, subject, screen::has_colours())?)?;
        Ok(crate::ending::of(run).code())
    }

    /// Finds out before the run, which may take a while; what stands in the files stays until there is something new.
    fn can_be_written(&self) -> Result<(), Failure> {
        for (_, path) in &self.reports {
            writable::probe(path).map_err(|source| Failure::Report { path: path.clone(), source })?;
        }
        if let Some(directory) = &self.transcripts {
            transcripts::prepare(directory)?;
        }
        self.write_expect.as_deref().map_or(Ok(()), expect::can_be_written).map_err(SuiteError::from)?;
        Ok(())
    }
}

/// What is wrong with what was typed is said before anything is started.
fn asked(typed: RunArgs, told: &Told) -> Result<(Options, Subject), Failure> {
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
        whole: told.transcripts.is_some(),
        flags,
    };
    suite::selected(&options)?;
    let subject = Subject::resolve(program, arguments)?;
    told.can_be_written()?;
    Ok((options, subject))
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
