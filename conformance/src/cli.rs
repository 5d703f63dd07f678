//! What was typed → what is done → the exit code.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use miette::MietteHandlerOpts;

use crate::check::Status;
use crate::preflight::Preflight;
use crate::scenario::Scenario;
use crate::subject::{Subject, SubjectError};
use crate::suite::{self, Options, Run, SuiteError};
use crate::{explain, report, spec, supervisor};

/// Validates any Packwire plugin against the specification.
///
/// The command that starts the plugin is the interface: `conformance ./packer-builder-x`,
/// `conformance python3 plugin.py`. `--` ends the options, so that a plugin may be called `list`.
///
/// Exit codes: 0 verified as asked; 1 a MUST failed, or --complete and something was not exercised; 2 usage, nothing selected, or the program cannot be started;
/// 3 an error of the suite itself; 4 the program started and never reached attach.
#[derive(Debug, Parser)]
#[command(
    name = "conformance",
    version,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
struct Typed {
    #[command(flatten)]
    run: RunArgs,
    #[command(subcommand)]
    other: Option<Other>,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Try only the requirements that match, such as `exit.*`; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Leave out the requirements that match; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    skip: Vec<String>,
    /// How many checks run at once, beside those that mostly wait; 1: one after another
    /// [default: the number of processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// How the report is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Stretch every time limit by this factor.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    slow: f64,
    /// The seed of the configurations that are made by chance; the same seed makes the same ones.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// A file that says how the plugin's components can be run; without one nothing is run.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Fail also when something was not exercised.
    #[arg(long)]
    complete: bool,
    /// How many seconds the plugin has for its first attach, before --slow stretches them.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = factor)]
    within: f64,
    /// The program that is the plugin, and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_names = ["PLUGIN", "ARGS"])]
    plugin: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Lists all checks.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Says all there is to say about one requirement.
    Explain {
        /// Its id, such as `exit.leave`.
        id: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if std::env::args_os().skip(1).eq([supervisor::SUPERVISE]) {
        return supervisor::supervise();
    }
    let typed = match Typed::try_parse() {
        Ok(typed) => typed,
        Err(error) => {
            // Where neither stream takes it there is nobody to tell.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { USAGE } else { VERIFIED });
        }
    };
    match act(typed) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let code = failure.code();
            // Without our hook the message is told all the same, only wrapped.
            drop(miette::set_hook(Box::new(|_| {
                Box::new(MietteHandlerOpts::new().wrap_lines(false).build())
            })));
            eprintln!("{:?}", miette::Report::new(failure));
            ExitCode::from(code)
        }
    }
}

const VERIFIED: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const OURS: u8 = 3;
const NEVER_ATTACHED: u8 = 4;

/// What ends the command without a verdict.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error(transparent)]
enum Failure {
    #[diagnostic(transparent)]
    Subject(#[from] SubjectError),
    #[diagnostic(transparent)]
    Suite(#[from] SuiteError),
    #[diagnostic(transparent)]
    Unknown(#[from] explain::UnknownId),
    Spec(#[from] spec::SpecError),
    Json(#[from] serde_json::Error),
    Output(#[from] std::io::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Subject(_) | Self::Unknown(_) => USAGE,
            Self::Suite(SuiteError::Select(_) | SuiteError::CannotStart { .. }) => USAGE,
            Self::Suite(_) | Self::Spec(_) | Self::Json(_) | Self::Output(_) => OURS,
        }
    }
}

fn act(Typed { run, other }: Typed) -> Result<u8, Failure> {
    match other {
        Some(Other::List { json: false }) => print(&explain::list(&explain::requirements()?)),
        Some(Other::List { json: true }) => print(&explain::list_json(&explain::requirements()?)?),
        Some(Other::Explain { id }) => print(&explain::explain(&id, &explain::requirements()?)?),
        None => check(run),
    }
}

fn print(text: &str) -> Result<u8, Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // `| head` has read what it wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(VERIFIED),
        written => Ok(written.map(|()| VERIFIED)?),
    }
}

fn check(typed: RunArgs) -> Result<u8, Failure> {
    let RunArgs { only, skip, jobs, format, slow, seed, scenario, complete, within, plugin } = typed;
    let (program, arguments) = plugin.split_first().ok_or(SuiteError::Ours("no program".to_owned()))?;
    let subject = Subject::resolve(program, arguments)?;
    let cores = || std::thread::available_parallelism().map_or(2, usize::from);
    let within = Duration::from_secs_f64(within);
    let jobs = jobs.map_or_else(cores, usize::from);
    let scenario = scenario.as_deref().map(Scenario::read).transpose().map_err(SuiteError::from)?;
    let options = Options { only, skip, jobs, slow, seed, scenario, within };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    say_on_terminal("waiting for the plugin to attach");
    let run = runtime.block_on(suite::run(&subject, &options, progress));
    say_on_terminal("");
    let run = run?;
    let colour =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    print(&match format {
        Format::Human => report::human(&run, &subject, colour),
        Format::Json => report::json(&run, &subject)?,
    })?;
    Ok(code(&run, complete))
}

/// One line that renews itself, on a terminal only, and is gone when all is done.
fn progress(done: usize, all: usize) {
    say_on_terminal(&if done < all { format!("{done} of {all} checks done") } else { String::new() });
}

fn say_on_terminal(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}

fn code(run: &Run, complete: bool) -> u8 {
    match &run.met {
        Preflight::Attached(..) if run.count(Status::Error) > 0 => OURS,
        Preflight::Attached(..) if run.count(Status::Fail) > 0 => FAILED,
        Preflight::Attached(..) if complete && run.count(Status::NotExercised) > 0 => FAILED,
        Preflight::Attached(..) => VERIFIED,
        Preflight::NeverAttached { .. } | Preflight::CannotStart(_) => NEVER_ATTACHED,
    }
}

fn factor(typed: &str) -> Result<f64, String> {
    match typed.parse() {
        Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("a number from 0.01 to 1000 is needed".to_owned()),
    }
}
